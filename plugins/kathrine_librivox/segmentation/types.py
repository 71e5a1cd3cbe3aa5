"""What flows through segmentation: limits in, segments out, and what an aligner answers in between.

Times are seconds from the beginning of the chapter. Waves are float32, mono, in [-1, 1], [N] samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from kathrine.components import Progress

RATE = 16000
"""Hz at which speech is found and aligned: the rate of the detector and of the acoustic models."""


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """What an utterance may look like. All but the scores in seconds.

    min_seconds, max_seconds: length of an utterance; shorter sentences are joined with a neighbour, longer ones are
    split in a pause, and what fits neither way is dropped. min_pause: shorter pauses are no place to cut. min_pad,
    max_pad: silence kept on both sides of an utterance, never more than half of the pause (so a pause shorter than
    twice min_pad is no place to cut either). max_inner_pause: sentences further apart are not joined. min_score: lowest
    score of a sentence aligned by CTC (log-probability a letter; exp(-1) = 0.37), and of a transcribed utterance
    (log-probability a token). min_part_score: the same for the worst stretch of about three words of a sentence, so
    that a word that was left out or added does not hide in a long one. min_fit: lowest score of a sentence aligned by
    length (minus the logarithm of how far its duration is from what its letters let expect). keep_unscored: keep a
    sentence that can not be scored, such as one with digits. keep_cut: keep an utterance that does not end in a pause,
    marked `cut`.
    """

    min_seconds: float = 2.0
    max_seconds: float = 15.0
    min_pause: float = 0.2
    min_pad: float = 0.05
    max_pad: float = 0.1
    max_inner_pause: float = 1.5
    min_score: float = -1.0
    min_part_score: float = -2.5
    min_fit: float = -0.5
    keep_unscored: bool = False
    keep_cut: bool = True


@dataclass(frozen=True, slots=True)
class Segment:
    """An utterance of the chapter. score: the lowest of its sentences, as its aligner measures it; nan where it can
    not be measured. cut: its end is not in a pause."""

    start: float
    end: float
    text: str
    score: float
    cut: bool


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A chapter in utterances, in order.

    dropped: what is not among them, by reason: how many passages, and their seconds of audio (0 for text that
    nobody read). aligner: how the places were found: `ctc:MODEL@COMMIT`, `length` or `whisper:MODEL@COMMIT`.
    consumed: characters of the given text, from its beginning, that belong to this chapter or to what lies before
    it; the text of the next one begins there.
    """

    segments: tuple[Segment, ...]
    dropped: Mapping[str, tuple[int, float]]
    aligner: str
    consumed: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the text: text[start:end] in characters, spaces at both ends left out. paragraph_end: the
    last one of its paragraph."""

    text: str
    start: int
    end: int
    paragraph_end: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a sentence and where it is spoken: sentence.text[: end] ends with it."""

    end: int
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A sentence and where it is spoken. sentence: its number. score and part_score as `SegmentLimits` tells;
    nan: not measured. words: where each one lies, empty where the aligner does not know. joined: the aligner found no
    pause between this one and the next, so `end` is no place to cut."""

    sentence: int
    start: float
    end: float
    score: float
    part_score: float = float("nan")
    words: tuple[Word, ...] = ()
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """An aligner's answer: sentences in order, not overlapping, and what it left out, by reason."""

    placed: tuple[Placed, ...]
    dropped: Mapping[str, tuple[int, float]] = field(default_factory=dict)


Scores = Literal["letters", "length"]
"""What the scores of an aligner measure: log-probability a letter, or how well lengths fit."""


@runtime_checkable
class Aligner(Protocol):
    """Finds the sentences of a text in a chapter."""

    @property
    def label(self) -> str: ...

    @property
    def scores(self) -> Scores: ...

    def place(
        self,
        wave_N: np.ndarray,
        spans: Sequence[tuple[float, float]],
        sentences: Sequence[Sentence],
        progress: Progress,
    ) -> Placement:
        """Given: the chapter at `RATE`; where somebody speaks; the sentences from where the chapter may begin, and
        as far as the text goes (usually beyond the chapter's end)."""
        ...


@runtime_checkable
class Transcriber(Protocol):
    """Writes down what is said where there is no text."""

    @property
    def label(self) -> str: ...

    def write_down(
        self, wave_N: np.ndarray, units: Sequence[tuple[float, float]], progress: Progress
    ) -> list[tuple[str, float]]:
        """The text of each unit, and its mean log-probability a token.

        Given: the chapter at `RATE`; start and end of each unit, 30 s at most.
        """
        ...
