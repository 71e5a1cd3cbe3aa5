"""Chapters without a text: units between pauses, each written down by a Whisper model.

Shapes: N samples at 16 kHz, B units in a batch, L tokens.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kathrine.components import Progress
from kathrine.errors import KathrineError
from kathrine_librivox.segmentation.gates import NO_WORDS, RUNAWAY, TOO_LONG, TOO_SHORT, UNSURE, Tally
from kathrine_librivox.segmentation.models import load_whole
from kathrine_librivox.segmentation.types import RATE, Segment, Segmentation, SegmentLimits, Transcriber

BATCH = 8
"""Units that go through the model at once; each is a spectrogram of 30 s whatever its length."""
FASTEST = 30.0
"""Letters a second beyond which a text was made up: a model that repeats itself in a pause writes hundreds."""
WHISPER_LANGUAGES = {"nb": "no", "nn": "nn"}
"""Whisper's name for each language; it calls bokmål Norwegian."""


@dataclass(frozen=True, slots=True)
class WhisperTranscriber:
    """Writes down units with a Whisper model: greedy, temperature 0, language given. label: `whisper:MODEL@COMMIT`."""

    network: Any
    features: Any
    tokenizer: Any
    language: str | None
    label: str

    def write_down(
        self, wave_N: np.ndarray, units: Sequence[tuple[float, float]], progress: Progress
    ) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        with progress.task("writing down", sum(end - start for start, end in units)) as advance:
            for first in range(0, len(units), BATCH):
                batch = units[first : first + BATCH]
                found += self._batch([wave_N[round(a * RATE) : round(b * RATE)] for a, b in batch])
                advance(sum(end - start for start, end in batch))
        return found

    def _batch(self, waves: Sequence[np.ndarray]) -> list[tuple[str, float]]:
        import torch

        parameter = next(self.network.parameters())
        given = self.features(list(waves), sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
        asked = {} if self.language is None else {"language": self.language, "task": "transcribe"}
        with torch.inference_mode():
            out = self.network.generate(
                given["input_features"].to(parameter.device, parameter.dtype),
                attention_mask=given["attention_mask"].to(parameter.device),
                do_sample=False,
                num_beams=1,
                return_timestamps=False,
                **asked,
            )
        texts = self.tokenizer.batch_decode(out["sequences"], skip_special_tokens=True)
        return list(zip([text.strip() for text in texts], self._scores(out), strict=True))

    def _scores(self, out: Any) -> list[float]:
        """Mean log-probability of each row's tokens up to its end, the end included."""
        import torch

        end = self.network.generation_config.eos_token_id
        ends = set(end if isinstance(end, list) else [end])
        steps_BL = out["sequences"][:, -len(out["scores"]) :]
        logprobs_LBV = [torch.log_softmax(scores_BV.float(), dim=-1) for scores_BV in out["scores"]]
        scores = []
        for row, tokens in enumerate(steps_BL.tolist()):
            stop = next((place + 1 for place, token in enumerate(tokens) if token in ends), len(tokens))
            taken = [float(logprobs_LBV[place][row, tokens[place]]) for place in range(stop)]
            scores.append(sum(taken) / len(taken) if taken else -math.inf)
        return scores


def load_whisper(folder: Path, label: str, language: str, device: str) -> WhisperTranscriber:
    """The Whisper model of a folder: safetensors only.

    Raises: KathrineError where it is none, or does not know the language.
    """
    from transformers import AutoConfig, AutoFeatureExtractor, AutoTokenizer, WhisperForConditionalGeneration

    try:
        features = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if AutoConfig.from_pretrained(folder, trust_remote_code=False).model_type != "whisper":
            raise ValueError("it is another kind of model")
        network = load_whole(WhisperForConditionalGeneration, folder)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as problem:
        reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        raise KathrineError(
            f"{label} can not be loaded as a Whisper model: {reason}",
            "name a Whisper model of transformers, such as NbAiLab/nb-whisper-large-verbatim",
        ) from problem
    known: Any = getattr(network.generation_config, "lang_to_id", None)
    asked = None
    if known:  # a model of one language has no such table, and is not told
        asked = WHISPER_LANGUAGES.get(language, language)
        if f"<|{asked}|>" not in known:
            raise KathrineError(f"{label} does not know the language '{language}'", "name another model")
    network.generation_config.return_dict_in_generate = True
    network.generation_config.output_scores = True
    network = network.eval().to(device)
    return WhisperTranscriber(network, features, tokenizer, asked, label)


def cut_transcribed(
    wave_N: np.ndarray,
    spans: Sequence[tuple[float, float]],
    transcriber: Transcriber,
    limits: SegmentLimits,
    progress: Progress,
) -> Segmentation:
    """A chapter in utterances by its pauses alone, with what the transcriber hears in them."""
    dropped = Tally()
    seconds = len(wave_N) / RATE
    units = units_between_pauses(spans, limits, dropped)
    padded = pad_units(units, spans, limits, seconds)
    segments = []
    for (start, end), (text, score) in zip(padded, transcriber.write_down(wave_N, padded, progress), strict=True):
        letters = sum(character.isalnum() for character in text)
        if not letters:
            dropped.add(NO_WORDS, end - start)
        elif letters > FASTEST * (end - start):
            dropped.add(RUNAWAY, end - start)
        elif score < limits.min_score:
            dropped.add(UNSURE, end - start)
        else:
            segments.append(Segment(start, end, " ".join(text.split()), score, cut=False))
    return Segmentation(tuple(segments), dropped.found, transcriber.label, 0)


def units_between_pauses(
    spans: Sequence[tuple[float, float]], limits: SegmentLimits, dropped: Tally
) -> list[tuple[float, float]]:
    """Stretches of speech joined to units of the wanted length, divided at the longest pauses.

    Dynamic programming: each unit costs 0.5, less the seconds of the pause behind it (1 at most); leaving out a stretch
    costs much. What fits in no unit is counted.
    """
    solid: list[tuple[float, float]] = []
    for start, end in spans:
        if solid and start - solid[-1][1] < limits.min_pause:
            solid[-1] = (solid[-1][0], end)
        else:
            solid.append((start, end))
    longest = limits.max_seconds - 2 * limits.min_pad
    best: list[tuple[float, int, bool]] = [(0.0, 0, False)]
    for stop in range(1, len(solid) + 1):
        pause = solid[stop][0] - solid[stop - 1][1] if stop < len(solid) else 1.0
        choices = [(best[stop - 1][0] + 30.0, stop - 1, False)]
        for begin in range(stop - 1, -1, -1):
            length = solid[stop - 1][1] - solid[begin][0]
            apart = max((b[0] - a[1] for a, b in itertools.pairwise(solid[begin:stop])), default=0)
            if length > longest or apart > limits.max_inner_pause:
                break
            if length + 2 * limits.min_pad >= limits.min_seconds:
                choices.append((best[begin][0] + 0.5 - min(pause, 1.0), begin, True))
        best.append(min(choices))
    units, stop = [], len(solid)
    while stop:
        _, begin, kept = best[stop]
        start, end = solid[begin][0], solid[stop - 1][1]
        if kept:
            units.append((start, end))
        else:
            dropped.add(TOO_LONG if end - start > longest else TOO_SHORT, end - start)
        stop = begin
    return units[::-1]


def pad_units(
    units: Sequence[tuple[float, float]],
    spans: Sequence[tuple[float, float]],
    limits: SegmentLimits,
    seconds: float,
) -> list[tuple[float, float]]:
    """Units with silence on both sides, never beyond the middle of the pause."""
    begins = [start for start, _ in spans] + [math.inf]
    stops = [-math.inf] + [end for _, end in spans]
    padded = []
    for start, end in units:
        before = start - max(stop for stop in stops if stop < start)
        after = min(begin for begin in begins if begin > end) - end
        start = max(0.0, start - min(limits.max_pad, before / 2))
        padded.append((start, min(seconds, end + min(limits.max_pad, after / 2))))
    return padded
