"""`[prompt]` and models that lack some of its forms: what counts, and what is told."""

from __future__ import annotations

import dataclasses

import pytest

from kathrine.recipe.prompts import fitting_prompt, prompt_notes, shares_of
from kathrine.recipe.tables import PromptTable
from kathrine.types import ModelFacts

ALL = ModelFacts("all", "all", "", 24000, 1920, 16, 2048, ("talker",), languages={"german": 3})
CONTEXT = dataclasses.replace(
    ALL, family="one", prompt_forms=("plain", "in_context"), text_layouts=("whole",), language_tags=False, languages={}
)
TABLE = PromptTable(streamed=0.5, in_context=0.25, language_tag=0.75)


def test_a_model_with_every_form_takes_the_shares_as_they_are():
    assert fitting_prompt(TABLE, ALL) == TABLE
    assert prompt_notes(TABLE, ALL, "german", ()) == []
    assert prompt_notes(TABLE, ALL, "norwegian", ["norwegian"]) == []


def test_what_a_model_lacks_counts_as_nothing_and_is_told():
    fitting = fitting_prompt(TABLE, CONTEXT)
    assert (fitting.streamed, fitting.in_context, fitting.language_tag) == (0.0, 0.25, 0.0)
    layout, tags = prompt_notes(TABLE, CONTEXT, "norwegian", ())
    assert layout == "one has the text in front of the frames only: prompt.streamed = 0.5 counts as 0"
    assert tags == "one has no language tags: prompt.language_tag = 0.75 counts as 0, every prompt is auto"
    asked = PromptTable(streamed=0.0, in_context=0.25, language_tag=0.0)
    assert prompt_notes(asked, CONTEXT, "norwegian", ()) == []


def test_a_model_without_the_whole_text_in_front():
    streamed = dataclasses.replace(ALL, text_layouts=("streamed",))
    assert fitting_prompt(TABLE, streamed).streamed == 1.0
    (note,) = prompt_notes(TABLE, streamed, "german", ())
    assert "beside the frames only: prompt.streamed = 0.5 counts as 1" in note


def test_a_model_that_takes_no_recordings():
    alone = dataclasses.replace(ALL, prompt_forms=("speaker",))
    assert fitting_prompt(TABLE, alone).in_context == 0.0
    (note,) = prompt_notes(TABLE, alone, "german", ())
    assert note == "all takes no recordings into its prompts: prompt.in_context = 0.25 counts as 0"


def test_no_voice_at_all_is_told():
    table = PromptTable(streamed=0.0, in_context=0.0, language_tag=0.0)
    (note,) = prompt_notes(table, CONTEXT, "", ())
    assert "no prompt says whose voice is wanted" in note


def test_a_language_without_a_tag_is_told_with_the_remedy():
    (note,) = prompt_notes(TABLE, ALL, "norwegian", ())
    assert "'norwegian' has no language tag here" in note and "strategy.language_tag gives one" in note
    (note,) = prompt_notes(TABLE, ALL, "", ())
    assert "the recipe names no language" in note


def test_shares_name_the_forms_of_the_model():
    shares = shares_of(TABLE, CONTEXT)
    assert shares == {"plain + whole": 0.75, "in_context + whole": 0.25, "language tag": 0.0, "auto": 1.0}
    usual = shares_of(TABLE, None)
    assert usual["speaker + streamed"] == pytest.approx(0.375)
    assert sum(share for name, share in usual.items() if "+" in name) == pytest.approx(1.0)


def test_forms_are_named_by_the_model():
    assert ALL.form_of(False) == "speaker" and CONTEXT.form_of(False) == "plain"
    assert ALL.form_of(True) == CONTEXT.form_of(True) == "in_context"
    assert CONTEXT.clones_in_context and not ALL.clones_in_context
