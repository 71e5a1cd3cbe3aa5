"""Sentences find their stretches of speech by length alone, on readings with known places."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kathrine_librivox.segmentation.lengths import align_by_length, count_letters


def reading(seed: int, letters: np.ndarray, rate: float, before: float = 0.0, after: float = 0.0, joined=()):
    """Stretches of speech of sentences with pauses inside and between, and the true first and last stretch of each."""
    rng = np.random.default_rng(seed)
    spans, places, time = [], [], 0.5
    if before:
        spans.append((time, time + before))
        time += before + 0.7
    for number, count in enumerate(letters):
        seconds = count / rate * np.exp(rng.normal(0, 0.08))
        pieces = int(rng.integers(1, 2 + int(seconds > 2.5)))
        cuts = np.sort(rng.uniform(0.3, 0.7, pieces - 1)) * seconds
        bounds = np.concatenate([[0.0], cuts, [seconds]])
        first = len(spans)
        for a, b in itertools.pairwise(bounds):
            if number in joined and a == 0.0:
                first = len(spans) - 1
                spans[-1] = (spans[-1][0], spans[-1][1] + b - a)
                time += b - a - 0.0
            else:
                spans.append((time, time + b - a))
                time += b - a
            time += float(rng.uniform(0.12, 0.3))
        places.append((first, len(spans)))
        end_pause = float(rng.uniform(0.4, 0.9))
        time = spans[-1][1] + (0.0 if number + 1 in joined else end_pause)
    if after:
        spans.append((time + 0.5, time + 0.5 + after))
    return spans, places


def right(found, spans, places) -> float:
    """Share of the sentences that have both their true edges."""
    by_number = {one.sentence: one for one in found}
    hits = [
        number in by_number
        and by_number[number].start == pytest.approx(spans[first][0])
        and by_number[number].end == pytest.approx(spans[after - 1][1])
        for number, (first, after) in (places if isinstance(places, dict) else dict(enumerate(places))).items()
    ]
    return float(np.mean(hits))


@pytest.fixture
def letters():
    return np.random.default_rng(3).integers(15, 120, 60).astype(float)


@pytest.mark.parametrize("rate", [10.5, 14.0, 19.0])
def test_the_rate_of_the_reader_is_found(letters, rate):
    spans, places = reading(1, letters, rate)
    found = align_by_length(spans, letters)
    assert right(found, spans, places) >= 0.95
    assert all(-0.5 < one.score <= 0 for one in found)


def test_speech_before_and_after_the_text_is_left_out(letters):
    spans, places = reading(2, letters, 14.0, before=9.0, after=6.0)
    assert right(align_by_length(spans, letters), spans, places) >= 0.95


def test_the_text_may_go_on_beyond_the_chapter(letters):
    spans, places = reading(3, letters[:40], 14.0)
    found = align_by_length(spans, letters)
    assert right(found, spans, places) >= 0.95 and len(found) == 40


@pytest.mark.parametrize("left_out", [(0, 1), (20, 21), (20, 24)], ids=["heading", "sentence", "paragraph"])
def test_text_that_was_not_read_is_left_out(letters, left_out):
    read = np.delete(np.arange(60), np.arange(*left_out))
    spans, places = reading(7, letters[read], 14.0)
    found = align_by_length(spans, letters)
    numbers = [one.sentence for one in found]
    assert len(set(range(*left_out)) & set(numbers)) <= 1
    places = {int(number): place for number, place in zip(read, places, strict=True)}
    assert right(found, spans, places) >= 0.9


def test_speech_in_between_that_is_not_in_the_text_is_left_out(letters):
    said = np.insert(letters, 30, [55.0, 90.0])
    spans, places = reading(8, said, 14.0)
    found = align_by_length(spans, letters)
    assert right(found, spans, dict(enumerate(places[:30] + places[32:]))) >= 0.9


def test_sentences_without_a_pause_are_placed_in_proportion_and_marked():
    letters = np.array([60.0, 40.0, 20.0, 80.0, 50.0, 30.0, 70.0])
    spans, places = reading(4, letters, 14.0, joined=(2,))
    found = align_by_length(spans, letters)
    assert [one.joined for one in found] == [False, True, False, False, False, False, False]
    start, end = spans[places[1][0]][0], spans[places[2][1] - 1][1]
    assert found[1].start == start and found[2].end == end
    assert found[1].end == found[2].start == pytest.approx(start + (end - start) * 40 / 60)


def test_a_sentence_that_does_not_fit_scores_low():
    letters, lengths = np.full(12, 70.0), np.full(12, 5.0)
    lengths[7] = 8.0  # something was read there that the text does not have
    starts = 0.5 + np.concatenate([[0.0], (lengths + 0.6).cumsum()[:-1]])
    found = align_by_length([(a, a + b) for a, b in zip(starts, lengths, strict=True)], letters)
    assert [one.sentence for one in found] == list(range(12))
    assert found[7].score == pytest.approx(-np.log(8 / 5), abs=0.05)
    assert all(one.score > -0.05 for one in found if one.sentence != 7)


def test_nothing_to_align():
    assert align_by_length([], np.array([5.0])) == [] and align_by_length([(0.0, 1.0)], np.zeros(0)) == []


def test_progress_is_told(letters):
    told: list[float] = []
    align_by_length(reading(6, letters[:5], 14.0)[0], letters[:5], told.append)
    assert sum(told) == 23


def test_digits_count_as_the_words_they_are_read_as():
    assert count_letters("I år 1905, ja!") == 5 + 16
