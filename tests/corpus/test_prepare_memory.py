"""Memory does not grow with the corpus: neither in the main process nor in its workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kathrine.corpus import keyindex
from kathrine.corpus.keyindex import KeyIndex
from kathrine.corpus.spool import Spool
from kathrine.types import Utterance

HERE = Path(__file__).parent


def run(kind: str, folder: Path, amount: int) -> tuple[int, int, float, float]:
    """Rows, frames, and peak memory (MB) of the main process and of the largest worker."""
    where = os.pathsep.join([str(HERE), *sys.path])
    done = subprocess.run(
        [sys.executable, str(HERE / "memory_runs.py"), kind, str(folder), str(amount)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": where, "OMP_NUM_THREADS": "1"},
    )
    rows, frames, main, workers = json.loads(done.stdout.splitlines()[-1])
    return rows, frames, main, workers


@pytest.mark.slow
def test_forty_times_the_samples_take_no_more_memory_than_ten_times(tmp_path: Path) -> None:
    few, _, small, small_worker = run("samples", tmp_path, 10)
    many, _, large, large_worker = run("samples", tmp_path, 40)
    assert few > 200 and many == 4 * few
    assert large - small < 50 and large_worker - small_worker < 50, (small, large, small_worker, large_worker)


@pytest.mark.slow
def test_ten_hours_take_no_more_memory_than_ten_minutes(tmp_path: Path) -> None:
    few, _, small, small_worker = run("minutes", tmp_path, 10)
    many, frames, large, large_worker = run("minutes", tmp_path, 600)
    assert (few, many) == (60, 3600) and frames > 3600 * 100
    # The audio alone would be 576 MB at this rate. What grows is what is known of each utterance.
    assert large - small < 60 and large_worker - small_worker < 50, (small, large, small_worker, large_worker)


def test_an_index_finds_every_key_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyindex, "LOOSE", 100)
    index = KeyIndex()
    for shard in range(7):
        index.add([f"key{shard}-{number}" for number in range(90)], shard)
    index.add(["key0-3", "new"], 9)
    assert len(index) == 7 * 90 + 1
    for shard in range(7):
        assert {index.find(f"key{shard}-{number}") for number in range(90)} == {shard}
    assert index.find("new") == 9 and index.find("key7-0") is None and index.find("") is None


def test_keys_that_share_half_of_their_number_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyindex, "LOOSE", 4)
    monkeypatch.setattr(keyindex, "_halves", lambda key: (7, int(key)))
    index = KeyIndex()
    for number in range(10):
        index.add([str(number)], number)
    assert [index.find(str(number)) for number in range(11)] == [*range(10), None]


def test_a_spooled_utterance_comes_back_as_it_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    first = Utterance(
        "a", Path("wav/å.wav"), {"text": "blåbær\n", "digits": "3"}, "s", start=0.1, end=0.30000000000000004
    )
    second = Utterance("b", None, {"text": ""}, "t", "norwegian", "test", cut=True, facts={"licence": "CC0"})
    places = [spool.add(first), spool.add(second)]
    assert [spool.read(place) for place in reversed(places)] == [second, first]
    assert not list(tmp_path.iterdir())
