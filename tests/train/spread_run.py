"""A toy run in as many processes as torchrun starts: called by test_processes.py.

Each process writes down which utterances it was given: `given-RANK.jsonl`, a line a batch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from kathrine import Workspace
from kathrine.progress import PlainProgress
from kathrine.testing import ToyStages, prepared_toy_corpus, toy_recipe
from kathrine.train.feed import Feed
from kathrine.train.loop import Loop
from kathrine.train.run import run
from kathrine_sub_talker.loss import SubTalker, SubTalkerOptions


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    recipe = toy_recipe(
        folder / "run",
        entries=("one", "two"),
        losses=[SubTalker(SubTalkerOptions(weight=0.2))],
        components={"curriculum": ToyStages(ToyStages.Options(first="one", epochs=[4.0, 3.0]))},
        train={
            "steps": None,
            "batch": {"examples": 3},
            "accumulation": 3,
            "checkpoint_every": 5,
            "ema": 0.5,
        },
        validation={"every": 6, "utterances": 5},
    )
    inner, step = Feed.local, Loop.update
    batches: list[list[str]] = []

    def local(feed, batch):
        made = inner(feed, batch)
        batches.append([item.example.key for item in made.items])
        return made

    def update(loop, planned, given, began):
        assert loop.processes.size == int(sys.argv[2])
        report = step(loop, planned, given, began)
        line = {"stage": planned.position.stage, "epoch": planned.position.epoch}
        line["keys"] = [[item.example.key for item in one.items] for one in given]
        with (folder / f"given-{loop.processes.rank}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        return report

    Feed.local, Loop.update = local, update
    corpus = prepared_toy_corpus({"one": 17, "two": 11}, held_out=5)
    outcome = run(recipe, Workspace(folder / "ws"), PlainProgress(), corpus=corpus)
    assert outcome.status == "finished"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
