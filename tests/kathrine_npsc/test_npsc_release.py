"""Språkbanken's own release: session folders, wav clips in stereo, and a speaker file with gender and dialect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from npsc_fixtures import SAMPLE, write_release, write_speakers
from source_client import run_source

NPSC = "kathrine_npsc.source:NpscSource"
SETTINGS = {"validation_speakers": "any", "merge_seconds": 0.0}


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def own(tmp_path) -> Path:
    """A release of its own, for tests that change it."""
    return write_release(tmp_path / "own")


def run(root: Path, tmp_path: Path, wishes: dict | None = None, **options) -> dict:
    return run_source(NPSC, {"root": str(root), **SETTINGS, **options}, tmp_path / "workspace", **(wishes or {}))


def test_the_release_gives_the_utterances_of_the_day_files(release, tmp_path):
    told = run(release, tmp_path)
    days = run_source(NPSC, {"root": str(SAMPLE), **SETTINGS}, tmp_path / "days")
    assert [u["id"] for u in told["utterances"]] == [u["id"] for u in days["utterances"]]
    for found, expected in zip(told["utterances"], days["utterances"], strict=True):
        assert found | {"audio": "", "facts": {}} == expected | {"audio": "", "facts": {}}
    assert any("session folders" in line for line in told["said"])
    assert any("1 clip missing from NPSC_1_1/20200114/audio/" in line for line in told["warned"])


def test_clips_are_used_where_they_lie_with_gender_and_dialect(release, tmp_path):
    told = run(release, tmp_path)
    first = next(u for u in told["utterances"] if u["speaker"] == "npsc-24")
    assert Path(first["audio"]).is_relative_to(release)
    assert soundfile.info(first["audio"]).samplerate == 48000 and soundfile.info(first["audio"]).channels == 2
    assert (first["facts"]["gender"], first["facts"]["dialect"]) == ("male", "Trøndelag")
    assert not list((tmp_path / "workspace").rglob("*.wav"))


@pytest.mark.parametrize("inner", ["", "NPSC_1_1"])
def test_the_folder_of_the_release_or_the_one_around_it_may_be_named(release, tmp_path, inner):
    assert len(run(release / inner, tmp_path, layout="release")["utterances"]) == 50


def test_dialects_are_a_filter_without_regard_to_case(release, tmp_path):
    told = run(release, tmp_path, dialects=["eastern NORWAY", "Trøndelag"])
    assert {u["speaker"] for u in told["utterances"]} == {"npsc-11", "npsc-24", "npsc-68"}
    assert any("another dialect" in line for line in told["said"])
    refused = run(release, tmp_path, dialects=["Østlandet"])
    assert "Østlandet" in refused["error"] and "Northern Norway" in refused["hint"]


def test_the_speaker_file_joins_the_day_files_by_speaker_id(tmp_path):
    people = write_speakers(tmp_path / "speakers.json", {24: ("male", "Trøndelag"), 52: ("male", "")})
    told = run(SAMPLE, tmp_path, dialects=["trøndelag"], speaker_data=str(people))
    assert {u["speaker"] for u in told["utterances"]} == {"npsc-24"}
    assert any("dialect not known" in line for line in told["said"])


@pytest.mark.parametrize("asked", [{"dialects": ["Trøndelag"]}, {"balance_gender": True}])
def test_without_a_speaker_file_dialect_and_balance_are_refused_with_the_remedy(tmp_path, asked):
    told = run(SAMPLE, tmp_path, **asked)
    assert next(iter(asked)) in told["error"] and "speaker_data" in told["hint"]
    at_check = run(Path("NbAiLab/NPSC"), tmp_path, **asked)  # the real repository is known to have none
    assert next(iter(asked)) in at_check["error"] and "speaker_data" in at_check["error"]


@pytest.mark.parametrize(("content", "expected"), [("{", "no JSON"), ("[]", "no list of speakers"), (None, "no file")])
def test_a_speaker_file_that_is_none_is_refused(tmp_path, content, expected):
    path = tmp_path / "speakers.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    told = run(SAMPLE, tmp_path, dialects=["Trøndelag"], speaker_data=str(path))
    assert expected in told["error"] and str(path) in told["error"]


def test_women_and_men_speak_equally_long_at_every_point(release, tmp_path):
    told = run(release, tmp_path, balance_gender=True)
    said = {"female": 0.0, "male": 0.0}
    (missing,) = [line.rsplit("_", 2)[1:] for line in told["warned"] if "clip missing" in line]
    unheard = (int(missing[1]) - int(missing[0])) / 1000  # planned, and not there
    longest = max(u["seconds"] for u in told["utterances"])
    for utterance in (u for u in told["utterances"] if u["split"] == "train" and "<ina" not in u["texts"]["text"]):
        said[utterance["facts"]["gender"]] += utterance["seconds"]
        assert abs(said["female"] - said["male"]) <= longest + unheard
    assert min(said.values()) > 30
    assert any("balanced: " in line and "h of women" in line for line in told["said"])
    assert any("more speech of women than balance allows" in line for line in told["said"])


def test_a_variant_may_come_from_the_normalised_file_or_be_absent(own, tmp_path):
    texts = {u["id"]: u["texts"] for u in run(own, tmp_path)["utterances"]}
    assert any("20 kommuner" in t["normsentence_text"] and "tjue" in t["text"] for t in texts.values())
    fields = {"text": "sentence_text", "standard": "standardized_text"}
    standard = run(own, tmp_path, fields=fields, config="48K_mp3_nynorsk")["utterances"]
    assert standard[0]["texts"]["standard"] == standard[0]["texts"]["text"]
    for path in own.rglob("*_normalized_token_data.json"):
        path.unlink()
    assert all("normsentence_text" not in u["texts"] for u in run(own, tmp_path)["utterances"])


def test_what_is_wrong_with_a_session_is_said_with_its_place(own, tmp_path):
    before = len(run(own, tmp_path)["utterances"])
    path = own / "NPSC_1_1" / "20200107" / "20200107_sentence_data.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["sentences"][1]["audio_file"] = "../../../etc/passwd.wav"
    del content["sentences"][3]["audio_file"]
    path.write_text(json.dumps(content), encoding="utf-8")
    other = own / "NPSC_1_1" / "20200114" / "20200114_sentence_data.json"
    other.write_text(other.read_text(encoding="utf-8").replace('"data_split": "train"', '"data_split": "tran"'))
    (own / "NPSC_1_1" / "20200121" / "20200121_sentence_data.json").write_text("[1]", encoding="utf-8")
    told = run(own, tmp_path)
    (warning,) = [line for line in told["warned"] if "4 rows of the session files are left out" in line]
    for expected in ("sentence 2: audio_file", "sentence 4: no text", "data_split 'tran'", "no JSON object"):
        assert expected in warning
    assert 0 < len(told["utterances"]) < before


def test_a_clip_that_changed_is_listened_to_again(own, tmp_path):
    cut = next(u for u in run(own, tmp_path)["utterances"] if u["cut"])
    wave, rate = soundfile.read(cut["audio"])
    wave[-rate // 5 :] = 0
    soundfile.write(cut["audio"], wave, rate)
    again = {u["id"]: u for u in run(own, tmp_path)["utterances"]}
    assert not again[cut["id"]]["cut"]


def test_a_variant_that_starts_with_a_wrong_token_file_is_said(own, tmp_path):
    path = own / "NPSC_1_1" / "20200107" / "20200107_normalized_token_data.json"
    path.write_text('{"sentences": 3}', encoding="utf-8")
    told = run(own, tmp_path)
    assert any(path.name in line and "no list 'sentences'" in line for line in told["warned"])
    assert len(told["utterances"]) == 50
