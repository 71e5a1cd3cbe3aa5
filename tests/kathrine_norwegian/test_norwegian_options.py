"""The options of language `norwegian`: each changes what it says, and the version of the rules."""

from __future__ import annotations

from kathrine_norwegian.language import NorwegianLanguage, NorwegianOptions

NB = NorwegianLanguage()


def say(language: NorwegianLanguage, written: str) -> str:
    """What is spoken; asserts that it is not rejected and that twice changes nothing more."""
    answer = language.normalise(written)
    assert not answer.rejected and language.normalise(answer.text).rules == ()
    return answer.text


def with_options(**options) -> NorwegianLanguage:
    return NorwegianLanguage(NorwegianOptions(**options))


def test_seven_is_sju_or_syv():
    syv = with_options(seven="syv")
    assert say(syv, "7, 17, 27 og 7. plass") == "syv, sytten, tjuesyv og syvende plass"
    assert say(NB, "7, 27 og 7. plass") == "sju, tjuesju og sjuende plass"
    assert say(with_options(seven="syv", variant="nn"), "7 og 7. plass") == "sju og sjuande plass"


def test_acronyms_may_be_kept_and_letters_named():
    assert say(with_options(acronyms="keep"), "NRK og NATO") == "NRK og NATO"
    names = with_options(spell="names")
    assert say(names, "NRK, EU og FrP") == "enn ær kå, e u og eff ær pe"
    assert say(names, "Æ, Ø og NATO") == "Æ, Ø og Nato"


def test_acronyms_are_added_to_the_lexicon():
    assert say(NB, "TULL og NATO") == "T U L L og Nato"
    assert say(with_options(word_acronyms=["TULL"]), "TULL og TULLs") == "Tull og Tulls"
    assert say(with_options(spelled_acronyms=["NATO", "OsloMet"]), "NATO og OsloMet") == "N A T O og O S L O M E T"


def test_old_words_are_modernised_when_asked():
    written = "Hvad blev der af Manden efter den Vinter?"
    assert say(NB, written) == written
    assert say(with_options(modernise=True), written) == "Hva ble der av mannen etter den vinter?"
    assert say(with_options(modernise=True), "Hun saa sig om i Haven, og Per Mand lo.") == (
        "Hun så seg om i Haven, og Per mann lo."
    )


def test_the_rules_version_changes_with_every_option():
    changes = [
        {},
        {"variant": "nn"},
        {"sentence_case": True},
        {"full_stop": True},
        {"digit_variants": []},
        {"seven": "syv"},
        {"acronyms": "keep"},
        {"spell": "names"},
        {"word_acronyms": ["TULL"]},
        {"spelled_acronyms": ["NATO"]},
        {"modernise": True},
    ]
    assert {name for change in changes for name in change} == set(NorwegianOptions.model_fields)
    versions = [with_options(**change).rules_version() for change in changes]
    assert len(set(versions)) == len(versions)
    assert with_options().rules_version() == versions[0]
