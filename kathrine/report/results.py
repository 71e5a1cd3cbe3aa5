"""`evaluation/results.json` as rows: each score with its interval, its caption, or why it was skipped.

What `kathrine evaluate` writes is read by system and metric; any other document is searched for numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST = 50
"""A list longer than this holds one entry for each take: it is no table for people."""
INTERVALS = ("interval", "ci", "ci95", "confidence_interval")
NOTES = ("label", "note", "unit", "model", "reason")
OWN = ("checkpoint", "model")
"""Kinds of system that are the run itself, not what it is compared with."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row. value: None where the metric was skipped; note says why, or what the number is."""

    name: str
    value: float | str | None
    low: float | None = None
    high: float | None = None
    note: str = ""
    system: str = ""


def results_of(document: Mapping[str, Any]) -> list[Result]:
    """Every row of a document."""
    if not isinstance(document.get("systems"), list):
        return list(numbers_in(document))
    rows = [row for system in systems_in(document) for row in scores_of(system)]
    return [*rows, *retention_of(document)]


def results_at(document: Mapping[str, Any], step: int | None) -> list[Result]:
    """The rows by which a run is compared with others: of the system of this step, else of the run's last one; and what
    it forgot."""
    if not isinstance(document.get("systems"), list):
        return list(numbers_in(document))
    own = [system for system in systems_in(document) if system.get("kind") in OWN]
    wanted = [system for system in own if step is not None and system.get("step") == step] or own[-1:]
    return [*(row for system in wanted[:1] for row in scores_of(system)), *retention_of(document)]


def systems_in(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [system for system in document["systems"] if isinstance(system, Mapping)]


def scores_of(system: Mapping[str, Any]) -> Iterator[Result]:
    """Rows of one system: the share of flagged takes, then every metric."""
    name = ", ".join(str(system[key]) for key in ("name", "language") if system.get(key))
    if isinstance(system.get("flagged"), Mapping):
        yield _result("flagged takes", system["flagged"], "", name)
    metrics = system.get("metrics")
    for label, metric in metrics.items() if isinstance(metrics, Mapping) else ():
        if not isinstance(metric, Mapping):
            continue
        if metric.get("skipped"):
            yield Result(str(label), None, note=f"skipped: {metric['skipped']}", system=name)
            continue
        note = "; ".join(str(metric[key]) for key in ("caption", "model") if metric.get(key))
        values = metric.get("values")
        for key, value in values.items() if isinstance(values, Mapping) else ():
            if isinstance(value, Mapping) and "value" in value:
                yield _result(f"{label} {key}", value, note, name)


def retention_of(document: Mapping[str, Any]) -> Iterator[Result]:
    """Rows of what base languages lost."""
    rows = document.get("retention")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and isinstance(row.get("change"), Mapping):
            name = f"{row.get('label', '')} {row.get('key', '')}, change"
            yield _result(name, row["change"], str(row.get("verdict", "")), f"retention, {row.get('language', '')}")


def numbers_in(document: Any, path: tuple[str, ...] = ()) -> Iterator[Result]:
    """Rows of any document: mappings with a `value` (and `low` and `high`, or an interval), mappings with `skipped`,
    and plain numbers, named by their path."""
    name = " ".join(path)
    if isinstance(document, bool):
        return
    if isinstance(document, int | float):
        yield Result(name, float(document))
    elif isinstance(document, Mapping):
        if document.get("skipped"):
            yield Result(name, None, note=f"skipped: {document['skipped']}")
        elif isinstance(document.get("value"), int | float | str):
            yield _result(name, document, "; ".join(str(document[key]) for key in NOTES if document.get(key)))
        else:
            for key, inner in document.items():
                yield from numbers_in(inner, (*path, str(key)))
    elif isinstance(document, list) and len(document) <= MOST and all(isinstance(one, Mapping) for one in document):
        for number, one in enumerate(document):
            names = [str(one[key]) for key in ("metric", "name", "set") if isinstance(one.get(key), str)]
            yield from numbers_in(one, (*path, *(names or [str(number + 1)])))


def _result(name: str, document: Mapping[str, Any], note: str, system: str = "") -> Result:
    ends = next((document[key] for key in INTERVALS if isinstance(document.get(key), list)), None)
    if ends is None:
        ends = [document.get("low"), document.get("high")]
    low, high = (end if isinstance(end, int | float) else None for end in [*ends, None, None][:2])
    value = document.get("value")
    return Result(name, float(value) if isinstance(value, int | float) else value, low, high, note, system)
