"""`[evaluate.asr]`: what a recogniser hears, compared with what should have been said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kathrine import Metric, MetricContext, MetricFacts, Options
from kathrine_metrics import normalising
from kathrine_metrics.aligning import align, count
from kathrine_metrics.normalising import normalise
from kathrine_metrics.recognising import Opened, open_faster_whisper, open_transformers
from kathrine_metrics.sound import at_rate
from kathrine_metrics.whisper_models import WHEEL, code_of, faster_whisper_missing

if TYPE_CHECKING:
    import numpy as np

LOOP_TIMES, LOOP_WORDS = 4, 6
"""A run of at most six words, four times in a row, that nobody wrote: the recogniser or the speech goes in circles."""


class AsrOptions(Options):
    backend: Literal["transformers", "faster_whisper"] = "transformers"
    """What runs the models: transformers (a folder or id with safetensors), or faster-whisper (CTranslate2 folders)."""
    models: list[str] = Field(
        default_factory=lambda: ["NbAiLab/nb-whisper-large", "openai/whisper-large-v3"], min_length=1
    )
    """Each is scored by itself: folders, ids of the Hub, or with faster_whisper "wheel:whisper-base", which is small
    and labelled `smoke`. Two of them, since one that knows a language well repairs bad speech into good sentences."""
    revision: str = "main"
    """Of models of the Hub."""
    language: str = ""
    """ISO 639 code for the recogniser and for the text rules; empty: of the language that is spoken."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where models run; auto: where the evaluation does."""


class Asr(Metric):
    """Word and letter error rates of what recognisers hear; an upper bound of how wrong the speech is."""

    name = "asr"
    version = f"1-{normalising.VERSION}"
    shows = {"wer": "lower", "cer": "lower", "mean_wer": "lower", "over_half": "lower", "looped": "lower"}  # noqa: RUF012
    Options = AsrOptions
    options: AsrOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._opened: Opened | None = None
        self._code = ""

    def split(self) -> Sequence[Metric]:
        if len(self.options.models) == 1:
            return (self,)
        return [
            Asr(self.options.model_copy(update={"models": [model]}), f"{self.label}:{model.rstrip('/').split('/')[-1]}")
            for model in self.options.models
        ]

    def available(self) -> str:
        if self.options.backend == "faster_whisper":
            return faster_whisper_missing()
        if WHEEL in self.options.models:
            return f'{WHEEL} is a CTranslate2 model: set backend = "faster_whisper"'
        return ""

    def open(self, context: MetricContext) -> MetricFacts:
        options = self.options
        device = context.device if options.device == "auto" else options.device
        self._code = code_of(context, options.language)
        opener = open_faster_whisper if options.backend == "faster_whisper" else open_transformers
        self._opened = opener(options.models[0], options.revision, self._code, on(context, device))
        caption = "smoke" if self._opened.smoke else "recogniser's errors included"
        version = f"{self.version}-{options.backend}-{self._code}"
        return MetricFacts(version, self._opened.model, self._opened.model_hash, device, caption)

    def score(
        self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None
    ) -> Mapping[str, float | str]:
        assert self._opened is not None, "open comes first"
        heard = self._opened.transcribe(at_rate(wave, sample_rate))
        return {**score_texts(text, heard, self._code), "heard": heard}

    def summarise(self, takes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        return error_rates(takes)

    def counted(self, takes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        spoken = sum(take["words"] > 0 for take in takes)  # a text without words has no rate of its own
        return {name: spoken if name in ("mean_wer", "over_half") else len(takes) for name in self.summarise(takes)}


def on(context: MetricContext, device: str) -> MetricContext:
    """The same context on another device."""
    import dataclasses

    return dataclasses.replace(context, device=device)


def score_texts(text: str, heard: str, code: str) -> dict[str, float]:
    """Counts of one take: `words`, `errors` (of which `substituted`, `deleted`, `inserted`), `letters`,
    `letter_errors` (without spaces), and `looped`, 1 where what was heard goes in circles."""
    wanted, said = normalise(text, code), normalise(heard, code)
    counts = count(align(wanted.split(), said.split(), fold=True))
    letters = count(align(unspaced(wanted), unspaced(said)))
    return {
        "words": counts.words,
        "errors": counts.errors,
        "substituted": counts.substitutions,
        "deleted": counts.deletions,
        "inserted": counts.insertions,
        "letters": letters.words,
        "letter_errors": letters.errors,
        "looped": float(loops(said.split()) and not loops(wanted.split())),
    }


def unspaced(text: str) -> str:
    """Letters alone: where a compound is parted is no error of speech."""
    return text.replace(" ", "")


def loops(words: Sequence[str]) -> bool:
    """Whether up to six words stand four times in a row."""
    for size in range(1, LOOP_WORDS + 1):
        for first in range(len(words) - size * LOOP_TIMES + 1):
            pattern = words[first : first + size]
            if all(words[first + n * size : first + (n + 1) * size] == pattern for n in range(1, LOOP_TIMES)):
                return True
    return False


def error_rates(takes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """`wer`, `cer`: over all words and letters together. `mean_wer`: mean of the takes' own rates, as Seed-TTS-eval
    reports it. `over_half`: share of takes with more than half of their words wrong. `looped`: share of takes."""
    words = sum(take["words"] for take in takes)
    letters = sum(take["letters"] for take in takes)
    own = [take["errors"] / take["words"] for take in takes if take["words"]]
    rates = {
        "wer": sum(take["errors"] for take in takes) / words if words else None,
        "cer": sum(take["letter_errors"] for take in takes) / letters if letters else None,
        "mean_wer": sum(own) / len(own) if own else None,
        "over_half": sum(rate > 0.5 for rate in own) / len(own) if own else None,
        "looped": sum(take["looped"] for take in takes) / len(takes),
    }
    return {name: rate for name, rate in rates.items() if rate is not None}
