"""`kathrine push` on run folders made by hand, through the real client: no training, so no torch."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_kit import RECIPE, REPO, TOKEN, Machine, run_folder
from servers.hub import run_client
from servers.hub_writes import Account, WritableHub

HUB = f"""
[export.table]
[export.hub]
repo = "{REPO}"
what = ["weights", "table", "state", "logs"]
branch = "{{run}}"
tag = "v{{step}}"
corpus_repo = "kari/tale"
"""
DOWNLOAD = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[1], revision=sys.argv[2], local_dir=sys.argv[3])
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[WritableHub]:
    with WritableHub(tmp_path / "stored") as server:
        server.accounts[TOKEN] = Account("kari")
        yield server


@pytest.fixture
def machine(hub: WritableHub, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine", hub)


def on_disk(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }


def test_a_branch_a_tag_and_a_dataset_come_back_byte_for_byte(
    hub: WritableHub, machine: Machine, tmp_path: Path
) -> None:
    run = run_folder(machine, hub=HUB)
    table = run / "export" / "table"
    table.mkdir()
    (table / "train.parquet").write_bytes(b"PAR1" * 5000)
    (table / "facts.json").write_text('{"step": 20}')
    push = ["push", str(run)]
    codes, said = machine.run(push, push)
    assert codes == [0, 0] and "holds all of it already" in said, said
    assert f"{hub.url}/{REPO}/tree/night (weights, table, state, logs; private)" in said
    model, data = hub.repositories["models", REPO], hub.repositories["datasets", "kari/tale"]
    assert model.private and data.private and len(hub.commits) == 2
    assert not model.revisions["main"].files and model.tags["v20"].sha == model.revisions["night"].sha
    assert {"train.parquet", "README.md", "kathrine_hub.json"} <= set(hub.files("kari/tale"))
    done = run_client(DOWNLOAD, machine.environment, REPO, "v20", str(tmp_path / "model"))
    assert done.returncode == 0, done.stderr
    got = on_disk(tmp_path / "model")
    assert got["weights.safetensors"] == (run / "export/weights/weights.safetensors").read_bytes()
    assert {name.removeprefix("logs/"): text for name, text in got.items() if name.startswith("logs/")} == {
        path.name: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name != ".lock"
    }
    assert got["state/checkpoints/00000020/trainable.safetensors"] == b"t" * 300_000
    assert "table" not in {name.partition("/")[0] for name in got}
    assert f"{hub.url}/{REPO}/resolve/night/audio/1.wav".encode() in got["README.md"]
    # Another step moves nothing that is tagged; the tag of this run at the same step moves with it.
    (run / "export" / "weights" / "facts.json").write_text('{"step": 20, "more": 1}')
    before = model.tags["v20"].sha
    assert machine.run(push)[0] == [0]
    assert model.tags["v20"].sha == model.revisions["night"].sha != before


def test_what_is_no_longer_wanted_goes_and_what_others_put_there_stays(hub: WritableHub, machine: Machine) -> None:
    text = f'[export.second]\nuse = "weights"\n[export.hub]\nrepo = "{REPO}"\n'
    run = run_folder(machine, hub=text)
    second = run / "export" / "second"
    (second / "audio").mkdir(parents=True)
    (second / "weights.safetensors").write_bytes(b"s" * 5000)
    (second / "facts.json").write_text('{"step": 20}')
    # All of it, then only the logs, by name: the rest stays.
    assert machine.run(["push", str(run)], ["push", str(run), "--what", "logs"])[0] == [0, 0]
    assert {"second/weights.safetensors", "weights.safetensors", "logs/console.log"} <= set(hub.files(REPO, "models"))
    hub.add_file(REPO, "models", "notes/mine.md", b"mine")
    hub.add_file(REPO, "models", "mine.txt", b"mine")
    # Then without the second one.
    (run / "export" / "weights" / "audio" / "1.wav").unlink()
    (run / "recipe.toml").write_text(RECIPE + f'[export.hub]\nrepo = "{REPO}"\nwhat = ["weights"]\n')
    assert machine.run(["push", str(run)])[0] == [0]
    assert set(hub.files(REPO, "models")) == {
        *("README.md", "facts.json", "kathrine_hub.json", "weights.safetensors", "notes/mine.md", "mine.txt")
    }


def test_a_dropped_connection_goes_on_and_sends_nothing_twice(hub: WritableHub, machine: Machine) -> None:
    run = run_folder(machine, hub=f'[export.hub]\nrepo = "{REPO}"\nwhat = ["weights", "state"]\n')
    (run / "export" / "weights" / "model-2.safetensors").write_bytes(b"2" * 900_000)

    def third_breaks_off(oid: str) -> None:
        if len({*hub.puts}) == 3:
            hub.drops = 10**6

    hub.on_put = third_breaks_off
    codes, said = machine.run(["push", str(run)])
    assert codes == [2] and f"push {run}" in said and f"{REPO} could not be written" in said, said
    assert "thrown while requesting PUT" in said and "Amz" not in said  # what the client logs by itself is cut as well
    assert not hub.commits and not hub.files(REPO, "models")  # half an upload is never seen
    stored = {path.name for path in hub.folder.iterdir()}
    assert len(stored) == 2
    hub.on_put, hub.drops, first = None, 1, len(hub.puts)  # and a short trouble, which the client bears by itself
    assert machine.run(["push", str(run)])[0] == [0]
    assert not stored & {*hub.puts[first:]} and len(hub.commits) == 1
    assert hub.files(REPO, "models")["model-2.safetensors"].size == 900_000


def test_ctrl_c_is_prompt_and_says_how_to_go_on(hub: WritableHub, machine: Machine) -> None:
    run = run_folder(machine, hub=f'[export.hub]\nrepo = "{REPO}"\n')
    reached, go = threading.Event(), threading.Event()

    def hold(oid: str) -> None:
        reached.set()
        go.wait(60)

    hub.on_put = hold
    process = machine.start(["push", str(run)])
    assert reached.wait(60)
    os.kill(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=20)
    go.set()
    assert json.loads(out.splitlines()[-1]) == [130] and "To go on:" in said and not hub.commits
    assert not (run / ".hub" / "upload").exists()


def test_what_can_not_be_pushed_is_said(hub: WritableHub, machine: Machine, tmp_path: Path) -> None:
    plain = run_folder(machine, "plain")
    failed = run_folder(machine, "failed", hub=f'[export.hub]\nrepo = "{REPO}"\nwhat = ["weights", "logs"]\n')
    for path in sorted((failed / "export").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    card = run_folder(machine, "card", hub='base_model = ""\n[export.hub]\nrepo = "kari/card"\n')
    busy = run_folder(machine, "busy")
    import fcntl

    lock = (busy / ".lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    codes, said = machine.run(
        ["push", str(tmp_path)],
        ["push", str(plain)],
        ["push", str(plain), "--repo", "norsk"],
        ["push", str(plain), "--repo", "olav/norsk"],
        ["push", str(plain), "--repo", REPO, "--what", "wieghts"],
        ["push", str(busy), "--repo", REPO],
        ["push", str(failed)],
        ["push", str(failed), "--what", "weights"],
        ["push", str(plain), "--repo", "kari/open", "--public"],
        ["push", str(plain), "--repo", "kari/open"],
        ["push", str(card)],
    )
    assert codes == [2, 2, 2, 2, 2, 2, 0, 2, 0, 2, 2], said
    for sentence in (
        "is no run folder: it has no recipe.toml",
        "has no [export.hub]\n  say where to: --repo OWNER/NAME",
        "repo: 'norsk' is not of the form OWNER/NAME",
        "kari may not write to olav",
        "the run has no 'wieghts' to upload (did you mean 'weights'?)",
        "another process works in",
        "the run has not come to weights: only logs can be uploaded",
        "has no export/weights",
        "kari/open is public, and private = true",
        'the Hub does not take the card for kari/card: "base_model" is not allowed to be empty',
    ):
        assert sentence in said, sentence
    assert not hub.repositories["models", "kari/open"].private
    assert {name.partition("/")[0] for name in hub.files(REPO, "models")} == {"logs", "kathrine_hub.json"}
    assert TOKEN not in said and not hub.files("kari/card", "models")


def test_secrets_in_messages_are_cut(machine: Machine) -> None:
    code = """
