"""Emissions: a CTC model's log-probabilities for a chapter, in overlapping chunks.

Shapes: N samples at 16 kHz, T frames (one every `hop` samples), V entries of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kathrine.errors import KathrineError
from kathrine_librivox.segmentation.labels import Alphabet
from kathrine_librivox.segmentation.models import load_whole
from kathrine_librivox.segmentation.types import RATE

if TYPE_CHECKING:
    import torch

CHUNK_SECONDS = 20.0
"""Audio that goes through the model at once, beside its context: bounds the memory of attention."""
CONTEXT_SECONDS = 2.0
"""Audio on both sides of a chunk whose frames are thrown away: the model hears what came before."""


@dataclass(frozen=True, slots=True)
class AcousticModel:
    """A CTC model and what belongs to it. hop: samples a frame. features: the feature extractor."""

    network: torch.nn.Module
    features: Any
    alphabet: Alphabet
    hop: int


def load_acoustic_model(folder: Path, label: str, device: str) -> AcousticModel:
    """The CTC model of a folder: safetensors only, and no code of its own.

    Given: label, how messages name it; device: cpu or cuda. Raises: KathrineError where it is no CTC model of
    letters, or hears another rate than 16 kHz.
    """
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

    remedy = "name a CTC model of transformers, such as NbAiLab/nb-wav2vec2-300m-bokmaal, or none to align by length"
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        features = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
        # The tokenizer by itself: the processor of a model with a language model beside it needs kenlm.
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        network = load_whole(AutoModelForCTC, folder)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as problem:
        reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        raise KathrineError(f"{label} can not be loaded as a CTC model: {reason}", remedy) from problem
    hop = getattr(config, "inputs_to_logits_ratio", None)
    if not hop or features.sampling_rate != RATE:
        heard = f"hears {features.sampling_rate} Hz" if hop else "does not say how many samples make a frame"
        raise KathrineError(f"{label} {heard}", remedy)
    if is_spectral(features):
        hop = features.stride * round(RATE * 0.01)  # features every 10 ms, `stride` of them a frame
    alphabet = Alphabet(
        tokenizer.get_vocab(), int(config.pad_token_id), getattr(tokenizer, "word_delimiter_token", None)
    )
    return AcousticModel(network.eval().float().to(device), features, alphabet, int(hop))


def is_spectral(features: Any) -> bool:
    """Whether the model is given a spectrogram (Wav2Vec2-BERT), not the wave."""
    return features.model_input_names[0] == "input_features" and hasattr(features, "stride")


def compute_emissions(
    model: AcousticModel, wave_N: np.ndarray, advance: Callable[[float], Any] | None = None
) -> np.ndarray:
    """Natural log-probabilities, float32 [T, V]; frame t begins at sample t x hop. advance: told of seconds done.

    A chapter of 30 minutes gives 90,000 frames: 12 MB with 33 entries.
    """
    hop = model.hop
    chunk, context = (int(seconds * RATE / hop) for seconds in (CHUNK_SECONDS, CONTEXT_SECONDS))
    frames = len(wave_N) // hop
    parts: list[np.ndarray] = []
    for first in range(0, frames, chunk):
        last = min(first + chunk, frames)
        begin = max(first - context, 0)
        heard_TV = _logprobs(model, wave_N[begin * hop : (last + context) * hop])[first - begin : last - begin]
        parts.append(heard_TV)
        if len(heard_TV) < last - first:  # the model's last frames need more samples than are left
            break
        if advance is not None:
            advance((last - first) * hop / RATE)
    if not parts:
        return np.zeros((0, 0), dtype=np.float32)
    return np.concatenate(parts)


def _logprobs(model: AcousticModel, wave_N: np.ndarray) -> np.ndarray:
    """Log-probabilities of one chunk, float32 [T, V]."""
    import torch

    shortest = 2 * RATE // 10
    if len(wave_N) < shortest:  # shorter than a front end can hear: silence behind it
        wave_N = np.pad(wave_N, (0, shortest - len(wave_N)))
    device = next(model.network.parameters()).device
    given = model.features(wave_N, sampling_rate=RATE, return_tensors="pt", return_attention_mask=False)
    inputs = given[model.features.model_input_names[0]].to(device)
    with torch.inference_mode():
        logits_TV = model.network(inputs).logits[0].float()
        return torch.log_softmax(logits_TV, dim=-1).cpu().numpy()
