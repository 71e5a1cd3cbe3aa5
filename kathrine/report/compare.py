"""Several runs side by side: a table, overlaid curves, players of the same sentences, and how their recipes differ."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kathrine.corpus.files import write_atomically
from kathrine.corpus.page_parts import escape, table_html
from kathrine.errors import KathrineError
from kathrine.report.charts import SOUND, SPEED, labels, values_of
from kathrine.report.curves import Chart, Line, chart_html, downsampled
from kathrine.report.parts import page_html, section, take_card, value_html
from kathrine.report.reading import RunRead, Spoken, read_run, sound_of
from kathrine.report.results import Result, results_at
from kathrine.report.sounds import Sounds
from kathrine.train.folder import flat

NOT_COMPARED = ("run.folder", "run.name")
"""Keys that differ between any two runs and say nothing."""
Row = tuple[str, list[str]]


def read_runs(folders: Sequence[Path]) -> list[RunRead]:
    """Read run folders. Two runs of one name are called by their folders; where these are the same too, by their paths.

    Raises: KathrineError for a folder that is no run's, all of them at once, for one named twice, and for fewer than
    two.
    """
    places = [folder.expanduser().resolve() for folder in folders]
    if len(set(places)) < len(places):
        raise KathrineError("the same run is named twice", "name different run folders")
    if len(places) < 2:
        raise KathrineError("one run can not be compared", "name two or more: kathrine compare RUN RUN")
    bad = [str(folder) for folder, place in zip(folders, places, strict=True) if not (place / "recipe.toml").is_file()]
    if bad:
        raise KathrineError(f"no run folder, without recipe.toml: {', '.join(bad)}", "name folders that `run` wrote")
    runs = [read_run(place) for place in places]
    for whole in (False, True):
        names = [run.name for run in runs]
        for run in runs:
            if names.count(run.name) > 1:
                run.name = str(run.path) if whole else run.path.name
    return runs


# --------------------------------------------------------------------------- numbers


def compared(runs: Sequence[RunRead]) -> list[Row]:
    """What is compared, with a cell for each run: `-` where a run has it not."""
    rows: list[Row] = []

    def row(name: str, cells: Iterable[str | None]) -> None:
        told = [cell or "-" for cell in cells]
        if any(one != "-" for one in told):
            rows.append((name, told))

    row("status", (run.status.replace("_", " ") for run in runs))
    row("steps", (f"{run.step:,}" + (f" of {run.total_steps:,}" if run.total_steps else "") for run in runs))
    row("trained parameters", (_count(run.plan.get("trained_parameters")) for run in runs))
    row("speech, hours", (hours_of(run) for run in runs))
    row("best step", (_count(run.best_step) for run in runs))
    row("held-out talker loss, before", (_number(run.validation_at(0).get("validation.score")) for run in runs))
    row("held-out talker loss, best", (_number(best_line(run).get("validation.score")) for run in runs))
    for source in sources(runs):
        row(
            f"held-out talker loss of {source}, best",
            (_number(best_line(run).get(f"validation.{source}.talker")) for run in runs),
        )
    for label in dict.fromkeys(label for run in runs for label in labels(run.validations)):
        row(f"held-out loss {label}", (_number(best_line(run).get(f"validation.{label}")) for run in runs))
    row("text gain", (_number(best_line(run).get("validation.text_gain")) for run in runs))
    row("flagged sentences", (_share(spoken_line(run).get("samples.flagged")) for run in runs))
    for name, title in SOUND.items():
        row(title, (_number(spoken_line(run).get(f"samples.{name}"), 2) for run in runs))
    row("noise grew after step", (", ".join(f"{step:,}" for step in run.before_noise()) for run in runs))
    row("updates left out", (_count(run.last.get("skipped_in_all")) for run in runs))
    row("audio trained on, s/s", (_number(_median(run, SPEED), 1) for run in runs))
    for part in dict.fromkeys(part for run in runs for part in changed_parts(run)):
        row(f"drift of {part}", (changed_parts(run).get(part) for run in runs))
    scores = [{score_name(one): score_cell(one, run.best_step) for one in evaluated(run)} for run in runs]
    sets = [{one.measured for one in evaluated(run)} for run in runs]
    row("evaluated sentences", other_sets(runs, sets))
    for name in dict.fromkeys(name for found in scores for name in found):
        row(name, (found.get(name) for found in scores))
    return rows


def evaluated(run: RunRead) -> list[Result]:
    """What `kathrine evaluate` found of a run, at its best step where that was evaluated."""
    return results_at(run.evaluation, run.best_step)


def score_name(one: Result) -> str:
    """A row holds numbers of the same sentences alone: it names language, number of sentences and set."""
    return f"{one.name}: {one.measured}" if one.measured else one.name


def score_cell(one: Result, best: int | None) -> str:
    """The number, its interval, and the step that it was measured at."""
    if one.step is None:
        return one.told()
    other = ", not the best one" if best is not None and one.step != best else ""
    return f"{one.told()}; step {one.step:,}{other}"


def other_sets(runs: Sequence[RunRead], sets: Sequence[set[str]]) -> list[str | None]:
    """Marks the runs that were not evaluated on the same sentences as the first that was; nothing where all were."""
    first = next((place for place, found in enumerate(sets) if found), None)
    if first is None or all(not found or found == sets[first] for found in sets):
        return [None] * len(runs)
    other = f"not those of {runs[first].name}: numbers of other sentences stand in rows of their own"
    return [None if not found else "own" if found == sets[first] else other for found in sets]


def best_line(run: RunRead) -> Mapping[str, Any]:
    """The validation that the best checkpoint was chosen by, else the newest one."""
    return run.validation_at(run.best_step) or (run.validations[-1] if run.validations else {})


def spoken_line(run: RunRead) -> Mapping[str, Any]:
    """What the sentences of the best checkpoint were like, else of the newest that spoke."""
    best = [line for line in run.samples if line["step"] == run.best_step]
    return (best or run.samples or [{}])[-1]


def sources(runs: Sequence[RunRead]) -> list[str]:
    """Data entries that any of the runs holds something out of."""
    found: dict[str, None] = {}
    for run in runs:
        for name in best_line(run):
            if name.startswith("validation.") and name.endswith(".talker") and name.count(".") == 2:
                found[name.split(".")[1]] = None
    return list(found)


def hours_of(run: RunRead) -> str | None:
    seconds = [entry.get("seconds") for entry in run.plan.get("data", [])]
    known = [one for one in seconds if isinstance(one, int | float)]
    return f"{sum(known) / 3600:.2f}" if known else None


def changed_parts(run: RunRead) -> dict[str, str]:
    """Relative L2 by part, of those that changed."""
    parts = run.drift.get("parts", {})
    return {name: f"{facts['relative_l2']:.4%}" for name, facts in parts.items() if facts.get("changed")}


def _count(value: Any) -> str | None:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any, digits: int = 4) -> str | None:
    return f"{value:.{digits}f}" if isinstance(value, int | float) and math.isfinite(value) else None


def _share(value: Any) -> str | None:
    return f"{value:.0%}" if isinstance(value, int | float) else None


def _median(run: RunRead, name: str) -> float | None:
    return statistics.median(run.timing[name].values) if name in run.timing else None


def recipe_rows(runs: Sequence[RunRead]) -> list[Row]:
    """Keys of the resolved recipes that are not the same in all runs, with each run's value; `-`: not there.

    A data entry that some runs have not is one row; its keys are compared among the others.
    """
    flattened = [dict(line.split(" = ", 1) for line in flat(run.recipe)) for run in runs]
    keys = dict.fromkeys(key for one in flattened for key in one)
    entries = {key: ".".join(key.split(".")[:2]) for key in keys if key.startswith("data.")}
    lacking = [{entries[key] for key in entries} - {entries[key] for key in one if key in entries} for one in flattened]
    rows: list[Row] = []
    told: set[str] = set()
    for key in keys:
        entry = entries.get(key, "")
        has = [entry not in lacks for lacks in lacking]
        if not all(has) and entry not in told:
            rows.append((entry, ["yes" if one else "-" for one in has]))
            told.add(entry)
        values = [one.get(key, "-") for one in flattened]
        if key not in NOT_COMPARED and len({value for value, there in zip(values, has, strict=True) if there}) > 1:
            rows.append((key, values))
    return rows


# --------------------------------------------------------------------------- the page


def write_comparison(runs: Sequence[RunRead], path: Path) -> Path:
    """Write the page of these runs, atomically. Returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = comparison_html(runs, Sounds(path.parent.resolve()))
    write_atomically(path, lambda temporary: _write(temporary, text))
    return path


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def comparison_html(runs: Sequence[RunRead], sounds: Sounds) -> str:
    """The whole page."""
    sounds.begin()
    charts = compared_charts(runs)
    names = [run.name for run in runs]
    rows, differences = compared(runs), recipe_rows(runs)
    drawn = "".join(map(chart_html, charts))
    body = [
        "<h1>Runs compared</h1>",
        section("Numbers", rows_html(rows, names)),
        section("Curves", f'<div class="charts">{drawn}</div>' if drawn else ""),
        section("Samples", samples_html(runs, sounds)),
        section("Recipes", rows_html(differences, names) if differences else "<p>The recipes are the same.</p>"),
    ]
    numbers = {
        "runs": names,
        "rows": dict(rows),
        "recipes": dict(differences),
        "curves": {
            chart.title: {line.label: [list(point) for point in downsampled(line.points)] for line in chart.lines}
            for chart in charts
        },
    }
    return page_html(f"{' and '.join(names)}: compared", body, numbers)


