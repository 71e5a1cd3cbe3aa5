"""The table of an evaluation: a row for each number, a column for each system, and what the number is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kathrine.speech.evaluation import Result, System
from kathrine.speech.intervals import Estimate

SHARES = ("wer", "cer", "mean_wer", "over_half", "looped", "flagged", "repeating", "skipping", "recognised", "inserted")
"""Keys that are shown in per cent, beside all of `articulation`."""


def number(estimate: Estimate, share: bool, sign: bool = False) -> str:
    """`3.1 % (2.2 to 4.0)`, or with three digits where it is no share."""
    scale, digits = (100.0, 1) if share else (1.0, 3 if abs(estimate.value) < 10 else 1)
    plus = "+" if sign else ""
    text = f"{estimate.value * scale:{plus}.{digits}f}{' %' if share else ''}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} ({estimate.low * scale:{plus}.{digits}f} to {estimate.high * scale:{plus}.{digits}f})"


def cell(system: System, result: Result | None, key: str) -> str:
    """A number of a system, and of how many of its takes it is made where that is not all of them."""
    if result is None or key not in result.values:
        return "-"
    count = result.counts.get(key, len(system.takes))
    said = number(result.values[key], is_share(result.metric, key))
    return said if count == len(system.takes) else f"{said}, {count} of {len(system.takes)} takes"


def is_share(metric: str, key: str) -> bool:
    """Whether a number is a share of something."""
    return metric == "articulation" or key in SHARES


def evaluation_table(systems: Sequence[System], title: str) -> Any:
    """A rich table: number, one column a system with its 95 % interval, which way is better, and what it is."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for name in ("metric", "number", *(system.name for system in systems), "better", "what it is"):
        table.add_column(name, overflow="fold")
    flagged = [number(system.flagged, share=True) for system in systems]
    table.add_row("checks", "flagged", *flagged, "lower", "always-on checks; at most 5 % in a best one")
    counts = [Counter(flag for take in system.takes for flag in take.flags) for system in systems]
    for flag in sorted({flag for count in counts for flag in count}):
        shares = zip(counts, systems, strict=True)
        cells = [f"{100 * count[flag] / len(system.takes):.1f} %" for count, system in shares]
        table.add_row("", f"flag: {flag}", *cells, "lower", "")
    labels = dict.fromkeys(result.label for system in systems for result in system.results)
    for label in labels:
        found = [next((one for one in system.results if one.label == label), None) for system in systems]
        keys = {key: better for one in found if one is not None for key, better in one.shown.items()}
        if not keys:
            why = next(one.skipped for one in found if one is not None and one.skipped)
            table.add_row(label, "-", *["-"] * len(systems), "", Text(f"skipped: {why}"))
            continue
        first = True
        for key, better in keys.items():
            cells = [cell(system, one, key) for system, one in zip(systems, found, strict=True)]
            if all(one == "-" for one in cells):
                continue
            facts = next(one.facts for one in found if one is not None and not one.skipped)
            what = "; ".join(part for part in (facts.caption, facts.model) if part) if first else ""
            table.add_row(label if first else "", key, *cells, better, Text(what))
            first = False
    return table


def skipped_lines(systems: Sequence[System]) -> list[str]:
    """One line for each metric that was skipped, with its whole reason."""
    lines = [f"{one.label}: skipped: {one.skipped}" for system in systems for one in system.results if one.skipped]
    return list(dict.fromkeys(lines))


def forgotten_table(changed: Sequence[Mapping[str, Any]]) -> Any:
    """A rich table of what base languages lost: before, after, and the change with its interval over pairs."""
    from rich.table import Table

    table = Table(
        "language", "metric", "number", "before", "after", "change", "",
        title="Retention: base languages before and after", title_justify="left",
    )  # fmt: skip
    for row in changed:
        share = is_share(row["metric"], row["key"])
        before, after = (number(Estimate(row[name]), share) for name in ("before", "after"))
        change = number(Estimate(**row["change"]), share, sign=True)
        table.add_row(row["language"], row["label"], row["key"], before, after, change, row["verdict"])
    return table
