"""Placed sentences become utterances: cuts in pauses, joined, split, padded, gated; nothing is lost uncounted."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kathrine_librivox.segmentation.cutting import cut_utterances
from kathrine_librivox.segmentation.gates import (
    CUT,
    LOW_FIT,
    LOW_PART,
    LOW_SCORE,
    NO_START,
    TOO_LONG,
    TOO_SHORT,
    UNSCORED,
)
from kathrine_librivox.segmentation.types import Placed, SegmentLimits, Sentence, Word


def sentences(*texts: str) -> list[Sentence]:
    return [Sentence(text, 0, len(text)) for text in texts]


def cut(placed, texts, spans, seconds=100.0, scores="letters", **limits):
    segments, dropped = cut_utterances(placed, sentences(*texts), spans, SegmentLimits(**limits), scores, seconds)
    return segments, dropped.found


def test_pads_reach_into_the_pause_and_never_beyond_its_middle():
    spans = [(1.0, 4.0), (4.22, 8.0), (9.0, 12.0)]
    placed = [Placed(n, start, end, -0.1, -0.1) for n, (start, end) in enumerate(spans)]
    segments, dropped = cut(placed, ["A.", "B.", "C."], spans)
    times = [(segment.start, segment.end) for segment in segments]
    assert times == [pytest.approx(t) for t in [(0.9, 4.1), (4.12, 8.1), (8.9, 12.1)]] and not dropped
    wide, _ = cut(placed, ["A.", "B.", "C."], spans, max_pad=0.15)
    assert wide[0].end == wide[1].start == pytest.approx(4.11)


def test_a_pause_without_room_for_both_pads_is_no_place_to_cut():
    spans = [(1.0, 4.0), (4.25, 8.0)]
    placed = [Placed(n, start, end, -0.1, -0.1) for n, (start, end) in enumerate(spans)]
    assert len(cut(placed, ["A.", "B."], spans)[0]) == 2
    assert len(cut(placed, ["A.", "B."], spans, min_pad=0.15, max_pad=0.3)[0]) == 1
    assert len(cut(placed, ["A.", "B."], spans, min_pause=0.3)[0]) == 1


def test_pads_stay_inside_the_recording():
    segments, _ = cut([Placed(0, 0.02, 3.0, -0.1, -0.1)], ["A."], [(0.02, 3.0)], seconds=3.04)
    assert (segments[0].start, segments[0].end) == (0.0, 3.04)


def test_an_aligner_may_be_off_by_some_frames():
    spans = [(1.0, 4.0), (4.5, 8.0)]
    placed = [Placed(0, 1.15, 3.8, -0.1, -0.1), Placed(1, 4.7, 7.9, -0.1, -0.1)]
    segments, _ = cut(placed, ["A.", "B."], spans)
    assert (segments[0].start, segments[0].end, segments[1].start) == pytest.approx((0.9, 4.1, 4.4))


def test_sentences_without_a_pause_between_them_are_one_utterance():
    spans = [(1.0, 6.0), (6.5, 9.0)]
    placed = [Placed(0, 1.0, 3.4, -0.1, -0.1), Placed(1, 3.5, 6.0, -0.3, -0.3), Placed(2, 6.5, 9.0, -0.1, -0.1)]
    segments, _ = cut(placed, ["Først.", "Så.", "Sist."], spans)
    assert [(s.text, s.score) for s in segments] == [("Først. Så.", -0.3), ("Sist.", -0.1)]


def test_joined_sentences_are_never_cut_apart_though_a_pause_is_near():
    spans = [(1.0, 3.4), (3.7, 6.0)]
    placed = [Placed(0, 1.0, 3.5, -0.1, joined=True), Placed(1, 3.5, 6.0, -0.1)]
    segments, _ = cut(placed, ["A.", "B."], spans, scores="length")
    assert [s.text for s in segments] == ["A. B."]


def test_a_short_sentence_goes_with_the_nearer_neighbour():
    spans = [(1.0, 5.0), (6.0, 6.6), (6.9, 10.0)]
    placed = [Placed(n, start, end, -0.1, -0.1) for n, (start, end) in enumerate(spans)]
    segments, dropped = cut(placed, ["Lang.", "Ja.", "Så lang."], spans)
    assert [s.text for s in segments] == ["Lang.", "Ja. Så lang."] and not dropped


def test_a_short_sentence_alone_is_dropped():
    spans = [(1.0, 5.0), (8.0, 8.6), (12.0, 15.0)]
    placed = [Placed(n, start, end, -0.1, -0.1) for n, (start, end) in enumerate(spans)]
    segments, dropped = cut(placed, ["Lang.", "Ja.", "Så lang."], spans)
    assert [s.text for s in segments] == ["Lang.", "Så lang."]
    assert dropped == {TOO_SHORT: (1, pytest.approx(0.6))}


def test_speech_that_is_not_in_the_text_keeps_two_sentences_apart():
    spans = [(1.0, 2.2), (2.5, 2.9), (3.2, 4.4)]
    placed = [Placed(0, 1.0, 2.2, -0.1, -0.1), Placed(1, 3.2, 4.4, -0.1, -0.1)]
    segments, dropped = cut(placed, ["En.", "To."], spans)
    assert segments == [] and dropped[TOO_SHORT][0] == 2


def long_block(pauses: list[tuple[float, float]], comma_after: int | None = None):
    """One sentence of 20 s, a word a second, with pauses."""
    words = [f"ord{n:02d}" for n in range(20)]
    if comma_after is not None:
        words[comma_after] += ","
    text = " ".join(words) + "."
    placed_words, end = [], 0
    for n, word in enumerate(words):
        end = text.index(word, end) + 5
        placed_words.append(Word(end, 1.0 + n + 0.2, 1.0 + n + 0.8))
    edges = [1.0, *(time for pause in pauses for time in pause), 21.0]
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    return [Placed(0, 1.0, 21.0, -0.1, -0.1, tuple(placed_words))], text, spans


def test_a_long_sentence_is_divided_in_a_pause_after_a_clause():
    placed, text, spans = long_block([(8.85, 9.15), (11.8, 12.2)], comma_after=7)
    segments, dropped = cut(placed, [text], spans)
    assert [s.text for s in segments] == [text[: text.index(",") + 1], text[text.index(",") + 2 :]]
    assert segments[0].end == pytest.approx(8.95) and segments[1].start == pytest.approx(9.05) and not dropped
    longest, _ = cut(*long_block([(8.85, 9.15), (11.8, 12.2)])[:1], [text], spans)
    assert longest[0].end == pytest.approx(8.95)  # the comma is in the text


def test_without_a_clause_it_is_the_longest_pause():
    placed, text, spans = long_block([(8.85, 9.15), (11.8, 12.2)])
    segments, _ = cut(placed, [text], spans)
    assert segments[0].end == pytest.approx(11.9)
    assert f"{segments[0].text} {segments[1].text}" == text


def test_a_long_sentence_without_a_pause_is_dropped():
    placed, text, spans = long_block([])
    segments, dropped = cut(placed, [text], spans)
    assert segments == [] and dropped == {TOO_LONG: (1, pytest.approx(20.0))}
    unknown = [Placed(0, 1.0, 21.0, -0.1)]  # by length nobody knows where a word lies
    assert cut(unknown, [text], [(1.0, 9.0), (9.3, 21.0)], scores="length")[1][TOO_LONG][0] == 1


@pytest.mark.parametrize("keep_cut", [True, False])
def test_an_end_that_is_in_no_pause_is_marked_or_dropped(keep_cut):
    placed = [Placed(0, 1.0, 4.0, -0.1, -0.1)]
    segments, dropped = cut(placed, ["A."], [(1.0, 9.0)], keep_cut=keep_cut)
    assert [s.cut for s in segments] == [True] * keep_cut
    assert dropped == ({} if keep_cut else {CUT: (1, pytest.approx(3.0))})


def test_a_beginning_that_is_in_no_pause_is_dropped():
    assert cut([Placed(0, 4.0, 9.0, -0.1, -0.1)], ["A."], [(1.0, 9.0)])[1] == {NO_START: (1, pytest.approx(5.0))}


@pytest.mark.parametrize(
    ("score", "part", "scores", "reason"),
    [
        (-1.2, -1.3, "letters", LOW_SCORE),
        (-0.5, -3.0, "letters", LOW_PART),
        (math.nan, math.nan, "letters", UNSCORED),
        (-0.7, math.nan, "length", LOW_FIT),
    ],
)
def test_scores_gate_a_sentence_and_what_is_not_divided_from_it(score, part, scores, reason):
    spans = [(1.0, 4.0), (4.5, 9.0), (9.5, 12.0)]
    placed = [
        Placed(0, 1.0, 4.0, -0.1, -0.1),
        Placed(1, 4.5, 6.0, -0.1, -0.1),
        Placed(2, 6.0, 9.0, score, part),
        Placed(3, 9.5, 12.0, -0.1, -0.1),
    ]
    segments, dropped = cut(placed, ["A.", "B.", "C.", "D."], spans, scores=scores)
    assert [s.text for s in segments] == ["A.", "D."] and dropped == {reason: (1, pytest.approx(4.5))}


def test_a_sentence_without_a_score_is_kept_where_that_is_wanted():
    placed = [Placed(0, 1.0, 4.0, math.nan)]
    segments, _ = cut(placed, ["År 1905."], [(1.0, 4.0)], keep_unscored=True)
    assert math.isnan(segments[0].score)


def test_limits_of_scores_are_the_users():
    placed = [Placed(0, 1.0, 4.0, -1.2, -3.0)]
    assert cut(placed, ["A."], [(1.0, 4.0)], min_score=-1.5, min_part_score=-4.0)[0]
    assert cut([Placed(0, 1.0, 4.0, -0.7)], ["A."], [(1.0, 4.0)], scores="length", min_fit=-0.8)[0]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.5, 9.0), st.floats(0.02, 3.0), st.booleans(), st.floats(-1.5, 0.0)),
        min_size=1,
        max_size=12,
    )
)
def test_utterances_keep_their_limits_and_nothing_is_lost(parts):
    time, placed, spans, texts = 0.5, [], [], []
    for number, (length, pause, in_text, score) in enumerate(parts):
        spans.append((time, time + length))
        if in_text:
            placed.append(Placed(len(texts), time, time + length, score, score))
            texts.append(f"S{number}.")
        time += length + pause
    segments, dropped = cut(placed, texts, spans, seconds=time)
    words = [word for segment in segments for word in segment.text.split()]
    assert words == sorted(words, key=texts.index) and len(words) == len(set(words))
    for segment in segments:
        assert 2.0 <= segment.end - segment.start <= 15.0 and segment.score >= -1.0
        # never into what somebody else says
        inside = [f"S{n}." for n, (a, b) in enumerate(spans) if a < segment.end - 0.11 and b > segment.start + 0.11]
        assert inside == segment.text.split()
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(segments))
    kept = sum(one.end - one.start for one in placed if texts[one.sentence] in words)
    lost = sum(one.end - one.start for one in placed) - kept
    assert sum(seconds for _, seconds in dropped.values()) >= lost - 1e-6
