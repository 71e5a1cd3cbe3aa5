"""Several processes: the first one alone asks and uploads, and what it finds ends the others in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hub_kit import REPO, TOKEN, Machine
from servers.hub_writes import Account, WritableHub

UPLOADING = """
extends = "toy.toml"
[export.hub]
repo = "kari/norsk"
what = ["weights", "state", "logs"]
every = 1
"""
LAUNCHER = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m")


def in_two(machine: Machine, token: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *LAUNCHER, "kathrine", "run", "uploading.toml", "--folder", "runs/two"],
        cwd=machine.folder,
        env={**machine.environment, "HF_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.slow
def test_the_first_of_two_processes_asks_and_uploads(tmp_path: Path) -> None:
    with WritableHub(tmp_path / "stored") as hub:
        hub.accounts[TOKEN] = Account("kari")
        machine = Machine(tmp_path / "machine", hub)
        (machine.folder / "uploading.toml").write_text(UPLOADING)
        code, said = in_two(machine, "hf_unknown")
        assert code == 1 and said.count("export.hub: the Hub does not know the token") == 1, said
        assert "barrier" not in said, said  # no traceback of the one that only waited
        asked = len([request for request in hub.log if request.path == "/api/whoami-v2"])
        code, said = in_two(machine, TOKEN)
        assert code == 0 and said.count("(weights, state, logs: private)") == 1, said
        assert len([request for request in hub.log if request.path == "/api/whoami-v2"]) == asked + 1
        assert {"weights.safetensors", "state/complete.json", "logs/console.log"} <= set(hub.files(REPO, "models"))
