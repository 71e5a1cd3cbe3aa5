"""Rows: which key says what, which of them are taken, and what is told of those that can not be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import layouts
import pytest
from layouts import read, sound, write_lines
from source_client import run_source

from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress


def test_rows_with_problems_are_refused_or_left_out_and_counted(tmp_path: Path) -> None:
    top = layouts.ljspeech(tmp_path / "top")
    lines = (top / "metadata.csv").read_text().splitlines()
    write_lines(
        top / "metadata.csv", *lines, "LJ004", "LJ005|a|b|c", "LJ000|igjen|igjen", "LJ009|borte|borte", "LJ001||"
    )
    with pytest.raises(KathrineError) as error:
        read(top, tmp_path / "ws")
    for line in (
        "4 mistakes in the manifest",
        "metadata.csv:5: 1 columns instead of id|text or id|text|normalised",
        "metadata.csv:6: 4 columns",
        "metadata.csv:7: the id 'LJ000' stands in line 1 already",
        "metadata.csv:9: the id 'LJ001' stands in line 2 already",
    ):
        assert line in str(error.value), line
    assert 'on_problem = "leave_out"' in error.value.hint
    progress = SilentProgress()
    found = read(top, tmp_path / "ws", progress, on_problem="leave_out")
    assert len(found) == 5  # a recording that is missing goes on: prepare counts it
    assert "9 rows, 5 problems" in progress.said[0]
    assert progress.warned[0].startswith("manifest: 4 of 9 rows are left out:\n  metadata.csv:5: 1 columns")
    assert progress.warned[1].startswith(
        "manifest: 1 recording does not exist\n  metadata.csv:8: there is no recording"
    )


def test_the_source_counts_the_rows_that_it_leaves_out(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    rows = [{"audio": "a.wav", "text": "Ja"}, {"audio": "a.wav", "text": "Nei"}, {"lyd": "b"}]
    path = write_lines(tmp_path / "m.jsonl", *rows)
    told = run_source(
        "kathrine_manifest.source:Manifest",
        {"path": str(path), "on_problem": "leave_out", "skip_texts": ["Nei"]},
        tmp_path / "ws",
    )
    assert [one["texts"] for one in told["utterances"]] == [{"text": "Ja"}]
    assert told["left_out"] == {"mistake in the row": 1, "by skip_texts": 1}


def test_more_bad_rows_than_good_ones_are_refused_whatever_is_said(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "m.jsonl", {"audio": "a.wav", "text": "Ja"}, {"lyd": "a"}, {"lyd": "b"})
    with pytest.raises(KathrineError, match=r"2 of 3 rows can not be read") as error:
        read(path, tmp_path / "ws", on_problem="leave_out")
    assert "lyd" in error.value.hint


def test_empty_texts_and_missing_recordings_are_told_with_their_line(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    rows = [{"audio": "a.wav", "text": " "}, {"audio": "b.wav", "text": "Ja"}, {"audio": "c.wav", "text": "Nei"}]
    path = write_lines(tmp_path / "m.jsonl", *rows)
    progress = SilentProgress()
    assert len(read(path, tmp_path / "ws", progress)) == 3
    missing, empty = progress.warned[:2]
    assert "2 recordings do not exist" in missing and f"m.jsonl:2: there is no recording {tmp_path}/b.wav" in missing
    assert "1 text is empty" in empty and "m.jsonl:1: the text is empty" in empty
    (tmp_path / "a.wav").unlink()
    progress = SilentProgress()
    read(path, tmp_path / "ws", progress)
    assert "none of them does" in progress.warned[0] and "option root" in progress.warned[0]


def test_rows_can_be_chosen_by_value_and_by_text(tmp_path: Path) -> None:
    rows = [
        {"audio": f"{n}.wav", "text": text, "form": form}
        for n, (text, form) in enumerate([("Ja", "bm"), ("Nei \\Komma", "bm"), ("Jau", "nn"), ("Nei", "bm")])
    ]
    path = write_lines(tmp_path / "m.jsonl", *rows)
    progress = SilentProgress()
    found = read(path, tmp_path / "ws", progress, only={"form": ["bm"]}, skip_texts=[r"\\"])
    assert [u.text for u in found] == ["Ja", "Nei"]
    assert "1 left out by only, 1 left out by skip_texts" in progress.said[0]
    with pytest.raises(KathrineError, match=r"no row is left") as error:
        read(path, tmp_path / "ws", only={"from": ["bm"]})
    assert "audio, text, form" in error.value.hint


def test_a_key_may_put_several_together(tmp_path: Path) -> None:
    sound(tmp_path / "p1_a.wav")
    path = write_lines(tmp_path / "m.jsonl", {"pid": "p1", "file": "a.wav", "text": "Ja"}, {"pid": "p2", "text": "Nei"})
    with pytest.raises(KathrineError, match=r"m.jsonl:2: neither '{pid}_{file}' nor 'audio_codes'"):
        read(path, tmp_path / "ws", keys={"audio": "{pid}_{file}"})
    write_lines(path, {"pid": "p1", "file": "a.wav", "text": "Ja"})
    assert read(path, tmp_path / "ws", keys={"audio": "{pid}_{file}"})[0].audio == tmp_path / "p1_a.wav"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"audio_path": "0.wav", "text": "Ja", "ref_audio_path": "1.wav"},
            "audio from audio_path, reference from ref_",
        ),
        ({"audio_filepath": "0.wav", "sentence": "Ja", "reference_audio": "1.wav"}, "audio from audio_filepath, refer"),
        (
            {"path": "0.wav", "transcript": "Ja", "reference": "1.wav", "lang": "nb"},
            "audio from path, language from lang",
        ),
        ({"audio": {"path": "0.wav"}, "transcription": "Ja", "ref_audio": "1.wav"}, "text from transcription"),
    ],
)
def test_keys_of_the_official_trainers_forks(row: dict, said: str, tmp_path: Path) -> None:
    for number in range(2):
        sound(tmp_path / f"{number}.wav", number)
    progress = SilentProgress()
    (found,) = read(write_lines(tmp_path / "m.jsonl", row), tmp_path / "ws", progress)
    assert (found.audio, found.reference, found.text) == (tmp_path / "0.wav", tmp_path / "1.wav", "Ja")
    assert any(line.startswith(f"manifest: {said}") for line in progress.said), progress.said
    with pytest.raises(KathrineError, match=r"no 'tekst'"):
        read(tmp_path / "m.jsonl", tmp_path / "ws", keys={"text": "tekst"})  # what is named wins, also when it is wrong


def test_codes_may_be_flat_and_under_another_key(tmp_path: Path) -> None:
    rows = [
        {"text": "Ja", "codes": [1, 2, 3, 4]},
        {"text": "Nei", "audio_codes": [[1, 2], [3, 4]], "ref_audio": "r.wav"},
    ]
    sound(tmp_path / "r.wav")
    found = read(write_lines(tmp_path / "m.jsonl", *rows), tmp_path / "ws")
    assert [u.codes for u in found] == [((1, 2, 3, 4),), ((1, 2), (3, 4))]


def test_rows_without_a_speaker_are_by_one_or_each_by_somebody(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "m.jsonl", *[{"audio": f"{n}.wav", "text": "Ja", "id": f"u{n}"} for n in range(2)])
    assert [u.speaker for u in read(path, tmp_path / "ws", speaker="ola")] == ["ola", "ola"]
    assert [u.speaker for u in read(path, tmp_path / "ws", no_speaker="each")] == ["u0", "u1"]


def test_the_licence_of_a_card_is_told_unless_the_recipe_names_one(tmp_path: Path) -> None:
    top = layouts.jsonl(tmp_path / "top")
    write_lines(top / "README.md", "---", "license: cc0-1.0", "---", "# En samling")
    assert {u.facts["licence"] for u in read(top, tmp_path / "ws")} == {"cc0-1.0"}
    assert {u.facts["licence"] for u in read(top, tmp_path / "ws", licence="mine")} == {"mine"}


def test_what_is_no_number_in_a_table_is_told(tmp_path: Path) -> None:
    top = layouts.audiofolder(tmp_path / "top")
    write_lines(top / "train" / "metadata.csv", "file_name,text,duration", "clips/0.mp3,Ja,2.0", "clips/1.mp3,Nei,kort")
    shutil.rmtree(top / "validation")
    with pytest.raises(
        KathrineError, match=r"train/metadata.csv:3: 'duration' has to be a number of seconds, not \"kort"
    ):
        read(top, tmp_path / "ws")
    write_lines(top / "train" / "metadata.csv", "file_name,text", "clips/0.mp3,Ja", "clips/1.mp3,Nei,mer")
    with pytest.raises(KathrineError, match=r"train/metadata.csv:3: 3 columns, the header has 2"):
        read(top, tmp_path / "ws")
