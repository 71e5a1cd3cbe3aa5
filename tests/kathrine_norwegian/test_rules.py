"""Every example, that twice changes nothing more, that nothing unread gets through, options and the order of rules."""

from __future__ import annotations

import random
import time
import unicodedata

import pytest
from examples_contract import CONTRACT
from examples_nb import EXAMPLES as BOKMAAL
from examples_nn import EXAMPLES as NYNORSK
from hypothesis import given, settings
from hypothesis import strategies as st

from kathrine_norwegian.language import NorwegianLanguage, NorwegianOptions
from kathrine_norwegian.rules import FIRST, LAST, NUMBERS
from kathrine_norwegian.style import Style

LANGUAGES = {variant: NorwegianLanguage(NorwegianOptions(variant=variant)) for variant in ("nb", "nn")}


def pairs(text: str) -> list[tuple[str, str]]:
    return [tuple(line.strip(" ").split(" => ")) for line in text.strip("\n ").split("\n")]  # type: ignore[misc]


OWN = [
    (variant, family, written, spoken)
    for variant, families in (("nb", BOKMAAL), ("nn", NYNORSK))
    for family, text in families.items()
    for written, spoken in pairs(text)
]


def say(language: NorwegianLanguage, written: str) -> str:
    """What is spoken; asserts that it is not rejected and that twice changes nothing more."""
    answer = language.normalise(written)
    assert not answer.rejected, f"{written!r} is rejected: {answer.rejected}"
    again = language.normalise(answer.text)
    assert (again.text, again.rules, again.rejected) == (answer.text, (), "")
    assert not any(character.isdigit() for character in answer.text)
    return answer.text


@pytest.mark.parametrize(("variant", "written", "spoken"), CONTRACT)
def test_the_examples_of_the_requirements(variant, written, spoken):
    assert say(LANGUAGES[variant], written) == spoken


@pytest.mark.parametrize(("variant", "family", "written", "spoken"), OWN)
def test_examples(variant, family, written, spoken):
    assert say(LANGUAGES[variant], written) == spoken


def test_there_are_enough_examples():
    assert all(len(pairs(text)) >= 6 for text in BOKMAAL.values())
    assert sum(len(pairs(text)) for text in NYNORSK.values()) >= 40
    assert set(NYNORSK) <= set(BOKMAAL)


def test_a_rule_that_fires_is_named_and_shown():
    answer = LANGUAGES["nb"].normalise("kl. 14.30")
    assert answer.rules == ("abbreviations", "times")
    assert [(step.rule, step.before, step.after) for step in answer.steps] == [
        ("abbreviations", "kl. 14.30", "klokka 14.30"),
        ("times", "klokka 14.30", "klokka fjorten tretti"),
    ]


def test_the_rules_stand_in_the_documented_order():
    names = [name for name, _ in (*FIRST, *NUMBERS, *LAST)]
    assert len(names) == len(set(names))
    documented = (
        "nfc signs inaudible tags addresses dashes abbreviations dates times money units ordinals ranges fractions "
        "years phones cardinals names acronyms roman older_spelling punctuation digits alphabet full_stop"
    )
    places = [names.index(name) for name in documented.split()]
    assert places == sorted(places)


@pytest.mark.parametrize(("name", "rule"), (*FIRST, *NUMBERS, *LAST))
def test_a_rule_is_a_pure_function_of_text_and_style(name, rule):
    style = Style()
    assert rule("Ordet er ferdig.", style) == "Ordet er ferdig." == rule("Ordet er ferdig.", style)


# ------------------------------------------------------------------------------------------- what may never happen

