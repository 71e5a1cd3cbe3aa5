"""Placed sentences to utterances: cut in pauses, joined and split to the wanted length, padded, gated.

A *block* is a run of sentences that no pause divides. Blocks are what can be cut; short ones are joined with the next,
long ones are divided in a pause inside a sentence where the aligner knows where its words lie.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kathrine_librivox.segmentation.gates import CUT, NO_START, TOO_LONG, TOO_SHORT, Tally, refusal
from kathrine_librivox.segmentation.types import Placed, Scores, Segment, SegmentLimits, Sentence

NEAR = 0.3
"""Seconds by which the end of a sentence and the pause behind it may differ: an aligner places a sound early or late by
a few frames, a detector of speech by about 0.1 s. A word of less than this that is not in the text passes unseen."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence between two stretches of speech; infinite at the ends of the chapter."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a block that can be cut out: text, speech from start to end, the pauses around it (None where there is
    none), and its lowest score."""

    text: str
    start: float
    end: float
    before: Pause | None
    after: Pause | None
    score: float
    paragraph_end: bool = False

    @property
    def seconds(self) -> float:
        return self.end - self.start


def pauses_between(spans: Sequence[tuple[float, float]], shortest: float) -> list[Pause]:
    """The pauses of a chapter that are long enough to cut in, with those before the first word and after the last."""
    if not spans:
        return []
    inner = [Pause(a[1], b[0]) for a, b in itertools.pairwise(spans) if b[0] - a[1] >= shortest - 1e-9]
    return [Pause(-math.inf, spans[0][0]), *inner, Pause(spans[-1][1], math.inf)]


def cut_utterances(
    placed: Sequence[Placed],
    sentences: Sequence[Sentence],
    spans: Sequence[tuple[float, float]],
    limits: SegmentLimits,
    scores: Scores,
    seconds: float,
) -> tuple[list[Segment], Tally]:
    """The utterances of a chapter, and what was dropped.

    Given: placed sentences in order; the text's sentences; where somebody speaks; what the scores measure; seconds of
    the whole chapter.
    """
    dropped = Tally()
    pieces: list[Piece | None] = []  # None: something lies between two pieces that keeps them apart
    last = -2
    pauses = pauses_between(spans, max(limits.min_pause, 2 * limits.min_pad))
    for block, before, after in blocks_of(placed, pauses):
        length = block[-1].end - block[0].start
        reason = next((told for one in block if (told := refusal(one, limits, scores))), "")
        if not reason and before is None:
            reason = NO_START
        if reason:
            dropped.add(reason, length)
            pieces.append(None)
            continue
        if pieces and pieces[-1] is not None and block[0].sentence != last + 1:
            pieces.append(None)
        last = block[-1].sentence
        pieces += divide(block, sentences, before, after, pauses, limits)
    segments = []
    for group in groups_of(pieces, limits):
        segment = segment_of(group, limits, seconds)
        length = group[-1].end - group[0].start
        if length > limits.max_seconds:
            dropped.add(TOO_LONG, length)
        elif segment.end - segment.start < limits.min_seconds:
            dropped.add(TOO_SHORT, length)
        elif segment.cut and not limits.keep_cut:
            dropped.add(CUT, length)
        else:
            segments.append(segment)
    return segments, dropped


def blocks_of(
    placed: Sequence[Placed], pauses: Sequence[Pause]
) -> list[tuple[list[Placed], Pause | None, Pause | None]]:
    """Runs of sentences with the pauses around them, None where there is none."""
    blocks: list[tuple[list[Placed], Pause | None, Pause | None]] = []
    for number, one in enumerate(placed):
        before = pause_before(one.start, pauses)
        after = None if one.joined else pause_after(one.end, pauses)
        if number and placed[number - 1].sentence == one.sentence - 1:
            block, first, found = blocks[-1]
            gap = one.start - placed[number - 1].end  # a longer one without a pause holds what is not in the text
            if placed[number - 1].joined or (found is None is before and gap <= NEAR):
                blocks[-1] = ([*block, one], first, after)
                continue
        blocks.append(([one], before, after))
    return blocks


def pause_after(time: float, pauses: Sequence[Pause]) -> Pause | None:
    """The pause that begins nearest to where a sentence ends, if one is near; or that the end lies in."""
    near = [pause for pause in pauses if pause.start - NEAR <= time <= max(pause.start + NEAR, pause.end)]
    return min(near, key=lambda pause: abs(pause.start - time), default=None)


def pause_before(time: float, pauses: Sequence[Pause]) -> Pause | None:
    """The pause that ends nearest to where a sentence begins, if one is near; or that the beginning lies in."""
    near = [pause for pause in pauses if min(pause.end - NEAR, pause.start) <= time <= pause.end + NEAR]
    return min(near, key=lambda pause: abs(pause.end - time), default=None)


def divide(
    block: Sequence[Placed],
    sentences: Sequence[Sentence],
    before: Pause | None,
    after: Pause | None,
    pauses: Sequence[Pause],
    limits: SegmentLimits,
) -> list[Piece]:
    """A block as one piece; as several where it is too long and there are pauses between its words."""
    whole = Piece(
        " ".join(sentences[one.sentence].text for one in block),
        before.end if before else block[0].start,
        after.start if after else block[-1].end,
        before,
        after,
        min((one.score for one in block), default=math.nan),
        sentences[block[-1].sentence].paragraph_end,
    )
    if whole.seconds <= limits.max_seconds - 2 * limits.min_pad or not all(one.words for one in block):
        return [whole]
    cuts = word_gaps(block, sentences, pauses)
    pieces, rest = [], whole
    while rest.seconds > limits.max_seconds - 2 * limits.min_pad:
        room = [
            (rank, place, pause)
            for rank, place, pause in cuts
            if rest.start + limits.min_seconds <= pause.start <= rest.start + limits.max_seconds - 2 * limits.min_pad
            and rest.end - pause.end >= limits.min_seconds
        ]
        if not room:
            break
        _, place, pause = max(room, key=lambda cut: (cut[0], cut[2].seconds))
        done = len(whole.text) - len(rest.text)
        pieces.append(replace(rest, text=whole.text[done:place].strip(), end=pause.start, after=pause))
        rest = replace(rest, text=whole.text[place:].lstrip(), start=pause.end, before=pause)
    return [*pieces, rest]


def word_gaps(
    block: Sequence[Placed], sentences: Sequence[Sentence], pauses: Sequence[Pause]
) -> list[tuple[int, int, Pause]]:
    """Where a block may be divided: how good a place it is (2 after a sentence, 1 after a clause, 0 elsewhere), the
    character of the block's text in front of which it lies, and the pause."""
    found, offset = [], 0
    for one in block:
        text = sentences[one.sentence].text
        for word, following in zip(one.words, one.words[1:], strict=False):
            inside = [p for p in pauses if p.start >= word.ends - NEAR and p.end <= following.begins + NEAR]
            middle = [p for p in inside if p.end > word.ends and p.start < following.begins]
            if middle:
                end = word.end
                while end < len(text) and not text[end].isspace():
                    end += 1
                clause = any(mark in ",;:–—" for mark in text[word.end : following.end])
                found.append((int(clause), offset + end, max(middle, key=lambda pause: pause.seconds)))
        offset += len(text) + 1
    return found


