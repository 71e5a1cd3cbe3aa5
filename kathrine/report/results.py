"""`evaluation/results.json` as rows: whatever metrics wrote it, a value is shown with its interval and its label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST = 50
"""A list longer than this holds one entry for each take: it is no table for people."""
INTERVALS = ("interval", "ci", "ci95", "confidence_interval")
NOTES = ("label", "note", "unit", "model", "reason")


@dataclass(frozen=True, slots=True)
class Result:
    """One row. value: None where the metric was skipped; note says why, or what the number is."""

    name: str
    value: float | str | None
    low: float | None = None
    high: float | None = None
    note: str = ""


def results_of(document: Any, path: tuple[str, ...] = ()) -> Iterator[Result]:
    """Rows of a document: mappings with a `value` (and `low` and `high`, or an interval), mappings with `skipped`, and
    plain numbers by their path."""
    name = " ".join(path)
    if isinstance(document, bool):
        return
    if isinstance(document, int | float):
        yield Result(name, float(document))
    elif isinstance(document, Mapping):
        if document.get("skipped"):
            yield Result(name, None, note=f"skipped: {document['skipped']}")
        elif isinstance(document.get("value"), int | float | str):
            yield _result(name, document)
        else:
            for key, inner in document.items():
                yield from results_of(inner, (*path, str(key)))
    elif isinstance(document, list) and len(document) <= MOST and all(isinstance(one, Mapping) for one in document):
        for number, one in enumerate(document):
            names = [str(one[key]) for key in ("metric", "name", "set") if isinstance(one.get(key), str)]
            yield from results_of(one, (*path, *(names or [str(number + 1)])))


def _result(name: str, document: Mapping[str, Any]) -> Result:
    ends = next((document[key] for key in INTERVALS if isinstance(document.get(key), list)), None)
    if ends is None:
        ends = [document.get("low"), document.get("high")]
    low, high = (end if isinstance(end, int | float) else None for end in [*ends, None, None][:2])
    notes = [str(document[key]) for key in NOTES if document.get(key)]
    value = document["value"]
    return Result(name, value if isinstance(value, str) else float(value), low, high, "; ".join(notes))
