"""`[evaluate.similarity]`: whether a take has the voice that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kathrine import KathrineError, Metric, MetricContext, MetricFacts, Options
from kathrine.corpus.keys import file_digest
from kathrine_metrics.hub_models import model_folder
from kathrine_metrics.sound import RATE, at_rate

if TYPE_CHECKING:
    import numpy as np

OWN = "own"
LEAST_SECONDS = 0.5
"""Shorter takes say nothing about a voice."""
REMEDY = "name a WavLM speaker verification model (WavLMForXVector) of the Hub, or a folder in its layout"


class SimilarityOptions(Options):
    model: str = "microsoft/wavlm-base-plus-sv"
    """A WavLM speaker verification model: an id of the Hub or a folder. "own": the spoken model's speaker encoder,
    which gives the voice and so flatters it; a labelled smoke signal. Numbers of two models can not be compared."""
    revision: str = "main"
    """Of a model of the Hub."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs; auto: where the evaluation does."""


class Similarity(Metric):
    """Cosine between speaker embeddings of a take and of the recording that gave the voice (SIM-o)."""

    name = "similarity"
    shows = {"similarity": "higher"}  # noqa: RUF012
    Options = SimilarityOptions
    options: SimilarityOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._embed: Callable[[np.ndarray, int], np.ndarray] | None = None
        self._references: dict[bytes, np.ndarray] = {}

    def open(self, context: MetricContext) -> MetricFacts:
        self._references = {}
        options = self.options
        if options.model == OWN:
            if context.speaker_encoder is None:
                raise KathrineError("the spoken model has no speaker encoder of its own", REMEDY)
            self._embed = own_embedder(context.speaker_encoder, context.sample_rate)
            caption = "smoke: the model's own speaker encoder"
            return MetricFacts(self.version, OWN, "", context.device, caption)
        device = context.device if options.device == "auto" else options.device
        folder, digest = speaker_model(options.model, options.revision, context)
        self._embed = wavlm_embedder(folder, device)
        return MetricFacts(self.version, options.model, digest, device, "voice, by this model alone")

    def score(
        self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None
    ) -> Mapping[str, float | str]:
        assert self._embed is not None, "open comes first"
        if reference is None or min(len(wave), len(reference)) < LEAST_SECONDS * sample_rate:
            return {}
        key = reference.tobytes()
        if key not in self._references:
            self._references[key] = self._embed(reference, sample_rate)
        return {"similarity": cosine(self._embed(wave, sample_rate), self._references[key])}


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Of two vectors; 0 where one has no length."""
    import numpy as np

    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.dot(first, second)) / norm if norm > 0 else 0.0


def own_embedder(
    encoder: Callable[[np.ndarray], np.ndarray], encoder_rate: int
) -> Callable[[np.ndarray, int], np.ndarray]:
    """The spoken model's speaker encoder for waves of any rate."""
    return lambda wave, rate: encoder(at_rate(wave, rate, encoder_rate))


def speaker_model(model: str, revision: str, context: MetricContext) -> tuple[Path, str]:
    """Folder of a speaker verification model and the sha256 of its weights. Raises: KathrineError."""
    patterns = ["*.json", "*.safetensors", "pytorch_model.bin"]
    folder = model_folder(model, revision, patterns, context, REMEDY)
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder, file_digest(folder / name)
    raise KathrineError(f"{model} holds no weights", REMEDY)


def wavlm_embedder(folder: Path, device: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """From a wave to a speaker embedding [H]. Weights are read as tensors only: a pickle that would run code is
    refused by torch. Raises: KathrineError for another kind of model."""
    import json

    import torch
    from transformers import AutoFeatureExtractor, WavLMForXVector

    config = folder / "config.json"
    kinds = json.loads(config.read_text(encoding="utf-8")).get("architectures") or [] if config.is_file() else []
    if "WavLMForXVector" not in kinds:
        raise KathrineError(f"{folder} is a {', '.join(kinds) or 'model of unknown kind'}", REMEDY)
    try:
        extractor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
        network = WavLMForXVector.from_pretrained(folder, trust_remote_code=False, weights_only=True)
    except (OSError, ValueError, RuntimeError) as problem:
        raise KathrineError(f"{folder} can not be loaded: {str(problem).splitlines()[0]}", REMEDY) from problem
    network.eval().to(device)

    def embed(wave: np.ndarray, rate: int) -> np.ndarray:
        heard = extractor(at_rate(wave, rate), sampling_rate=RATE, return_tensors="pt").to(device)
        with torch.inference_mode():
            return network(**heard).embeddings[0].float().cpu().numpy()

    return embed
