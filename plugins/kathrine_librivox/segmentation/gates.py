"""What is counted, and which sentences are refused."""

from __future__ import annotations

import math
from collections.abc import Mapping

from kathrine_librivox.segmentation.types import Placed, Scores, SegmentLimits

UNSCORED = "no score (digits, or nothing to compare)"
LOW_SCORE = "does not match the text"
LOW_PART = "a part does not match the text"
LOW_FIT = "length does not fit the text"
NOT_IN_TEXT = "speech that is not in the text"
TOO_LONG = "too long and no pause to cut in"
TOO_SHORT = "too short"
NO_START = "no pause before it"
CUT = "does not end in a pause"
UNSURE = "the transcriber is not sure"
NO_WORDS = "no words were heard"
RUNAWAY = "more letters than can be said"
NOT_READ = "text that nobody read"


class Tally:
    """How many passages were dropped, and their seconds, by reason."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[int, float]] = {}

    def add(self, reason: str, seconds: float, count: int = 1) -> None:
        """Count passages under a reason."""
        before, total = self.found.get(reason, (0, 0.0))
        self.found[reason] = (before + count, total + seconds)

    def update(self, others: Mapping[str, tuple[int, float]]) -> None:
        """Add what another one counted."""
        for reason, (count, seconds) in others.items():
            self.add(reason, seconds, count)


def refusal(one: Placed, limits: SegmentLimits, scores: Scores) -> str:
    """Why a sentence is refused, or an empty string."""
    if math.isnan(one.score):
        return "" if limits.keep_unscored else UNSCORED
    if scores == "length":
        return LOW_FIT if one.score < limits.min_fit else ""
    if one.score < limits.min_score:
        return LOW_SCORE
    return LOW_PART if one.part_score < limits.min_part_score else ""
