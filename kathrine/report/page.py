"""`report.html` of one run: what it was, what it measured, how it sounds, what it changed and what came out of it.

One file without any request to elsewhere. Every text that comes from a run is escaped; every number of its tables
names the line of `metrics.jsonl` that it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kathrine.corpus.files import write_atomically
from kathrine.corpus.page_parts import escape, hours, table_html
from kathrine.recipe.tables import ValidationTable
from kathrine.report.charts import run_charts
from kathrine.report.curves import Chart, chart_html, downsampled
from kathrine.report.parts import notice, number, page_html, section, take_card, tiles
from kathrine.report.reading import STATUS, UNFINISHED, RunRead, Spoken, age, read_run, sound_of
from kathrine.report.results import results_of
from kathrine.report.sounds import Sounds
from kathrine.report.tables import checks_table, data_table, drift_table, evaluation_table, held_out_table
from kathrine.train.checkpoint import kept_reasons
from kathrine.train.choice import Candidate, reason

NAME = "report.html"


def write_report(folder: Path, sounds: Sounds | None = None, status: str = "") -> Path:
    """Write the report of a run folder into it, atomically. Returns its path.

    Given: sounds, to be kept from one writing to the next; status, for who knows it better than the folder. Raises:
    KathrineError where the folder is no run's.
    """
    run = read_run(folder)
    if status:
        run.outcome = {**run.outcome, "status": status}
    text = report_html(run, sounds or Sounds(folder))
    path = folder / NAME
    write_atomically(path, lambda temporary: _write(temporary, text))
    return path


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def report_html(run: RunRead, sounds: Sounds) -> str:
    """The whole page."""
    sounds.begin()
    charts = run_charts(run)
    body = [
        f"<h1>{escape(run.name)}<span class='badge'>{escape(run.status.replace('_', ' '))}</span></h1>",
        summary(run),
        samples_section(run, sounds),
        section("Curves", charts_html(charts)),
        section("Held-out losses", held_out_table(run)),
        section("Checks over time", checks_table(run)),
        section("Evaluation", evaluation_table(results_of(run.evaluation))),
        section("Drift of the weights", drift_table(run.drift)),
        section("Data", data_table(run)),
        section("Checkpoints and exports", made(run)),
        section("Recipe and versions", recipe_html(run), versions_html(run)),
    ]
    return page_html(f"{run.name}: kathrine run", body, numbers_of(run, charts))


def numbers_of(run: RunRead, charts: Sequence[Chart]) -> dict[str, Any]:
    """What the page shows, for programs: as in metrics.jsonl, curves thinned out as they are drawn."""
    return {
        "run": run.name,
        "status": run.status,
        "last": run.last,
        "validations": run.validations,
        "samples": run.samples,
        "curves": {
            chart.title: {line.label: [list(point) for point in downsampled(line.points)] for line in chart.lines}
            for chart in charts
            if chart.lines
        },
    }


# --------------------------------------------------------------------------- what it came to


def summary(run: RunRead) -> str:
    """Where the run stands, in large numbers, and what a reader has to know first."""
    steps = f"of {run.total_steps:,}" if run.total_steps else "updates"
    best = run.validation_at(run.best_step)
    first = run.validations[0] if run.validations else {}
    rows = [("step", number(run.last, "step") if run.last else "0", steps)]
    if run.plan.get("trained_parameters"):
        rows.append(("trained", f"{run.plan['trained_parameters']:,}", "parameters"))
    if best:
        rows.append(("held-out loss", number(best, "validation.score"), f"before: {number(first, 'validation.score')}"))
        rows.append(("best step", number(best, "step"), "by validation"))
    if run.samples:
        share = run.samples[-1].get("samples.flagged", 0.0)
        rows.append(("flagged", f"{share:.0%}", f"of the sentences at step {run.samples[-1]['step']:,}"))
    seconds = sum(run.timing["seconds"].values) if "seconds" in run.timing else 0.0
    if seconds:
        rows.append(("training time", hours(seconds), "updates alone"))
    notes = []
    if run.status not in ("finished", "running"):
        told = STATUS.get(run.status, run.status)
        error = f": {run.outcome['error']}" if run.outcome.get("error") else ""
        heard = f" (last number {age(run)})" if run.status == UNFINISHED and age(run) else ""
        notes.append(f"This run is {told}{error}{heard}." if not error else f"This run {told}{error}")
    skipped = run.last.get("skipped_in_all")
    if skipped:
        notes.append(f"{skipped} updates were left out because a number was not finite.")
    for step in run.before_noise():
        notes.append(
            f"After step {step:,} the samples grew noisier at two checkpoints in a row while the loss fell: listen to "
            "the checkpoint of that step before a later one."
        )
    notes += [f"Reading: {problem}" for problem in run.problems]
    chosen = "".join(f'<p class="wrap">{escape(line)}</p>' for line in choices(run))
    return tiles(rows) + chosen + "".join(map(notice, notes))


def choices(run: RunRead) -> list[str]:
    """Which checkpoint is kept and by which rule, and what the evaluation chose; the two go by different numbers."""
    lines = []
    why = str(run.outcome.get("reason") or best_reason(run))
    if why:
        which = f"step {run.best_step:,}" if run.best_step is not None else "none"
        lines.append(f"Best checkpoint while training: {which}: {why}.")
    choice = run.evaluation.get("choice")
    if isinstance(choice, Mapping) and choice.get("reason"):
        step = choice.get("step")
        keep = f"keep step {step:,}" if isinstance(step, int) else "keep none"
        lines.append(f"Choice of the evaluation: {keep}: {choice['reason']}.")
    return lines


def best_reason(run: RunRead) -> str:
    """Why the best checkpoint so far is that, from what was measured; empty before the first validation after step
    0."""
    if not any(line["step"] for line in run.validations):
        return ""
    rule = run.recipe.get("validation", {}).get("best_by", ValidationTable().best_by)
    score = run.validation_at(run.best_step).get("validation.score")
    heard = [line.get("samples.flagged") for line in run.samples if line["step"] == run.best_step]
    known = run.best_step is not None and isinstance(score, int | float)
    best = Candidate(run.best_step or 0, float(score or 0.0), heard[-1] if heard else None) if known else None
    return reason(best, rule)


def charts_html(charts: Sequence[Chart]) -> str:
    drawn = "".join(map(chart_html, charts))
    return f'<div class="charts">{drawn}</div>' if drawn else '<p class="hint">Nothing measured yet.</p>'


# --------------------------------------------------------------------------- how it sounds


def samples_section(run: RunRead, sounds: Sounds) -> str:
    """A player for each sentence and checkpoint, beside the reference whose voice was asked for."""
    reference = run.path / "samples" / "reference.wav"
    if not run.spoken:
        return ""
    first = sounds.player(reference) if reference.is_file() else ""
    players: dict[tuple[int | None, str], str] = {}
    for spoken in by_worth(run):
        for take in spoken.takes:
            players[spoken.step, str(take["file"])] = sounds.player(sound_of(spoken, take))
    texts = list(dict.fromkeys(str(take["text"]) for spoken in run.spoken for take in spoken.takes))
    parts = [f'<div class="players"><div><p>reference</p>{first}</div></div>'] if first else []
    for text in texts:
        cells = [
            take_card(_when(run, spoken), take, players[spoken.step, str(take["file"])])
            for spoken in run.spoken
            for take in spoken.takes
            if str(take["text"]) == text
        ]
        parts.append(f'<h3>{escape(text)}</h3><div class="players">{"".join(cells)}</div>')
    return section("Samples", *parts)


def by_worth(run: RunRead) -> list[Spoken]:
    """What is to be heard first gets the room: the end, the newest, the best; then newest to oldest."""
    newest = max((spoken.step for spoken in run.spoken if spoken.step is not None), default=None)
    wanted = (None, newest, run.best_step)
    return sorted(run.spoken, key=lambda one: wanted.index(one.step) if one.step in wanted else len(wanted))


def _when(run: RunRead, spoken: Spoken) -> str:
    if spoken.step is None:
        return "<b>result</b>"
    best = ' <span class="good">best</span>' if spoken.step == run.best_step else ""
    return f"step {spoken.step:,}{best}" if spoken.step else "step 0, untrained"


# --------------------------------------------------------------------------- what came out of it


def made(run: RunRead) -> str:
    """Checkpoints and exports that are there, as links to the folders beside the page."""
    rows = []
    reasons = kept_reasons(run.checkpoints, run.recipe.get("train", {}).get("keep_last", 1))
    for step, why in reasons.items():
        place = f"checkpoints/{step:08d}"
        rows.append([f'<a href="{place}/">{place}</a>', escape(", ".join(why))])
    for folder in run.exports:
        files = names_in(folder)
        links = ", ".join(f'<a href="export/{_link(folder.name)}/{_link(name)}">{escape(name)}</a>' for name in files)
        rows.append([f'<a href="export/{_link(folder.name)}/">export/{escape(folder.name)}</a>', links])
    rows += [
        [f'<a href="{name}">{name}</a>', ""]
        for name in ("metrics.jsonl", "timing.jsonl", "console.log", "evaluation/results.json")
        if (run.path / name).is_file()
    ]
    rows = [[place, f'<span class="wrap">{more}</span>'] for place, more in rows]
    return table_html(["folder", ""], rows, set()) if rows else ""


def names_in(folder: Path) -> list[str]:
    """Names in a folder; none where it went while the page was made, as an export does that is made anew."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []


def _link(name: str) -> str:
    return escape(quote(name))


def recipe_html(run: RunRead) -> str:
    if not run.recipe_text:
        return ""
    return (
        '<details class="plain"><summary>recipe.toml, resolved</summary>'
        f"<pre>{escape_lines(run.recipe_text)}</pre></details>"
    )


def escape_lines(text: str) -> str:
    """Text of several lines as HTML; `escape` alone would join them."""
    return "\n".join(map(escape, text.splitlines()))


def versions_html(run: RunRead) -> str:
    """Versions, checkpoint and machine."""
    rows = []
    for name, value in run.versions.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        rows += [[escape(f"{name} {key}".strip()), escape(str(one))] for key, one in inner]
    if not rows:
        return ""
    table = table_html(["what", "version"], rows, set())
    return f'<details class="plain"><summary>versions</summary>{table}</details>'
