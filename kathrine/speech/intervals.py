"""How sure a number is: bootstrap intervals over sentences, whose takes belong together."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RESAMPLES = 1000
CONFIDENCE = 0.95

Rows = Sequence[Mapping[str, Any]]
Summarise = Callable[[Rows], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval; low and high are None where a single sentence says nothing about it."""

    value: float
    low: float | None = None
    high: float | None = None

    def document(self) -> dict[str, float | None]:
        """As JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


def estimates(groups: Mapping[int, Rows], summarise: Summarise, seed: int = 0) -> dict[str, Estimate]:
    """A system's numbers with intervals.

    Given: rows by sentence; sentences are drawn with replacement and `summarise` asked again for each draw
    (percentile bootstrap, 1000 draws). The same rows and seed give the same intervals.
    """
    rows = [row for group in groups.values() for row in group]
    if not rows:
        return {}
    values = {name: value for name, value in summarise(rows).items() if math.isfinite(value)}
    if len(groups) < 2:
        return {name: Estimate(value) for name, value in values.items()}
    drawn: dict[str, list[float]] = {name: [] for name in values}
    names, draw = list(groups), random.Random(f"intervals {seed}")
    for _ in range(RESAMPLES):
        picked = [row for name in draw.choices(names, k=len(names)) for row in groups[name]]
        if not picked:
            continue
        for name, value in summarise(picked).items():
            if name in drawn and math.isfinite(value):
                drawn[name].append(value)
    return {name: Estimate(value, *bounds(drawn[name])) for name, value in values.items()}


def changes(
    before: Mapping[int, Rows], after: Mapping[int, Rows], summarise: Summarise, seed: int = 0
) -> dict[str, Estimate]:
    """How numbers changed, after minus before, on the sentences that both have: drawn in pairs, so that a sentence that
    is hard for both does not widen the interval."""
    shared = [name for name in before if name in after and before[name] and after[name]]
    pairs = {name: [{"before": before[name], "after": after[name]}] for name in shared}

    def difference(picked: Rows) -> dict[str, float]:
        first = summarise([row for pair in picked for row in pair["before"]])
        second = summarise([row for pair in picked for row in pair["after"]])
        return {name: second[name] - first[name] for name in second if name in first}

    return estimates(pairs, difference, seed)


def bounds(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The middle 95 % of drawn values; None for none."""
    if not values:
        return None, None
    ordered, cut = sorted(values), (1 - CONFIDENCE) / 2
    return ordered[math.floor(cut * len(ordered))], ordered[math.ceil((1 - cut) * len(ordered)) - 1]
