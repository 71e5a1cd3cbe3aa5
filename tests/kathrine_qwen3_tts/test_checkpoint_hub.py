"""Checkpoints from a Hub on the loopback interface, through the real client in a process of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from servers.hub import Hub, run_client

from kathrine_qwen3_tts.integrity import PUBLISHED, find_problems

GOLD = Path(__file__).parent.parent / "data" / "gold"
NAME = "someone/voice"
CODE = """
import json, sys
from pathlib import Path
from kathrine.errors import KathrineError
from kathrine_qwen3_tts.checkpoint import resolve
name, workspace, revision = sys.argv[1:]
try:
    found = resolve(name, Path(workspace), revision or None)
    print(json.dumps({"path": str(found.path), "id": found.id, "revision": found.revision}))
except KathrineError as error:
    print(json.dumps({"message": error.message, "hint": error.hint}))
"""


@pytest.fixture
def hub():
    with Hub() as server:
        yield server


@pytest.fixture
def source(tmp_path) -> Path:
    """A repository with more in it than the published files."""
    folder = Path(shutil.copytree(GOLD / "tiny-0b6", tmp_path / "source"))
    (folder / "README.md").write_text("# a voice\n", encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    (folder / "optimizer.safetensors").write_bytes(b"not ours")
    return folder


@pytest.fixture
def ask(hub, tmp_path):
    def asked(name: str = NAME, revision: str = "", **environment: str) -> dict:
        home = tmp_path / "home"
        done = run_client(CODE, hub.environment(home, **environment), name, str(home / "workspace"), revision)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return asked


def test_only_the_published_files_are_fetched_and_only_once(hub, source, ask):
    made = hub.add(NAME, source, kind="models")
    found = ask()
    assert (found["id"], found["revision"]) == (NAME, made.sha)
    assert find_problems(found["path"]) == []
    assert sorted(set(hub.fetched())) == sorted(PUBLISHED)
    count = len(hub.fetched())
    assert ask() == found
    assert len(hub.fetched()) == count
    hub.__exit__()
    assert ask(HF_ENDPOINT="http://127.0.0.1:9") == found
    assert ask(HF_HUB_OFFLINE="1") == found


def test_a_named_revision_is_fetched(hub, source, ask, tmp_path):
    first = hub.add(NAME, source, revision="v1", kind="models")
    newer = Path(shutil.copytree(source, tmp_path / "newer"))
    (newer / "generation_config.json").write_text('{"temperature": 0.5}', encoding="utf-8")
    second = hub.add(NAME, newer, kind="models")
    assert ask(revision="v1")["revision"] == first.sha != second.sha == ask()["revision"]
    assert "has no revision 'v9'" in ask(revision="v9")["message"]


@pytest.mark.parametrize("damage", ["truncated", "emptied", "altered"])
def test_a_file_damaged_in_the_cache_is_fetched_again_once(hub, source, ask, damage):
    hub.add(NAME, source, kind="models")
    path = Path(ask()["path"]) / "model.safetensors"
    content = path.read_bytes()
    changed = {
        "truncated": content[:-100],
        "emptied": b"",
        "altered": content[:-1] + bytes([content[-1] ^ 1]),
    }
    path.resolve().write_bytes(changed[damage])
    before = hub.fetched()
    assert "path" in ask()
    assert hub.fetched()[len(before) :] == ["model.safetensors"]
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.json", "speech_tokenizer/model.safetensors"])
def test_a_file_that_stays_damaged_is_refused_by_name(hub, source, ask, name):
    content = (source / name).read_bytes()
    (source / name).write_bytes(content[:-10])
    hub.add(NAME, source, kind="models")
    answer = ask()
    assert f"{NAME}: {name} is " in answer["message"]
    assert "second download" in answer["hint"]
    assert hub.fetched().count(name) == 2


def test_a_broken_connection_is_survived(hub, source, ask):
    hub.add(NAME, source, kind="models")
    hub.truncate("model.safetensors", keep=5000)
    assert find_problems(ask()["path"]) == []


def test_closed_and_unknown_repositories_are_told_apart(hub, source, ask):
    hub.add("someone/closed", source, kind="models", gated=True)
    assert "does not let this account read someone/closed" in ask("someone/closed")["message"]
    answer = ask("someone/nothing")
    assert "the Hub knows no model by that name" in answer["message"]
    assert "spelling" in answer["hint"]
