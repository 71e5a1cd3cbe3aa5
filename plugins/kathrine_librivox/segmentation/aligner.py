"""The aligner that listens: an acoustic model's emissions, aligned with the text in rolling windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kathrine.components import Progress
from kathrine_librivox.segmentation.emissions import AcousticModel, compute_emissions
from kathrine_librivox.segmentation.gates import Tally
from kathrine_librivox.segmentation.types import RATE, Placed, Placement, Scores, Sentence, Word
from kathrine_librivox.segmentation.windows import WindowSettings, align_in_windows

LETTERS_PER_SECOND = 30.0
"""No reader is faster: bounds how much of a book's text is spelled for one chapter, with what may be skipped."""


@dataclass(frozen=True, slots=True)
class CtcAligner:
    """Finds sentences by CTC forced alignment. label: `ctc:MODEL@COMMIT`."""

    model: AcousticModel
    label: str
    settings: WindowSettings = field(default_factory=WindowSettings)
    scores: Scores = "letters"

    def place(
        self,
        wave_N: np.ndarray,
        spans: Sequence[tuple[float, float]],
        sentences: Sequence[Sentence],
        progress: Progress,
    ) -> Placement:
        alphabet, frame = self.model.alphabet, self.model.hop / RATE
        with progress.task("listening", len(wave_N) / RATE) as advance:
            logprobs_TV = compute_emissions(self.model, wave_N, advance)
        room = len(wave_N) / RATE * LETTERS_PER_SECOND + self.settings.reach
        spellings = []
        for sentence in sentences:
            spellings.append(alphabet.spell(sentence.text))
            room -= len(sentence.text)
            if room < 0:
                break
        with progress.task("aligning", len(logprobs_TV)) as advance:
            heard = align_in_windows(logprobs_TV, spellings, alphabet.blank, alphabet.separator, self.settings, advance)
        placed = []
        for one in heard:
            ends = [end for end, _, _ in spellings[one.sentence].words]
            words = tuple(
                Word(end, first * frame, last * frame) for end, (first, last) in zip(ends, one.words, strict=True)
            )
            placed.append(Placed(one.sentence, one.first * frame, one.last * frame, one.score, one.part_score, words))
        lacking = Tally()
        for one in heard:
            if spellings[one.sentence].lacking:
                lacking.add("letters that the model does not write", 0.0, spellings[one.sentence].lacking)
        return Placement(tuple(placed), lacking.found)
