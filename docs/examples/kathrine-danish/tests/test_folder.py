"""The source keeps its contract, and says what is wrong with a folder."""

import kathrine
import numpy as np
import pytest
import soundfile
from kathrine.testing import check_source, workspace

from kathrine_danish.folder import DanishFolder


@pytest.fixture
def folder(tmp_path):
    for speaker in ("karen", "søren"):
        (tmp_path / speaker).mkdir()
        for number in (1, 2):
            soundfile.write(tmp_path / speaker / f"{number}.wav", np.zeros(2400, np.float32), 24000)
            (tmp_path / speaker / f"{number}.txt").write_text("God dag.", encoding="utf-8")
    return tmp_path


def source(folder):
    return DanishFolder(DanishFolder.Options(folder=str(folder)), "mine")


def test_it_keeps_the_contract_of_a_source(folder):
    with workspace() as place:
        found = check_source(source(folder), place)
    assert [one.id for one in found] == ["karen-1", "karen-2", "søren-1", "søren-2"]
    assert {one.text for one in found} == {"God dag."} and {one.language for one in found} == {"da"}


def problem(folder):
    with workspace() as place, pytest.raises(kathrine.KathrineError) as caught:
        check_source(source(folder), place)
    return str(caught.value)


def test_it_says_what_is_wrong(folder):
    assert "is no folder" in problem(folder / "elsewhere")
    assert "no recordings in" in problem(folder / "karen")
    (folder / "karen" / "1.txt").unlink()
    (folder / "søren" / "2.txt").unlink()
    said = problem(folder)
    assert "karen/1.wav" in said and "søren/2.wav" in said
