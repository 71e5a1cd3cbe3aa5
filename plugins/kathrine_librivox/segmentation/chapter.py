"""The whole way: a wave and its text in, utterances out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kathrine.components import Progress
from kathrine.corpus.speech_activity import speech_spans
from kathrine.errors import KathrineError
from kathrine_librivox.segmentation.cutting import cut_utterances
from kathrine_librivox.segmentation.gates import NOT_IN_TEXT, NOT_READ, Tally
from kathrine_librivox.segmentation.sentences import split_sentences
from kathrine_librivox.segmentation.transcribe import cut_transcribed
from kathrine_librivox.segmentation.types import (
    RATE,
    Aligner,
    Placed,
    Segmentation,
    SegmentLimits,
    Transcriber,
)

SHORTEST_GAP = 0.1
"""Seconds: pauses that divide speech into stretches. Shorter than the shortest pause to cut in, so that those are
measured whole."""
END_LAG = 0.05
"""Seconds by which the detector hears speech end too late; measured on spoken chapters with known ends: 0.03 to 0.12
late, and its beginnings 0.03 off at most. Without this a pause of 0.25 s would count as one of less than 0.2."""
FOREIGN = 0.3
"""Seconds of speech between two sentences that are not counted: breaths, and the blur of the detector."""


def segment_chapter(
    wave_N: np.ndarray,
    rate: int,
    text: str | None,
    aligner: Aligner | Transcriber,
    limits: SegmentLimits,
    progress: Progress,
) -> Segmentation:
    """Cut a chapter into utterances.

    Given: the chapter at any rate (Hz), float32, mono; its text, from where the chapter may begin and as far as it
    goes (the text of the rest of the book does), or None to have it written down; what `open_aligner` gave, or
    `open_transcriber` where text is None.
    Raises: KathrineError for a wave that is not mono and finite, or for an aligner that does not fit the text.
    """
    wave_N = at_16_khz(wave_N, rate)
    with progress.task("finding speech"):
        spans = stretches_of_speech(wave_N)
    if text is None:
        if not isinstance(aligner, Transcriber):
            raise KathrineError(
                "a chapter without a text needs a model that writes down what is said",
                "name a Whisper model, such as NbAiLab/nb-whisper-large-verbatim, or give the text",
            )
        return cut_transcribed(wave_N, spans, aligner, limits, progress)
    if not isinstance(aligner, Aligner):
        raise KathrineError("a transcriber was given for a chapter with a text", "open an aligner for it")
    sentences = split_sentences(text)
    placement = aligner.place(wave_N, spans, sentences, progress)
    placed = placement.placed
    segments, dropped = cut_utterances(placed, sentences, spans, limits, aligner.scores, len(wave_N) / RATE)
    dropped.update(placement.dropped)
    count_foreign(spans, placed, dropped)
    if placed and (unread := placed[-1].sentence + 1 - len(placed)):
        dropped.add(NOT_READ, 0.0, unread)
    consumed = sentences[placed[-1].sentence].end if placed else 0
    return Segmentation(tuple(segments), dropped.found, aligner.label, consumed)


def at_16_khz(wave_N: np.ndarray, rate: int) -> np.ndarray:
    """The wave at `RATE`, float32.

    Raises: KathrineError when it is not mono, or holds values that are no numbers.
    """
    import soxr

    if wave_N.ndim != 1:
        raise KathrineError(f"a chapter must be mono, and this wave is {wave_N.shape}", "mix its channels first")
    if rate <= 0:
        raise KathrineError(f"{rate} Hz is no rate of a recording")
    wave_N = wave_N.astype(np.float32, copy=False)
    if not np.isfinite(wave_N).all():
        raise KathrineError("the wave holds values that are no numbers", "decode the recording again")
    return wave_N if rate == RATE else soxr.resample(wave_N, rate, RATE, quality="HQ")


def stretches_of_speech(wave_N: np.ndarray) -> list[tuple[float, float]]:
    """Where somebody speaks (seconds), pauses of `SHORTEST_GAP` or more left out; the wave at `RATE`."""
    spans = speech_spans(wave_N, RATE, min_pause=SHORTEST_GAP, pad=0.0)
    return [(start, max(end - END_LAG, start + END_LAG)) for start, end in spans]


def count_foreign(spans: Sequence[tuple[float, float]], placed: Sequence[Placed], dropped: Tally) -> None:
    """Count the speech before, between and behind the sentences: it is not in the text."""
    edges = [0.0, *(time for one in placed for time in (one.start, one.end)), float("inf")]
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        seconds = sum(max(0.0, min(stop, end) - max(start, begin)) for start, stop in spans)
        if seconds > FOREIGN:
            dropped.add(NOT_IN_TEXT, seconds)
