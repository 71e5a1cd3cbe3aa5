"""The source killed with SIGKILL while it lists, fetches and cuts: nothing is lost, nothing is there twice.

A child process prepares; it is killed by the server, before the n-th answer or in the middle of a body, or by itself,
at the n-th rename or the n-th chapter. Then another one finishes. Its utterances have to be those of an unbroken run,
and each kill may cost one request at most: what was complete is never asked for again.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from librivox_shelf import fill, options_of, recording
from servers.librivox import LibrivoxServer
from source_client import run_source

from kathrine_librivox import chapters
from kathrine_librivox.catalogue import listing

CATALOGUE = "kathrine_librivox.catalogue_source:CatalogueSource"
NODE = "/nodes/smeden_librivox/smeden_02_lie.mp3"


class Child:
    """Runs the source in a child process. pid: of the one that runs now, for the server to kill."""

    def __init__(self, site: LibrivoxServer, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.pid = 0

    def run(self, patch: Callable[[], Any] = lambda: None) -> dict | None:
        """What the source told, or None where it was killed."""
        result = self.folder.with_suffix(".json")
        result.unlink(missing_ok=True)
        self.pid = 0
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                patch()
                told = run_source(CATALOGUE, options_of(self.site), self.folder)
                result.write_text(json.dumps(told), encoding="utf-8")
                status = 0
            finally:
                os._exit(status)
        self.pid = pid
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return None
        assert os.WEXITSTATUS(status) == 0
        return json.loads(result.read_text("utf-8"))

    def kill(self) -> None:
        while not self.pid:
            time.sleep(0.001)
        os.kill(self.pid, signal.SIGKILL)


def die_at(owner: Any, name: str, number: int) -> Callable[[], None]:
    """A patch by which the process kills itself at the n-th call of a function."""

    def patch() -> None:
        left, call = [number], getattr(owner, name)

        def counted(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **more)

        setattr(owner, name, counted)

    return patch


def bare(told: dict, folder: Path) -> list[dict]:
    """Utterances without what names the workspace or the server's port."""
    return [
        {**u, "audio": Path(u["audio"]).relative_to(folder).parts[3:], "facts": {**u["facts"], "url": ""}}
        for u in told["utterances"]
    ]


@pytest.fixture
def unbroken(whole) -> list[dict]:
    """The utterances of an unbroken run."""
    return bare(whole.told, whole.folder)


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 5)
    with LibrivoxServer() as server:
        server.largest_page = 5
        yield fill(server)


def finish(child: Child, unbroken: list[dict], kills: int) -> None:
    """A last run gives what an unbroken one gives, and few requests were made twice."""
    told = child.run()
    assert told is not None and bare(told, child.folder) == unbroken
    asked = Counter((request.path, request.query) for request in child.site.log if request.status < 300)
    assert sum(asked.values()) - len(asked) <= kills, asked
    for stem in ("smeden_01_lie", "smeden_02_lie", "smeden_03_lie"):
        sent = sum(r.sent for r in child.site.log if r.path == f"/nodes/smeden_librivox/{stem}.mp3")
        assert sent <= len(recording(stem)) * (1 + kills)
    assert not list(child.folder.rglob("*.mp3.part")) and not list(child.folder.rglob("pages-*"))
    count = len(child.site.log)
    again = child.run()
    assert again is not None and bare(again, child.folder) == unbroken and len(child.site.log) == count


def test_killed_while_listing(site, tmp_path, unbroken):
    child = Child(site, tmp_path / "ws")
    site.at("/api/", 3, child.kill)
    assert child.run() is None
    site.at("/api/", 6, child.kill)  # the last page, and then the books themselves
    assert child.run() is None
    offsets = [r.query.split("offset=")[1].split("&")[0] for r in site.log if "offset" in r.query]
    assert len(offsets) - len(set(offsets)) <= 2
    finish(child, unbroken, kills=2)


def test_killed_in_the_middle_of_a_body(site, tmp_path, unbroken):
    child = Child(site, tmp_path / "ws")
    half = len(recording("smeden_02_lie")) // 2

    def kill_when_some_is_written() -> None:
        while not any(path.stat().st_size for path in child.folder.rglob("smeden_02_lie.mp3.part")):
            time.sleep(0.001)
        child.kill()

    site.at(f"body:{NODE}", half, kill_when_some_is_written)
    assert child.run() is None
    before = len(site.log)
    part = next(child.folder.rglob("smeden_02_lie.mp3.part"))
    there = part.stat().st_size
    assert 0 < there <= half and recording("smeden_02_lie").startswith(part.read_bytes())
    finish(child, unbroken, kills=1)
    (request,) = [r for r in site.log[before:] if r.path == NODE]
    assert request.range == f"bytes={there}-" and request.sent == len(recording("smeden_02_lie")) - there
    assert "/nodes/smeden_librivox/smeden_01_lie.mp3" not in [r.path for r in site.log[before:]]


def test_killed_while_cutting(site, tmp_path, unbroken):
    child = Child(site, tmp_path / "ws")
    assert child.run(die_at(chapters, "read_wave", 3)) is None
    assert len(list(child.folder.rglob("chapters/*.json"))) == 2
    before = len(site.log)
    kept = {path: path.stat().st_mtime_ns for path in child.folder.rglob("chapters/*.json")}
    finish(child, unbroken, kills=1)
    assert all(path.stat().st_mtime_ns == moment for path, moment in kept.items())
    again = [r.path for r in site.log[before:]]
    assert "/nodes/smeden_librivox/smeden_03_lie.mp3" not in again  # it was complete when the knife fell


@pytest.mark.slow
def test_killed_at_any_rename(site, tmp_path, unbroken):
    """Everything that is kept is renamed into place: pages, books, items, texts, verdicts, recordings, chapters."""
    chance = random.Random(4321)
    child = Child(site, tmp_path / "ws")
    kills = 0
    for _ in range(8):
        if child.run(die_at(Path, "replace", chance.randint(1, 5))) is None:
            kills += 1
    assert kills >= 5
    finish(child, unbroken, kills)
