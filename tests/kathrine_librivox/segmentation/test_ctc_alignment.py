"""The Viterbi search is exact: known paths come back, and a search over every path finds no better one."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kathrine_librivox.segmentation.ctc import WILD, align


def certain(ids: list[int], vocabulary: int = 6, sure: float = 0.9) -> np.ndarray:
    """Log-probabilities of frames that say `ids` one after the other."""
    rest = (1 - sure) / (vocabulary - 1)
    probabilities = np.full((len(ids), vocabulary), rest, dtype=np.float32)
    probabilities[np.arange(len(ids)), ids] = sure
    return np.log(probabilities)


def random_logprobs(seed: int, frames: int, vocabulary: int = 4) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 2, (frames, vocabulary))
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float64)


def test_a_known_path_comes_back():
    path = align(certain([0, 0, 1, 1, 0, 2, 3, 3, 0]), [1, 2, 3])
    assert path.states_T.tolist() == [0, 0, 1, 1, 2, 3, 5, 5, 6]
    starts, ends = path.spans()
    assert starts.tolist() == [2, 5, 6] and ends.tolist() == [4, 6, 8]
    assert path.total == pytest.approx(9 * np.log(0.9), rel=1e-5)
    assert path.logprob_T == pytest.approx(np.full(9, np.log(0.9)), rel=1e-5)


def test_every_random_path_comes_back_and_its_costs_add_up():
    rng = np.random.default_rng(1)
    for _ in range(50):
        labels, ids, spans = [], [], []
        for _ in range(int(rng.integers(1, 12))):
            label = int(rng.integers(1, 6))
            blanks = int(rng.integers(labels[-1:] == [label], 3))  # the same letter twice needs a blank between
            length = int(rng.integers(1, 4))
            ids += [0] * blanks + [label] * length
            spans.append((len(ids) - length, len(ids)))
            labels.append(label)
        ids += [0] * int(rng.integers(0, 3))
        path = align(certain(ids), labels)
        starts, ends = path.spans()
        assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == spans
        assert path.costs().sum() == pytest.approx(path.total, rel=1e-5)


def test_a_letter_twice_needs_a_blank_between():
    path = align(certain([1, 1, 0, 1]), [1, 1])
    assert path.states_T.tolist() == [1, 1, 2, 3]
    # without a blank in the emissions one frame has to be given to it all the same
    assert align(certain([1, 1, 1]), [1, 1]).states_T.tolist() == [1, 2, 3]


@pytest.mark.parametrize(("labels", "frames", "need"), [([1, 2, 3], 2, 3), ([1, 1], 2, 3), ([1, 1, 1], 4, 5)])
def test_too_few_frames_are_said(labels, frames, need):
    with pytest.raises(ValueError, match=rf"{len(labels)} labels need {need} frames at least, and there are {frames}"):
        align(certain([0] * frames), labels)
    assert align(certain([0] * need), labels).labels == len(labels)


def test_wrong_arguments_are_said():
    with pytest.raises(ValueError, match="needs wild_cost"):
        align(certain([0]), [WILD])
    with pytest.raises(ValueError, match="between 0 and 1"):
        align(certain([0]), [1], breaks=[2])
    with pytest.raises(ValueError, match="frames, vocabulary"):
        align(np.zeros((0, 4)), [1])


def test_a_free_end_reaches_as_far_as_the_speech_does():
    starts, ends = align(certain([1, 0, 2, 2]), [1, 2, 3, 4, 5], free_end=True).spans()
    assert starts.tolist() == [0, 2, -1, -1, -1] and ends.tolist() == [1, 4, -1, -1, -1]


def test_speech_that_is_not_in_the_text_is_stepped_over_at_a_break():
    heard = [1, 2, 0, 5, 4, 5, 4, 5, 4, 0, 3, 1]
    path = align(certain(heard), [1, 2, 3, 1], breaks=[0, 2, 4], wild_cost=0.5)
    starts, ends = path.spans()
    assert starts.tolist() == [0, 1, 10, 11] and ends.tolist() == [1, 2, 11, 12]
    assert path.states_T[2:10].tolist() == [4] * 8
    assert path.logprob_T[3] == pytest.approx(np.log(0.9) - 0.5, rel=1e-4)
    # without the price the letters are spread over it
    assert align(certain(heard), [1, 2, 3, 1], breaks=[0, 2, 4]).total < path.total


def test_text_that_was_not_spoken_is_left_out_for_its_price():
    heard = [1, 2, 0, 0, 5, 4]
    labels = [1, 2, 3, 3, 3, 2, 2, 5, 4]
    path = align(certain(heard), labels, breaks=[0, 2, 5, 7, 9], wild_cost=5.0, skip_cost=1.0)
    starts, _ = path.spans()
    assert starts.tolist() == [0, 1, -1, -1, -1, -1, -1, 4, 5]
    assert path.total == pytest.approx(6 * np.log(0.9) - 2 * 1.0, rel=1e-5)  # two passages were left out
    with pytest.raises(ValueError, match="9 labels"):
        align(certain(heard), labels)


def test_a_break_is_silent_for_the_sign_between_words_too():
    path = align(certain([1, 5, 5, 2]), [1, 2], breaks=[0, 1, 2], silent=[5])
    assert path.states_T.tolist() == [1, 2, 2, 3] and path.total == pytest.approx(4 * np.log(0.9), rel=1e-5)


def test_a_label_for_any_sound_takes_what_the_others_leave():
    path = align(certain([1, 4, 5, 4, 2]), [1, WILD, 2], wild_cost=0.5)
    assert path.states_T.tolist() == [1, 3, 3, 3, 5]


def every_total(logprobs_TV, labels, blank, free_end, breaks, wild_cost, skip_cost, silent):
    """The greatest total over all paths, by trying them all."""
    states = 2 * len(labels) + 1
    broken = {2 * place for place in breaks}

    def heard(frame, state):
        row = logprobs_TV[frame]
        wild = row.max() - wild_cost if wild_cost is not None else -np.inf
        if state % 2:
            label = labels[state // 2]
            return wild if label == WILD else row[label]
        if state in broken:
            return max(wild, row[blank], *(row[entry] for entry in silent))
        return row[blank]

    def following(state):
        yield state, 0.0
        if state + 1 < states:
            yield state + 1, 0.0
        if state % 2 and state + 2 < states and labels[state // 2] != labels[state // 2 + 1]:
            yield state + 2, 0.0
        if skip_cost is not None and state in broken:
            ordered = sorted(broken)
            for target in ordered[ordered.index(state) + 1 :]:
                yield target, skip_cost * (ordered.index(target) - ordered.index(state))

    best = -np.inf

    def walk(frame, state, total):
        nonlocal best
        total += heard(frame, state)
        if frame == len(logprobs_TV) - 1:
            if free_end or state >= states - 2:
                best = max(best, total)
            return
        for target, price in following(state):
            walk(frame + 1, target, total - price)

    for first in range(min(2, states)):
        walk(0, first, 0.0)
    return best


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(1, 6),
    labels=st.lists(st.sampled_from([1, 2, 3, WILD]), max_size=4),
    free_end=st.booleans(),
    places=st.sets(st.integers(0, 4), max_size=4),
    wild_cost=st.sampled_from([0.1, 0.5, 3.0]),
    skip_cost=st.sampled_from([None, 0.1, 2.0]),
    silent=st.sampled_from([(), (3,)]),
)
def test_no_path_is_better_than_the_one_found(seed, frames, labels, free_end, places, wild_cost, skip_cost, silent):
    logprobs_TV = random_logprobs(seed, frames)
    breaks = [place for place in places if place <= len(labels)]
    expected = every_total(logprobs_TV, labels, 0, free_end, breaks, wild_cost, skip_cost, silent)
    options = {"breaks": breaks, "wild_cost": wild_cost, "skip_cost": skip_cost, "silent": silent}
    if expected == -np.inf:
        with pytest.raises(ValueError, match="frames at least"):
            align(logprobs_TV, labels, free_end=free_end, **options)
        return
    path = align(logprobs_TV, labels, free_end=free_end, **options)
    assert path.total == pytest.approx(expected, abs=1e-6)
    assert path.logprob_T.sum() == pytest.approx(path.total + prices(path, breaks, skip_cost), abs=1e-4)


def prices(path, breaks, skip_cost) -> float:
    """What the jumps of a path cost: a jump is a step from one break to a later one that no single step reaches."""
    ordered = sorted({2 * place for place in breaks})
    total = 0.0
    for before, after in zip(path.states_T.tolist(), path.states_T.tolist()[1:], strict=False):
        if after - before >= 2 and before % 2 == 0:
            total += skip_cost * (ordered.index(after) - ordered.index(before))
    return total


def test_the_lattice_of_a_window_takes_one_byte_a_frame_and_state():
    labels = np.random.default_rng(0).integers(1, 30, 830)
    logprobs_TV = random_logprobs(0, 3000, 32).astype(np.float32)
    tracemalloc.start()
    align(logprobs_TV, labels, free_end=True, breaks=[0, 400, 830], wild_cost=0.6, skip_cost=15.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3000 * (2 * 830 + 1) + 2_000_000  # 5 MB, and what a row and its traces need
