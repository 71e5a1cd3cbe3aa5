"""Alignment without a model: sentences to stretches of speech by their lengths and the pauses between them.

Shapes: J stretches of speech, K sentences. Dynamic programming over (stretches done, sentences done), as Gale and
Church (1993) align texts by length: each step takes up to `MOST_SENTENCES` sentences with up to `MOST_STRETCHES`
stretches, and costs what its duration and its pauses make it improbable. Speech may be left out at a price for each
second (what a reader says before and after the text, or in between), and so may sentences (a heading, a paragraph that
nobody read): lengths show where, but not as surely as a model that listens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kathrine.components import Progress
from kathrine_librivox.segmentation.types import Placed, Placement, Scores, Sentence

MOST_SENTENCES, MOST_STRETCHES, MOST_JOINED_STRETCHES = 3, 14, 4
SLOWEST, FASTEST, RATES = 8.0, 24.0, 19
"""Letters a second of speech, pauses left out: the range of rates that are tried, and their number (6 % apart; the
best one's neighbourhood is tried in steps of 1.5 %)."""
USUAL_RATE, RATE_SPREAD = 15.0, 0.25
"""What is expected before anything is heard: a reader of Norwegian, and the spread of its logarithm."""
SPREAD, SPREAD_LETTERS = 0.06, 1.1
"""Spread of the logarithm of a sentence's duration around the one expected: sqrt(SPREAD^2 + SPREAD_LETTERS^2 /
letters). A hundred letters vary by 12 %, ten by 35 %."""
LEAD, LEAVE_OUT, INSIDE = 1.7, 1.4, 2.0
"""Nats for each second of speech that is left out in front of the text, and elsewhere, and for each stretch of it that
is not in front or behind. These and NOT_READ were chosen on fourteen short chapters with known places (15 s to 3
minutes; disclaimers, farewells, unread headings), where a sentence that fits costs about 0.7 nats a second."""
NOT_READ = 3.5
"""Nats for each sentence that is left out; the text behind the chapter's end costs nothing."""
JOIN = 4.0
"""Nats for each place where two sentences have no pause between them."""
INNER_PAUSE, END_PAUSE, PAUSE_SPREAD = 0.22, 0.6, 0.45
"""Median pause (seconds) inside a sentence and between two, and the spread of its logarithm."""


@dataclass(frozen=True, slots=True)
class LengthAligner:
    """The aligner that needs no model."""

    label: str = "length"
    scores: Scores = "length"

    def place(
        self,
        wave_N: np.ndarray,
        spans: Sequence[tuple[float, float]],
        sentences: Sequence[Sentence],
        progress: Progress,
    ) -> Placement:
        letters_K = np.array([count_letters(sentence.text) for sentence in sentences], dtype=np.float64)
        with progress.task("aligning by length", RATES + 4) as advance:
            return Placement(tuple(align_by_length(spans, letters_K, advance)))


def count_letters(text: str) -> int:
    """Letters that are said, digits counted as four letters each: read aloud, they are words."""
    return sum(character.isalpha() + 4 * character.isdigit() for character in text)


def align_by_length(
    spans: Sequence[tuple[float, float]],
    letters_K: np.ndarray,
    advance: Callable[[float], Any] | None = None,
) -> list[Placed]:
    """Where each sentence lies, in order.

    Given: start and end of each stretch of speech (seconds); letters of each sentence, from the one with which the
    chapter may begin, and as far as the text goes. Returns: sentences with their first and last stretch; the score is
    minus the distance of the logarithm of the duration from the one expected. Sentences without a pause between them
    are placed in proportion to their letters, have the score of the whole, and are marked `joined`.
    """
    if not len(spans) or not len(letters_K):
        return []
    speech = sum(end - start for start, end in spans)
    letters_K = np.maximum(letters_K[: int(np.searchsorted(letters_K.cumsum(), speech * FASTEST * 1.1)) + 2], 1.0)
    tried = []
    for rate in np.geomspace(SLOWEST, FASTEST, RATES):
        tried.append(_best_steps(spans, letters_K, float(rate)))
        if advance is not None:
            advance(1)
    _, _, near = min(tried, key=lambda found: found[0])
    for factor in (0.97, 0.985, 1.015, 1.03):
        tried.append(_best_steps(spans, letters_K, near * factor))
        if advance is not None:
            advance(1)
    _, steps, rate = min(tried, key=lambda found: found[0])
    return _placed(spans, letters_K, steps, rate)


def _best_steps(
    spans: Sequence[tuple[float, float]], letters_K: np.ndarray, rate: float
) -> tuple[float, list[tuple[int, int, int, int]], float]:
    """Cost, steps and rate of the best path at a rate; a step is (stretch, stretch after, sentence, sentence after)."""
    starts_J, ends_J = (np.array(side) for side in zip(*spans, strict=True))
    stretches, count = len(starts_J), len(letters_K)
    speech_J = np.concatenate([[0.0], (ends_J - starts_J).cumsum()])
    pause_J = np.concatenate([[2.0], starts_J[1:] - ends_J[:-1], [2.0]])  # in front of each stretch, and at the end
    inner_J = _pause_cost(pause_J, INNER_PAUSE)
    outer_J = _pause_cost(pause_J, END_PAUSE)
    outer_J[[0, -1]] = inner_J[[0, -1]] = 0.0
    inside_J = np.concatenate([[0.0], inner_J.cumsum()])
    letters_sum_K = np.concatenate([[0.0], letters_K.cumsum()])
    most = min(MOST_SENTENCES, count)
    duration_costs = [
        DurationCost(letters_sum_K[joined:] - letters_sum_K[:-joined], rate) for joined in range(1, most + 1)
    ]
    costs_JK = np.full((stretches + 1, count + 1), np.inf)
    from_JK = np.zeros((stretches + 1, count + 1), dtype=np.int16)
    costs_JK[:, 0] = speech_J * LEAD  # what is left out in front
    skipped_K = NOT_READ * np.arange(count + 1)
    _leave_out_sentences(costs_JK[0], from_JK[0], skipped_K)
    for after in range(1, stretches + 1):
        left_out = LEAVE_OUT * (speech_J[after] - speech_J[after - 1]) + INSIDE
        costs_JK[after, 1:] = costs_JK[after - 1, 1:] + left_out
        from_JK[after, 1:] = 8
        for taken in range(1, min(MOST_STRETCHES, after) + 1):
            before = after - taken
            seconds = speech_J[after] - speech_J[before]
            pauses = inside_J[after] - inside_J[before + 1] + outer_J[after]
            for joined in range(1, (most if taken <= MOST_JOINED_STRETCHES else 1) + 1):
                fit = duration_costs[joined - 1].of(seconds)
                cost = costs_JK[before, :-joined] + fit + pauses + JOIN * (joined - 1)
                target = costs_JK[after, joined:]
                better = cost < target
                target[better] = cost[better]
                from_JK[after, joined:][better] = taken * 8 + joined
        _leave_out_sentences(costs_JK[after], from_JK[after], skipped_K)
    ends = costs_JK + ((speech_J[-1] - speech_J) * LEAVE_OUT)[:, None]  # what is left out behind
    stretch, sentence = (int(place) for place in np.unravel_index(int(ends.argmin()), ends.shape))
    total = float(ends[stretch, sentence]) + 0.5 * (np.log(rate / USUAL_RATE) / RATE_SPREAD) ** 2
    steps = []
    while sentence:
        taken, joined = divmod(int(from_JK[stretch, sentence]), 8)
        if taken and joined:
            steps.append((stretch - taken, stretch, sentence - joined, sentence))
        stretch, sentence = stretch - taken, sentence - joined
    return total, steps[::-1], rate


def _leave_out_sentences(costs_K: np.ndarray, from_K: np.ndarray, skipped_K: np.ndarray) -> None:
    """Let each place also be reached from those before it, by sentences that nobody read."""
    reached_K = np.minimum.accumulate(costs_K - skipped_K) + skipped_K
    better = reached_K < costs_K - 1e-9
    costs_K[better] = reached_K[better]
    from_K[better] = 1  # no stretch, one sentence


class DurationCost:
    """Minus the log-density of durations (log-normal) for numbers of letters at a rate; a density over seconds, so
    that one step and two steps over the same speech compare."""

    def __init__(self, letters_K: np.ndarray, rate: float) -> None:
        spread_K = np.sqrt(SPREAD**2 + SPREAD_LETTERS**2 / letters_K)
        self.expected_K = np.log(letters_K / rate)
        self.weight_K = 0.5 / spread_K**2
        self.constant_K = np.log(spread_K * np.sqrt(2 * np.pi))

    def of(self, seconds: float) -> np.ndarray:
        """The cost of one duration for each number of letters."""
        log_seconds = float(np.log(seconds))
        return self.weight_K * (log_seconds - self.expected_K) ** 2 + (self.constant_K + log_seconds)


def _pause_cost(pause_J: np.ndarray, median: float) -> np.ndarray:
    """Minus the log-density of pauses (log-normal around the median)."""
    return 0.5 * (np.log(np.maximum(pause_J, 0.02) / median) / PAUSE_SPREAD) ** 2


def _placed(
    spans: Sequence[tuple[float, float]],
    letters_K: np.ndarray,
    steps: Sequence[tuple[int, int, int, int]],
    rate: float,
) -> list[Placed]:
    """The sentences of the steps, each with its times and its score."""
    found = []
    for stretch, after, sentence, beyond in steps:
        seconds = sum(end - start for start, end in spans[stretch:after])
        letters = letters_K[sentence:beyond]
        score = -abs(float(np.log(seconds * rate / letters.sum())))
        start, end = spans[stretch][0], spans[after - 1][1]
        shares = np.concatenate([[0.0], letters.cumsum() / letters.sum()])
        for number, one in enumerate(range(sentence, beyond)):
            found.append(
                Placed(
                    one,
                    start + shares[number] * (end - start),
                    start + shares[number + 1] * (end - start),
                    score,
                    joined=one < beyond - 1,
                )
            )
    return found
