"""What `check_metric` rejects: metrics that break the contract in one place, which it has to name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rejecting import rejected

from kathrine import KathrineError, Metric, MetricContext, MetricFacts, Workspace
from kathrine.progress import SilentProgress
from kathrine.testing import check_metric


def loudness(wave: np.ndarray) -> float:
    return float(np.sqrt(np.mean(wave**2)))


class Loud(Metric):
    """Measures with `wave`, which stands for a recogniser: without it there is nothing to say."""

    name = "broken"
    shows = {"loud": ""}  # noqa: RUF012

    def available(self) -> str:
        return "" if module_there() else "wave is not installed"

    def score(self, wave: Any, sample_rate: int, text: str, reference: Any) -> Mapping[str, float | str]:
        return {"loud": loudness(wave)}


def module_there() -> bool:
    from importlib.util import find_spec

    return find_spec("wave") is not None


class ZeroForAMissingBackend(Loud):
    def available(self) -> str:
        return ""

    def score(self, wave: Any, sample_rate: int, text: str, reference: Any) -> Mapping[str, float | str]:
        return {"loud": loudness(wave) if module_there() else 0.0}


class NoticesTooLate(Loud):
    def available(self) -> str:
        return ""

    def score(self, wave: Any, sample_rate: int, text: str, reference: Any) -> Mapping[str, float | str]:
        import wave as backend

        return {"loud": loudness(wave), "with": backend.__name__}


class LouderAndLouder(Loud):
    heard = 0.0

    def score(self, wave: Any, sample_rate: int, text: str, reference: Any) -> Mapping[str, float | str]:
        self.heard += loudness(wave)
        return {"loud": self.heard}


class NotFinite(Loud):
    def score(self, wave: Any, sample_rate: int, text: str, reference: Any) -> Mapping[str, float | str]:
        return {"loud": float("nan")}


class ChangesTheWave(Loud):
    def score(self, wave: Any, sample_rate: int, text: str, reference: Any) -> Mapping[str, float | str]:
        wave /= 2
        return {"loud": loudness(wave)}


class ZeroForNothing(Loud):
    """Its default summary is kept, but takes without a number count as 0."""

    def summarise(self, takes: Any) -> dict[str, float]:
        return {"loud": takes[0].get("loud", 0.0)}


class CountsOthers(Loud):
    def counted(self, takes: Any) -> dict[str, int]:
        return {"louder": len(takes)}


class ShowsOthers(Loud):
    shows = {"louder": "higher"}  # noqa: RUF012


BROKEN_METRICS = {
    ZeroForAMissingBackend: "without wave it gives numbers (loud 0) instead of a reason to skip it",
    NoticesTooLate: "without wave it is not skipped: import of wave halted",
    LouderAndLouder: "after other takes",
    NotFinite: "loud is nan",
    ChangesTheWave: "it changes the wave that it is given",
    ZeroForNothing: "summarise depends on the order of takes",
    CountsOthers: "counted and summarise do not tell of the same numbers: loud, louder",
    ShowsOthers: "none of louder comes out",
}


@pytest.fixture
def context(tmp_path: Path) -> MetricContext:
    return MetricContext(Workspace(tmp_path), SilentProgress())


@pytest.mark.parametrize("broken", BROKEN_METRICS, ids=lambda one: one.__name__)
def test_a_metric(broken: Any, context: MetricContext) -> None:
    rejected(lambda: check_metric(broken(), context, backends=("wave",)), BROKEN_METRICS[broken])


def test_a_metric_is_skipped_with_its_reason(context: MetricContext) -> None:
    class Absent(Loud):
        def open(self, context: MetricContext) -> MetricFacts:
            raise KathrineError("the model is not here", "fetch it")

    assert check_metric(Loud(), context, backends=("wave",)) == ""
    assert check_metric(Absent(), context) == "the model is not here; fetch it"
