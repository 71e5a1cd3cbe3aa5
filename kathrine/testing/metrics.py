"""The contract of a metric: numbers of the take alone, and never one that nobody measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kathrine.components import Metric, MetricContext, MetricFacts, MetricTake
from kathrine.errors import KathrineError
from kathrine.testing.problems import Contract, fresh, listed
from kathrine.testing.tiny import made_up_wave
from kathrine.testing.watching import without_modules

RATE = 16000
SAME = 1e-9
"""Relative: sums of numbers in another order."""

Row = dict[str, Any]


def made_up_takes(count: int = 3) -> list[MetricTake]:
    """Takes of a second or two of a voice-like sound, each with a reference and with what somebody heard."""
    return [
        MetricTake(
            wave=made_up_wave(f"take {number}", 1.0 + 0.5 * number, RATE),
            sample_rate=RATE,
            text="one two three four",
            reference=made_up_wave("reference", 1.5, RATE),
            heard={"asr": "one two three" if number % 2 else "one two three four"},
        )
        for number in range(count)
    ]


def check_metric(
    metric: Metric,
    context: MetricContext,
    takes: Sequence[MetricTake] = (),
    backends: Sequence[str] = (),
) -> str:
    """A metric keeps its contract.

    Without what it measures with it is skipped with a reason, and gives no number, 0 least of all; its numbers are
    finite, the same every time, and those of the take alone; what has no number drops out of `summarise`, and
    `counted` tells of how many takes each number is made.

    Given: context, as `kathrine evaluate` gives it; takes, at least two, default made-up ones; backends, modules that
    it measures with, to see what it does where they are not installed. Returns: the reason where it is skipped here,
    else an empty string. Raises: ConformanceError that says what is wrong.
    """
    contract = Contract(metric)
    takes = list(takes) or made_up_takes()
    contract.holds(metric.version, "it has no version", Metric)
    for one in metric.split():
        contract.holds(isinstance(one, Metric), f"split gives {type(one).__name__}", Metric.split)
    opened = _opened(contract, metric, context)
    for backend in backends:
        _check_missing(contract, metric, context, takes, backend, opened)
    if isinstance(opened, str):
        return opened
    rows = _check_rows(contract, metric, takes)
    _check_summary(contract, metric, rows)
    return ""


def _opened(contract: Contract, metric: Metric, context: MetricContext) -> MetricFacts | str:
    """What it was opened with, or the reason why it can not be."""
    reason = metric.available()
    contract.holds(isinstance(reason, str), f"available gives {reason!r}", Metric.available)
    contract.holds(reason == metric.available(), "available gives another reason the second time", Metric.available)
    if reason:
        return reason
    try:
        facts = metric.open(context)
    except KathrineError as error:
        return error.sentence
    contract.holds(isinstance(facts, MetricFacts), f"open gives {facts!r}", Metric.open)
    contract.holds(facts.version, "open says no version", MetricFacts)
    return facts


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in row.items() if isinstance(value, int | float)}


def _check_missing(
    contract: Contract,
    metric: Metric,
    context: MetricContext,
    takes: Sequence[MetricTake],
    backend: str,
    opened: MetricFacts | str,
) -> None:
    """Without a module it is skipped with a reason, or measures with something else and says so."""
    other = fresh(metric)
    with without_modules(backend):
        try:
            without = _opened(contract, other, context)
        except ImportError as error:
            contract.broken(f"without {backend} it is not skipped: {error}", Metric.available)
        if isinstance(without, str):
            return
        try:
            row = _numbers(other.score_take(takes[0]))
        except ImportError as error:
            contract.broken(f"without {backend} it is not skipped: {error}", Metric.available)
    told = not isinstance(opened, MetricFacts) or without.key() == opened.key()
    contract.holds(
        not (row and told),
        f"without {backend} it gives numbers ({listed(f'{name} {value:g}' for name, value in row.items())}) "
        "instead of a reason to skip it",
        Metric.available,
    )


def _check_rows(contract: Contract, metric: Metric, takes: Sequence[MetricTake]) -> list[Row]:
    """Scores each take, then the first one again, after the others."""
    rows = []
    for take in takes:
        kept = take.wave.copy()
        row = dict(metric.score_take(take))
        contract.holds((take.wave == kept).all(), "it changes the wave that it is given", Metric.score)
        for name, value in row.items():
            fits = isinstance(value, str) or (isinstance(value, int | float) and math.isfinite(value))
            contract.holds(fits, f"{name} is {value!r}", Metric.score)
        rows.append(row)
    contract.holds(any(map(_numbers, rows)), "it gives no number for any take", Metric.score)
    again = dict(metric.score_take(takes[0]))
    contract.holds(again == rows[0], f"a take gets {again} after other takes, {rows[0]} before", Metric.score)
    return rows


def _check_summary(contract: Contract, metric: Metric, rows: list[Row]) -> None:
    numbers = _summary(contract, metric, rows)
    contract.holds(numbers, "summarise gives no number for takes that have some", Metric.summarise)
    turned = _summary(contract, metric, rows[::-1])
    same = numbers.keys() == turned.keys() and all(
        math.isclose(numbers[name], turned[name], rel_tol=SAME, abs_tol=SAME) for name in numbers
    )
    contract.holds(same, "summarise depends on the order of takes", Metric.summarise)
    if metric.shows:
        contract.holds(set(metric.shows) & set(numbers), f"none of {listed(metric.shows)} comes out", Metric)
    for some in ([row] for row in rows):
        _summary(contract, metric, some)
    _check_counted(contract, metric, rows, numbers)
    if type(metric).summarise is Metric.summarise:
        empty = metric.summarise([{}, {}])
        contract.holds(not empty, f"takes without numbers get {empty}", Metric.summarise)


def _summary(contract: Contract, metric: Metric, rows: list[Row]) -> dict[str, float]:
    numbers = metric.summarise(rows)
    for name, value in numbers.items():
        fits = isinstance(value, int | float) and math.isfinite(value)
        contract.holds(fits, f"summarise gives {name} {value!r}", Metric.summarise)
    return dict(numbers)


def _check_counted(contract: Contract, metric: Metric, rows: list[Row], numbers: Mapping[str, float]) -> None:
    counts = metric.counted(rows)
    odd = set(counts) ^ set(numbers)
    contract.holds(not odd, f"counted and summarise do not tell of the same numbers: {listed(odd)}", Metric.counted)
    for name, count in counts.items():
        fits = isinstance(count, int) and 0 < count <= len(rows)
        contract.holds(fits, f"{name} is made of {count!r} of {len(rows)} takes", Metric.counted)
