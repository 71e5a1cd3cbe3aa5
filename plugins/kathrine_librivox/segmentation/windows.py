"""Forced alignment of a chapter in rolling windows, so that a lattice is never larger than a window.

60 s of emissions are aligned with the next 1,500 characters, the end of the text left free; what is placed up to the
last sentence that was surely heard is kept, and the next window begins there. Speech that is not in the text and
sentences that nobody read are stepped over inside a window (see `ctc.align`). Where a window holds nothing certain,
its letters as the model hears them are looked up further on in the text; where that finds nothing either, the audio is
passed over.

Shapes: T frames of a chapter, V entries of the vocabulary, L labels of a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kathrine_librivox.segmentation.ctc import Path, align
from kathrine_librivox.segmentation.labels import Spelling
from kathrine_librivox.segmentation.lookup import find_in_text


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """frames, labels: size of a window. wild_cost, skip_cost: prices in nats, see `ctc.align`. Most frames of a CTC
    model are blank and cost nothing in a break, so speech that is stepped over costs wild_cost for the one or two
    frames of each of its letters; labels of another text cost 4 to 6 nats a letter, the right ones 0.2, and 0.8 where a
    model hears badly. wild_cost lies between.
    sure_score: log-probability a letter from which a sentence with at least sure_letters was surely heard.
    edge_frames: a sentence that ends nearer to the window's end is left to the next window. part_letters: length of
    the stretch of a sentence whose worst one is scored by itself. reach: labels of the text that are searched for a
    window that does not fit."""

    frames: int = 3000
    labels: int = 1500
    wild_cost: float = 1.0
    skip_cost: float = 15.0
    sure_score: float = -1.0
    sure_letters: int = 12
    edge_frames: int = 50
    part_letters: int = 15
    reach: int = 100_000


@dataclass(frozen=True, slots=True)
class Heard:
    """A sentence in the emissions. first, last: its first frame, and the one after its last. score, part_score: mean
    log-probability a letter, of all and of its worst stretch; nan where it was left to any sound. words: first frame
    and the one after the last of each word."""

    sentence: int
    first: int
    last: int
    score: float
    part_score: float
    words: tuple[tuple[int, int], ...]


def align_in_windows(
    logprobs_TV: np.ndarray,
    spellings: Sequence[Spelling],
    blank: int,
    separator: int | None = None,
    settings: WindowSettings | None = None,
    advance: Callable[[float], Any] | None = None,
) -> list[Heard]:
    """Where the sentences are heard, in order; those that were not are left out.

    Given: emissions of a chapter; the spelling of each sentence, from where the chapter may begin; separator, the id
    between words; advance, told of frames done. The same input gives the same answer.
    """
    settings = settings or WindowSettings()
    silent = () if separator is None else (separator,)
    frame, sentence, heard = 0, 0, []
    while frame < len(logprobs_TV) and sentence < len(spellings):
        window_TV = logprobs_TV[frame : frame + settings.frames]
        is_last = frame + len(window_TV) >= len(logprobs_TV)
        found = _align_window(window_TV, spellings, sentence, blank, silent, settings, is_last)
        if not found:
            place = find_in_text(window_TV, spellings, sentence, blank, settings.reach)
            if place is not None and place > sentence:
                found = _align_window(window_TV, spellings, place, blank, silent, settings, is_last)
        if found:
            heard += [_moved(one, frame) for one in found]
            moved, sentence = found[-1].last, found[-1].sentence + 1
        else:
            moved = len(window_TV) if is_last else settings.frames // 2
        frame += moved
        if advance is not None:
            advance(moved)
    return heard


def _align_window(
    window_TV: np.ndarray,
    spellings: Sequence[Spelling],
    first: int,
    blank: int,
    silent: Sequence[int],
    settings: WindowSettings,
    is_last: bool,
) -> list[Heard]:
    """The sentences of one window up to the last sure one; none where there is no sure one."""
    count, breaks = 0, [0]
    for spelling in spellings[first:]:
        if breaks[-1] and breaks[-1] + len(spelling.labels_L) > settings.labels:
            break
        breaks.append(breaks[-1] + len(spelling.labels_L))
        count += 1
    labels_L = np.concatenate([spelling.labels_L for spelling in spellings[first : first + count]])
    if not len(labels_L):
        return []
    path = align(
        window_TV,
        labels_L,
        blank,
        free_end=True,
        breaks=breaks,
        wild_cost=settings.wild_cost,
        skip_cost=settings.skip_cost,
        silent=silent,
    )
    edge = len(window_TV) - (0 if is_last else settings.edge_frames)
    placed = read_path(path, spellings[first : first + count], breaks, settings, edge)
    sure = [
        number
        for number, one in enumerate(placed)
        if one.score >= settings.sure_score and len(spellings[first + one.sentence].labels_L) >= settings.sure_letters
    ]
    if not sure:
        return []
    # At the end of the chapter there is no later window for what is left.
    kept = placed if is_last else placed[: sure[-1] + 1]
    return [_moved(one, 0, first) for one in kept]


def read_path(
    path: Path, spellings: Sequence[Spelling], breaks: Sequence[int], settings: WindowSettings, edge: int
) -> list[Heard]:
    """The sentences that a path went through from their first label to their last, up to the frame `edge`.

    Given: breaks, the first label of each sentence, and the end of the last.
    """
    starts_L, ends_L = path.spans()
    inner_T = ~np.isin(path.states_T, 2 * np.asarray(breaks))
    costs_L = np.bincount(
        np.maximum((path.states_T - 1) // 2, 0), weights=path.logprob_T * inner_T, minlength=path.labels
    )
    found = []
    for number, spelling in enumerate(spellings):
        begin, end = breaks[number], breaks[number + 1]
        if begin == end or starts_L[begin] < 0 or ends_L[end - 1] < 0 or ends_L[end - 1] > edge:
            continue
        score = part = float("nan")
        if spelling.scored:
            costs = costs_L[begin:end]
            score = float(costs.mean())
            size = min(settings.part_letters, len(costs))
            sums = np.concatenate([[0.0], costs.cumsum()])
            part = float((sums[size:] - sums[:-size]).min() / size)
        words = tuple((int(starts_L[begin + a]), int(ends_L[begin + b - 1])) for _, a, b in spelling.words)
        found.append(Heard(number, int(starts_L[begin]), int(ends_L[end - 1]), score, part, words))
    return found


def _moved(heard: Heard, frames: int, sentences: int = 0) -> Heard:
    """The same sentence, counted from the beginning of the chapter."""
    return Heard(
        heard.sentence + sentences,
        heard.first + frames,
        heard.last + frames,
        heard.score,
        heard.part_score,
        tuple((a + frames, b + frames) for a, b in heard.words),
    )