def groups_of(pieces: Sequence[Piece | None], limits: SegmentLimits) -> list[list[Piece]]:
    """Pieces as they become utterances: one that is too short goes with a neighbour, the nearer one, where both
    together are not too long and the pause between them is not either."""
    groups: list[list[Piece]] = []
    apart = True
    bonds: list[bool] = []  # whether a group may be joined with the one in front of it
    for piece in pieces:
        if piece is None:
            apart = True
            continue
        groups.append([piece])
        bonds.append(not apart)
        apart = False

    def joinable(left: int) -> float:
        """Seconds between a group and the next, or infinity where they can not be one."""
        if not 0 <= left < len(groups) - 1 or not bonds[left + 1]:
            return math.inf
        if groups[left][-1].after != groups[left + 1][0].before:
            return math.inf  # somebody says something between them that is not in the text
        gap = groups[left + 1][0].start - groups[left][-1].end
        whole = groups[left + 1][-1].end - groups[left][0].start
        fits = gap <= limits.max_inner_pause and whole <= limits.max_seconds - 2 * limits.min_pad
        return max(gap, 0.0) + 0.5 * groups[left][-1].paragraph_end if fits else math.inf

    number = 0
    while number < len(groups):
        length = groups[number][-1].end - groups[number][0].start
        if length + 2 * limits.max_pad >= limits.min_seconds:
            number += 1
            continue
        left, right = joinable(number - 1), joinable(number)
        if min(left, right) == math.inf:
            number += 1
            continue
        first = number - 1 if left < right else number
        groups[first] += groups.pop(first + 1)
        bonds.pop(first + 1)
        number = first
    return groups


def segment_of(group: Sequence[Piece], limits: SegmentLimits, seconds: float) -> Segment:
    """The utterance of a group: padded into its pauses, never beyond their middle."""
    start, end = group[0].start, group[-1].end
    before, after = group[0].before, group[-1].after
    if before is not None:
        start -= min(limits.max_pad, before.seconds / 2)
    if after is not None:
        end += min(limits.max_pad, after.seconds / 2)
    return Segment(
        start=max(start, 0.0),
        end=min(end, seconds),
        text=" ".join(piece.text for piece in group),
        score=min(piece.score for piece in group),
        cut=after is None,
    )
