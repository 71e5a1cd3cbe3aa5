"""Language `generic`: the default without a language, by name with options, and as the base of other languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kathrine
from kathrine.catalog import Catalog
from kathrine.corpus.text import clean, rules_key, spoken_text
from kathrine.generic import GENERIC, GenericOptions
from kathrine.recipe import load_recipe
from kathrine.testing import check_language
from kathrine.textrules import NotSpoken, Rule, apply_rules


def generic(**options) -> kathrine.GenericLanguage:
    return kathrine.GenericLanguage(GenericOptions(**options))


@pytest.mark.parametrize(
    ("written", "spoken", "rules"),
    [
        ("  god\u00a0 morgen\u2009alle\n ", "god morgen alle", ("spaces",)),
        ("<ee> det er <mm>bra<qq>", "det er bra", ("tags", "spaces")),
        ("stor\u00adtinget", "stortinget", ("unspoken",)),
        ("a\u030a være", "å være", ("nfc",)),
        ("Kl. 14.30 – 5 € + 3 %?", "Kl. 14.30 – 5 € + 3 %?", ()),
        ("Привет, мир! 你好。", "Привет, мир! 你好。", ()),
    ],
)
def test_it_cleans_and_leaves_the_rest_as_it_is(written, spoken, rules):
    answer = GENERIC.normalise(written)
    assert (answer.text, answer.rules, answer.rejected) == (spoken, rules, "")
    assert GENERIC.normalise(spoken).rules == ()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("hei 😀", "not in the alphabet: '😀' (U+1F600 GRINNING FACE)"),
        ("varemerke™", "not in the alphabet: '™' (U+2122 TRADE MARK SIGN)"),
        ("ren\x07 tekst", "not in the alphabet: (U+0007 without a name)"),
        ("vi <inaudible> om", "a part is inaudible"),
        (" ... ", "no words"),
        ("", "no words"),
    ],
)
def test_what_it_does_not_know_is_rejected(written, reason):
    assert (GENERIC.normalise(written).text, GENERIC.normalise(written).rejected) == ("", reason)


def test_alphabet_and_signs_are_options():
    swedish = generic(alphabet="abcdefghijklmnopqrstuvwxyzåäö", signs=".,?")
    assert swedish.normalise("Är du här, Åsa?").text == "Är du här, Åsa?"
    assert swedish.normalise("år 2").rejected == "not in the alphabet: '2' (U+0032 DIGIT TWO)"
    assert swedish.normalise("nei, ærlig").rejected.startswith("not in the alphabet: 'æ' (U+00E6")
    assert swedish.normalise("stopp!").rejected == "not in the alphabet: '!' (U+0021 EXCLAMATION MARK)"


def test_the_tag_is_an_option_and_empty_without_one():
    assert GENERIC.tag() == "" and generic(tag="swedish").tag() == "swedish"


def test_every_option_changes_the_version():
    versions = {generic(**change).rules_version() for change in ({}, {"alphabet": "a"}, {"signs": "."}, {"tag": "x"})}
    assert len(versions) == len(GenericOptions.model_fields) + 1


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(["<ee>", "<", ">", " ", "\u030a", "a", "\u00ad", "\u3000"]) | st.text(max_size=4)))
def test_twice_changes_nothing_more(parts):
    once = GENERIC.normalise("".join(parts))
    if not once.rejected:
        again = GENERIC.normalise(once.text)
        assert (again.text, again.rules, again.rejected) == (once.text, (), "")


# ------------------------------------------------------------------------------------------- the default

TOY_RECIPE = """[model.qwen3_tts]
checkpoint = "kathrine:tiny"
[[data]]
source = "npsc"
root = "kathrine:npsc"
[train]
steps = 5
[strategy.text_projection]
lr = 1e-3
"""


def test_a_recipe_without_a_language_uses_it(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(TOY_RECIPE)
    recipe = load_recipe(tmp_path / "mine.toml")
    assert recipe.language is None
    assert rules_key(recipe.language) == rules_key(GENERIC) == f"generic:{GENERIC.rules_version()}"
    assert spoken_text("hei\u00a0du", "text", recipe.language) == GENERIC.normalise("hei\u00a0du")
    assert spoken_text("hei 😀", "text", None).rejected
    assert clean("<ee>hei\u00a0du") == "hei du"


def test_a_recipe_may_name_it(tmp_path: Path):
    import kathrine_generic

    catalog = Catalog.load()
    if "generic" not in catalog.names("language"):  # an editable install that is older than the entry point
        catalog.add(kathrine_generic, "generic", "kathrine")
    (tmp_path / "mine.toml").write_text(TOY_RECIPE + '[language.generic]\nalphabet = "abc"\ntag = "swedish"\n')
    recipe = load_recipe(tmp_path / "mine.toml", catalog=catalog)
    assert isinstance(recipe.language, kathrine.GenericLanguage) and recipe.language.tag() == "swedish"
    assert spoken_text("abd", "text", recipe.language).rejected.startswith("not in the alphabet: 'd'")
    assert rules_key(recipe.language) != rules_key(None)


# ------------------------------------------------------------------------------------------- the base of others


class Island(kathrine.GenericLanguage):
    """A language that needs two rules, and three sentences to listen to."""

    name = "island"

    def rules(self, variant: str) -> list[Rule]:
        def one(text: str) -> str:
            return text.replace("1", "einn")

        def no_at(text: str) -> str:
            if "@" in text:
                raise NotSpoken("an address")
            return text

        return [("address", no_at)] if variant == "digits" else [("address", no_at), ("one", one)]

    def test_sentences(self) -> tuple[str, ...]:
        return ("Góðan dag.", "Takk einn.", "Já.")


def test_a_language_writes_only_what_differs():
    language = Island()
    check_language(language, ["<ee> 1  dag"])
    answer = language.normalise("<ee> 1  dag")
    assert (answer.text, answer.rules) == ("einn dag", ("tags", "spaces", "one"))
    assert [step.after for step in answer.steps][-1] == "einn dag"
    assert language.normalise("1 dag", "digits").text == "1 dag"
    assert language.normalise("a@b").rejected == "an address"
    assert language.tag() == "island" and Island(GenericOptions(tag="isl")).tag() == "isl"
    assert language.rules_version() != GENERIC.rules_version()
    assert type("Later", (Island,), {"version": 2})().rules_version() != language.rules_version()


def test_rules_that_undo_each_other_are_told():
    flip: list[Rule] = [("there", lambda text: text.replace("a", "b")), ("back", lambda text: text.replace("b", "a"))]
    grow: list[Rule] = [("grow", lambda text: text + "a"), ("more", lambda text: text + "b")]
    assert apply_rules("xb", flip).text == "xa"
    assert apply_rules("a", grow).rejected == "the rules more and grow undo each other"
