"""What a model's card tells of a run, as Markdown: data, losses, evaluation, limits, drift, versions. Pure functions.

Every text that comes from a run is made harmless (`kathrine.cards.plain`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kathrine.cards import plain, table
from kathrine.report.charts import run_charts
from kathrine.report.picture import charts_svg
from kathrine.report.reading import RunRead, Spoken
from kathrine.report.results import OWN, Result, is_saved, results_at, results_of, retention_of, systems_in
from kathrine.speech.checks import ADVICE
from kathrine.train.outcome import by_source

CURVES = ("Loss by term", "Held-out talker loss by source", "Text gain by source", "Flagged samples")
"""Charts of the report that stand on a card: what was learnt, whether the text is listened to, and how it sounds."""
NO_NUMBER = "-"


def curves_svg(run: RunRead) -> str:
    """The curves of a run as one picture; empty where nothing was measured."""
    charts = {chart.title: chart for chart in run_charts(run)}
    return charts_svg([charts[title] for title in CURVES if title in charts], f"curves of {run.name}")


def data_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """A row a data entry: hours, utterances, speakers and licence of what was kept."""
    head = ["data", "source", "hours", "utterances", "held out", "speakers", "licence"]
    rows = [
        [
            plain(entry.get("name") or entry.get("entry") or ""),
            plain(entry.get("source") or NO_NUMBER),
            count(entry.get("hours"), 2),
            count(_utterances(entry, "train")),
            count(_utterances(entry, "validation")),
            count(entry.get("speakers")),
            ", ".join(map(plain, licences_in(entry))) or "not stated",
        ]
        for entry in entries
    ]
    return table(head, rows, {2, 3, 4, 5})


def licences_in(entry: Mapping[str, Any]) -> list[str]:
    """Licences in the facts of a data entry."""
    found = entry.get("licence")
    return [str(one) for one in found] if isinstance(found, list | tuple) else [str(found)] if found else []


def _utterances(entry: Mapping[str, Any], split: str) -> Any:
    splits = entry.get("splits")
    found = splits.get(split) if isinstance(splits, Mapping) else None
    return found.get("utterances") if isinstance(found, Mapping) else found


def count(value: Any, digits: int = 0) -> str:
    """A number with its thousands grouped; a dash where there is none."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return f"{value:,.{digits}f}" if known else NO_NUMBER


# --------------------------------------------------------------------------- what was measured


def losses_table(run: RunRead, step: int) -> str:
    """Held-out losses by source, before training and at the step whose weights these are (else the last one before).
    Empty where nothing was held out since the beginning."""
    after = run.validation_at(step) or next((one for one in reversed(run.validations) if one["step"] <= step), {})
    if not after or (after["step"] == run.validations[0]["step"] != step):
        return ""
    first, last = by_source(run.validations[0]), by_source(after)
    rows = [
        [plain(entry), label.replace("_", " "), count(row[label], 4), count(last.get(entry, {}).get(label), 4)]
        for entry, row in first.items()
        for label in row
    ]
    head = ["data", "nat a frame", f"step {run.validations[0]['step']}", f"step {after['step']}"]
    return table(head, rows, {2, 3})


def evaluation_tables(document: Mapping[str, Any], step: int) -> str:
    """What `kathrine evaluate` found: for each set of sentences a row a number, a column a system. What was skipped
    is no number: `limits` names it."""
    results = [one for one in card_results(document, step) if one.value is not None]
    parts = []
    for measured in dict.fromkeys(one.measured for one in results):
        rows = [one for one in results if one.measured == measured]
        title = f"**{plain(measured)}**" if measured else ""
        parts += [part for part in (title, _side_by_side(rows, measured)) if part]
    return "\n\n".join(parts)


def card_results(document: Mapping[str, Any], step: int) -> list[Result]:
    """Rows of this step's weights, of human recordings of the same sentences, and of what was forgotten."""
    own = results_at(document, step)
    if not isinstance(document.get("systems"), list):
        return own
    names = {
        str(system.get("name"))
        for system in systems_in(document)
        if system.get("kind") not in (*OWN, "samples", "before", "after") and not is_saved(system)
    }
    told = {one.measured for one in own}
    return [*own, *(one for one in results_of(document) if one.system in names and one.measured in told)]


def _side_by_side(rows: Sequence[Result], measured: str) -> str:
    systems = list(dict.fromkeys(one.system for one in rows))
    lines = []
    for name in dict.fromkeys(one.name for one in rows):
        found = [one for one in rows if one.name == name]
        by_system = {one.system: one for one in found}
        cells = [plain(by_system[system].told()) if system in by_system else NO_NUMBER for system in systems]
        notes = "; ".join(dict.fromkeys(one.note for one in found if one.note))
        lines.append([plain(name), *cells, plain(notes)])
    heads = ["change"] if systems == [measured] else [plain(one) or "value" for one in systems]
    return table(["number", *heads, "what it is"], lines, set(range(1, len(systems) + 1)))