PIECES = st.sampled_from(
    [
        *"0123456789",
        *["17", "100", "1905", "2018", "2 000", "1.000", "3,5", "½", "¾", "1/2", "5.6.", "17.05.1814", "2014-06-05"],
        *["-", "–", " – ", "—", ".", ". ", ",", ", ", ":", "/", "(", ")", "'", "«", "»", "…", "!", "?", " ", "_", "·"],
        *[
            "%",
            " %",
            "kr",
            " kr ",
            "€",
            "$",
            "£",
            "§ ",
            "§§ ",
            "°",
            "°C",
            " km",
            "/t",
            " m",
            "²",
            "+",
            "=",
            "×",
            "x",
            "±",
        ],
        *[
            "kl. ",
            "kl ",
            "nr. ",
            "s. ",
            "mill. ",
            " mrd.",
            "osv.",
            "bl.a. ",
            "f.eks. ",
            " dr. ",
            "A/S",
            "m/",
            "ca",
            "nr",
        ],
        *[
            "tlf. ",
            " 22 22 22 22",
            "+47 ",
            "10.30",
            "10:30",
            "24/7",
            "halv ",
            " vant ",
            "mnd.",
            "stk.",
            " den ",
            "mai ",
        ],
        *["NRK", "EU", "FrP", "E", "B", "I ", "V", "IV", "XI", " Harald ", " kap. ", " del ", "IKKE", "Ord", "ordet"],
        *["-tallet", "-åring", "- og ", " år", " barn", " Aa", "aa", "Haab", "é", "\u030a", "\u00ad", "\u00a0", "<ee>"],
        *["<", ">", "&", "@", "‰", "~", "\u200b", "α", "😀", "\n"],
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=10).map("".join)


def with_options(**options) -> NorwegianLanguage:
    return NorwegianLanguage(NorwegianOptions(**options))


STYLES = st.sampled_from(
    [
        LANGUAGES["nb"],
        with_options(variant="nn", sentence_case=True, full_stop=True),
        with_options(seven="syv", spell="names", modernise=True, full_stop=True),
        with_options(acronyms="keep", sentence_case=True),
    ]
)
KEPT = set(" .,;:!?-'\"()")


@settings(max_examples=1500, deadline=None)
@given(TEXTS, STYLES, st.sampled_from(["text", "text", "normsentence"]))
def test_twice_changes_nothing_more_and_nothing_unread_gets_through(text, language, variant):
    once = language.normalise(text, variant)
    assert "undo each other" not in once.rejected
    assert once == language.normalise(text, variant)
    if once.rejected:
        assert once.text == ""
        return
    again = language.normalise(once.text, variant)
    assert (again.text, again.rules, again.rejected) == (once.text, (), "")
    assert unicodedata.is_normalized("NFC", once.text) and once.text == " ".join(once.text.split())
    if variant == "text":
        for character in once.text:
            assert character in KEPT or unicodedata.name(character).startswith("LATIN "), repr(character)
            assert not character.isnumeric()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzæøåéü ", max_size=60))
def test_words_without_signs_are_left_alone(text):
    """Small letters only: nothing but spaces, old double a and abbreviations without a dot can change."""
    if any(part in text for part in ("aa", "osv", "dvs", "pga", "mht", "mtp", "ifm", "ift", "iht", "jf", "tlf", "ca")):
        return
    if (
        any(part in text for part in ("evt", "vha", "hhv", "mfl", "osb", "moh", "inkl", "ekskl", "kr"))
        or not text.strip()
    ):
        return
    assert LANGUAGES["nb"].normalise(text).text == " ".join(text.split())


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**12), st.sampled_from(["", " ", "."]))
def test_every_whole_number_is_read_however_its_thousands_are_written(number, between):
    grouped = f"{number:,}".replace(",", between)
    assert say(LANGUAGES["nb"], f"Det var {grouped} igjen.").startswith("Det var ")


def test_speed_is_told(capsys):
    plain = [
        "representanten Ola Nordmann har tatt opp det forslaget han refererte og jeg vil på vegne av oss støtte det",
        "stortinget behandlet saken i går og det er <ee> bred enighet om at kommunene må få mer",
        "president det er viktig for meg å si at norsk landbruk skal bestå i hele landet",
        "den 3. juni 2017 kl. 14.30 stemte 102 av 169 representanter for, dvs. ca. 60 %",
    ]
    sentences = random.Random(0).choices(plain, weights=[4, 4, 4, 1], k=400)
    language = with_options(sentence_case=True, full_stop=True)
    began = time.process_time()
    for sentence in sentences:
        assert not language.normalise(sentence).rejected
    with capsys.disabled():
        print(f" [{len(sentences) / (time.process_time() - began):.0f} sentences a second of CPU time] ", end="")
