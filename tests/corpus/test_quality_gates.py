"""The gates of the sound and of the speaking rate, through prepare as a whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from corpus_fakes import FakeFamily, prepared, recipe, rejected, speech, utterances

from kathrine.corpus import audio as audio_module
from kathrine.corpus.prepared import PreparedCorpus
from kathrine.datafiles import bundled_sample
from kathrine.errors import RecipeError
from kathrine.recipe import load_recipe
from kathrine.types import Utterance


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    utterances(folder, 40)
    return folder


def verdicts(corpus: PreparedCorpus) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in map(json.loads, (corpus.folder / "manifest.jsonl").read_text().splitlines())}


def one(path: Path, wave: np.ndarray, name: str, rate: int = 8000) -> Utterance:
    soundfile.write(path, wave, rate)
    return Utterance(name, path, {"text": "dette er en setning"}, "s0", "norwegian")


def test_each_gate_of_the_sound_has_its_reason(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 12)
    wave = speech(1.5, 90, 8000)
    parted = speech(2.5, 91, 8000)
    parted[4000:8000] = 0
    mostly = wave.copy()
    mostly[2000:9500] = 0
    run = 0.5 * wave / np.abs(wave).max()
    run[6000:6006] = 1.0
    mixed = [
        *given,
        one(tmp_path / "parted.wav", parted, "parted"),
        one(tmp_path / "mostly.wav", mostly, "mostly"),
        one(tmp_path / "run.wav", run, "run"),
        one(tmp_path / "quiet.flac", wave * 0.002, "quiet"),
        one(tmp_path / "loud.wav", np.clip(np.sign(wave) * (np.abs(wave) > 1e-3) * 0.99, -1, 1), "loud"),
        one(tmp_path / "eight.wav", np.stack([wave] * 3, 1), "three"),
    ]
    corpus = prepared(tmp_path / "ws", recipe(mixed, table={"max_pause_seconds": 0.45}))
    told = {name: row.get("reason") for name, row in verdicts(corpus).items() if not name.startswith("u0")}
    assert told == {
        "parted": "long pause",
        "mostly": "silence",
        "run": "clipping",
        "quiet": "too quiet",
        "loud": "too loud",
        "three": "channels",
    }
    assert len(corpus.rows) == 12
    row = verdicts(corpus)["parted"]
    assert row["pauses"] == [pytest.approx(0.5, abs=0.06)] and row["start_silence"] == pytest.approx(0.2, abs=0.03)
    assert verdicts(corpus)["run"]["clipped_run"] == 6 and verdicts(corpus)["three"]["channels"] == 3
    ends = {"trim": False, "max_end_silence_seconds": 0.15}
    assert rejected(prepared(tmp_path / "ws", recipe(given[:6], [*given[6:]], table=ends | {"trim": True}))) == {}
    with pytest.raises(Exception, match="silent ends: 6"):
        prepared(tmp_path / "ws", recipe(given[:6], table=ends))


def test_narrow_band_is_left_out_unless_it_is_allowed(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 12)
    wide = [one(tmp_path / f"w{n}.wav", speech(1.2, 60 + n, 24000), f"w{n}", 24000) for n in range(3)]
    table = {"min_bandwidth_hz": 7000.0}
    corpus = prepared(tmp_path, recipe([*given, *wide], table=table))
    assert rejected(corpus) == {"narrow band": 12} and [row.id for row in corpus.rows] == ["w0", "w1", "w2"]
    assert len(prepared(tmp_path, recipe([*given, *wide], table=table | {"allow_narrowband": True})).rows) == 15
    made = recipe([*given, *wide], given, table=table)
    made.data[0].source.options = SimpleNamespace(allow_narrowband=True)  # type: ignore[assignment]
    with pytest.raises(Exception, match=r"data entry b: .*narrow band: 12"):
        prepared(tmp_path, made)


def test_noise_is_measured_when_its_gate_is_on_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    measure = audio_module._noise_of

    def counting(wave_N: np.ndarray, rate: int) -> float | None:
        calls.append(len(wave_N))
        return measure(wave_N, rate)

    monkeypatch.setattr(audio_module, "_noise_of", counting)
    clean, rate = soundfile.read(bundled_sample("nb-librivox") / "data" / "bok1_0000.mp3", dtype="float32")
    random, given = np.random.default_rng(0), []
    for number, level in enumerate((1e-4, 3e-4, 0.03, 0.05)):
        wave = np.concatenate([np.zeros(rate // 2, np.float32), clean, np.zeros(rate // 2, np.float32)])
        wave = wave + random.normal(0, level, len(wave))
        given.append(one(tmp_path / f"n{number}.wav", wave, f"n{number}", rate))
    silent = prepared(tmp_path / "ws", recipe(given))
    assert calls == [] and len(silent.rows) == 4 and "snr_db" not in verdicts(silent)["n0"]
    corpus = prepared(tmp_path / "ws", recipe(given, table={"min_snr_db": 20.0}))
    assert rejected(corpus) == {"noisy": 2} and len(calls) == 4
    told = [row["snr_db"] for row in verdicts(corpus).values()]
    assert told == sorted(told, reverse=True) and told[1] > 30 and told[2] < 20
    # The limit is no part of what was measured, and nothing is encoded again for it.
    family = FakeFamily()
    assert len(prepared(tmp_path / "ws", recipe(given, family=family, table={"min_snr_db": 1.0})).rows) == 4
    assert len(calls) == 4 and not family.calls["encode"]


def test_outlying_rates_are_left_out_by_speaker_and_give_their_place_away(audio: Path, tmp_path: Path) -> None:
    given = [replace(each, speaker="s0") for each in utterances(audio, 40)]
    seconds = {row.id: row.seconds for row in prepared(tmp_path, recipe(given)).rows}
    # Everybody says ten letters a second, but one.
    even = [
        replace(each, texts={"text": "ja " + "a" * (round(10 * seconds[each.id] + number % 3) - 2)})
        for number, each in enumerate(given)
    ]
    even[7] = replace(even[7], texts={"text": "ja " + "a" * round(25 * seconds["u007"])})
    table = {"max_letters_per_second": 60.0, "rate_outlier_iqr": 1.5}
    corpus = prepared(tmp_path, recipe(even, table=table))
    assert rejected(corpus) == {"rate outlier": 1} and "u007" not in {row.id for row in corpus.rows}
    assert not rejected(prepared(tmp_path, recipe(even, table=table | {"rate_outlier_iqr": 0.0})))
    assert not rejected(prepared(tmp_path, recipe(even, table=table | {"rate_outlier_utterances": 41})))
    limited = prepared(tmp_path, recipe(even, table=table, max_hours=20 / 3600))
    unlimited = sum(row.seconds for row in limited.rows)
    assert 18.5 < unlimited <= 20 and "u007" not in {row.id for row in limited.rows}


def test_text_with_characters_of_no_text_is_counted_and_can_be_read_again(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 8, 1)
    given[2] = replace(given[2], texts={"text": "dette er \ud800 brutt"})
    given[3] = replace(given[3], texts={**given[3].texts, "digits": "nr \x00 3"})
    corpus = prepared(tmp_path, recipe(given))
    assert rejected(corpus) == {"control characters": 2}
    told = verdicts(corpus)
    assert told["u002"]["detail"] == "U+FFFD at 10" and told["u002"]["texts"]["text"] == "dette er \ufffd brutt"


def test_what_changes_a_verdict_makes_another_corpus(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 12)
    given[5] = replace(given[5], texts={"text": "hei"})
    given[6] = replace(given[6], texts={"text": "<inaudible> sa han"})
    one_way = prepared(tmp_path, recipe(given, table={"min_words": 2}))
    given[5], given[6] = replace(given[5], texts=given[6].texts), replace(given[6], texts=given[5].texts)
    other_way = prepared(tmp_path, recipe(given, table={"min_words": 2}))
    assert rejected(one_way) == rejected(other_way) and one_way.folder != other_way.folder


def test_limits_that_leave_nothing_are_refused() -> None:
    with pytest.raises(RecipeError, match="min_loudness_lufs = -5 leaves nothing below max_loudness_lufs = -8"):
        load_recipe("kathrine:base", "smoke", ["prepare.min_loudness_lufs=-5.0"])
