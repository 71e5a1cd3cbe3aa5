"""Transcripts without punctuation (capital and full stop), what is rejected, digits that stay, and test sentences."""

from __future__ import annotations

import pytest

from kathrine.corpus.text import without_added_stop
from kathrine_norwegian.language import NorwegianLanguage, NorwegianOptions

NB = NorwegianLanguage()
ENDED = NorwegianLanguage(NorwegianOptions(sentence_case=True, full_stop=True))


@pytest.mark.parametrize(
    ("written", "spoken", "rules"),
    [
        ("<ee> det er bra <qq>", "Det er bra.", {"tags", "spaces", "sentence_case", "full_stop"}),
        ("det <MM> er  bra", "Det er bra.", {"tags", "spaces", "sentence_case", "full_stop"}),
        ("«Ja», sa han … «kanskje».", '"Ja", sa han ... "kanskje".', {"signs"}),
        ("i_dag og i_morgen", "I dag og i morgen.", {"underscores", "sentence_case", "full_stop"}),
        (
            "2\u202f500\u00a0000 per\u00adsoner .",
            "To millioner fem hundre tusen personer.",
            {"unspoken", "spaces", "cardinals", "punctuation", "sentence_case"},
        ),
        ("ka\u030are venner!", "kåre venner!", {"nfc"}),
        ("og så gikk han,", "og så gikk han,", set()),
        ("Ferdig setning.", "Ferdig setning.", set()),
        ("han spurte «hvorfor?»", 'han spurte "hvorfor?"', {"signs"}),
        ("41 stemte for", "Førtien stemte for.", {"cardinals", "sentence_case", "full_stop"}),
        ("17. mai er fridag.", "Syttende mai er fridag.", {"dates", "sentence_case"}),
        ("møtet er 3. juni", "Møtet er tredje juni.", {"dates", "sentence_case", "full_stop"}),
        ("« ja »", '" Ja ".', {"signs", "sentence_case", "full_stop"}),
        ("vi tar epler osv.", "Vi tar epler og så videre.", {"abbreviations", "sentence_case", "full_stop"}),
        ("han er nr", "Han er nummer.", {"sentence_case", "full_stop", "abbreviations"}),
    ],
)
def test_transcripts_become_spoken_text(written, spoken, rules):
    answer = ENDED.normalise(written)
    assert (answer.text, set(answer.rules), answer.rejected) == (spoken, rules, "")
    again = ENDED.normalise(answer.text)
    assert (again.text, again.rules) == (spoken, ())


def test_case_and_full_stop_are_apart():
    assert NB.normalise("<ee> stortingets møte er lovlig satt").text == "stortingets møte er lovlig satt"
    only_stop = NorwegianLanguage(NorwegianOptions(full_stop=True))
    assert only_stop.normalise("møtet er hevet").text == "møtet er hevet."
    only_case = NorwegianLanguage(NorwegianOptions(sentence_case=True))
    assert only_case.normalise("åpningen").text == "Åpningen"