import sys
from kathrine.hubwrites import redacted
print(redacted(sys.argv[1]))
"""
    secret = "https://s3.example/x?X-Amz-Signature=abc Bearer hf_Other1234567 " + TOKEN + " https://me:pw@host/a"
    done = run_client(code, machine.environment, secret)
    assert done.stdout.strip() == "https://s3.example/x Bearer <token> <token> https://host/a"


@pytest.mark.skipif(not os.environ.get("KATHRINE_LIVE_HUB"), reason="KATHRINE_LIVE_HUB names no repository OWNER/NAME")
def test_live_upload_over_xet(tmp_path: Path) -> None:
    """Against the real Hub, with Xet and the account that is logged in: uploads twice, the second time nothing. It
    writes to the private repository KATHRINE_LIVE_HUB and leaves it there."""
    repo = os.environ["KATHRINE_LIVE_HUB"]
    with WritableHub(tmp_path / "unused") as unused:
        machine = Machine(tmp_path / "machine", unused)
    for name in ("HF_ENDPOINT", "HF_HUB_DISABLE_XET", "HF_HOME", "HF_TOKEN", "NO_PROXY", "no_proxy"):
        machine.environment.pop(name, None)
    if "KATHRINE_LIVE_TOKEN" in os.environ:
        machine.environment["HF_TOKEN"] = os.environ["KATHRINE_LIVE_TOKEN"]
    run = run_folder(machine, weights=os.urandom(8))
    push = ["push", str(run), "--repo", repo]
    codes, said = machine.run(push, push)
    assert codes == [0, 0] and "holds all of it already" in said, said
