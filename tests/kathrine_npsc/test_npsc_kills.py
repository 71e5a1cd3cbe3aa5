"""A source killed with SIGKILL in the middle of each stage: the next run ends as an unbroken one, and fetches nothing
that was complete."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import source_client
from npsc_fixtures import write_export, write_release, write_script_repository
from servers.hub import Hub

from kathrine.datafiles import bundled_sample

REPO = "NbAiLab/NPSC"
NPSC = "kathrine_npsc.source:NpscSource"
SETTINGS = {"validation_speakers": "any"}

DIE = """
import json, os, signal, sys
import soundfile
where, count, request = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
calls = {"replace": (os, "replace"), "read": (soundfile, "read"), "write": (soundfile, "write"), "fsync": (os, "fsync")}
name, _, part = where.partition(":")
holder, attribute = calls[name]
real = getattr(holder, attribute)

def counted(*arguments, **more):
    global count
    if part in str(arguments):
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **more)

setattr(holder, attribute, counted)
from pathlib import Path
from source_client import run_source
run_source(request["component"], request["options"], Path(request["folder"]), **request["wishes"])
"""


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    return write_export(tmp_path_factory.mktemp("export"), ["48K_mp3_bokmaal"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> list[tuple]:
    """What an unbroken run gives, in every layout of mp3 clips."""
    options = {**SETTINGS, "root": "kathrine:npsc"}
    return ids_and_sounds(source_client.run_source(NPSC, options, tmp_path_factory.mktemp("whole")))


@pytest.fixture
def hub(tmp_path):
    with Hub() as server:
        server.folder = Path(shutil.copytree(bundled_sample("npsc"), tmp_path / "npsc"))
        server.add(REPO, server.folder)
        yield server


def request_in(folder: Path, **options) -> dict:
    return {"component": NPSC, "options": {**SETTINGS, **options}, "folder": str(folder), "wishes": {}}


def killed(environment: dict, request: dict, where: str, count: int) -> None:
    """Run until the count-th call of `where` (`function:part of its arguments`), and die there."""
    done = subprocess.run(
        [sys.executable, "-c", DIE, where, str(count), json.dumps(request)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    an_hour_passes(Path(request["folder"]))


def killed_while_it_waits(hub: Hub, request: dict, tmp_path: Path) -> None:
    """Run until the Hub has stalled, and kill it in the middle of that download."""
    process = subprocess.Popen(
        [sys.executable, source_client.__file__, json.dumps(request)],
        env=hub.environment(tmp_path / "home"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert hub.stalled.wait(60)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    an_hour_passes(Path(request["folder"]))


def ids_and_sounds(told: dict) -> list[tuple]:
    assert "utterances" in told, told
    return [(u["id"], u["texts"], u["cut"], Path(u["audio"]).read_bytes()) for u in told["utterances"]]


def an_hour_passes(workspace: Path) -> None:
    """Half-written files are cleared away when they are old enough to be nobody's work."""
    for path in (workspace / "sources").rglob(".*.part"):
        os.utime(path, (1, 1))


def nothing_is_left_over(workspace: Path) -> bool:
    return not [path for path in (workspace / "sources").rglob("*") if path.name.endswith(".part")]


def ask(hub: Hub, folder: Path, home: Path, **options) -> dict:
    return source_client.ask_hub(hub.environment(home), NPSC, {**SETTINGS, **options}, folder, {})


@pytest.mark.parametrize(
    ("file", "keep"), [("data/train/20200114.json", 100), ("data/train/20200114_48K_mp3.tar.gz", 90_000)]
)
def test_killed_while_planning_or_downloading_days(hub, whole, tmp_path, file, keep):
    hub.stall(file, keep)
    killed_while_it_waits(hub, request_in(tmp_path / "workspace"), tmp_path)
    before = [name for name in hub.fetched() if name != file]
    hub.log.clear()
    told = ask(hub, tmp_path / "workspace", tmp_path / "home")
    assert ids_and_sounds(told) == whole and nothing_is_left_over(tmp_path / "workspace")
    assert file in hub.fetched() and not set(before) & set(hub.fetched())


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("read:", 5),  # in the middle of unpacking the first day
        ("replace:.part", 2),  # a day is unpacked, and has not its name yet
        ("read:", 53),  # the second clip of a joined utterance
        ("replace:.flac", 2),  # the second joined utterance is written, and has not its name yet
    ],
)
def test_killed_while_unpacking_or_joining(hub, whole, tmp_path, where, count):
    killed(hub.environment(tmp_path / "home"), request_in(tmp_path / "workspace"), where, count)
    kept = {
        path: path.stat().st_mtime_ns
        for path in (tmp_path / "workspace").rglob("index.json")
        if not path.parent.name.endswith(".part")
    }
    before = set(hub.fetched())
    hub.log.clear()
    told = ask(hub, tmp_path / "workspace", tmp_path / "home")
    assert ids_and_sounds(told) == whole and nothing_is_left_over(tmp_path / "workspace")
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert before and not before & set(hub.fetched())


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("replace:rows.jsonl", 2),  # the transcripts of the second file are not kept yet
        ("replace:.part", 12),  # after some files and row groups
        ("read:", 9),  # in the middle of a row group
    ],
)
def test_killed_while_reading_the_export(hub, whole, export, tmp_path, where, count):
    hub.add(REPO, write_script_repository(tmp_path / "script"))
    hub.add(REPO, export, revision="refs/convert/parquet")
    killed(hub.environment(tmp_path / "home"), request_in(tmp_path / "workspace"), where, count)
    kept = {
        path: path.stat().st_mtime_ns
        for pattern in ("index.json", "rows.jsonl")
        for path in (tmp_path / "workspace").rglob(pattern)
        if not path.parent.name.endswith(".part")
    }
    told = ask(hub, tmp_path / "workspace", tmp_path / "home")
    assert ids_and_sounds(told) == whole and nothing_is_left_over(tmp_path / "workspace")
    assert kept and kept == {path: path.stat().st_mtime_ns for path in kept}


def test_killed_while_listening_to_the_release(tmp_path):
    root = write_release(tmp_path / "release")
    options = {**SETTINGS, "root": str(root)}
    whole = ids_and_sounds(source_client.run_source(NPSC, options, tmp_path / "whole"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed(environment, request_in(tmp_path / "workspace", root=str(root)), "replace:release", 2)
    assert ids_and_sounds(source_client.run_source(NPSC, options, tmp_path / "workspace")) == whole
    assert nothing_is_left_over(tmp_path / "workspace")
