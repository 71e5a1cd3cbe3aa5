"""A chapter spoken by espeak, cut with a real (small) acoustic model and by lengths: its true boundaries come back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soxr
from spoken_chapter import DISCLAIMER, FAREWELL, MODEL, RATE, TALE, engine_or_none, read_aloud

from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine_librivox.segmentation import SegmentLimits, open_aligner, segment_chapter
from kathrine_librivox.segmentation.chapter import stretches_of_speech
from kathrine_librivox.segmentation.gates import LOW_SCORE, NOT_IN_TEXT, NOT_READ
from kathrine_librivox.segmentation.sentences import split_sentences

pytestmark = pytest.mark.skipif(engine_or_none() is None, reason="espeak-ng is not installed")
NEAR = 0.2
SENTENCES = split_sentences(TALE)
PARAGRAPHS = [number + 1 for number, one in enumerate(SENTENCES) if one.paragraph_end]
EXTRA = (
    "Denne delen har leseren lagt til på egen hånd.",
    "Hun forteller om været, om katten sin og om hvor fint det er å lese høyt.",
)


def passages(numbers) -> list[tuple[str, bool]]:
    return [(SENTENCES[number].text, True) for number in numbers]


@pytest.fixture(scope="module")
def chapter():
    around = [(text, False) for text in DISCLAIMER]
    return read_aloud([*around, *passages(range(len(SENTENCES))), (FAREWELL, False)])


@pytest.fixture(scope="module", params=["length", "ctc"])
def aligner(request):
    return open_aligner(None if request.param == "length" else str(MODEL), "nb", "cpu")


@pytest.fixture(scope="module")
def listener():
    return open_aligner(str(MODEL), "nb", "cpu")


def share_near(pairs) -> float:
    return float(np.mean([abs(found - true) <= NEAR for found, true in pairs]))


def edges(segmentation, spoken):
    """Start and end of each segment beside the true ones of its first and last sentence, and the sentences' number."""
    tale, pairs, covered = spoken.tale, [], []
    for segment in segmentation.segments:
        inside = [one for one in tale if one[0] in segment.text]
        assert " ".join(text for text, _, _ in inside) == segment.text
        pairs += [(segment.start, inside[0][1]), (segment.end, inside[-1][2])]
        covered += inside
    return pairs, covered


def cut(spoken, text, aligner, **limits):
    return segment_chapter(spoken.wave_N, RATE, text, aligner, SegmentLimits(**limits), SilentProgress())


def test_sentences_are_placed_where_they_are_spoken(chapter, aligner):
    assert 120 < len(chapter.wave_N) / RATE < 200
    placed = aligner.place(chapter.wave_N, stretches_of_speech(chapter.wave_N), SENTENCES, SilentProgress()).placed
    assert [one.sentence for one in placed] == list(range(len(SENTENCES)))
    true = chapter.tale
    pairs = [(one.start, true[one.sentence][1]) for one in placed] + [
        (one.end, true[one.sentence][2]) for one in placed
    ]
    assert share_near(pairs) >= 0.95


def test_a_chapter_becomes_utterances_between_its_true_boundaries(chapter, aligner):
    made = cut(chapter, TALE, aligner)
    pairs, covered = edges(made, chapter)
    assert share_near(pairs) >= 0.95 and len(covered) >= 0.95 * len(SENTENCES)
    assert made.aligner.startswith("length" if aligner.scores == "length" else f"ctc:{MODEL}@local-")
    assert all(2.0 <= segment.end - segment.start <= 15.0 and not segment.cut for segment in made.segments)
    assert all(a.end <= b.start for a, b in itertools.pairwise(made.segments))
    # pads lie in the pauses: no utterance hears its neighbour
    for segment in made.segments:
        inside = [start for _, start, end, _ in chapter.said if start < segment.end and end > segment.start]
        assert len(inside) == sum(text in segment.text for text, _, _, _ in chapter.said)
    foreign = sum(end - start for _, start, end, in_text in chapter.said if not in_text)
    assert made.dropped[NOT_IN_TEXT][0] == 2
    assert made.dropped[NOT_IN_TEXT][1] == pytest.approx(foreign, rel=0.1)
    assert made.consumed == SENTENCES[-1].end
    assert all(np.isfinite(segment.score) and segment.score <= 0 for segment in made.segments)


FOLLOWING = "\n\nAndre kapittel\n\n" + " ".join(EXTRA * 6)


def test_the_next_chapter_begins_where_this_one_ended(chapter, listener):
    made = cut(chapter, TALE + FOLLOWING, listener)
    assert made.consumed == SENTENCES[-1].end
    assert share_near(edges(made, chapter)[0]) >= 0.95