def rows_html(rows: Sequence[Row], names: Sequence[str]) -> str:
    cells = [[escape(name), *map(value_html, values)] for name, values in rows]
    head = ["", *(f'<span class="cell">{escape(name)}</span>' for name in names)]
    return table_html(head, cells, set(range(1, len(names) + 1)))


def compared_charts(runs: Sequence[RunRead]) -> list[Chart]:
    """A chart for each number, a line for each run, which has the same colour in all of them."""

    def columns(title: str, name: str, unit: str = "", log: bool | None = False) -> Chart:
        lines = [Line(run.name, run.columns[name].points() if name in run.columns else []) for run in runs]
        return Chart(title, lines, unit, log=log)

    def events(title: str, kind: str, name: str, unit: str = "") -> Chart:
        points = [values_of(getattr(run, kind), name) for run in runs]
        lines = [Line(run.name, some, dots=len(some) <= 60) for run, some in zip(runs, points, strict=True)]
        return Chart(title, lines, unit)

    return [
        events("Held-out talker loss", "validations", "validation.score", "nat"),
        *(
            events(f"Held-out talker loss of {source}", "validations", f"validation.{source}.talker", "nat")
            for source in sources(runs)
        ),
        *(
            events(f"Held-out loss {label}", "validations", f"validation.{label}", "nat")
            for label in dict.fromkeys(label for run in runs for label in labels(run.validations))
        ),
        events("Text gain", "validations", "validation.text_gain", "nat"),
        columns("Talker loss of the updates", "loss.talker", "nat"),
        columns("Gradient norm", "grad_norm", log=None),
        replace(events("Flagged samples", "samples", "samples.flagged", "share"), span=(0.0, 1.0)),
        *(events(f"Noise: {title}", "samples", f"samples.{name}") for name, title in SOUND.items()),
    ]


