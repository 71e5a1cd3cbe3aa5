"""How much speech is still wanted, so that no more is fetched or unpacked than a run can use."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf

from kathrine.components import SourceContext
from kathrine.types import Split, Utterance

FILTER_LOSS = 1.15
"""Fetched hours over wanted hours: what the gates of prepare are expected to leave out."""
HELD_OUT_SHARE, HELD_OUT_SECONDS = 0.25, 3600.0
"""A held-out split is fetched up to this share of max_hours, and up to an hour; prepare takes what it needs of it."""


def matches(utterance: Utterance, speakers: tuple[str, ...]) -> bool:
    """Whether the data entry wants this speaker."""
    return not speakers or any(part.casefold() in utterance.speaker.casefold() for part in speakers)


@dataclass(slots=True)
class Budget:
    """Seconds of usable speech taken so far, by split and speaker."""

    context: SourceContext
    seconds: defaultdict[Split, float] = field(default_factory=lambda: defaultdict(float))
    speakers: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    passed_over: int = 0

    def limit(self, split: Split) -> float:
        """Seconds that are wanted of a split."""
        if self.context.max_hours is None:
            return inf
        total = self.context.max_hours * 3600
        held_out = min(total * HELD_OUT_SHARE, HELD_OUT_SECONDS)
        return (total if split == "train" else held_out) * FILTER_LOSS

    def wants(self, split: Split | None) -> bool:
        """Whether more of a split is wanted."""
        return self.seconds[split or "train"] < self.limit(split or "train")

    def count(self, utterance: Utterance, seconds: float) -> None:
        """Take an utterance: what the limits of the data entry leave out is not counted as usable."""
        cap = self.context.speaker_cap_minutes
        room = inf if cap is None else cap * 60 * FILTER_LOSS
        usable = self.context.min_seconds <= seconds <= self.context.max_seconds
        if usable and matches(utterance, self.context.speakers) and self.speakers[utterance.speaker] < room:
            self.speakers[utterance.speaker] += seconds
            self.seconds[utterance.split or "train"] += seconds
