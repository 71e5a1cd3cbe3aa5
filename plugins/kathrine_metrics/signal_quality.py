"""`[evaluate.signal]`: DNSMOS, a meter of noise and distortion. It does not hear an accent or a wrong word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kathrine import Metric, MetricContext, MetricFacts, Options
from kathrine.corpus.keys import file_digest
from kathrine_metrics.sound import at_rate

if TYPE_CHECKING:
    import numpy as np


class SignalOptions(Options):
    """Options of `[evaluate.signal]`: none."""


class Signal(Metric):
    """DNSMOS P.835 overall score, 1 to 5: signal quality, never naturalness."""

    name = "signal"
    shows = {"dnsmos": "higher"}  # noqa: RUF012
    Options = SignalOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._score: Callable[[np.ndarray], float] | None = None

    def available(self) -> str:
        from kathrine.corpus.dnsmos import missing_packages

        missing = missing_packages()
        return f"DNSMOS needs {missing[0]}: {missing[1]}" if missing else ""

    def open(self, context: MetricContext) -> MetricFacts:
        from kathrine.corpus.dnsmos import network_path, open_dnsmos

        self._score = open_dnsmos()
        path = network_path()
        return MetricFacts(self.version, f"DNSMOS P.835 {path.name}", file_digest(path), "cpu", "signal quality")

    def score(
        self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None
    ) -> Mapping[str, float | str]:
        assert self._score is not None, "open comes first"
        return {"dnsmos": self._score(at_rate(wave, sample_rate))}