def samples_html(runs: Sequence[RunRead], sounds: Sounds) -> str:
    """Each sentence that any run has spoken, the runs beside one another: of its end, else of its newest checkpoint."""
    heard = [(run, spoken) for run in runs if (spoken := result_of(run)) is not None]
    references = [
        f"<div><p>reference of {escape(run.name)}</p>{sounds.player(run.path / 'samples' / 'reference.wav')}</div>"
        for run, _ in heard
        if (run.path / "samples" / "reference.wav").is_file()
    ]
    parts = [f'<div class="players">{"".join(references)}</div>'] if references else []
    for text in dict.fromkeys(str(take["text"]) for _, spoken in heard for take in spoken.takes):
        cells = []
        for run, spoken in heard:
            when = "" if spoken.step is None else f", step {spoken.step:,}"
            cells += [
                take_card(f"<b>{escape(run.name)}</b>{when}", take, sounds.player(sound_of(spoken, take)))
                for take in spoken.takes
                if str(take["text"]) == text
            ]
        parts.append(f'<h3>{escape(text)}</h3><div class="players">{"".join(cells)}</div>')
    return "".join(parts)


def result_of(run: RunRead) -> Spoken | None:
    """What a run ended with, else what it spoke last."""
    return run.spoken[0] if run.spoken else None