def test_by_length_the_end_is_found_where_nothing_is_said_after_the_text():
    spoken = read_aloud([(DISCLAIMER[0], False), *passages(range(len(SENTENCES)))], seed=6)
    made = cut(spoken, TALE + FOLLOWING, open_aligner(None, "nb"))
    assert made.consumed == SENTENCES[-1].end
    assert share_near(edges(made, spoken)[0]) >= 0.95


def test_a_paragraph_that_is_not_in_the_text_and_one_that_was_not_read_are_counted(listener):
    left_out = range(PARAGRAPHS[1], PARAGRAPHS[2])
    read = [number for number in range(PARAGRAPHS[4]) if number not in left_out]
    said = passages(read)
    said[PARAGRAPHS[0] + 2 : PARAGRAPHS[0] + 2] = [(text, False) for text in EXTRA]
    spoken = read_aloud(said, seed=1)
    made = cut(spoken, TALE, listener)
    pairs, covered = edges(made, spoken)
    assert share_near(pairs) >= 0.95 and len(covered) >= 0.95 * len(read)
    assert made.dropped[NOT_READ] == (len(left_out), 0.0)
    assert made.dropped[NOT_IN_TEXT][1] == pytest.approx(
        sum(end - start for _, start, end, in_text in spoken.said if not in_text), rel=0.1
    )
    assert made.consumed == SENTENCES[read[-1]].end


def test_a_recording_of_another_text_gives_no_utterance(listener):
    spoken = read_aloud(passages(range(8)), seed=2)
    other = " ".join(SENTENCES[number].text for number in range(20, 34))
    made = cut(spoken, other, listener)
    assert made.segments == () and made.consumed == 0
    assert made.dropped[NOT_IN_TEXT][1] == pytest.approx(sum(e - s for _, s, e, _ in spoken.said), rel=0.1)


def test_the_gate_drops_what_scores_low_and_says_so(listener):
    spoken = read_aloud(passages(range(1, 7)), seed=3)
    text = " ".join(SENTENCES[number].text for number in range(1, 7))
    made, strict = cut(spoken, text, listener), cut(spoken, text, listener, min_score=-0.6)
    low = [segment for segment in made.segments if segment.score < -0.6]
    assert low and len(strict.segments) < len(made.segments)
    assert strict.dropped[LOW_SCORE][0] >= len(low)
    assert all(segment.score >= -0.6 for segment in strict.segments)
    assert strict.consumed == made.consumed  # a sentence that was refused was read all the same


def test_the_rate_of_the_recording_does_not_matter_and_the_answer_is_the_same_each_time(listener):
    spoken = read_aloud(passages(range(1, 5)), seed=4)
    text = " ".join(SENTENCES[number].text for number in range(1, 5))
    made = cut(spoken, text, listener)
    assert cut(spoken, text, listener) == made
    wave = soxr.resample(spoken.wave_N, RATE, 24000).astype(np.float32)
    other = segment_chapter(wave, 24000, text, listener, SegmentLimits(), SilentProgress())
    assert [segment.text for segment in other.segments] == [segment.text for segment in made.segments]
    assert [segment.start for segment in other.segments] == pytest.approx([s.start for s in made.segments], abs=0.1)


def test_what_can_not_be_cut_is_refused(aligner):
    limits, progress = SegmentLimits(), SilentProgress()
    with pytest.raises(KathrineError, match="mono"):
        segment_chapter(np.zeros((2, 100), dtype=np.float32), RATE, TALE, aligner, limits, progress)
    with pytest.raises(KathrineError, match="no numbers"):
        segment_chapter(np.full(RATE, np.nan, dtype=np.float32), RATE, TALE, aligner, limits, progress)
    with pytest.raises(KathrineError, match="0 Hz"):
        segment_chapter(np.zeros(RATE, dtype=np.float32), 0, TALE, aligner, limits, progress)
    with pytest.raises(KathrineError, match="needs a model that writes down"):
        segment_chapter(np.zeros(RATE, dtype=np.float32), RATE, None, aligner, limits, progress)
    for silent in (np.zeros(3 * RATE, dtype=np.float32), np.zeros(0, dtype=np.float32)):
        made = segment_chapter(silent, RATE, TALE, aligner, limits, progress)
        assert made.segments == () and made.consumed == 0 and dict(made.dropped) == {}
    spoken = read_aloud(passages(range(1, 3)), seed=5)
    empty = segment_chapter(spoken.wave_N, RATE, " ...\n\n", aligner, limits, progress)
    assert empty.segments == () and empty.dropped[NOT_IN_TEXT][0] == 1
