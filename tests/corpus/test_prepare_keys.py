"""Every part of every key: changed alone, exactly what depends on it is made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
from corpus_fakes import FakeFamily, Shouting, prepared, recipe, speech, utterances

from kathrine.types import Utterance

COUNT = 8


def made_again(
    root: Path, given: list[Utterance], version: str = "1", table: Any = None, **prints: str
) -> dict[str, int]:
    """What a prepare in the workspace `root` computes."""
    family, language = FakeFamily(**prints), Shouting(version)
    prepared(root, recipe(given, family=family, language=language, table=table))
    counts = {name: family.calls[name] for name in ("encode", "speaker", "tokenise")}
    return {**counts, "normalise": language.calls}


NOTHING = {"encode": 0, "speaker": 0, "tokenise": 0, "normalise": 0}
AUDIO = {"encode": COUNT, "speaker": COUNT}
TEXT = {"tokenise": COUNT, "normalise": COUNT}


@pytest.fixture
def given(tmp_path: Path) -> list[Utterance]:
    made = [replace(each, start=0.0) for each in utterances(tmp_path / "audio", COUNT)]
    assert made_again(tmp_path / "ws", made) == AUDIO | TEXT
    assert made_again(tmp_path / "ws", made) == NOTHING
    return made


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"codec": "codec-2"}, {"encode": COUNT}),
        ({"speaker": "speaker-2"}, {"speaker": COUNT}),
        ({"text": "text-2"}, TEXT),
        ({"version": "2"}, TEXT),
        ({"table": {"trim": False}}, AUDIO),
        ({"table": {"trim_db": 40.0}}, AUDIO),
        ({"table": {"pad_ms": 60.0}}, AUDIO),
        ({"table": {"highpass_hz": 0.0}}, AUDIO),
        ({"table": {"loudness_lufs": -20.0}}, AUDIO),
        ({"table": {"peak_db": -3.0}}, AUDIO),
        ({"table": {"max_seconds": 14.0}}, {}),
        ({"table": {"batch": 3, "batch_seconds": 2.0}}, {}),
        ({"table": {"tags": "reject"}}, {}),
    ],
)
def test_one_change_of_the_recipe(
    given: list[Utterance], tmp_path: Path, change: dict[str, Any], expected: dict[str, int]
) -> None:
    assert made_again(tmp_path / "ws", given, **change) == NOTHING | expected
    # And what was there before is there still.
    assert made_again(tmp_path / "ws", given) == NOTHING


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda row: replace(row, start=0.05), {"encode": 1, "speaker": 1}),
        (lambda row: replace(row, end=0.75), {"encode": 1, "speaker": 1}),
        (lambda row: replace(row, texts={"text": "noe annet blir sagt"}), {"tokenise": 1, "normalise": 1}),
        (lambda row: replace(row, cut=True), {"tokenise": 1, "normalise": 1}),
        (lambda row: replace(row, speaker="s1"), {}),
        (lambda row: replace(row, id="renamed"), {}),
        (lambda row: replace(row, language="other"), {}),
    ],
)
def test_one_change_of_a_row(
    given: list[Utterance], tmp_path: Path, edit: Callable[[Utterance], Utterance], expected: dict[str, int]
) -> None:
    assert made_again(tmp_path / "ws", [edit(given[0]), *given[1:]]) == NOTHING | expected


def test_a_changed_recording_is_encoded_again_and_a_moved_one_is_not(given: list[Utterance], tmp_path: Path) -> None:
    path = given[2].audio
    assert path is not None
    moved = path.rename(tmp_path / "moved.wav")
    rows = [replace(row, audio=moved) if row is given[2] else row for row in given]
    assert made_again(tmp_path / "ws", rows) == NOTHING
    soundfile.write(moved, speech(0.9, 99), 8000)
    assert made_again(tmp_path / "ws", rows) == NOTHING | {"encode": 1, "speaker": 1}


def test_a_new_row_costs_one_row(given: list[Utterance], tmp_path: Path) -> None:
    more = utterances(tmp_path / "audio", COUNT + 1)[COUNT]
    assert made_again(tmp_path / "ws", [more, *given]) == {
        "encode": 1,
        "speaker": 1,
        "tokenise": 1,
        "normalise": 1,
    }


def test_texts_are_made_once_for_two_entries(tmp_path: Path) -> None:
    given = utterances(tmp_path / "audio", COUNT)
    family = FakeFamily()
    prepared(tmp_path / "ws", recipe(given, given, family=family))
    assert family.calls["encode"] == family.calls["speaker"] == family.calls["tokenise"] == COUNT
