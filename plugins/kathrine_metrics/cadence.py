"""`[evaluate.cadence]`: words that were said again or left out, and how evenly letters follow each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, median, pstdev
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kathrine import KathrineError, Metric, MetricContext, MetricFacts, MetricTake, Options
from kathrine_metrics import normalising
from kathrine_metrics.aligning import align, runs
from kathrine_metrics.articulation import transcript
from kathrine_metrics.normalising import normalise
from kathrine_metrics.whisper_models import code_of

if TYPE_CHECKING:
    import numpy as np


class CadenceOptions(Options):
    asr: str = ""
    """Label of the asr metric whose transcripts are read; empty: the first one."""
    language: str = ""
    """ISO 639 code for the text rules; empty: of the language that is spoken."""
    run: int = Field(default=3, ge=1)
    """Words in a row that make a repeat or a skip; fewer are a recogniser's mishearing."""


class Cadence(Metric):
    """Repeats and skips (runs of words that were inserted or left out), and the spread of letters a second."""

    name = "cadence"
    version = f"1-{normalising.VERSION}"
    reads_transcripts = True
    shows = {  # noqa: RUF012
        "repeats": "lower", "skips": "lower", "repeating": "lower", "skipping": "lower", "letters_per_second": "",
        "spread": "lower",
    }  # fmt: skip
    Options = CadenceOptions
    options: CadenceOptions
    _code = ""

    def open(self, context: MetricContext) -> MetricFacts:
        self._code = code_of(context, self.options.language)
        version = f"{self.version}-{self._code}-{self.options.run}"
        return MetricFacts(version, self.options.asr, caption="proxy: as a recogniser hears it")

    def score(
        self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None
    ) -> Mapping[str, float | str]:
        raise KathrineError("cadence reads transcripts, not waves alone", "score takes together with asr")

    def score_take(self, take: MetricTake) -> Mapping[str, float | str]:
        heard = transcript(take, self.options.asr)
        rate = letters_per_second(take.text, take.wave, take.sample_rate)
        return {**score_runs(take.text, heard, self._code, self.options.run), **rate}

    def summarise(self, takes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        return summary(takes)

    def counted(self, takes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        counts = super().counted(takes)
        rated = {"spread": counts["letters_per_second"]} if "spread" in counts else {}  # both leave silence out
        return counts | rated


def score_runs(text: str, heard: str, code: str, least: int) -> dict[str, float]:
    """`repeats`, `skips`: runs of at least `least` words that were inserted, or left out."""
    steps = align(normalise(text, code).split(), normalise(heard, code).split(), fold=True)
    return {"repeats": runs(steps, "insert", least), "skips": runs(steps, "delete", least)}


def letters_per_second(text: str, wave: np.ndarray, sample_rate: int) -> dict[str, float]:
    """Letters of the text by seconds from the first sound to the last; nothing for silence."""
    from kathrine.speech.checks import letters, measure

    found = measure(wave, sample_rate)
    seconds = found.seconds - found.lead - found.tail
    return {"letters_per_second": letters(text) / seconds} if found.active > 0 and seconds > 0 else {}


def summary(takes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """`repeats`, `skips`: runs a hundred takes. `repeating`, `skipping`: share of takes with one. `letters_per_second`:
    median. `spread`: standard deviation of letters a second by their mean, 0 for a metronome."""
    rates = [take["letters_per_second"] for take in takes if "letters_per_second" in take]
    found = {}
    for name, share in (("repeats", "repeating"), ("skips", "skipping")):
        found[name] = 100 * sum(take[name] for take in takes) / len(takes)
        found[share] = sum(take[name] > 0 for take in takes) / len(takes)
    if rates:
        found |= {"letters_per_second": median(rates), "spread": pstdev(rates) / mean(rates)}
    return found
