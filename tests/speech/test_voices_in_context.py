"""Voices of models that take them in context only, and advice that fits a model's text layouts."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from kathrine.errors import KathrineError
from kathrine.recipe.tables import PrepareTable
from kathrine.speech import voices
from kathrine.speech.checks import ADVICE, advice
from kathrine.speech.voices import best_first, voice_of, voice_of_example
from kathrine.train.speaking import text_layout
from kathrine.types import Example, ModelFacts

USUAL = ModelFacts("usual", "usual", "", 8000, 640, 4, 32, ("talker",))
CONTEXT = dataclasses.replace(USUAL, prompt_forms=("plain", "in_context"), text_layouts=("whole",))
CODES = np.ones((3, 4), np.int16)
WAVE = np.ones(8000, np.float32)


def example(embedding=None, ids=(1, 2)) -> Example:
    texts = {"text": tuple(ids)}
    return Example("a", "toy", "kari", "no", "train", 1.0, CODES, embedding, texts, {"text": "ja"})


def test_an_utterance_gives_its_embedding_or_all_of_itself():
    vector = np.ones(3, np.float32)
    assert voice_of_example(USUAL, example(vector), "kari").embedding_H is vector
    whole = voice_of_example(CONTEXT, example(), "kari")
    assert whole.embedding_H is None and whole.codes_RQ is CODES and whole.text_ids == (1, 2)
    assert voice_of_example(USUAL, example(), "kari") is None
    assert voice_of_example(CONTEXT, example(ids=()), "kari") is None


def test_recordings_that_fit_come_first_then_the_shortest():
    assert best_first([9.0, 4.0, 20.0, 5.0, 12.0], 8.0) == [1, 3, 0, 4, 2]
    assert best_first([], 8.0) == []


def family(facts: ModelFacts) -> SimpleNamespace:
    codec = SimpleNamespace(encode=lambda waves: [CODES for _ in waves])
    return SimpleNamespace(
        facts=lambda workspace: facts,
        open_speaker_encoder=lambda workspace, device: None,
        open_codec=lambda workspace, device: codec,
    )


def test_a_recording_without_its_text_is_refused_where_only_both_give_a_voice(monkeypatch, tmp_path):
    monkeypatch.setattr(voices, "conditioned", lambda *args: WAVE)
    asked = {"workspace": None, "table": PrepareTable(), "device": "cpu"}
    path = tmp_path / "kari.wav"
    with pytest.raises(KathrineError, match="together with what is said in it") as error:
        voice_of(path, family=family(CONTEXT), **asked)
    assert "--reference-text" in error.value.hint
    given = voice_of(path, family=family(CONTEXT), transcript_ids=(1, 2), **asked)
    assert given.codes_RQ is CODES and given.text_ids == (1, 2) and given.embedding_H is None and given.wave is WAVE
    with pytest.raises(KathrineError, match="no speaker encoder"):
        voice_of(path, family=family(USUAL), transcript_ids=(1, 2), **asked)


def test_the_layout_is_the_models_own_unless_another_one_is_asked_for():
    assert text_layout(USUAL, None) == "streamed" and text_layout(USUAL, "whole") == "whole"
    assert text_layout(CONTEXT, None) == "whole"
    with pytest.raises(KathrineError, match="no text layout 'streamed'"):
        text_layout(CONTEXT, "streamed")


def test_advice_names_another_layout_only_where_there_is_one():
    assert all(advice(flag, USUAL.text_layouts) == told for flag, told in ADVICE.items())
    for flag, (cause, remedy) in ADVICE.items():
        told = advice(flag, CONTEXT.text_layouts)
        assert told[0] == cause and told[1] and "--text-layout" not in told[1]
        if "--text-layout" not in remedy:
            assert told[1] == remedy
