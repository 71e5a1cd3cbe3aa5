"""`kathrine run` as a person types it, in a process of its own, on a plugin that brings the toy family."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from plugin_makers import install

from kathrine.cli.main import run as kathrine

TOY_KIT = '''
"""The toy family as an installed plugin."""
import kathrine
from kathrine.testing import ToyFamily, ToySource, TrainAll

@kathrine.hookimpl
def kathrine_models():
    return [ToyFamily]

@kathrine.hookimpl
def kathrine_sources():
    return [ToySource]

@kathrine.hookimpl
def kathrine_strategies():
    return [TrainAll]
'''

RECIPE = """
[model.toy]
[[data]]
source = "toy"
utterances = 40
validation_share = 0.2
[prepare]
min_seconds = 0.1
min_words = 1
[strategy.train_all]
[train]
steps = 600
precision = "fp32"
checkpoint_every = 1000
[validation]
every = 200
best_by = "loss"
[run]
device = "cpu"
[speak]
count = 2
max_seconds = 2.0
"""


class Shell:
    """A folder with the toy plugin and a recipe, and processes that see both."""

    def __init__(self, folder: Path) -> None:
        self.folder = install(folder, "toy-kit", toy_kit=TOY_KIT)
        (folder / "toy.toml").write_text(RECIPE)
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
            "KATHRINE_WORKSPACE": str(folder / "workspace"),
        }

    def start(self, *arguments: str, launcher: tuple[str, ...] = (), recipe: str = "toy.toml") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *launcher, "-m", "kathrine", "run", recipe, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, **more: Any) -> tuple[int, str]:
        process = self.start(*arguments, **more)
        output, _ = process.communicate(timeout=200)
        return process.returncode, output


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.slow
def test_stopped_by_sigterm_and_resumed_with_the_printed_line(shell: Shell) -> None:
    metrics = shell.folder / "runs" / "toy" / "metrics.jsonl"
    process = shell.start("--resume", "auto")  # there is nothing yet: it begins
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if metrics.is_file() and len(metrics.read_bytes().splitlines()) > 20:
            process.send_signal(signal.SIGTERM)
            break
        time.sleep(0.02)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 143, output
    line = next(line.strip() for line in output.splitlines() if line.strip().endswith("--resume"))
    assert f"{sys.executable} -m kathrine run " in line and "KATHRINE_WORKSPACE=" in line
    shell.environment.pop("KATHRINE_WORKSPACE")  # the line brings it

    resumed = subprocess.run(
        line,
        shell=True,
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    told = [json.loads(one) for one in metrics.read_text().splitlines()]
    assert [one["step"] for one in told if one["kind"] == "step"] == list(range(1, 601))
    assert "results from trained weights of the best checkpoint" in resumed.stderr
    assert sorted(path.name for path in (metrics.parent / "samples").glob("*.wav")) == ["01.wav", "02.wav"]

    # the resolved recipe in the run folder describes the run completely: another run of it is the same
    code, output = shell.run("--folder", "again", recipe="runs/toy/recipe.toml")
    assert code == 0, output
    code, output = shell.run("--resume", "auto")  # now there is: it goes on, and has nothing left to do
    assert code == 0 and "results from trained weights" in output, output
    assert (shell.folder / "again" / "metrics.jsonl").read_bytes() == metrics.read_bytes()

    code, output = shell.run()
    assert code == 2 and "is not empty" in output and "--resume" in output and "Traceback" not in output


TORCHRUN = "-m torch.distributed.run --standalone --nproc_per_node 2"
# --multi_gpu: what `accelerate launch` takes by itself where there are two; gloo carries it here
ACCELERATE = (
    "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no"
    " --dynamo_backend no --main_process_port 0"
)


@pytest.mark.slow
@pytest.mark.parametrize("command", [TORCHRUN, ACCELERATE], ids=["torchrun", "accelerate"])
def test_two_processes_of_a_launcher(shell: Shell, command: str) -> None:
    launcher = tuple(command.split())
    code, output = shell.run("--set", "train.steps=6", "--folder", "two", launcher=launcher)
    assert code == 0, output
    versions = json.loads((shell.folder / "two" / "versions.json").read_text())
    assert versions["processes"] == 2
    assert len((shell.folder / "two" / "timing.jsonl").read_text().splitlines()) == 6
    assert output.count("training 11,433 parameters for 6 steps in 2 processes") == 1
    assert (shell.folder / "two" / "samples" / "02.wav").is_file()


def test_without_network_or_weights_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(tmp_path / "empty"))
    recipes = Path(__file__).parents[2] / "recipes"
    began = time.monotonic()
    code = kathrine(["run", str(recipes / "curriculum.toml"), "--folder", str(tmp_path / "run")])
    seconds = time.monotonic() - began
    said = capsys.readouterr().err
    assert code == 2
    assert "--profile smoke" in said
    assert len([line for line in said.splitlines() if line.startswith("kathrine:")]) == 1
    assert seconds < 60
