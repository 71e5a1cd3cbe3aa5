"""`evaluation/results.json` as rows: each score with its interval, its caption, or why it was skipped.

What `kathrine evaluate` writes is read by system and metric; any other document is searched for numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kathrine.report.parts import value_cell
from kathrine.speech.evaluation_table import is_share, number
from kathrine.speech.intervals import Estimate

MOST = 50
"""A list longer than this holds one entry for each take: it is no table for people."""
INTERVALS = ("interval", "ci", "ci95", "confidence_interval")
NOTES = ("label", "note", "unit", "model", "reason")
OWN = ("checkpoint", "model")
"""Kinds of system that are the run itself, not what it is compared with."""
SAVED = "saved samples"
"""Name of the set of a system whose takes the run spoke while it trained."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row. value: None where the metric was skipped; note says why, or what the number is. share: told in per cent.
    measured: language, number of sentences and set that a system was measured on; step: its step."""

    name: str
    value: float | str | None
    low: float | None = None
    high: float | None = None
    note: str = ""
    system: str = ""
    share: bool = False
    measured: str = ""
    step: int | None = None

    def told(self) -> str:
        """The value with its interval, as `kathrine evaluate` tells it; why there is none where it was skipped."""
        if self.value is None:
            return self.note
        if not isinstance(self.value, int | float):
            return str(self.value)
        if self.measured:
            return number(Estimate(self.value, self.low, self.high), self.share)
        return value_cell(self.value) + (
            f" ({value_cell(self.low)} to {value_cell(self.high)})" if self.low is not None else ""
        )


def results_of(document: Mapping[str, Any]) -> list[Result]:
    """Every row of a document."""
    if not isinstance(document.get("systems"), list):
        return list(numbers_in(document))
    rows = [row for system in systems_in(document) for row in scores_of(system)]
    return [*rows, *retention_of(document)]


def results_at(document: Mapping[str, Any], step: int | None) -> list[Result]:
    """The rows by which a run is compared with others, and what it forgot.

    Of what was spoken for the evaluation at this step, in every language and set; else of the step that was evaluated
    last, which the rows name; and of samples that the run saved only where nothing else was evaluated.
    """
    if not isinstance(document.get("systems"), list):
        return list(numbers_in(document))
    own = [system for system in systems_in(document) if system.get("kind") in (*OWN, "samples")]
    own = [system for system in own if not is_saved(system)] or own
    steps = [system.get("step") for system in own]
    wanted = step if step is not None and step in steps else steps[-1] if steps else None
    at = [system for system in own if system.get("step") == wanted]
    return [*(row for system in at for row in scores_of(system)), *retention_of(document)]


def is_saved(system: Mapping[str, Any]) -> bool:
    """Whether a system is what the run spoke while it trained, whose sentences are not those of an evaluation."""
    found = system.get("set")
    return system.get("kind") == "samples" or (isinstance(found, Mapping) and found.get("name") == SAVED)


def measured_on(system: Mapping[str, Any]) -> str:
    """Language, sentences and set of a system. Sets of one name that differ are told apart by their digest."""
    found = system.get("set")
    facts: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    count = facts.get("sentences", "unknown")
    digest = f" [{str(facts['digest'])[:8]}]" if facts.get("digest") else ""
    sentences = f"{count} sentence{'' if count == 1 else 's'} of {facts.get('name') or 'an unnamed set'}{digest}"
    return ", ".join(part for part in (str(system.get("language") or ""), sentences) if part)


def systems_in(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [system for system in document["systems"] if isinstance(system, Mapping)]


def scores_of(system: Mapping[str, Any]) -> Iterator[Result]:
    """Rows of one system: the share of flagged takes, of each flag, then every metric."""
    step = system.get("step")
    about: dict[str, Any] = {
        "system": str(system.get("name") or ""),
        "measured": measured_on(system),
        "step": step if isinstance(step, int) else None,
    }
    if isinstance(system.get("flagged"), Mapping):
        yield _result("flagged takes", system["flagged"], share=True, **about)
    flags = system.get("flags")
    for flag, share in flags.items() if isinstance(flags, Mapping) else ():
        if isinstance(share, int | float):
            yield Result(f"flag: {flag}", float(share), share=True, **about)
    metrics = system.get("metrics")
    for label, metric in metrics.items() if isinstance(metrics, Mapping) else ():
        if not isinstance(metric, Mapping):
            continue
        if metric.get("skipped"):
            yield Result(str(label), None, note=f"skipped: {metric['skipped']}", **about)
            continue
        note = "; ".join(str(metric[key]) for key in ("caption", "model") if metric.get(key))
        values = metric.get("values")
        for key, value in values.items() if isinstance(values, Mapping) else ():
            if isinstance(value, Mapping) and "value" in value:
                share = is_share(str(metric.get("metric", label)), str(key))
                yield _result(f"{label} {key}", value, note, share=share, **about)


def retention_of(document: Mapping[str, Any]) -> Iterator[Result]:
    """Rows of what base languages lost."""
    rows = document.get("retention")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and isinstance(row.get("change"), Mapping):
            label, key = str(row.get("label", "")), str(row.get("key", ""))
            where = f"retention, {row.get('language', '')}"
            share = is_share(str(row.get("metric", label)), key)
            note = str(row.get("verdict", ""))
            yield _result(f"{label} {key}, change", row["change"], note, where, share=share, measured=where)


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


def _result(name: str, document: Mapping[str, Any], note: str = "", system: str = "", **about: Any) -> Result:
    ends = next((document[key] for key in INTERVALS if isinstance(document.get(key), list)), None)
    if ends is None:
        ends = [document.get("low"), document.get("high")]
    low, high = (end if isinstance(end, int | float) else None for end in [*ends, None, None][:2])
    value = document.get("value")
    return Result(name, float(value) if isinstance(value, int | float) else value, low, high, note, system, **about)
