"""Runs of the toy family, and what they leave, for the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from kathrine import Workspace
from kathrine.progress import SilentProgress
from kathrine.testing import prepared_toy_corpus
from kathrine.train.folder import RunFolder
from kathrine.train.run import run
from kathrine.types import RunOutcome
from kathrine_sub_talker.loss import SubTalker, SubTalkerOptions


def train(recipe: Any, progress: SilentProgress | None = None, corpus: Any = None, **more: Any) -> RunOutcome:
    workspace = Workspace(RunFolder.of(recipe).path.parent / "ws")
    return run(recipe, workspace, progress or SilentProgress(), corpus=corpus or prepared_toy_corpus(), **more)


def lines(recipe: Any, kind: str = "step") -> list[dict]:
    text = RunFolder.of(recipe).metrics.read_text()
    return [line for line in map(json.loads, text.splitlines()) if line["kind"] == kind]


def steps_kept(recipe: Any) -> list[int]:
    return [int(path.name) for path in sorted(RunFolder.of(recipe).checkpoints.iterdir())]


def sub_talker(**options: Any) -> SubTalker:
    return SubTalker(SubTalkerOptions(weight=0.2, **options))


def state(recipe: Any, step: int) -> dict:
    return json.loads((RunFolder.of(recipe).checkpoints / f"{step:08d}" / "state.json").read_text())


def assert_same_metrics(expected: Sequence[dict], found: Sequence[dict]) -> None:
    """The same lines of metrics.jsonl, numbers to 1e-5: what another number of processes may change."""
    assert len(expected) == len(found)
    for one, two in zip(expected, found, strict=True):
        assert one.keys() == two.keys()
        for name, value in one.items():
            if name == "padded_rows":  # each process pads its own slice
                continue
            if isinstance(value, float):
                assert two[name] == pytest.approx(value, rel=1e-5, abs=1e-5), (one["step"], name)
            else:
                assert two[name] == value, (one["step"], name)
