"""Texts compared: numbers, the normaliser, alignment with folded compounds, classes of letters, repeats and skips."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from kathrine import KathrineError, MetricTake
from kathrine_metrics.aligning import align, count, runs
from kathrine_metrics.articulation import Articulation, class_rates, score_letters, transcript
from kathrine_metrics.asr import Asr, error_rates, loops, score_texts
from kathrine_metrics.cadence import Cadence, score_runs, summary
from kathrine_metrics.normalising import normalise
from kathrine_metrics.numerals import english, german, norwegian


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "null"), (1, "en"), (17, "sytten"), (21, "tjueen"), (40, "førti"), (100, "hundre"),
        (105, "hundre og fem"), (342, "tre hundre og førtito"), (1000, "tusen"), (1001, "tusen og en"),
        (2536, "to tusen fem hundre og trettiseks"), (20000, "tjue tusen"), (1_000_000, "en million"),
        (2_000_017, "to millioner og sytten"), (999_999_999, "ni hundre og nittini millioner ni hundre og nittini "
         "tusen ni hundre og nittini"),
    ],
)  # fmt: skip
def test_norwegian_numbers(number: int, words: str) -> None:
    assert norwegian(number) == words


def test_english_and_german_numbers() -> None:
    assert [english(n) for n in (0, 13, 45, 100, 1905, 2_000_003)] == [
        "zero", "thirteen", "forty five", "one hundred", "one thousand nine hundred five", "two million three",
    ]  # fmt: skip
    assert [german(n) for n in (1, 21, 100, 156, 2001, 1_000_000, 3_000_007)] == [
        "eins", "einundzwanzig", "einhundert", "einhundertsechsundfünfzig", "zweitausendeins", "eine million",
        "drei millionen sieben",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("«På blåbærtur», sa Åse – og lo!", "no", "på blåbærtur sa åse og lo"),
        ("Pa\u030a O\u0308y", "no", "på öy"),
        ("Idé, allé og én", "no", "ide alle og en"),
        ("Den 3. mai 1987 kom 2536 folk", "no", "den tredje mai nitten hundre og åttisju kom to tusen fem hundre og "
         "trettiseks folk"),
        ("Den 7. mai", "nn", "den sjuande mai"),
        ("Kl. 3.", "no", "kl tre"),
        ("12 000 kr, 2,5 % & 7 °", "no", "tolv tusen kr to komma fem prosent og sju grader"),
        ("tyve av syv, et hundre og ett tusen", "no", "tjue av sju hundre og tusen"),
        ("kasta kastet", "no", "kasta kastet"),
        ("e-post og ski-VM", "no", "e post og ski vm"),
        ("Mr. Smith's dog – don't ask! 1,250 'words'", "en", "mister smith's dog don't ask one thousand two hundred "
         "fifty words"),
        ("Die Straße kostet 3,50 Euro", "de", "die strasse kostet drei komma fünf null euro"),
        ("Er is 12 % meer", "nl", "er is 12 meer"),
        ("9999999999", "no", "9999999999"),
        ("", "no", ""),
    ],
)  # fmt: skip
def test_normalised_texts(text: str, code: str, expected: str) -> None:
    assert normalise(text, code) == expected


@given(st.text(alphabet="aåÆø 12.,'-%", max_size=40))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text, "no")
    assert normalise(once, "no") == once


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=9), st.lists(st.sampled_from("abcd"), max_size=9))
def test_alignment_has_the_least_changes_as_others_count_them(first: list[str], second: list[str]) -> None:
    steps = align(first, second)
    assert count(steps).errors == Levenshtein.distance(first, second)
    assert [x for step in steps for x in first[step.i : step.i_end]] == first
    assert [x for step in steps for x in second[step.j : step.j_end]] == second
    if first:
        found = jiwer.process_words(" ".join(first), " ".join(second))
        assert count(steps).errors / len(first) == pytest.approx(found.wer)


@pytest.mark.parametrize(
    ("wanted", "heard", "errors"),
    [
        ("ved småbåthavna nå", "ved småbåt havna nå", 0),
        ("en sykkel vei", "en sykkelvei", 0),
        ("jeg så småbåthavna", "han så små båt havna", 1),
        ("småbåthavna", "småbåt hamna", 2),
        ("nittenhundreogåttisju", "1987", 0),
    ],
)
def test_compounds_are_folded_and_other_words_are_not(wanted: str, heard: str, errors: int) -> None:
    assert score_texts(wanted, heard, "no")["errors"] == errors


def test_error_rates_are_over_all_words_and_per_take() -> None:
    takes = [score_texts("en to tre fire", "en tre fire fem", "no"), score_texts("ja", "nei", "no")]
    assert takes[0]["errors"] == 2 and takes[0]["deleted"] == 1 and takes[0]["inserted"] == 1
    rates = error_rates(takes)
    assert rates["wer"] == 3 / 5 and rates["mean_wer"] == (2 / 4 + 1) / 2 and rates["over_half"] == 0.5
    assert error_rates([score_texts("...", "", "no")]) == {"looped": 0.0}


def test_loops_are_told_from_what_was_written() -> None:
    assert loops(["hin", "hin", "hin", "hin"]) and loops(["a", "b", "a", "b", "a", "b", "a", "b"])
    assert not loops(["nei", "nei", "nei"])
    assert score_texts("ha", "ha ha ha ha ha", "no")["looped"] == 1.0
    assert score_texts("ha ha ha ha", "ha ha ha ha", "no")["looped"] == 0.0


def test_classes_of_letters_have_exact_rates() -> None:
    # kjøtt -> sjøtt: k is gone (s inserted or in its place); bord -> bor: the final d, which is a retroflex too
    found = score_letters("Kjøtt på bord", "Sjøtt på bor", "no")
    assert (found["kj"], found["kj.wrong"]) == (1, 1)
    assert (found["retroflexes"], found["retroflexes.wrong"]) == (1, 1)
    assert (found["final_consonants"], found["final_consonants.wrong"]) == (2, 1)
    assert (found["æøå"], found["æøå.wrong"]) == (2, 0)
    assert (found["plosives"], found["plosives.wrong"]) == (6, 2)  # k t t p b d; k and d are wrong
    assert (found["vowels"], found["vowels.wrong"]) == (3, 0)
    assert found["inserted"] == 0 and "skj" not in found
    rates = class_rates([found, score_letters("Kjøtt på bord", "Kjøtt på bord", "no")])
    assert rates["kj"] == 0.5 and rates["plosives"] == 2 / 12 and "skj" not in rates and rates["æøå"] == 0


@pytest.mark.parametrize(
    ("text", "kj", "skj"),
    [("kjøre tjue kino kylling", 4, 0), ("skjære stjerne sju ski sjø skøyter", 0, 6), ("skap ikke", 0, 0)],
)
def test_kj_and_skj_as_norwegian_is_spelled(text: str, kj: int, skj: int) -> None:
    found = score_letters(text, text, "no")
    assert (found.get("kj", 0), found.get("skj", 0)) == (kj, skj)


def test_repeats_and_skips_are_runs_of_words() -> None:
    text = "den gamle mannen gikk langsomt ned til sjøen"
    assert score_runs(text, text, "no", 3) == {"repeats": 0, "skips": 0}
    again = "den gamle mannen den gamle mannen gikk langsomt ned til sjøen"
    assert score_runs(text, again, "no", 3) == {"repeats": 1, "skips": 0}
    assert score_runs(text, "den gamle mannen til sjøen", "no", 3) == {"repeats": 0, "skips": 1}
    assert score_runs(text, "den gamle mannen gikk til sjøen", "no", 3) == {"repeats": 0, "skips": 0}  # two words
    assert score_runs(text, "den gamle mannen gikk til sjøen", "no", 2) == {"repeats": 0, "skips": 1}
    assert runs(align("abcdefgh", "defgh"), "delete", 3) == 1


def test_cadence_of_a_system() -> None:
    rows = [
        {"repeats": 1, "skips": 0, "letters_per_second": 10.0},
        {"repeats": 0, "skips": 0, "letters_per_second": 14.0},
        {"repeats": 1, "skips": 2},
    ]
    found = summary(rows)
    assert found["repeats"] == pytest.approx(200 / 3) and found["skipping"] == pytest.approx(1 / 3)
    assert found["letters_per_second"] == 12.0 and found["spread"] == pytest.approx(2 / 12)


def test_what_reads_transcripts_says_whose() -> None:
    import numpy as np

    take = MetricTake(np.zeros(10, dtype=np.float32), 24000, "ja", None, {"asr:a": "ja", "asr:b": "nei"})
    assert transcript(take, "") == "ja" and transcript(take, "asr:b") == "nei"
    with pytest.raises(KathrineError, match="no transcripts of 'asr:c'"):
        transcript(take, "asr:c")
    for metric in (Articulation(), Cadence()):
        with pytest.raises(KathrineError, match="reads transcripts"):
            metric.score(take.wave, 24000, "ja", None)


def test_takes_that_say_nothing_are_not_counted() -> None:
    rows = [{"repeats": 0, "skips": 1, "letters_per_second": 12.0}, {"repeats": 0, "skips": 0}]
    counts = Cadence().counted(rows)
    assert counts == {"repeats": 2, "repeating": 2, "skips": 2, "skipping": 2, "letters_per_second": 1, "spread": 1}
    rows = [score_texts("hei du", "hei", "no"), score_texts("...", "hei", "no")]
    counts = Asr().counted(rows)
    assert counts["mean_wer"] == counts["over_half"] == 1 and counts["wer"] == 2