def evaluated_steps(document: Mapping[str, Any], step: int) -> set[int]:
    """Steps of the run's own rows on the card."""
    return {one.step for one in results_at(document, step) if one.step is not None}


def spoken_at(run: RunRead, step: int) -> Spoken | None:
    """The test sentences that the weights of this step said, those of the end first; None where there are none."""
    last = run.drift.get("step", step)  # what is spoken at the end, is spoken with the weights whose drift was measured
    found = [one for one in run.spoken if one.step == step or (one.final and last == step)]
    return min(found, key=lambda one: not one.final, default=None)


def flags_sentence(spoken: Spoken | None) -> str:
    """How many of the test sentences the always-on checks flagged."""
    if spoken is None:
        return ""
    flagged = [take for take in spoken.takes if take.get("flags")]
    return f"Of {len(spoken.takes)} test sentences the always-on checks flagged {len(flagged) or 'none'}."


# --------------------------------------------------------------------------- limits


def limits(run: RunRead | None, step: int, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences about what was measured as weak, and about what nobody measured."""
    found: list[str] = []
    if run is not None:
        found += _flagged(spoken_at(run, step))
        if run.validations and not run.validation_at(step):
            found.append(f"No held-out loss was measured at step {step:,}, whose weights these are.")
        found += _weak_gain(run, step)
        found += _evaluated(run.evaluation, step)
        found += [
            f"After step {before:,} the spoken sentences grew noisier while the loss fell."
            for before in run.before_noise()
            if before < step
        ]
    else:
        found.append("Nothing but the loss was measured.")
    unknown = [plain(entry.get("name") or entry.get("entry") or "") for entry in entries if not licences_in(entry)]
    if unknown:
        found.append(f"The licence of {', '.join(unknown)} is not stated: find out before you build on this model.")
    found.append("No listener has judged it: no number here is a measure of naturalness or of accent.")
    return found


def _flagged(spoken: Spoken | None) -> Iterator[str]:
    if spoken is None:
        yield "No test sentence was spoken."
        return
    for take in spoken.takes:
        if take.get("flags"):
            meaning = "; ".join(ADVICE.get(flag, (str(flag), ""))[0] for flag in take["flags"])
            yield f"Flagged: “{plain(take.get('text', ''))}”: {plain(meaning)}."


def _weak_gain(run: RunRead, step: int) -> Iterator[str]:
    after = run.validation_at(step)
    for entry, row in by_source(after).items():
        gain = row.get("text_gain")
        if isinstance(gain, int | float) and gain <= 0:
            yield f"Held out from {plain(entry)}, the right text is no likelier than another (text gain {gain:.3f})."


def _evaluated(document: Mapping[str, Any], step: int) -> Iterator[str]:
    if not document:
        yield "`kathrine evaluate` was not run: error rates and likeness of the voice are not known."
        yield "What the base model's other languages lost was not measured."
        return
    others = evaluated_steps(document, step) - {step}
    if others:
        yield f"The evaluation is of step {', '.join(map(str, sorted(others)))}, these weights are of step {step}."
    skipped = dict.fromkeys(plain(one.name) for one in results_at(document, step) if one.value is None)
    if skipped:
        yield f"Not measured, for want of a model or a package: {', '.join(skipped)}."
    forgotten = list(retention_of(document))
    for one in forgotten:
        if one.note == "worse":
            yield f"Worse than the base model: {plain(one.measured)}: {plain(one.name)} {plain(one.told())}."
    if not forgotten:
        yield "What the base model's other languages lost was not measured."


# --------------------------------------------------------------------------- what it was made with


def drift_table(drift: Mapping[str, Any], step: int) -> str:
    """How far each part has moved from the base model; empty where that was measured of another step's weights."""
    if drift.get("step", step) != step:
        return ""
    rows = [
        [
            plain(name),
            f"{facts['relative_l2']:.4%}" if facts["changed"] else "unchanged",
            f"{facts['changed']:,} of {facts['parameters']:,}",
        ]
        for name, facts in drift.get("parts", {}).items()
    ]
    return table(["part", "relative change (L2)", "parameters in changed tensors"], rows, {1, 2})


def versions_table(versions: Mapping[str, Any]) -> str:
    """Packages, device and base model of the run; nothing that tells which machine it was."""
    packages = versions.get("packages")
    rows = [[plain(name), plain(one)] for name, one in (packages.items() if isinstance(packages, Mapping) else ())]
    rows += [[name, plain(versions[name])] for name in ("python", "device", "corpus") if versions.get(name)]
    model = versions.get("model")
    if isinstance(model, Mapping) and model.get("revision"):
        rows.append(["base model, revision", plain(model["revision"])])
    return table(["what", "version"], rows)
