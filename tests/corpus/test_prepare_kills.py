"""Prepare killed at any moment, with SIGKILL, loses nothing and doubles nothing.

A child process prepares and kills itself at the n-th event of a seeded choice: a rename, a flush to the disk,
a batch of codes, an embedding, or any line of code (a timer). Then another one finishes. The corpus has to
equal the unbroken one byte for byte, file by file, and what was encoded must not be encoded again but for
what was not on the disk yet."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from corpus_fakes import FakeFamily, FakeRecipe, Shouting, prepared, recipe, utterances

from kathrine.corpus import assemble, encode, measure, stores
from kathrine.corpus.listing import Listing
from kathrine.corpus.merging import find_shards, merge
from kathrine.corpus.shards import prepare_shard, shard_folder
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.types import Part
from kathrine.workspace import Workspace
from kathrine_npsc.source import NpscOptions, NpscSource

COUNT, KILLS = 60, 20


def corpus_bytes(root: Path) -> dict[str, str]:
    """Hashes of all files of all prepared corpora in a workspace."""
    folders = sorted((root / "corpus").glob("prepared-*"))
    assert len(folders) == 1
    files = sorted(folders[0].iterdir())
    return {f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def child(root: Path, given: Any, kill_at: int | None, event: str, seconds: float = 0.0) -> dict[str, int] | None:
    """Prepare in a child process; what it computed, or None where it was killed."""
    result = root.with_suffix(".json")
    result.unlink(missing_ok=True)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _prepare_and_die(root, given, kill_at, event, seconds, result)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert os.WEXITSTATUS(status) == 0
    counts: dict[str, int] = json.loads(result.read_text())
    return counts


def _prepare_and_die(root: Path, given: Any, kill_at: int | None, event: str, seconds: float, result: Path) -> None:
    left = [kill_at if kill_at is not None else -1]

    def counted(name: str, call: Any) -> Any:
        def wrapped(*args: Any, **more: Any) -> Any:
            if name == event:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **more)

        return wrapped

    family = FakeFamily()
    os.replace = counted("rename", os.replace)  # type: ignore[assignment]
    os.fsync = counted("sync", os.fsync)  # type: ignore[assignment]
    encode.Encoders.codes = counted("codes", encode.Encoders.codes)  # type: ignore[method-assign]
    encode.Encoders.embedding = counted("embedding", encode.Encoders.embedding)  # type: ignore[method-assign]
    if event == "timer":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    prepared(root, recipe(given[:40], given[40:], family=family, language=Shouting()))
    signal.setitimer(signal.ITIMER_REAL, 0)
    result.write_text(json.dumps(family.calls))


@pytest.mark.slow
def test_twenty_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = utterances(tmp_path / "audio", COUNT)
    # Many small writes: many places to die at. Flushing after every batch bounds what may be encoded twice.
    monkeypatch.setattr(measure, "CHUNK", 8)
    monkeypatch.setattr(stores, "FLUSH_ROWS", 16)
    monkeypatch.setattr(encode, "FLUSH_SECONDS", 0.0)
    whole = child(tmp_path / "whole", given, None, "")
    assert whole is not None and whole["encode"] == whole["speaker"] == COUNT
    wanted = corpus_bytes(tmp_path / "whole")
    assert len(wanted) == 8

    chance = random.Random(1234)
    most = {"rename": 36, "sync": 36, "codes": 17, "embedding": COUNT, "timer": 0}
    killed = 0
    for number in range(KILLS):
        root = tmp_path / f"killed{number}"
        event = chance.choice(list(most))
        at, seconds = chance.randint(1, most[event] or 1), chance.uniform(0.01, 0.5)
        # Killed twice: the second time at another place of what is left.
        for _ in range(2):
            counts = child(root, given, at, event, seconds)
            killed += counts is None
            at, seconds = chance.randint(1, most[event] or 1), chance.uniform(0.01, 0.5)
        counts = child(root, given, None, "")
        assert counts is not None, (event, at)
        assert corpus_bytes(root) == wanted, (event, at, seconds)
        assert not list((root / "corpus").rglob("*.tmp"))
        assert counts.get("encode", 0) <= COUNT
    assert killed >= KILLS


def test_what_was_flushed_before_a_kill_is_not_encoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "FLUSH_SECONDS", 0.0)
    given = utterances(tmp_path / "audio", COUNT)
    # Batches of four, 40 and 20 utterances in one window of 60: the tenth batch dies, nine are on the disk.
    assert child(tmp_path / "ws", given, 10, "codes") is None
    counts = child(tmp_path / "ws", given, None, "")
    assert counts is not None and counts["encode"] == COUNT - 36
    assert counts["speaker"] == COUNT - 36 and "tokenise" not in counts


# --------------------------------------------------------------------------- every stage


def made_for(stage: str, folder: Path) -> FakeRecipe:
    """A recipe whose recordings are listened to in two processes; to be killed in its fetch, the bundled sample through
    its real source, which unpacks archives."""
    table = {"workers": 2, "min_letters_per_second": 0.1}
    if stage != "fetch":
        return recipe(utterances(folder / "audio", 24), table=table)
    made = recipe([], table=table)
    made.data[0].source = NpscSource(NpscOptions(root="kathrine:npsc", validation_speakers="any"))  # type: ignore[assignment]
    return made


def run_killed(work: Callable[[], object], target: Any, name: str, at: int) -> bool:
    """Do the work in a child process that kills itself when target.name is called for the at-th time; whether that
    came about."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            called, left = getattr(target, name), [at]

            def counted(*args: Any, **more: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return called(*args, **more)

            setattr(target, name, counted)
            work()
            status = 0
        finally:
            os._exit(status)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


STAGES = {
    "fetch": (Path, "replace", (2,)),
    "measure": (measure.Sound, "__init__", (12,)),
    "encode": (encode.Encoders, "codes", (4,)),
    "assemble": (assemble, "_examples", (2,)),
    "card": (assemble, "dataset_card", (1,)),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_in_each_stage_loses_nothing(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CHUNK", 8)
    monkeypatch.setattr(encode, "FLUSH_SECONDS", 0.0)
    whole = prepared(tmp_path / "whole", made_for(stage, tmp_path))
    wanted = {path.name: path.read_bytes() for path in whole.folder.iterdir() if path.name != "manifest.jsonl"}
    target, name, places = STAGES[stage]
    for at in places:
        root = tmp_path / f"at{at}"
        made = made_for(stage, tmp_path)
        assert run_killed(lambda root=root, made=made: prepared(root, made), target, name, at)  # type: ignore[misc]
        corpus = prepared(root, made)
        assert {path.name: path.read_bytes() for path in corpus.folder.iterdir() if path.name in wanted} == wanted
        assert not list(root.rglob("*.tmp")) and not list(root.rglob("*.part"))
        # What a batch made is on the disk before the next one begins.
        kept = {"fetch": 0, "measure": 0, "encode": 4 * (at - 1)}.get(stage, len(corpus.rows))
        assert made.model.calls["encode"] == len(corpus.rows) - kept


def test_a_killed_shard_and_a_killed_merge_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "FLUSH_SECONDS", 0.0)
    given = utterances(tmp_path / "audio", 36)
    whole = prepared(tmp_path / "whole", recipe(given))
    folders = []
    for number in (1, 2, 3):
        workspace, family = Workspace(tmp_path / f"m{number}"), FakeFamily()
        part = Part(number, 3)

        def work(workspace: Workspace = workspace, family: FakeFamily = family, part: Part = part) -> None:
            prepare_shard(recipe(given, family=family), workspace, SilentProgress(), part)  # type: ignore[arg-type]

        # Three batches of four: the third is begun, two are on the disk.
        if number == 2:
            assert run_killed(work, encode.Encoders, "codes", 3)
            with pytest.raises(KathrineError, match="holds no finished shard"):
                find_shards([shard_folder(workspace, part)])
        work()
        assert family.calls["encode"] == (4 if number == 2 else 12)
        folders.append(shard_folder(workspace, part))

    root = Workspace(tmp_path / "merged")

    def join() -> None:
        merge(recipe(given), root, SilentProgress(), folders)  # type: ignore[arg-type]

    for at in (2, 5, 3):
        assert run_killed(join, stores, "write_atomically", at)
    assert run_killed(join, Listing, "join", 1)
    join()
    family = FakeFamily()
    joined = prepared(root.root, recipe(given, family=family))
    assert joined.fingerprint == whole.fingerprint and not family.calls["encode"]
    codes = pq.read_table(sorted((root.corpus / "codes").glob("*.parquet")), columns=["key"])["key"].to_pylist()
    assert len(codes) == len(set(codes)) == 36
