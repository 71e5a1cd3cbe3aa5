"""Models by name, from a loopback Hub through the real client: what is fetched, from which revision, and offline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from servers.hub import Hub, run_client
from spoken_chapter import MODEL

REPO = "NbAiLab/nb-wav2vec2-300m-bokmaal"
CLIENT = """
import json, sys
from pathlib import Path
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine_librivox.segmentation.models import model_folder
model, revision, cache, offline = json.loads(sys.argv[1])
progress = SilentProgress()
try:
    folder, commit = model_folder(model, revision, Path(cache), offline, progress)
    told = {"commit": commit, "tasks": progress.tasks, "files": sorted(path.name for path in folder.iterdir())}
except KathrineError as problem:
    told = {"error": problem.message, "hint": problem.hint}
told["heavy"] = [name for name in ("torch", "transformers") if name in sys.modules]
print(json.dumps(told))
"""
OPEN = """
import sys
from pathlib import Path
from kathrine_librivox.segmentation import open_aligner
print(open_aligner("default", "nb", "cpu", cache=Path(sys.argv[1])).label)
"""


@pytest.fixture
def folders(tmp_path) -> dict[str, Path]:
    """A repository with pickled weights and much that nobody needs, and the conversion with safetensors."""
    converted = Path(shutil.copytree(MODEL, tmp_path / "converted"))
    for name in ("make_model.py", "training_text.txt"):
        (converted / name).unlink()
    (converted / "language_model").mkdir()
    (converted / "language_model" / "5gram.bin").write_bytes(b"x" * 1000)
    (converted / "run.py").write_text("raise SystemExit('never run')", encoding="utf-8")
    pickled = Path(shutil.copytree(converted, tmp_path / "pickled"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    return {"converted": converted, "pickled": pickled}


@pytest.fixture
def hub():
    with Hub() as server:
        yield server


def ask(hub, tmp_path: Path, revision: str | None = None, offline: bool = False) -> dict:
    request = json.dumps([REPO, revision, str(tmp_path / "cache"), offline])
    done = run_client(CLIENT, hub.environment(tmp_path / "home"), request)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told.pop("heavy") == []
    return told


def test_what_is_needed_is_fetched_once_and_the_commit_is_in_the_label(hub, folders, tmp_path):
    made = hub.add(REPO, folders["converted"], kind="models")
    told = ask(hub, tmp_path)
    assert told["commit"] == made.sha and told["tasks"] == [f"fetching {REPO}"]
    files = ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer_config.json", "vocab.json"]
    assert told["files"] == files and sorted(set(hub.fetched())) == files  # no program, no pickle, no language model
    fetched = hub.fetched()
    assert ask(hub, tmp_path)["commit"] == made.sha and hub.fetched() == fetched
    before = len(hub.log)
    assert ask(hub, tmp_path, offline=True)["commit"] == made.sha
    assert len(hub.log) == before
    opened = run_client(OPEN, hub.environment(tmp_path / "home"), str(tmp_path / "cache"))
    assert opened.stdout.strip() == f"ctc:{REPO}@{made.sha[:18]}" and opened.stderr == ""


def test_pickled_weights_are_never_read_and_the_robots_conversion_is_found(hub, folders, tmp_path):
    hub.add(REPO, folders["pickled"], kind="models")
    told = ask(hub, tmp_path)
    assert "no safetensors at revision main" in told["error"] and "refs/pr/1" in told["hint"]
    hub.add_request(REPO, folders["converted"], 2, author="a-stranger")
    assert "no safetensors" in ask(hub, tmp_path)["error"]
    made = hub.add_request(REPO, folders["converted"], 3, author="SFconvertbot")
    assert ask(hub, tmp_path)["commit"] == made.sha
    assert not [name for name in hub.fetched() if name.endswith(".bin")]
    assert ask(hub, tmp_path, offline=True)["commit"] == made.sha
    assert ask(hub, tmp_path, revision="refs/pr/3")["commit"] == made.sha


def test_what_can_not_be_had_is_said_with_the_remedy(hub, folders, tmp_path):
    assert "nothing may be fetched" in ask(hub, tmp_path, offline=True)["error"]
    assert "knows no model by that name" in ask(hub, tmp_path)["error"]
    hub.add(REPO, folders["converted"], kind="models")
    assert "no revision 'v9'" in ask(hub, tmp_path, revision="v9")["error"]
    hub.add(REPO, folders["converted"], kind="models", gated=True)
    assert "hf auth login" in ask(hub, tmp_path)["hint"]
    assert "could not be fetched" in ask(Gone(hub), tmp_path)["error"]


def test_a_hub_that_does_not_answer_leaves_what_is_cached(hub, folders, tmp_path):
    hub.add(REPO, folders["converted"], kind="models")
    commit = ask(hub, tmp_path)["commit"]
    assert ask(Gone(hub), tmp_path)["commit"] == commit


def test_a_download_that_was_broken_off_is_not_taken_for_a_model(hub, folders, tmp_path):
    hub.add(REPO, folders["converted"], kind="models")
    hub.fail("model.safetensors", status=500, times=20)
    assert "could not be fetched" in ask(hub, tmp_path)["error"]
    assert "nothing may be fetched" in ask(hub, tmp_path, offline=True)["error"]
    hub.failures.clear()
    assert "model.safetensors" in ask(hub, tmp_path)["files"]


class Gone:
    """A Hub that does not answer: nothing listens on its port."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        return self.hub.environment(home, **more) | {"HF_ENDPOINT": "http://127.0.0.1:9"}
