"""What a run does about numbers that are not finite, and about components that break their word."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_runs import lines, steps_kept, train

from kathrine import KathrineError
from kathrine.progress import SilentProgress
from kathrine.testing import TrainAll, prepared_toy_corpus, toy_recipe
from kathrine.toy import ToyModel
from kathrine.train.loop import Loop
from kathrine.types import SelfCheck


@pytest.fixture
def broken_steps(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Steps in which the model gives a loss that is not a number."""
    steps: set[int] = set()
    inner = Loop.accumulate

    def accumulate(loop: Loop, *given: Any, **named: Any) -> Any:
        sums = inner(loop, *given, **named)
        if loop.state.step + 1 in steps:
            for parameter in loop.parameters:
                parameter.grad = torch.full_like(parameter, math.nan)
        return sums

    monkeypatch.setattr(Loop, "accumulate", accumulate)
    return steps


def test_a_bad_step_is_left_out_and_counted(tmp_path: Path, broken_steps: set[int]) -> None:
    broken_steps |= {3, 4}
    recipe = toy_recipe(tmp_path / "run", train={"steps": 8})
    progress = SilentProgress()
    train(recipe, progress)
    told = lines(recipe)
    assert [line["skipped"] for line in told] == [0, 0, 1, 1, 0, 0, 0, 0]
    assert told[2]["grad_norm"] is None and told[-1]["skipped_in_all"] == 2
    assert all(math.isfinite(line["loss"]) for line in told)
    assert sum("left out" in warning for warning in progress.warned) == 2


def test_too_many_bad_steps_stop_the_run(tmp_path: Path, broken_steps: set[int]) -> None:
    broken_steps |= set(range(5, 20))
    recipe = toy_recipe(tmp_path / "run", train={"steps": 30, "max_skipped": 4, "checkpoint_every": 2})
    with pytest.raises(KathrineError, match="4 updates in a row were not finite"):
        train(recipe)
    assert steps_kept(recipe)[0] == 4


def test_a_failed_self_test_stops_before_the_first_step(tmp_path: Path, monkeypatch: Any) -> None:
    check = SelfCheck("talker_alignment", False, 0.1, 1.0, "next frame must be easier than the one after")
    monkeypatch.setattr(ToyModel, "self_test", lambda model: [check])
    with pytest.raises(KathrineError, match=r"self-test of toy failed: talker_alignment: 0\.1, limit 1"):
        train(toy_recipe(tmp_path / "run"))
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_strategy_that_breaks_its_claim_is_refused(tmp_path: Path) -> None:
    class Liar(TrainAll):
        def apply(self, model: Any, claim: Any, seed: int) -> Any:
            trained = super().apply(model, claim, seed)
            trained.popitem()
            return trained

    with pytest.raises(KathrineError, match="does not train what it claimed"):
        train(toy_recipe(tmp_path / "run", strategies=[Liar()]))


def test_without_held_out_utterances(tmp_path: Path) -> None:
    recipe, progress = toy_recipe(tmp_path / "run"), SilentProgress()
    outcome = train(recipe, progress, prepared_toy_corpus(held_out=0))
    assert outcome.best is None
    assert any("no held-out utterances" in warning for warning in progress.warned)
    assert steps_kept(recipe) == [10, 20]
