"""Held-out losses: which texts stand in for text gain, and what happens where a loss is not a number."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from kathrine import KathrineError, Workspace
from kathrine.progress import SilentProgress
from kathrine.testing import prepared_toy_corpus, toy_recipe
from kathrine.toy import ToyModel
from kathrine.train.run import run
from kathrine.train.validation import another_text
from kathrine.types import TalkerOutputs


def test_text_gain_takes_a_text_that_differs() -> None:
    corpus = prepared_toy_corpus({"toy": 2}, held_out=0)
    keys = [row.key for row in corpus.rows]
    same = dataclasses.replace(corpus.example(keys[0]), id="twin")
    corpus.examples["toy/twin"] = same
    assert another_text(corpus, [keys[0], "toy/twin", keys[1]], 0) == keys[1]
    assert another_text(corpus, [keys[1], keys[0], "toy/twin"], 2) == keys[1]
    assert another_text(corpus, [keys[0], "toy/twin"], 0) is None


def broken_after(updates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In evaluation the toy model gives logits that are no numbers, once it has been trained that often."""
    inner, seen = ToyModel.forward, [0]

    def forward(model: ToyModel, batch: Any) -> TalkerOutputs:
        outputs = inner(model, batch)
        seen[0] += model.network.training
        if not model.network.training and seen[0] >= updates:
            outputs = dataclasses.replace(outputs, logits_NV=outputs.logits_NV * math.nan)
        return outputs

    monkeypatch.setattr(ToyModel, "forward", forward)


def train(folder: Path, progress: SilentProgress) -> Any:
    table = {"steps": 6, "accumulation": 1}
    recipe = toy_recipe(folder / "run", train=table, validation={"every": 2})
    return run(recipe, Workspace(folder / "ws"), progress, corpus=prepared_toy_corpus())


def test_a_model_without_a_loss_is_refused_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_after(0, monkeypatch)
    with pytest.raises(KathrineError, match="not a number on held-out speech") as refused:
        train(tmp_path, SilentProgress())
    assert "fp32" in refused.value.hint
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_held_out_loss_that_breaks_is_never_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_after(3, monkeypatch)
    progress = SilentProgress()
    outcome = train(tmp_path, progress)
    assert outcome.best is not None and outcome.best.name == "00000002"
    assert sum("a held-out loss is not a number" in warning for warning in progress.warned) == 2

    def strict(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    told = [json.loads(line, parse_constant=strict) for line in text.splitlines()]
    checks = [line for line in told if line["kind"] == "validation"]
    assert [line["improved"] for line in checks] == [False, True, False, False]
    assert checks[-1]["validation.toy.talker"] is None and checks[-1]["validation.score"] is None
