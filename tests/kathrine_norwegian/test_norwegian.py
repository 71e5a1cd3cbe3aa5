"""Norwegian clean-up: what it changes, what it leaves alone, and that twice changes nothing more."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kathrine_norwegian.language import NorwegianLanguage, NorwegianOptions

NB = NorwegianLanguage()
BARE = NorwegianLanguage(NorwegianOptions(sentence_case=False, full_stop=False))


@pytest.mark.parametrize(
    ("written", "spoken", "rules"),
    [
        ("<ee> det er bra <qq>", "Det er bra.", {"tags", "spaces", "sentence_case", "full_stop"}),
        ("det <MM> er  bra", "Det er bra.", {"tags", "spaces", "sentence_case", "full_stop"}),
        ("«Ja», sa han … «kanskje».", '"Ja", sa han ... "kanskje".', {"quotes", "ellipsis"}),
        ("i_dag og i_morgen", "I dag og i morgen.", {"underscore", "sentence_case", "full_stop"}),
        ("2\u202f500\u00a0000 per\u00adsoner .", "2 500 000 personer.", {"invisible", "spaces"}),
        ("ka\u030are venner!", "kåre venner!", {"nfc"}),
        ("og så gikk han,", "og så gikk han,", set()),
        ("Ferdig setning.", "Ferdig setning.", set()),
        ("han spurte «hvorfor?»", 'han spurte "hvorfor?"', {"quotes"}),
        ("41 stemte for", "41 stemte for.", {"full_stop"}),
        ("møtet er 3. juni", "Møtet er 3. juni.", {"sentence_case", "full_stop"}),
        ("« ja »", '" Ja ".', {"quotes", "sentence_case", "full_stop"}),
    ],
)
def test_transcripts_become_spoken_text(written, spoken, rules):
    answer = NB.normalise(written)
    assert (answer.text, set(answer.rules), answer.rejected) == (spoken, rules, "")


@pytest.mark.parametrize("written", ["vi <inaudible> om det", "<INAUDIBLE>", "ja < Inaudible > nei"])
def test_inaudible_parts_are_rejected(written):
    assert NB.normalise(written).rejected == "a part is inaudible"
    assert NB.normalise(written).text == ""


@pytest.mark.parametrize("written", ["", "  ", "<ee>", " ... ", "\u00ad"])
def test_nothing_to_say_is_rejected(written):
    assert NB.normalise(written).rejected == "no words"


def test_case_and_full_stop_can_be_switched_off():
    assert BARE.normalise("<ee> stortingets møte er lovlig satt").text == "stortingets møte er lovlig satt"
    only_stop = NorwegianLanguage(NorwegianOptions(sentence_case=False))
    assert only_stop.normalise("møtet er hevet").text == "møtet er hevet."
    only_case = NorwegianLanguage(NorwegianOptions(full_stop=False))
    assert only_case.normalise("åpningen").text == "Åpningen"


PIECES = st.sampled_from(["<ee>", "<", ">", "«", "»", "…", "_", ".", ",", " ", "\u00ad", "\u00a0", "\u030a", "a", "å"])
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.booleans(), st.booleans())
def test_twice_changes_nothing_more(text, case, stop):
    language = NorwegianLanguage(NorwegianOptions(sentence_case=case, full_stop=stop))
    once = language.normalise(text)
    if once.rejected:
        return
    again = language.normalise(once.text)
    assert (again.text, again.rules, again.rejected) == (once.text, (), "")
    assert unicodedata.is_normalized("NFC", once.text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzæøåÆØÅ 0123456789", max_size=40))
def test_letters_and_digits_are_never_lost(text):
    spoken = BARE.normalise(text).text
    assert [c for c in spoken if c.isalnum()] == [c for c in text if c.isalnum()]


def test_the_rules_version_changes_with_the_options_that_change_answers():
    versions = {
        NorwegianLanguage(NorwegianOptions(sentence_case=case, full_stop=stop)).rules_version()
        for case in (True, False)
        for stop in (True, False)
    }
    assert len(versions) == 4
    assert NB.rules_version() == NorwegianLanguage(NorwegianOptions(variant="nn")).rules_version()


@pytest.mark.parametrize("variant", ["nb", "nn"])
def test_the_test_sentences_cover_what_is_hard(variant):
    language = NorwegianLanguage(NorwegianOptions(variant=variant))
    sentences = language.test_sentences()
    joined = " ".join(sentences).casefold()
    assert len(sentences) == 20 == len(set(sentences))
    assert all(sound in joined for sound in ("kj", "skj", "tj", "rd", "rn", "rl", "rs", "rt", "æ", "ø", "å"))
    assert not any(character.isdigit() for character in joined)
    assert any(len(sentence) > 200 for sentence in sentences)
    assert any(len(sentence.split()) == 1 for sentence in sentences)
    assert any(len(word) > 25 for word in joined.split())
    for sentence in sentences:
        assert language.normalise(sentence).text == sentence and language.normalise(sentence).rules == ()


def test_the_tag_is_the_languages_name():
    assert NB.tag() == "norwegian"
