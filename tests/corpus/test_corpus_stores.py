"""Stores, files and manifests: what is written is complete, and what is broken is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kathrine.corpus.files import locked, write_atomically, write_json
from kathrine.corpus.manifest import check_utterances, read_manifest, write_manifest
from kathrine.corpus.stores import COLUMNS, Store
from kathrine.errors import KathrineError
from kathrine.types import Utterance


def codes_store(folder: Path) -> Store:
    return Store(folder / "codes", COLUMNS["codes"])


def test_store_keeps_what_was_flushed(tmp_path: Path) -> None:
    store = codes_store(tmp_path)
    for number in range(1200):
        store.add(f"key{number}", codes=np.full(6, number, np.int16), frames=2)
    assert "key7" in store and "key1199" in store and len(store) == 1200
    assert len(list((tmp_path / "codes").glob("*.parquet"))) == 2
    np.testing.assert_array_equal(store.many(["key1199"])["key1199"]["codes"], [1199] * 6)
    store.flush()
    again = codes_store(tmp_path)
    found = again.many(["key3", "key1100", "absent"])
    assert sorted(found) == ["key1100", "key3"]
    assert found["key1100"]["codes"].dtype == np.int16 and found["key1100"]["codes"].tolist() == [1100] * 6
    assert set(again.keys()) == {f"key{number}" for number in range(1200)}


def test_store_keeps_the_first_value_and_loses_what_was_not_flushed(tmp_path: Path) -> None:
    store = codes_store(tmp_path)
    store.add("a", codes=np.zeros(4, np.int16), frames=1)
    store.flush()
    store.add("a", codes=np.ones(4, np.int16), frames=1)
    store.add("b", codes=np.ones(4, np.int16), frames=1)
    assert store.many(["a"])["a"]["codes"].tolist() == [0, 0, 0, 0]
    assert "b" not in codes_store(tmp_path)


def test_half_a_shard_is_cleared_away_and_a_damaged_one_named(tmp_path: Path) -> None:
    store = codes_store(tmp_path)
    store.add("a", codes=np.zeros(4, np.int16), frames=1)
    store.flush()
    (tmp_path / "codes" / ".000001.parquet.tmp").write_bytes(b"half")
    assert "a" in codes_store(tmp_path)
    assert [path.name for path in (tmp_path / "codes").iterdir()] == ["000000.parquet"]
    (tmp_path / "codes" / "000000.parquet").write_bytes(b"damaged")
    with pytest.raises(KathrineError, match=r"000000\.parquet is damaged"):
        codes_store(tmp_path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_json(path, {"b": 1, "a": "å"})
    before = path.read_bytes()

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_bytes() == before


HOLDER = """
import sys, time
from pathlib import Path
from kathrine.corpus.files import locked
with locked(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_is_waited_for_and_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    said: list[str] = []

    def say(message: str) -> None:
        said.append(message)
        os.kill(holder.pid, signal.SIGKILL)

    began = time.monotonic()
    with locked(path, say):
        assert time.monotonic() - began < 30
    assert len(said) == 1 and f"process {holder.pid}" in said[0]
    holder.wait()
    holder.stdout.close()


# --------------------------------------------------------------------------- manifests

GOOD = Utterance(
    "a",
    Path("/audio/a.wav"),
    {"text": "hei", "digits": "1"},
    "s",
    split="train",
    start=1.0,
    end=2.5,
    cut=True,
)


def test_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    codes = Utterance("b", None, {"text": "på"}, "s", "norwegian", codes=((1, 2), (3, 4)), facts={"licence": "CC0"})
    write_manifest(tmp_path / "m.jsonl", [GOOD, codes])
    assert list(read_manifest(tmp_path / "m.jsonl")) == [GOOD, codes]


def test_every_bad_line_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    write_manifest(path, [GOOD, GOOD])
    with path.open("a") as file:
        file.write('{"id": 3\n\n{"id": "c", "audio": "c.wav", "speaker": "s"}\n')
        file.write('{"id": "d", "text": "x", "speaker": "", "split": "dev"}\n')
    with pytest.raises(KathrineError) as error:
        list(read_manifest(path))
    told = str(error.value)
    assert "m.jsonl:2: this id was there before" in told
    assert "m.jsonl:3: not JSON" in told and "m.jsonl:5: a field is missing" in told
    assert "m.jsonl:6: no speaker" in told and "m.jsonl:6: split 'dev'" in told


def test_a_source_that_breaks_the_contract_is_named() -> None:
    bad = Utterance("__x", None, {"written": "hei"}, "s", start=2.0, end=1.0)
    with pytest.raises(KathrineError) as error:
        list(check_utterances([GOOD, GOOD, bad], "mine"))
    told = str(error.value)
    assert "the source mine" in told and "row 2 (a): this id was there before" in told
    assert "row 3 (__x): no text variant 'text'" in told and "kept for kathrine" in told and "is empty" in told
