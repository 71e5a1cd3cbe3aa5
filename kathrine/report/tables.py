"""Tables of a run's page: held-out losses, checks, scores, drift, data. Pure functions to HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kathrine.corpus.page_parts import escape, hours, licence_html, table_html
from kathrine.report.parts import notice, number, value_cell, value_html
from kathrine.report.reading import RunRead
from kathrine.report.results import Result

MOST_ROWS = 60
"""Validations and checkpoints in one table: first, last, best, and others evenly spread."""


def thinned(lines: Sequence[Mapping[str, Any]], best: int | None) -> list[Mapping[str, Any]]:
    """At most about MOST_ROWS of the lines: the first, the last and the best one among them."""
    stride = max(1, -(-len(lines) // MOST_ROWS))
    return [
        line
        for place, line in enumerate(lines)
        if place % stride == 0 or place == len(lines) - 1 or line["step"] == best
    ]


def held_out_table(run: RunRead) -> str:
    """One row for each validation, one column for each loss of each source."""
    names = list(
        dict.fromkeys(
            name
            for line in run.validations
            for name in line
            if name.startswith("validation.") and not re.match(r"validation\.(form|layout)\.", name)
        )
    )
    names.sort(key=lambda name: (name != "validation.score", name.count(".") == 1))
    head = ["step", *(escape(name.removeprefix("validation.").replace("_", " ")) for name in names)]
    rows = []
    for line in thinned(run.validations, run.best_step):
        mark = ' <span class="good">best</span>' if line["step"] == run.best_step else ""
        rows.append([number(line, "step") + mark, *(number(line, name) for name in names)])
    return table_html(head, rows, set(range(len(names) + 1))) if rows else ""


def checks_table(run: RunRead) -> str:
    """One row for each time that sentences were spoken: how many have which flag, and how noisy they are."""
    flags = sorted({name for line in run.samples for name in line if name.startswith("samples.flag.")})
    names = ["samples.takes", "samples.flagged", *flags]
    names += ["samples.floor_db", "samples.flatness", "samples.high_db", "samples.seconds_per_letter"]
    head = ["step", *(escape(name.split(".", 1)[1].removeprefix("flag.").replace("_", " ")) for name in names)]
    rows = [
        [number(line, "step"), *(number(line, name, 3) for name in names)]
        for line in thinned(run.samples, run.best_step)
    ]
    return table_html(head, rows, set(range(len(head)))) if rows else ""


def evaluation_table(results: Sequence[Result]) -> str:
    """What `kathrine evaluate` wrote: a table for each language and set, a row for each number, a column for each
    system; else a row for each number of the document."""
    groups = dict.fromkeys(one.measured for one in results if one.measured)
    tables = [compared_systems([one for one in results if one.measured == name], name) for name in groups]
    return "".join(tables) + plain_scores([one for one in results if not one.measured])


def compared_systems(results: Sequence[Result], measured: str) -> str:
    """Systems that were measured on the same sentences, side by side."""
    systems = list(dict.fromkeys(one.system for one in results))
    rows = []
    for name in dict.fromkeys(one.name for one in results):
        found = [one for one in results if one.name == name]
        by_system = {one.system: one for one in found if one.value is not None}
        cells = [value_html(by_system[system].told()) if system in by_system else "-" for system in systems]
        notes = "; ".join(dict.fromkeys(one.note for one in found if one.note))
        rows.append([escape(name), *cells, f'<span class="wrap">{escape(notes)}</span>' if notes else ""])
    heads = ["change"] if systems == [measured] else systems
    head = ["number", *map(escape, heads), "what it is"]
    return f"<h3>{escape(measured)}</h3>" + table_html(head, rows, set(range(1, len(systems) + 1)))


def plain_scores(results: Sequence[Result]) -> str:
    """Numbers of any other document with their intervals."""
    rows = []
    for one in results:
        interval = f"{value_cell(one.low)} to {value_cell(one.high)}" if one.low is not None else ""
        rows.append([escape(one.name), value_cell(one.value), interval, escape(one.note)])
    return table_html(["score", "value", "95 %", ""], rows, {1}) if rows else ""


def drift_table(drift: Mapping[str, Any]) -> str:
    """How far each named part has moved from the base model."""
    parts = drift.get("parts", {})
    rows = []
    most = max((facts["relative_l2"] for facts in parts.values()), default=0.0) or 1.0
    for name, facts in parts.items():
        bar = f'<span class="bar"><i style="width:{100 * facts["relative_l2"] / most:.0f}%"></i></span>'
        moved = f"{facts['relative_l2']:.4%}" if facts["changed"] else "unchanged"
        cells = [value_cell(facts[key]) for key in ("change", "base")]
        rows.append([escape(name), bar + moved, *cells, f"{facts['changed']:,} of {facts['parameters']:,}"])
    if not rows:
        return ""
    missing = "".join(
        notice(f"strategy.{name} is not in these numbers: {why}") for name, why in drift.get("not_measured", {}).items()
    )
    hint = (
        f"{drift.get('weights_from', '')}. Length of the change over the length of the base model's weights (L2), for "
        "each part; parameters: of the tensors that were changed."
    )
    head = ["part", "relative change", "change", "base", "parameters"]
    return table_html(head, rows, {1, 2, 3, 4}) + f'<p class="hint">{escape(hint)}</p>' + missing


def data_table(run: RunRead) -> str:
    """What was trained on, by data entry."""
    rows = []
    for entry in run.plan.get("data", []):
        splits = entry.get("splits", {})
        rows.append(
            [
                escape(str(entry.get("name", ""))),
                escape(str(entry.get("source", ""))),
                *(value_cell(entry.get(key)) for key in ("seen", "kept")),
                hours(entry["seconds"]) if isinstance(entry.get("seconds"), int | float) else "-",
                value_cell(entry.get("speakers")),
                *(value_cell(splits.get(split, {}).get("utterances")) for split in ("train", "validation")),
                _left_out(entry.get("rejected")),
                ", ".join(licence_html(str(one)) for one in _listed(entry.get("licence"))) or "-",
            ]
        )
    head = ["data", "source", "seen", "kept", "speech", "speakers", "train", "held out", "left out", "licence"]
    return table_html(head, rows, {2, 3, 4, 5, 6, 7}) if rows else ""


def _left_out(rejected: Any) -> str:
    if not isinstance(rejected, Mapping):
        return "-"
    return escape(", ".join(f"{reason} {count:,}" for reason, count in rejected.items())) or "-"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
