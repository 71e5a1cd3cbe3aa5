"""Forced alignment with CTC emissions: the best path of known labels through log-probabilities, by Viterbi.

Shapes: T frames, V entries of the vocabulary, L labels, S = 2L + 1 states, B breaks. State 2i + 1 is label i; state
2i is the blank in front of it, and state 2L the one behind the last label. A path stays in its state, goes to the
next, or passes over a blank between two labels that differ (CTC of Graves et al. 2006, its best path instead of the
sum over paths).

Two things are added for speech and text that do not quite match. A *break* is a place between two labels where a
passage begins (a sentence, say). There, in its blank, anything may be heard at a price (`wild_cost`), so that speech
which is not in the text is stepped over; and from one break a path may jump to a later one at a price (`skip_cost` for
each break passed), so that text which was not spoken is left out.

Memory: one byte a frame and state (the back-pointers), so 60 s of speech with its own 830 letters take 5 MB, with
1,500 letters 9 MB. It grows with the square of the length: a chapter goes through in windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WILD = -1
"""A label that any sound satisfies, at `wild_cost` a frame: for what the vocabulary can not spell."""
JUMP = 3
"""Back-pointer of a state that was reached from another break; 0 to 2 are the steps taken up."""


@dataclass(frozen=True, slots=True)
class Path:
    """states_T: state at each frame, int32. logprob_T: what each frame cost, float32; jumps not counted. total: of
    the whole path, jumps counted. labels: how many there were."""

    states_T: np.ndarray
    logprob_T: np.ndarray
    total: float
    labels: int

    def spans(self) -> tuple[np.ndarray, np.ndarray]:
        """First frame, and the one after the last, of each label: int32 [L] each, -1 where the path left it out."""
        starts_L = np.full(self.labels, -1, dtype=np.int32)
        ends_L = np.full(self.labels, -1, dtype=np.int32)
        frames = np.flatnonzero(self.states_T % 2 == 1)
        labels = self.states_T[frames] // 2
        ends_L[labels] = frames + 1  # frames go up, so the last assignment stays
        starts_L[labels[::-1]] = frames[::-1]
        return starts_L, ends_L

    def costs(self) -> np.ndarray:
        """Log-probability that each label took, float64 [L]: its own frames and the blank ones up to the next label.

        So a sound that no label explains costs the label before it. The frames of a break in front of a label are
        counted for the label before it too; leave them out by their states where they are free.
        """
        label_T = np.maximum((self.states_T - 1) // 2, 0)
        return np.bincount(label_T, weights=self.logprob_T, minlength=max(self.labels, 1))


def align(
    logprobs_TV: np.ndarray,
    labels_L: Sequence[int] | np.ndarray,
    blank: int = 0,
    *,
    free_end: bool = False,
    breaks: Sequence[int] = (),
    wild_cost: float | None = None,
    skip_cost: float | None = None,
    silent: Sequence[int] = (),
) -> Path:
    """The best path.

    Given: natural log-probabilities; ids of the labels (`WILD` for any sound); free_end, whether the path may end
    before the last label; breaks, rising positions 0..L in front of which a passage begins (L: the end); wild_cost,
    nats a frame below the likeliest label for a sound that is not in the text (None: not allowed); skip_cost, nats for
    each passage that is left out (None: not allowed); silent, ids that cost no more than the blank in a break, such as
    the sign between words.
    Returns: the path with the greatest sum of log-probabilities; among equals the one that stays longest.
    Raises: ValueError where no path exists: too few frames for the labels.
    """
    labels_L = np.asarray(labels_L, dtype=np.int64)
    if logprobs_TV.ndim != 2 or not len(logprobs_TV):
        raise ValueError(f"log-probabilities must be [frames, vocabulary], not {logprobs_TV.shape}")
    if (labels_L == WILD).any() and wild_cost is None:
        raise ValueError("a label for any sound needs wild_cost")
    frames, count = len(logprobs_TV), len(labels_L)
    states = 2 * count + 1
    ids_S = np.full(states, blank, dtype=np.int64)
    ids_S[1::2] = labels_L
    wild_states = np.flatnonzero(ids_S == WILD)
    ids_S[wild_states] = blank
    break_B = 2 * np.asarray(sorted(set(breaks)), dtype=np.int64)
    if len(break_B) and not (break_B[0] >= 0 and break_B[-1] < states):
        raise ValueError(f"breaks must lie between 0 and {count}")
    may_pass = np.zeros(max(count - 1, 0), dtype=bool)
    may_pass[:] = labels_L[1:] != labels_L[:-1]
    free = [*silent, blank]
    jumping = skip_cost is not None and len(break_B) > 1
    steps_B = np.arange(len(break_B)) * (skip_cost or 0.0)

    pointers_TS = np.zeros((frames, states), dtype=np.int8)
    jumps_TB = np.zeros((frames, len(break_B)), dtype=np.int32) if jumping else None
    best_S = np.full(states, -np.inf)
    arrival_S = np.empty(states)
    for frame in range(frames):
        row_V = logprobs_TV[frame]
        heard_S = row_V[ids_S].astype(np.float64)
        if len(break_B) or len(wild_states):
            wild = float(row_V.max()) - wild_cost if wild_cost is not None else -np.inf
            heard_S[wild_states] = wild
            heard_S[break_B] = max(wild, float(row_V[free].max()))
        if frame == 0:
            best_S[:2] = heard_S[:2]
            continue
        pointer_S = pointers_TS[frame]
        np.copyto(arrival_S, best_S)
        np.greater(best_S[:-1], best_S[1:], out=pointer_S[1:].view(bool))
        np.maximum(best_S[1:], best_S[:-1], out=arrival_S[1:])
        if count > 1:
            passed = may_pass & (best_S[1:-2:2] > arrival_S[3::2])
            arrival_S[3::2][passed] = best_S[1:-2:2][passed]
            pointer_S[3::2][passed] = 2
        if jumping:
            # best_S[break] minus the price from there: a running maximum over the breaks finds the best start
            worth_B = best_S[break_B] + steps_B
            is_best_B = worth_B >= np.maximum.accumulate(worth_B)
            source_B = np.maximum.accumulate(np.where(is_best_B, np.arange(len(break_B)), 0))
            reached_B = worth_B[source_B] - steps_B
            better = reached_B > arrival_S[break_B]
            arrival_S[break_B[better]] = reached_B[better]
            pointer_S[break_B[better]] = JUMP
            jumps_TB[frame] = source_B  # type: ignore[index]
        np.add(arrival_S, heard_S, out=best_S)

    last = int(best_S.argmax()) if free_end else max(states - 1, 0) - int(count and best_S[-2] >= best_S[-1])
    total = float(best_S[last])
    if total == -np.inf:
        need = count + int((~may_pass).sum())
        raise ValueError(f"{count} labels need {need} frames at least, and there are {frames}")
    states_T = _trace(pointers_TS, jumps_TB, break_B, last)
    return Path(states_T, _heard(logprobs_TV, states_T, ids_S, wild_states, break_B, free, wild_cost), total, count)


def _trace(pointers_TS: np.ndarray, jumps_TB: np.ndarray | None, break_B: np.ndarray, last: int) -> np.ndarray:
    """The states from the last one back to the first."""
    states_T = np.empty(len(pointers_TS), dtype=np.int32)
    state = last
    for frame in range(len(pointers_TS) - 1, -1, -1):
        states_T[frame] = state
        step = int(pointers_TS[frame, state])
        if step == JUMP:
            assert jumps_TB is not None
            state = int(break_B[jumps_TB[frame, np.searchsorted(break_B, state)]])
        else:
            state -= step
    return states_T


def _heard(
    logprobs_TV: np.ndarray,
    states_T: np.ndarray,
    ids_S: np.ndarray,
    wild_states: np.ndarray,
    break_B: np.ndarray,
    free: Sequence[int],
    wild_cost: float | None,
) -> np.ndarray:
    """Log-probability of each frame in its state, float32 [T]."""
    rows = np.arange(len(states_T))
    heard_T = logprobs_TV[rows, ids_S[states_T]].astype(np.float32)
    wild_T = logprobs_TV.max(1) - wild_cost if wild_cost is not None else np.full(len(rows), -np.inf)
    in_break = np.isin(states_T, break_B)
    heard_T[in_break] = np.maximum(wild_T, logprobs_TV[:, free].max(1))[in_break]
    in_wild = np.isin(states_T, wild_states)
    heard_T[in_wild] = wild_T[in_wild]
    return heard_T
