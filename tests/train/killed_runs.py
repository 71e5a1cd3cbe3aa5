"""Makes runs and kills them: started by test_resume.py as a process of its own.

Reads jobs from standard input, one a line of JSON; each job runs in a forked child, so that torch is imported
once. A job: {"folder": ..., "resume": bool, "kill": [kind, count] or null}. Writes the child's exit status
for each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path

import safetensors.torch
import torch

import kathrine.train.checkpoint as checkpoint
from kathrine import Options, Tracker, Workspace, hookimpl
from kathrine.progress import SilentProgress
from kathrine.testing import ToyFamily, ToyStages, prepared_toy_corpus, toy_recipe
from kathrine.toy import ToyOptions
from kathrine.train.loop import Loop
from kathrine.train.run import run
from kathrine.train.validation import Validator
from kathrine_sub_talker.loss import SubTalker, SubTalkerOptions


def recipe(folder: Path, **train: object):
    """Two stages, dropout, a loss that draws frames, an average of the weights, checkpoints every 7 steps."""
    return toy_recipe(
        folder,
        entries=("one", "two"),
        model=ToyFamily(ToyOptions(dropout=0.1)),
        losses=[SubTalker(SubTalkerOptions(weight=0.2, share=0.25))],
        components={"curriculum": ToyStages(ToyStages.Options(first="one", epochs=[3.0, 4.0], lr_scale=0.5))},
        train={
            "steps": None, "batch": {"examples": 3}, "accumulation": 3, "ema": 0.9, "checkpoint_every": 7,
            "keep_last": 2, "keep_epochs": [2], **train,
        },
        validation={"every": 5, "utterances": 5},
    )  # fmt: skip


def corpus():
    return prepared_toy_corpus({"one": 17, "two": 11}, held_out=5)


class Killer(Tracker):
    """Kills the process with SIGKILL when something happens for the n-th time."""

    name = "killer"
    Options = Options

    def __init__(self, kind: str, count: int) -> None:
        super().__init__()
        self.kind, self.left = kind, count
        self.wrap(Loop, "accumulate", "accumulation")
        self.wrap(Validator, "_measure", "validation")
        self.wrap(safetensors.torch, "save_file", "writing")
        self.wrap(checkpoint, "flush_to_disk", "flushing")
        self.wrap(checkpoint.shutil, "rmtree", "pruning")

    def wrap(self, owner: object, name: str, kind: str) -> None:
        inner = getattr(owner, name)

        def wrapped(*arguments: object, **named: object) -> object:
            self.happened(kind)
            return inner(*arguments, **named)

        setattr(owner, name, wrapped)

    def happened(self, kind: str) -> None:
        if kind == self.kind:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    @hookimpl
    def kathrine_stage_start(self) -> None:
        self.happened("stage")

    @hookimpl
    def kathrine_step_end(self) -> None:
        self.happened("step")

    @hookimpl
    def kathrine_checkpoint_saved(self) -> None:
        self.happened("saved")


def one(job: dict) -> None:
    made = recipe(Path(job["folder"]))
    if job["kill"]:
        made = recipe_with_tracker(made, Killer(*job["kill"]))
    outcome = run(made, Workspace(Path(job["folder"]).parent / "ws"), SilentProgress(), job["resume"], corpus())
    assert outcome.status == "finished", outcome


def recipe_with_tracker(made, tracker):
    import dataclasses

    return dataclasses.replace(made, trackers=(tracker,))


def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                one(job)
            except BaseException:  # noqa: BLE001  the child has to end here, whatever happened
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
