"""Rolling windows find every sentence of a long chapter, whatever was added, left out, or read before."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest

from kathrine_librivox.segmentation import ctc, windows
from kathrine_librivox.segmentation.ctc import WILD
from kathrine_librivox.segmentation.labels import Spelling
from kathrine_librivox.segmentation.lookup import find_in_text
from kathrine_librivox.segmentation.windows import WindowSettings, align_in_windows

VOCABULARY = 30
SEPARATOR = 1


def sentence(rng: np.random.Generator, letters: int | None = None) -> Spelling:
    """Random words, four or five letters each."""
    letters = letters or int(rng.integers(20, 110))
    labels: list[int] = []
    words = []
    while len(labels) < letters:
        if labels:
            labels.append(SEPARATOR)
        word = rng.integers(2, VOCABULARY, int(rng.integers(4, 6))).tolist()
        words.append((len(labels), len(labels), len(labels) + len(word)))
        labels += word
    return Spelling(np.array(labels, dtype=np.int32), tuple(words), scored=True, lacking=0)


class Reading:
    """Emissions of sentences read one after the other, with the true places; a share of the letters is misheard, so
    that another letter is likelier by three nats."""

    def __init__(self, seed: int = 0, misheard: float = 0.1) -> None:
        self.rng = np.random.default_rng(seed)
        self.misheard = misheard
        self.ids: list[int] = []
        self.meant: list[int] = []
        self.places: dict[int, tuple[int, int]] = {}

    def pause(self, frames: int) -> None:
        self.ids += [0] * frames
        self.meant += [0] * frames

    def read(self, spelling: Spelling, number: int | None = None) -> None:
        begin = None
        for label in spelling.labels_L:
            heard = int(label)
            if self.rng.random() < self.misheard:
                heard = int(self.rng.integers(2, VOCABULARY))
            self.pause(int(self.rng.integers(1, 4)))
            begin = len(self.ids) if begin is None else begin
            length = int(self.rng.integers(1, 3))
            self.ids += [heard] * length
            self.meant += [int(label)] * length
        if number is not None:
            self.places[number] = (begin or 0, len(self.ids))
        self.pause(int(self.rng.integers(15, 45)))

    def emissions(self) -> np.ndarray:
        logits = self.rng.normal(0, 1, (len(self.ids), VOCABULARY)).astype(np.float32)
        logits[np.arange(len(self.ids)), self.meant] += 5
        logits[np.arange(len(self.ids)), self.ids] += np.where(np.equal(self.ids, self.meant), 3, 8)
        return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def book(count: int, seed: int = 7) -> list[Spelling]:
    rng = np.random.default_rng(seed)
    return [sentence(rng) for _ in range(count)]


def check(heard, reading: Reading, tolerance: int = 8) -> None:
    """Every sentence that was read is found at its place, and nothing else."""
    assert [one.sentence for one in heard] == sorted(reading.places)
    for one in heard:
        first, last = reading.places[one.sentence]
        assert abs(one.first - first) <= tolerance and abs(one.last - last) <= tolerance, one


def align(reading: Reading, text: list[Spelling], **settings):
    return align_in_windows(reading.emissions(), text, 0, SEPARATOR, WindowSettings(**settings))


def test_a_chapter_of_many_windows_is_found_sentence_by_sentence():
    text, reading = book(90), Reading()
    for number, one in enumerate(text):
        reading.read(one, number)
    assert len(reading.ids) > 4 * 3000
    heard = align(reading, text)
    check(heard, reading)
    assert all(one.score > -1.5 and one.part_score <= one.score + 1e-9 for one in heard)
    for one in heard:
        assert len(one.words) == len(text[one.sentence].words)
        flat = [frame for word in one.words for frame in word]
        assert flat == sorted(flat) and flat[0] == one.first and flat[-1] == one.last


def test_what_is_read_before_between_and_after_the_text_is_stepped_over():
    text, reading = book(30), Reading(1)
    foreign = book(12, seed=99)
    for one in foreign[:3]:
        reading.read(one)
    for number, one in enumerate(text):
        if number == 14:
            for extra in foreign[3:8]:
                reading.read(extra)
        reading.read(one, number)
    for one in foreign[8:]:
        reading.read(one)
    check(align(reading, text), reading)


def test_speech_longer_than_a_window_that_is_not_in_the_text_is_passed_over():
    text, reading = book(12), Reading(2)
    for number, one in enumerate(text[:6]):
        reading.read(one, number)
    before = len(reading.ids)
    for one in book(40, seed=98):
        reading.read(one)
    assert len(reading.ids) - before > 2 * 3000
    for number, one in enumerate(text[6:], start=6):
        reading.read(one, number)
    check(align(reading, text), reading)


@pytest.mark.parametrize("left_out", [(5, 6), (5, 8), (5, 60)], ids=["sentence", "paragraph", "pages"])
def test_text_that_was_not_read_is_left_out(left_out):
    text, reading = book(80), Reading(3)
    for number, one in enumerate(text):
        if not left_out[0] <= number < left_out[1]:
            reading.read(one, number)
    check(align(reading, text), reading)


def test_a_chapter_may_begin_anywhere_in_the_text_and_end_long_before_it():
    text, reading = book(700), Reading(4)
    for number in range(300, 330):
        reading.read(text[number], number)
    check(align(reading, text), reading)


def test_a_recording_that_is_not_of_this_text_gives_nothing():
    reading = Reading(5)
    for one in book(60, seed=97):
        reading.read(one)
    assert align(reading, book(200)) == []
    assert align_in_windows(np.zeros((0, 5), dtype=np.float32), book(3), 0) == []
    assert align_in_windows(reading.emissions(), [], 0) == []


def test_a_sentence_that_was_misread_scores_low_and_its_neighbours_do_not():
    text, reading = book(12), Reading(6, misheard=0.0)
    for number, one in enumerate(text):
        if number == 5:
            reading.misheard = 0.5
        reading.read(one, number)
        reading.misheard = 0.0
    heard = align(reading, text, wild_cost=5.0, skip_cost=500.0)
    check(heard, reading)
    scores = [one.score for one in heard]
    assert scores[5] < -2.0 and min(scores[:5] + scores[6:]) > -0.5


def test_a_word_that_was_left_out_shows_in_the_worst_part():
    text, reading = [sentence(np.random.default_rng(n), 100) for n in range(4)], Reading(8, misheard=0.0)
    for number, one in enumerate(text):
        if number == 2:
            begin, end = one.words[8][1], one.words[9][2]
            spoken = Spelling(np.delete(one.labels_L, np.arange(begin, end)), (), True, 0)
            reading.read(spoken, number)
        else:
            reading.read(one, number)
    heard = align(reading, text)
    assert [one.sentence for one in heard] == [0, 1, 2, 3]
    assert heard[2].part_score < -2.5 and min(one.part_score for one in heard if one.sentence != 2) > -0.5
    assert heard[2].score > 3 * heard[2].part_score / 5


def test_a_sentence_with_a_word_that_can_not_be_spelled_is_placed_without_a_score():
    text, reading = book(8), Reading(9)
    for number, one in enumerate(text):
        reading.read(one, number)
    begin, end = text[4].words[2][1:]
    unsure = np.concatenate([text[4].labels_L[:begin], [WILD], text[4].labels_L[end:]]).astype(np.int32)
    words = tuple(
        (n, a - (n > end and end - begin - 1), b - (n >= begin and end - begin - 1)) for n, a, b in text[4].words
    )
    text[4] = Spelling(unsure, words, scored=False, lacking=0)
    heard = align(reading, text)
    check(heard, reading)
    assert math.isnan(heard[4].score) and not any(math.isnan(one.score) for one in heard if one.sentence != 4)


def test_a_sentence_without_a_letter_is_left_out():
    text, reading = book(6), Reading(10)
    text[3] = Spelling(np.zeros(0, dtype=np.int32), (), True, 2)
    for number, one in enumerate(text):
        if number != 3:
            reading.read(one, number)
    check(align(reading, text), reading)


def test_looking_up_finds_the_place_and_nothing_in_an_unrelated_text():
    text, reading = book(1200, seed=11), Reading(11, misheard=0.3)
    assert sum(len(one.labels_L) for one in text) > 70_000
    for number in range(900, 912):
        reading.read(text[number], number)
    window = reading.emissions()[:3000]
    assert find_in_text(window, text, 0, 0, 100_000) in (900, 901)
    assert find_in_text(window, text, 905, 0, 100_000) in (905, 906)
    assert find_in_text(window, text, 0, 0, 20_000) is None
    assert find_in_text(window, book(1200, seed=12), 0, 0, 100_000) is None
    assert find_in_text(window[:2], text, 0, 0, 100_000) is None


def test_half_an_hour_never_builds_a_lattice_of_its_own(monkeypatch):
    text, reading = book(480), Reading(12)
    for number, one in enumerate(text):
        reading.read(one, number)
    logprobs_TV = reading.emissions()
    assert len(logprobs_TV) > 30 * 60 * 50
    lattices: list[tuple[int, int]] = []

    def spy(window_TV, labels_L, *given, **more):
        lattices.append((len(window_TV), len(labels_L)))
        return ctc.align(window_TV, labels_L, *given, **more)

    monkeypatch.setattr(windows, "align", spy)
    told: list[float] = []
    heard = align_in_windows(logprobs_TV, text, 0, SEPARATOR, advance=told.append)
    check(heard, reading)
    assert len(lattices) > 30
    assert max(frames for frames, _ in lattices) == 3000 and max(labels for _, labels in lattices) <= 1500
    assert sum(told) == pytest.approx(len(logprobs_TV), abs=3000)
    assert all(a.last <= b.first for a, b in itertools.pairwise(heard))


def test_windows_need_ten_megabytes_however_many_there_are():
    text, reading = book(30), Reading(13)
    for number, one in enumerate(text):
        reading.read(one, number)
    logprobs_TV = reading.emissions()
    assert len(logprobs_TV) > 2 * 3000
    tracemalloc.start()
    align_in_windows(logprobs_TV, text, 0, SEPARATOR)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12e6 < len(logprobs_TV) * 2 * sum(len(one.labels_L) for one in text) / 2
