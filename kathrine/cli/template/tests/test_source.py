"""The source keeps the contract of its kind, and says what it can not read."""

from pathlib import Path

import kathrine
import pytest
from kathrine.testing import check_source, workspace

import kathrine_newname
from kathrine_newname.source import NewNameSource

SAMPLES = Path(kathrine_newname.__file__).parent / "recipes" / "samples"


def source(folder: Path) -> NewNameSource:
    return NewNameSource(NewNameSource.Options(folder=str(folder)))


def test_it_keeps_the_contract_of_a_source() -> None:
    with workspace() as place:
        utterances = check_source(source(SAMPLES), place)
    assert len(utterances) == len(list(SAMPLES.glob("*/*.txt")))
    assert {one.speaker for one in utterances} == {folder.name for folder in SAMPLES.iterdir()}


def test_a_recording_without_a_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "0001.wav").write_bytes(b"")
    with workspace() as place, pytest.raises(kathrine.KathrineError, match=r"no text: anna/0001\.wav"):
        check_source(source(tmp_path), place)
