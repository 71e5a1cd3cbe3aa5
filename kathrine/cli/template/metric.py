"""The metric `newname`: how fast is it spoken? Letters for each second in which there is sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import kathrine
from kathrine.components.metric import Better
from pydantic import Field

if TYPE_CHECKING:
    import numpy as np

WINDOW_SECONDS = 0.02


def sounding_seconds(wave: np.ndarray, sample_rate: int, silence_db: float) -> float:
    """Seconds in which a wave float32 [N] is less than `silence_db` below its loudest moment."""
    import numpy as np

    size = max(1, int(WINDOW_SECONDS * sample_rate))
    windows: np.ndarray = wave[: len(wave) // size * size].reshape(-1, size).astype(np.float64)
    power = (windows**2).mean(axis=1)
    if not power.size or not power.max() > 0:
        return 0.0
    return float((power > power.max() * 10 ** (-silence_db / 10)).sum() * size / sample_rate)


class NewNameMetricOptions(kathrine.Options):
    """Options of `[evaluate.newname]`."""

    silence_db: float = Field(default=40.0, gt=0)
    """What is so many decibels below the loudest moment counts as silence; 30 to 50."""


class NewNameMetric(kathrine.Metric):
    """Letters a second. Far from that of people, speech is rushed or dragged; it says nothing about the words."""

    name = "newname"
    version = "1"
    shows: ClassVar[Mapping[str, Better]] = {"letters_per_second": ""}
    Options = NewNameMetricOptions
    options: NewNameMetricOptions

    def score(
        self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None
    ) -> Mapping[str, float | str]:
        seconds = sounding_seconds(wave, sample_rate, self.options.silence_db)
        return {"letters": float(sum(map(str.isalpha, text))), "seconds": seconds} if seconds else {}

    def summarise(self, takes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        seconds = sum(take.get("seconds", 0.0) for take in takes)
        letters = sum(take.get("letters", 0.0) for take in takes)
        return {"letters_per_second": letters / seconds} if seconds else {}

    def counted(self, takes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        return {name: sum("seconds" in take for take in takes) for name in self.summarise(takes)}
