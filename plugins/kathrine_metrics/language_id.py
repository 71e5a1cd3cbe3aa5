"""`[evaluate.language_id]`: how sure a Whisper model is of the language, a proxy for accent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kathrine import KathrineError, Metric, MetricContext, MetricFacts, Options
from kathrine_metrics.asr import on
from kathrine_metrics.hub_models import recogniser_folder
from kathrine_metrics.sound import RATE, at_rate
from kathrine_metrics.whisper_models import (
    WHEEL,
    code_of,
    ctranslate2_folder,
    faster_whisper_missing,
    load_faster_whisper,
)

if TYPE_CHECKING:
    import numpy as np

SECONDS = 30.0
SAME = {"no": ("no", "nn"), "nn": ("no", "nn")}
"""Codes that Whisper keeps apart and that are one spoken language."""


class LanguageIdOptions(Options):
    backend: Literal["transformers", "faster_whisper"] = "transformers"
    """What runs the model, as in asr."""
    model: str = "openai/whisper-large-v3"
    """A multilingual Whisper model: an id of the Hub, a folder, or with faster_whisper "wheel:whisper-base"."""
    revision: str = "main"
    """Of a model of the Hub."""
    language: str = ""
    """ISO 639 code of the language that should be heard; empty: of the one that is spoken."""
    others: list[str] = Field(default_factory=lambda: ["de", "en", "sv", "da"])
    """Codes whose probabilities are reported beside it: where an accent would come from."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs; auto: where the evaluation does."""


class LanguageId(Metric):
    """Probability of the language that was spoken, by a named Whisper model: a proxy for accent."""

    name = "language_id"
    shows = {"probability": "higher", "recognised": "higher"}  # noqa: RUF012
    Options = LanguageIdOptions
    options: LanguageIdOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._detect: Callable[[np.ndarray], dict[str, float]] | None = None
        self._code = ""

    def available(self) -> str:
        if self.options.backend == "faster_whisper":
            return faster_whisper_missing()
        return f'{WHEEL} is a CTranslate2 model: set backend = "faster_whisper"' if self.options.model == WHEEL else ""

    def open(self, context: MetricContext) -> MetricFacts:
        options = self.options
        self._code = code_of(context, options.language)
        context = on(context, context.device if options.device == "auto" else options.device)
        if options.backend == "faster_whisper":
            folder, digest = ctranslate2_folder(options.model, options.revision, context)
            self._detect = faster_whisper_detector(load_faster_whisper(folder, context.device))
        else:
            folder, digest = recogniser_folder(options.model, options.revision, context, SECONDS)
            self._detect = transformers_detector(folder, context.device)
        caption = "proxy for accent" + (", smoke" if options.model == WHEEL else "")
        return MetricFacts(f"{self.version}-{self._code}", options.model, digest, context.device, caption)

    def score(
        self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None
    ) -> Mapping[str, float | str]:
        assert self._detect is not None, "open comes first"
        heard = at_rate(wave, sample_rate)[: int(SECONDS * RATE)]
        return score_languages(self._detect(heard), self._code, self.options.others) if heard.size else {}


def score_languages(probabilities: Mapping[str, float], code: str, others: Sequence[str]) -> dict[str, float]:
    """`probability` of the language (forms of one spoken language together), `recognised`, 1 where it is the likeliest,
    and `CODE` of each other one."""
    own = SAME.get(code, (code,))
    likeliest = max(probabilities, key=lambda one: probabilities[one])
    beside = {other: probabilities.get(other, 0.0) for other in others if other not in own}
    found = {"probability": sum(probabilities.get(one, 0.0) for one in own), "recognised": float(likeliest in own)}
    return found | beside


def faster_whisper_detector(whisper: Any) -> Callable[[np.ndarray], dict[str, float]]:
    """Probabilities of all languages from a wave at 16 kHz."""

    def detect(wave: np.ndarray) -> dict[str, float]:
        _, _, found = whisper.detect_language(wave)
        return {code: float(probability) for code, probability in found}

    return detect


def transformers_detector(folder: Any, device: str) -> Callable[[np.ndarray], dict[str, float]]:
    """As `faster_whisper_detector`, from the first decoder step. Raises: KathrineError for an English-only model."""
    import torch
    from transformers import AutoFeatureExtractor, GenerationConfig, WhisperForConditionalGeneration

    extractor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
    network = WhisperForConditionalGeneration.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
    network.eval().to(device)
    languages = getattr(network.generation_config or GenerationConfig(), "lang_to_id", None)
    if not languages:
        raise KathrineError(f"{folder} knows one language only", "name a multilingual Whisper model")
    codes, ids = [name.strip("<|>") for name in languages], list(languages.values())
    start = network.config.decoder_start_token_id

    def detect(wave: np.ndarray) -> dict[str, float]:
        heard = extractor(wave, sampling_rate=RATE, return_tensors="pt")["input_features"]
        with torch.inference_mode():
            first = torch.tensor([[start]], device=device)
            logits = network(heard.to(device, network.dtype), decoder_input_ids=first).logits[0, -1, ids]
            return dict(zip(codes, torch.softmax(logits.float(), dim=0).tolist(), strict=True))

    return detect
