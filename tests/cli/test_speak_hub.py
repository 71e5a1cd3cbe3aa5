"""`kathrine speak hub:...`: what lies on the Hub is fetched through the real client and spoken, also offline later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from exported import Quiet, finished
from servers.hub import Hub, run_client
from tiny_training import workspace

from kathrine_checkpoint import Adapter
from kathrine_lora import Lora, LoraOptions
from kathrine_text_projection import TextProjection

CODE = """
import sys
from kathrine.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def hub():
    with Hub() as server:
        yield server


@pytest.mark.slow
def test_a_folder_of_a_repository_is_spoken_and_kept(hub, tmp_path: Path) -> None:
    run = finished(tmp_path / "run", [Lora(LoraOptions(lr=2e-3)), TextProjection(TextProjection.Options(lr=1e-3))])
    repository = tmp_path / "repository"
    Adapter().export(run, repository / "checkpoints" / "epoch_2", Quiet())
    (repository / "README.md").write_text("# an adapter\n")
    (repository / "huge.bin").write_bytes(b"not asked for")
    hub.add("someone/norsk", repository, kind="models")
    environment = hub.environment(tmp_path / "home", KATHRINE_WORKSPACE=str(workspace().root))

    def speak(target: str, **more: str):
        words = ["speak", target, "Hei.", "--max-seconds", "0.5", "--out", str(tmp_path / "spoken"), "--json"]
        return run_client(CODE, {**environment, **more}, *words)

    done = speak("hub:someone/norsk@main/checkpoints/epoch_2")
    assert done.returncode in (0, 1), done.stderr
    assert json.loads(done.stdout)[0]["frames"] > 0
    assert "adapter " in done.stderr and "lora, text_projection" in done.stderr
    assert (not hub.fetched("huge.bin") and not hub.fetched("README.md")) or hub.fetched("epoch_2/README.md")

    count = len(hub.fetched())
    again = speak("hub:someone/norsk/checkpoints/epoch_2", HF_HUB_OFFLINE="1")
    assert again.returncode in (0, 1), again.stderr
    assert len(hub.fetched()) == count
    assert (tmp_path / "spoken" / "01.wav").read_bytes() == (tmp_path / "spoken" / "02.wav").read_bytes()

    wrong = speak("hub:someone/norsk/checkpoints/epoch_9")
    assert wrong.returncode == 2 and "has no folder checkpoints/epoch_9" in wrong.stderr
    assert "it has: checkpoints/epoch_2" in wrong.stderr
    nobody = speak("hub:someone/else")
    assert nobody.returncode == 2 and "the Hub has no someone/else" in nobody.stderr
