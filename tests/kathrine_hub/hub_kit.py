"""A toy family and an exporter as an installed plugin, and a machine: processes that see both and a loopback Hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from plugin_makers import install
from servers.hub_writes import WritableHub

TOKEN = "hf_SecretOfTheTest123"
REPO = "kari/norsk"

PLUGIN = '''
"""The toy family, exporters that write a model and a dataset, and a tracker that waits for uploads."""
import json
import os
import threading
from pathlib import Path

import kathrine
from kathrine import Exporter, Options, Tracker
from kathrine.testing import ToyFamily, ToySource, TrainAll
from kathrine.types import ExportResult


class WeightsOptions(Options):
    base_model: str = "toy/base"
    """What the card says."""
    license: str = "apache-2.0"
    """What the card says."""
    card: str = "whole"
    """whole, none, or a field to leave out."""


class Weights(Exporter):
    """Writes what was trained."""

    name = "weights"
    Options = WeightsOptions

    def card_metadata(self, plan):
        if self.options.card == "none":
            return None
        told = {"base_model": self.options.base_model, "license": self.options.license, "language": ["no"],
                "pipeline_tag": "text-to-speech", "library_name": "kathrine", "datasets": ["toy/words"],
                "tags": ["toy"], "task_categories": ["text-to-speech"]}
        told.pop(self.options.card, None)
        return told

    def refresh_card(self, run, folder, location="", progress=None):
        facts = json.loads((folder / "facts.json").read_text())
        (folder / "README.md").write_text(
            f"---\\nbase_model: {self.options.base_model}\\nlicense: apache-2.0\\n---\\n# {facts['step']}\\n"
            f"<audio src='{location}audio/1.wav'>\\n")
        return True

    def export(self, run, folder, progress):
        from safetensors.torch import save_file
        (folder / "audio").mkdir(parents=True)
        save_file({name.replace("/", "."): value.contiguous() for name, value in run.trainable.items()},
                  folder / "weights.safetensors")
        (folder / "facts.json").write_text(json.dumps({"step": run.step}))
        (folder / "audio" / "1.wav").write_bytes(b"RIFF" + bytes(range(256)) * 8)
        self.refresh_card(run.folder, folder)
        return ExportResult(self.label, folder, ("weights.safetensors",), {})


class Table(Weights):
    """Writes a dataset."""

    name = "table"
    holds = "dataset"


class After(Weights):
    """Comes after the upload: says whether the model still has the weights that are exported."""

    name = "after"
    publishes = True

    def export(self, run, folder, progress):
        folder.mkdir()
        here = run.model.originals
        same = all((here[name].detach().float().cpu() == value).all() for name, value in run.trainable.items())
        (folder / "same.json").write_text(json.dumps(bool(same)))
        return ExportResult(self.label, folder, ("same.json",), {})


class Patient(Tracker):
    """Waits for uploads after each checkpoint, so that a test knows what has happened."""

    name = "patient"

    @kathrine.hookimpl(trylast=True)
    def kathrine_checkpoint_saved(self):
        for thread in threading.enumerate():
            if thread.name == "hub upload":
                thread.join()


class Fails(Tracker):
    """Ends a run with an error."""

    name = "fails"

    @kathrine.hookimpl
    def kathrine_step_end(self, report):
        if report.step == 17:
            raise kathrine.KathrineError("planted")


@kathrine.hookimpl
def kathrine_models():
    return [ToyFamily]

@kathrine.hookimpl
def kathrine_sources():
    return [ToySource]

@kathrine.hookimpl
def kathrine_strategies():
    return [TrainAll]

@kathrine.hookimpl
def kathrine_exporters():
    return [Weights, Table, After]

@kathrine.hookimpl
def kathrine_trackers():
    return [Patient, Fails]
'''

RECIPE = """
[run]
device = "cpu"
[model.toy]
[[data]]
source = "toy"
utterances = 24
validation_share = 0.2
[prepare]
min_seconds = 0.1
min_words = 1
[strategy.train_all]
[train]
steps = 20
precision = "fp32"
batch = { examples = 4 }
accumulation = 1
warmup_steps = 2
checkpoint_every = 5
keep_last = 1
keep_every = 10
[validation]
every = 10
best_by = "loss"
[speak]
count = 0
[export.weights]
"""

CLI = """
import json, sys
from kathrine.cli.main import run
# the client waits seconds between its own attempts: not in tests
import huggingface_hub.utils._http as http, types, time
http.time = types.SimpleNamespace(sleep=lambda seconds: None, time=time.time, monotonic=time.monotonic)
codes = []
for words in json.loads(sys.argv[1]):
    sys.stderr.write(f"$ {' '.join(words)}\\n")
    codes.append(run(words))
print(json.dumps(codes))
"""


class Machine:
    """A folder with the plugin, a recipe and runs; its processes talk to one Hub. Two machines share nothing else."""

    def __init__(self, folder: Path, hub: WritableHub, recipe: str = RECIPE, token: str = TOKEN) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = install(folder, "hub-kit", toys=PLUGIN)
        self.hub = hub
        self.recipe = folder / "toy.toml"
        self.recipe.write_text(recipe)
        self.environment = hub.environment(folder / "home", **({"HF_TOKEN": token} if token else {}))
        self.environment["PYTHONPATH"] += os.pathsep + str(folder)
        self.workspace = self.environment["KATHRINE_WORKSPACE"]

    def start(self, *commands: list[str], **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", CLI, json.dumps(commands)],
            cwd=self.folder,
            env={**self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *commands: list[str], **more: str) -> tuple[list[int], str]:
        """Commands one after the other in one process: their exit codes, and what was said."""
        process = self.start(*commands, **more)
        out, said = process.communicate(timeout=240)
        assert process.returncode == 0, said
        lines = out.strip().splitlines()
        return json.loads(lines[-1]), said + "\n".join(lines[:-1])

    def path(self, run: str) -> Path:
        return self.folder / "runs" / run


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def run_folder(machine: Machine, name: str = "night", hub: str = "", step: int = 20, weights: bytes = b"w") -> Path:
    """A run folder with an export and a checkpoint, made by hand: what `kathrine push` works on, without training."""
    run = machine.path(name)
    (run / "export" / "weights" / "audio").mkdir(parents=True)
    (run / "export" / "weights" / "weights.safetensors").write_bytes(weights * 400_000)
    (run / "export" / "weights" / "facts.json").write_text(json.dumps({"step": step}))
    (run / "export" / "weights" / "audio" / "1.wav").write_bytes(b"RIFF" + bytes(2000))
    kept = run / "checkpoints" / f"{step:08d}"
    kept.mkdir(parents=True)
    (kept / "trainable.safetensors").write_bytes(b"t" * 300_000)
    (kept / "state.json").write_text(json.dumps({"step": step, "reasons": ["last"], "state": {}}))
    (run / "recipe.toml").write_text(RECIPE + hub)
    for log in ("console.log", "metrics.jsonl", "timing.jsonl", "plan.json", "versions.json", "report.html"):
        (run / log).write_text(f"{log} of {name}\n")
    (run / "drift.json").write_text(json.dumps({"step": step}))
    return run