@pytest.mark.parametrize(
    ("written", "cut"),
    [
        ("da vi kom", "Da vi kom"),
        ("da vi kom.", "da vi kom."),
        ("vi tar epler osv.", "Vi tar epler og så videre"),
        ("møtet begynner kl. 12", "Møtet begynner klokka tolv"),
    ],
)
def test_a_cut_clip_loses_the_stop_that_was_added(written, cut):
    answer = ENDED.normalise(written)
    assert without_added_stop(written, answer.text, answer.rules) == cut


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("vi <inaudible> om det", "a part is inaudible"),
        ("<INAUDIBLE>", "a part is inaudible"),
        ("ja < Inaudible > nei", "a part is inaudible"),
        ("", "no words"),
        ("<ee>", "no words"),
        (" ... ", "no words"),
        ("\u00ad", "no words"),
        ("se https://nrk.no/a?b=1 nå", "an address can not be read aloud: https://nrk.no/a?b=1"),
        ("se www.vg.no", "an address can not be read aloud: www.vg.no"),
        ("les mer på nrk.no.", "an address can not be read aloud: nrk.no"),
        ("skriv til ola.nordmann@stortinget.no", "an address can not be read aloud: ola.nordmann@stortinget.no"),
        ("så fint 😀", "no rule for the sign '😀' (U+1F600 GRINNING FACE)"),
        ("vinkelen α", "no rule for the sign 'α' (U+03B1 GREEK SMALL LETTER ALPHA)"),
        ("Москва", "no rule for the sign 'М' (U+041C CYRILLIC CAPITAL LETTER EM)"),
        ("[latter] ja", "no rule for the sign '[' (U+005B LEFT SQUARE BRACKET)"),
        ("produkt™", "no rule for the sign '™' (U+2122 TRADE MARK SIGN)"),
        ("#viktig", "no rule for the sign '#' (U+0023 NUMBER SIGN)"),
        ("ren\x00tekst", "no rule for the sign (U+0000 without a name)"),
        ("100 ¢", "no rule for the sign '¢' (U+00A2 CENT SIGN)"),
        ("det er ١٢ her", "no rule reads these digits: ١٢"),
        ("kode 12:345:6", "no rule reads these digits: 12:345:6"),
        ("kr 3 i fotnote4⁴", "no rule reads these digits: fotnote4⁴"),
        ("fotnote⁴", "no rule reads these digits: fotnote⁴"),
    ],
)
def test_what_can_not_be_spoken_is_rejected_with_the_reason(written, reason):
    answer = NB.normalise(written)
    assert (answer.text, answer.rejected) == ("", reason)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("den 3. juni 2017 stemte 102 av 169", "den 3. juni 2017 stemte 102 av 169"),
        ("bl.a. 40% og 6,4 %", "blant annet 40% og 6,4 %"),
        ("kl. 14.30 i § 3 nr. 7", "klokka 14.30 i paragraf 3 nummer 7"),
        ("<ee> 2–3 år,  kr 100", "2–3 år, kr 100"),
        ("3,5 mill. kr til NRK og E18", "3,5 millioner kr til N R K og E18"),
        ("25 m² ved -5 °C", "25 m² ved -5 °C"),
        ("½ liter, 1/2 liter og $5", "½ liter, 1/2 liter og $5"),
        ("Harald V i 1991 pga. 3 ting", "Harald den femte i 1991 på grunn av 3 ting"),
    ],
)
@pytest.mark.parametrize("variant", ["normsentence", "normsentence_text"])
def test_a_digit_variant_keeps_its_digits_and_is_cleaned_all_the_same(written, kept, variant):
    answer = NB.normalise(written, variant)
    assert (answer.text, answer.rejected) == (kept, "")
    assert NB.normalise(kept, variant).rules == ()
    assert not any(character.isdigit() for character in NB.normalise(written, "text").text)


def test_which_variants_have_digits_is_an_option():
    language = NorwegianLanguage(NorwegianOptions(digit_variants=["tall"]))
    assert language.normalise("nr. 7", "tall").text == "nummer 7"
    assert language.normalise("nr. 7", "normsentence_text").text == "nummer sju"
    assert NB.normalise("hei 😀 7", "normsentence").rejected.startswith("no rule for the sign")
    assert NB.normalise("se vg.no 7", "normsentence").rejected.startswith("an address")


def test_the_variants_of_the_parliament_corpus_are_read_as_what_they_are():
    from kathrine_npsc.source import NpscOptions

    names = set(NpscOptions().fields) - {"text"}
    assert names and names <= set(NorwegianOptions().digit_variants)


@pytest.mark.parametrize("variant", ["nb", "nn"])
def test_the_test_sentences_cover_what_is_hard_and_are_spoken_as_they_stand(variant):
    language = NorwegianLanguage(NorwegianOptions(variant=variant, sentence_case=True, full_stop=True))
    sentences = language.test_sentences()
    joined = " ".join(sentences).casefold()
    assert len(sentences) == 20 == len(set(sentences))
    assert all(sound in joined for sound in ("kj", "skj", "tj", "rd", "rn", "rl", "rs", "rt", "æ", "ø", "å"))
    assert not any(character.isdigit() for character in joined)
    assert any(len(sentence) > 200 for sentence in sentences)
    assert any(len(sentence.split()) == 1 for sentence in sentences)
    assert any(len(word) > 25 for word in joined.split())
    for sentence in sentences:
        answer = language.normalise(sentence)
        assert (answer.text, answer.rules, answer.rejected) == (sentence, (), "")


def test_the_tag_is_the_languages_name():
    assert NB.tag() == "norwegian"
