"""Options about cutting, which model they name, and what a chapter that is kept depends on."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError
from source_client import context_in

from kathrine import KathrineError
from kathrine_librivox import chapters
from kathrine_librivox.catalogue.recordings import Recording
from kathrine_librivox.chapters import Chapter, ChapterCache, Piece
from kathrine_librivox.cutting import (
    CuttingOptions,
    LimitsTable,
    aligner_for,
    cutting_problems,
    cutting_settings,
    open_model,
)
from kathrine_librivox.segmentation import SegmentLimits
from kathrine_librivox.segmentation.opening import DEFAULT_ALIGNERS


def test_the_limits_of_the_recipe_are_those_of_segmentation():
    limits = LimitsTable(
        min_seconds=1.0,
        max_seconds=9.0,
        min_pause=0.3,
        min_pad=0.02,
        max_pad=0.2,
        max_inner_pause=1.0,
        min_score=-0.5,
        min_part_score=-2.0,
        min_fit=-0.4,
        keep_unscored=True,
        keep_cut=False,
    )
    assert SegmentLimits(**limits.model_dump()).keep_unscored
    assert SegmentLimits(**LimitsTable().model_dump()) == SegmentLimits()


def test_limits_that_contradict_each_other_are_told_together():
    options = CuttingOptions(limits=LimitsTable(min_seconds=15.0, max_seconds=2.0, min_pad=0.3))
    problems = list(cutting_problems(options))
    assert "min_seconds 15 is not below max_seconds 2" in problems[0] and "min_pad 0.3 is above max_pad" in problems[1]
    assert not list(cutting_problems(CuttingOptions()))
    with pytest.raises(ValidationError):
        CuttingOptions(device="tpu")


def test_the_aligner_follows_the_language_of_the_book():
    assert [aligner_for(CuttingOptions(), language) for language in ("nb", "nn", "da")] == [
        *DEFAULT_ALIGNERS.values(),
        "",
    ]
    assert aligner_for(CuttingOptions(aligner_model="length"), "nb") == ""
    assert aligner_for(CuttingOptions(aligner_model="me/mine"), "nn") == "me/mine"


def test_a_chapter_depends_on_the_model_that_makes_it_and_on_no_other():
    def settings(language: str = "nb", by_ear: bool = False, **options) -> str:
        return json.dumps(cutting_settings(CuttingOptions(**options), language, by_ear))

    assert settings() != settings("nn") != settings("da") == settings("da", aligner_model="length")
    assert settings() == settings(transcriber="a/b", transcriber_revision="x", device="cpu")
    assert settings() != settings(aligner_revision="v2") != settings(limits=LimitsTable(min_score=-0.5))
    ear = settings(by_ear=True, transcriber="a/b")
    assert ear != settings(by_ear=True, transcriber="a/c") and ear == settings(
        by_ear=True, transcriber="a/b", aligner_model="x/y"
    )
    assert ear != settings(by_ear=True, transcriber="a/b", transcriber_revision="v2")


def test_a_language_without_an_aligner_is_said(tmp_path):
    context = context_in(tmp_path, "librivox_catalogue")
    assert open_model(CuttingOptions(), "da", False, context).label == "length"
    assert "no aligner for 'da'" in context.progress.warned[0]
    open_model(CuttingOptions(aligner_model="length"), "nb", False, context)
    assert len(context.progress.warned) == 1
    with pytest.raises(KathrineError, match="needs a transcriber"):
        open_model(CuttingOptions(), "nb", True, context)


def test_a_chapter_is_cut_once_and_kept_whole(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    recording = Recording(tmp_path / "a.wav", "m" * 32, 1.0, 16000)
    made = Chapter(
        (Piece(0.1, 0.9, "Hei.", math.nan, True), Piece(1.0, 2.0, "Å!", -0.5, False)), {"x": (1, 2.5)}, "length", 4
    )
    calls = []

    def cut(wave_N: np.ndarray, rate: int, text: str | None, language: str) -> Chapter:
        calls.append((len(wave_N), rate, text, language))
        return made

    cache = ChapterCache(tmp_path / "kept", lambda language, by_ear: [language, by_ear], cut)
    first, second = cache.chapter(recording, "Hei. Å!", "nb"), cache.chapter(recording, "Hei. Å!", "nb")
    assert first == made and calls == [(16000, 16000, "Hei. Å!", "nb")]
    assert math.isnan(second.pieces[0].score) and second.pieces[1:] == made.pieces[1:]
    assert (second.dropped, second.aligner, second.consumed) == (made.dropped, "length", 4)
    for text, language, md5 in (("Hei.", "nb", "m"), (None, "nb", "m"), ("Hei. Å!", "nn", "m"), ("Hei. Å!", "nb", "n")):
        cache.chapter(Recording(tmp_path / "a.wav", md5 * 32, 1.0, 16000), text, language)
    monkeypatch.setattr(chapters, "VERSION", 999)
    cache.chapter(recording, "Hei. Å!", "nb")
    assert len(calls) == 6 and len(list(Path(tmp_path / "kept").glob("*.json"))) == 6
