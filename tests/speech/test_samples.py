"""Sentences that a model speaks: their budget, what is written, and how a runaway shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from kathrine import Workspace
from kathrine.progress import SilentProgress
from kathrine.recipe.tables import SpeakTable
from kathrine.speech.samples import sampling_of, speak_samples
from kathrine.speech.takes import Part, frame_budget
from kathrine.testing import ToyFamily
from kathrine.toy import CODEBOOKS
from kathrine.types import Generated, Sampling, SpeechRequest


def test_a_budget_follows_the_text_between_two_limits() -> None:
    assert frame_budget("Hei!", 12.5, 20.0) == 37  # 3 seconds at least
    assert frame_budget("a" * 25, 12.5, 20.0) == 100  # 0.32 seconds a letter
    assert frame_budget("a" * 500, 12.5, 20.0) == 250
    assert frame_budget("", 12.5, 0.01) == 1


def test_sampling_settings_are_those_of_both_parts() -> None:
    assert sampling_of(SpeakTable()) == Sampling()
    greedy = sampling_of(SpeakTable(greedy=True))
    assert greedy.greedy and greedy.sub_greedy
    hot = sampling_of(SpeakTable(temperature=0.5, top_k=7))
    assert (hot.temperature, hot.sub_temperature, hot.top_k, hot.sub_top_k) == (0.5, 0.5, 7, 7)


def speak(folder: Path, monkeypatch: pytest.MonkeyPatch, *made: Generated) -> list[Any]:
    family, answers = ToyFamily(), iter(made)
    model = family.load(Workspace(folder / "ws"))
    monkeypatch.setattr(model, "generate", lambda *given, **named: [next(answers)])
    return speak_samples(
        model=model,
        codec=family.open_codec(Workspace(folder / "ws")),
        lines=[("hei", [Part("hei", SpeechRequest(text_ids=(1, 2, 3)))])] * len(made),
        sampling=Sampling(),
        max_seconds=4.0,
        seed=1,
        folder=folder / "samples",
        progress=SilentProgress(),
    )


def test_what_is_written_and_how_a_runaway_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes_TQ = np.zeros((10, CODEBOOKS), dtype=np.int16)
    ended, cut, nothing = speak(
        tmp_path, monkeypatch, Generated(codes_TQ, "end"), Generated(codes_TQ, "budget"), Generated(codes_TQ[:0], "end")
    )
    assert (ended.stop, cut.stop) == ("end", "budget")
    assert "no end" in cut.flags and "no end" not in ended.flags
    assert nothing.flags == ("empty",)
    wave, rate = soundfile.read(tmp_path / "samples" / "01.wav")
    assert (len(wave), rate) == (6400, 8000) and ended.seconds == 0.8
    listed = json.loads((tmp_path / "samples" / "samples.json").read_text())
    assert [one["file"] for one in listed] == ["01.wav", "02.wav", "03.wav"]
    assert not list((tmp_path / "samples").glob("*.part"))
