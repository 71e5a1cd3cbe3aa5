"""Texts spoken by espeak-ng, with the program and with the library of the wheel, whichever is here."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from source_client import run_source

from kathrine import KathrineError
from kathrine_espeak import engine as engines
from kathrine_espeak.source import EspeakOptions, EspeakSource

ESPEAK = "kathrine_espeak.source:EspeakSource"
SENTENCES = ["Hei på deg.", "Kjære venner, nå er det vår."]
ENGINES = [
    pytest.param(kind, marks=pytest.mark.skipif(find() is None, reason=f"espeak-ng's {kind} is not installed"))
    for kind, find in (("program", engines.find_program), ("library", engines.find_library))
]


def run(tmp_path: Path, kind: str, wishes: dict | None = None, **options) -> dict:
    return run_source(ESPEAK, {"engine": kind, **options}, tmp_path / "workspace", **(wishes or {}))


@pytest.mark.parametrize("kind", ENGINES)
def test_every_voice_speaks_every_text(tmp_path, kind):
    utterances = run(tmp_path, kind, sentences=SENTENCES, voices=["nb+m1", "nb+f2"])["utterances"]
    assert [u["speaker"] for u in utterances] == ["espeak-nb+m1", "espeak-nb+f2"] * 2
    assert [u["texts"]["text"] for u in utterances] == [SENTENCES[0]] * 2 + [SENTENCES[1]] * 2
    assert {u["language"] for u in utterances} == {"nb"}
    waves = []
    for utterance in utterances:
        wave, rate = soundfile.read(utterance["audio"])
        assert rate == 22050 and wave.ndim == 1
        assert 0.3 < len(wave) / rate < 6 and np.abs(wave).max() > 0.05
        waves.append(wave)
    assert len(waves[0]) != len(waves[1]) or not np.array_equal(waves[0], waves[1])


@pytest.mark.parametrize("kind", ENGINES)
def test_a_recording_depends_on_its_text_alone_and_is_made_once(tmp_path, kind):
    first = run(tmp_path, kind, sentences=SENTENCES)["utterances"]
    times = [Path(u["audio"]).stat().st_mtime_ns for u in first]
    assert run(tmp_path, kind, sentences=SENTENCES)["utterances"] == first
    assert [Path(u["audio"]).stat().st_mtime_ns for u in first] == times
    turned = run(tmp_path / "other", kind, sentences=SENTENCES[::-1])["utterances"]
    for utterance in first:
        (other,) = [u["audio"] for u in turned if u["id"] == utterance["id"]]
        if kind == "library":
            assert Path(other).read_bytes() == Path(utterance["audio"]).read_bytes()
        else:  # since 1.52 the program draws its noises from the time of day
            assert soundfile.info(other).frames == soundfile.info(utterance["audio"]).frames


@pytest.mark.parametrize("kind", ENGINES)
def test_texts_from_a_file_speed_and_dealing_out(tmp_path, kind):
    path = tmp_path / "texts.txt"
    path.write_text("\ufeffFørste linje.\n\n  -v Andre linje.  \nTredje linje.\n", encoding="utf-8")
    dealt = run(tmp_path, kind, texts=str(path), every_voice=False)["utterances"]
    assert [(u["speaker"], u["texts"]["text"]) for u in dealt] == [
        ("espeak-nb+m1", "Første linje."),
        ("espeak-nb+f2", "-v Andre linje."),
        ("espeak-nb+m1", "Tredje linje."),
    ]
    slow = run(tmp_path, kind, texts=str(path), every_voice=False, speed=90)["utterances"]
    assert soundfile.info(slow[0]["audio"]).duration > 1.3 * soundfile.info(dealt[0]["audio"]).duration


@pytest.mark.parametrize("kind", ENGINES)
def test_unknown_voices_and_variants_are_refused(tmp_path, kind):
    told = run(tmp_path, kind, sentences=SENTENCES, voices=["nb+zz9"])
    assert "variant 'zz9'" in told["error"] and "f2" in told["hint"]
    assert "voice 'qqx'" in run(tmp_path, kind, sentences=SENTENCES, voices=["qqx"])["error"]


@pytest.mark.parametrize("kind", ENGINES)
def test_speakers_are_voices(tmp_path, kind):
    kept = run(tmp_path, kind, {"speakers": ["F2"]}, sentences=SENTENCES)["utterances"]
    assert {u["speaker"] for u in kept} == {"espeak-nb+f2"}
    assert "no voice" in run(tmp_path, kind, {"speakers": ["x"]}, sentences=SENTENCES)["error"]


def test_without_espeak_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "find_program", lambda: None)
    monkeypatch.setattr(engines, "find_library", lambda: None)
    with pytest.raises(KathrineError) as refused:
        engines.find_engine()
    assert "pip install kathrine[espeak]" in refused.value.hint


def test_the_program_is_looked_for_on_the_path(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert engines.find_program() is None


def test_options_that_can_not_work_are_named(tmp_path):
    assert list(EspeakSource(EspeakOptions()).problems()) == ["nothing to speak: give sentences or texts"]
    assert list(EspeakSource(EspeakOptions(sentences=["a", " "])).problems()) == [
        "sentences holds a text without a word"
    ]
    twice = EspeakSource(EspeakOptions(sentences=["a"], voices=["nb", "nb"]))
    assert list(twice.problems()) == ["voices names a voice twice"]
    missing = run(tmp_path, "auto", texts=str(tmp_path / "none.txt"))
    assert "none.txt" in missing["error"]
    (tmp_path / "empty.txt").write_text("\n\n", encoding="utf-8")
    assert "is empty" in run(tmp_path, "auto", texts=str(tmp_path / "empty.txt"))["error"]


@pytest.mark.parametrize("kind", ENGINES)
def test_pitch_changes_the_voice_and_the_id(tmp_path, kind):
    low = run(tmp_path, kind, sentences=SENTENCES[:1], pitch=10)["utterances"][0]
    high = run(tmp_path, kind, sentences=SENTENCES[:1], pitch=90)["utterances"][0]
    assert low["id"] != high["id"]
    assert Path(low["audio"]).read_bytes() != Path(high["audio"]).read_bytes()
