"""Recognisers behind one function: a wave float32 [N] at 16 kHz to what is said in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kathrine.components import MetricContext
from kathrine_metrics.hub_models import recogniser_folder
from kathrine_metrics.sound import RATE, pieces
from kathrine_metrics.whisper_models import WHEEL, ctranslate2_folder, load_faster_whisper

if TYPE_CHECKING:
    import numpy as np

TOKENS_PER_SECOND, TOKENS_BESIDES, MOST_TOKENS = 12.0, 16, 440
"""Room for the fastest speech in the least fitting tokens: a recogniser that repeats itself stops there."""
LONGEST_PIECE = 28.0
"""Seconds; Whisper hears 30 at once."""
BEAMS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A recogniser that is ready. transcribe: wave at 16 kHz -> text. smoke: too small to judge a language by."""

    transcribe: Callable[[np.ndarray], str]
    model: str
    model_hash: str
    smoke: bool = False


def open_faster_whisper(model: str, revision: str, code: str, context: MetricContext) -> Opened:
    """A CTranslate2 folder through faster-whisper: transcription at temperature 0, without context carried over."""
    folder, digest = ctranslate2_folder(model, revision, context)
    whisper = load_faster_whisper(folder, context.device)

    def transcribe(wave: np.ndarray) -> str:
        heard = []
        for piece in pieces(wave, RATE, LONGEST_PIECE):
            if not piece.size:
                continue
            segments, _ = whisper.transcribe(
                piece,
                language=code,
                task="transcribe",
                beam_size=BEAMS,
                temperature=0.0,
                condition_on_previous_text=False,
                without_timestamps=True,
                max_new_tokens=min(MOST_TOKENS, int(len(piece) / RATE * TOKENS_PER_SECOND) + TOKENS_BESIDES),
            )
            heard += [segment.text.strip() for segment in segments]
        return " ".join(heard)

    return Opened(transcribe, model, digest, smoke=model == WHEEL)


def open_transformers(model: str, revision: str, code: str, context: MetricContext) -> Opened:
    """A Whisper or CTC model through transformers, from safetensors only."""
    from kathrine.corpus.recognise import Recogniser

    folder, mark = recogniser_folder(model, revision, context, LONGEST_PIECE)
    recogniser = Recogniser(folder, code, context.device)

    def transcribe(wave: np.ndarray) -> str:
        parts = [piece for piece in pieces(wave, RATE, LONGEST_PIECE) if piece.size]
        return " ".join(text for part in parts for text in recogniser.transcribe([part]) if text)

    return Opened(transcribe, model, mark)
