"""What `check_loss`, `check_curriculum` and `check_tracker` reject: what is broken in one place."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rejecting import rejected

from kathrine import Curriculum, Tracker, Workspace, hookimpl
from kathrine.testing import (
    ToyFamily,
    ToyStages,
    ToyStagesOptions,
    check_curriculum,
    check_loss,
    check_tracker,
)
from kathrine_sub_talker.loss import SubTalker, SubTalkerOptions


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


class BrokenLoss(SubTalker):
    """The built-in loss with its term changed."""

    name = "broken"

    def term(self, model: Any, batch: Any, outputs: Any, generator: Any) -> Any:
        found = super().term(model, batch, outputs, generator)
        assert found is not None
        return self.changed(found, model, outputs)

    def changed(self, term: Any, model: Any, outputs: Any) -> Any:
        return term


class BiasedShare(BrokenLoss):
    """Forgets that it looked at a part only."""

    def changed(self, term: Any, model: Any, outputs: Any) -> Any:
        return replace_total(term, term.total * term.covered / term.coverable)


class NotANumber(BrokenLoss):
    def changed(self, term: Any, model: Any, outputs: Any) -> Any:
        return replace_total(term, term.total / 0.0 * 0.0)


class ChangesTheModel(BrokenLoss):
    def changed(self, term: Any, model: Any, outputs: Any) -> Any:
        if model.network.training:
            model.network.head.bias.data += 0.01
        return term


class ChangesTheOutputs(BrokenLoss):
    def changed(self, term: Any, model: Any, outputs: Any) -> Any:
        if model.network.training:
            outputs.logits_NV = outputs.logits_NV * 2
        return term


class DrawsElsewhere(BrokenLoss):
    def changed(self, term: Any, model: Any, outputs: Any) -> Any:
        torch.rand(1)
        return term


class NoSlope(BrokenLoss):
    def changed(self, term: Any, model: Any, outputs: Any) -> Any:
        return replace_total(term, term.total.detach())


class WrongSlope(BrokenLoss):
    """Half of it is a number to autograd."""

    def changed(self, term: Any, model: Any, outputs: Any) -> Any:
        return replace_total(term, 0.1 * term.total + 0.9 * term.total.detach())


class CountsBatches(BrokenLoss):
    def denominator(self, batch: Any, facts: Any) -> float:
        return 1.0


class MixesItems(BrokenLoss):
    """Its sums by item are those of the batch, spread evenly."""

    def changed(self, term: Any, model: Any, outputs: Any) -> Any:
        term.sums_B = torch.full_like(term.sums_B, float(term.sums_B.mean()))
        return term


def replace_total(term: Any, total: torch.Tensor) -> Any:
    term.total, term.sums_B = total, None
    return term


BROKEN_LOSSES = {
    BiasedShare: "drawn shares are biased: their mean over 50 draws is",
    NotANumber: "its total is nan",
    ChangesTheModel: "weight 0 is not absence: it changes head.bias of the model",
    ChangesTheOutputs: "it changes the outputs of the model: logits_NV",
    DrawsElsewhere: "it draws from torch's own generator",
    NoSlope: "no gradient comes out of it",
    WrongSlope: "its gradient is not that of its value",
    CountsBatches: "denominators do not add up: two batches give 2, together they give 1",
    MixesItems: "beside others",
}


@pytest.mark.parametrize("broken", BROKEN_LOSSES, ids=lambda one: one.__name__)
def test_a_loss(broken: Any, place: Workspace) -> None:
    loss = broken(SubTalkerOptions(weight=0.2))
    rejected(lambda: check_loss(loss, ToyFamily(), place, draws=50), BROKEN_LOSSES[broken])


def test_the_loss_they_are_made_of_passes(place: Workspace) -> None:
    assert check_loss(BrokenLoss(SubTalkerOptions(weight=0.2)), ToyFamily(), place).covered == 27


def test_a_loss_without_what_it_needs_is_said(place: Workspace) -> None:
    silent = ToyFamily(ToyFamily.Options(hidden=False))
    rejected(lambda: check_loss(SubTalker(SubTalkerOptions(weight=0.2)), silent, place), "it gives None: name a family")


# --------------------------------------------------------------------------- curricula


class BrokenStages(ToyStages):
    name = "broken"


class Counts(BrokenStages):
    """The first stage becomes longer each time it is asked for."""

    asked = 0

    def plan(self, data: Any) -> Any:
        Counts.asked += 1
        first, *rest = super().plan(data)
        return (replace(first, epochs=float(Counts.asked)), *rest)


class Draws(BrokenStages):
    def plan(self, data: Any) -> Any:
        random.random()
        return super().plan(data)


class Short(BrokenStages):
    def plan(self, data: Any) -> Any:
        first, *rest = super().plan(data)
        return (replace(first, shares={name: 0.9 * share for name, share in first.shares.items()}), *rest)


class NeedsSizes(BrokenStages):
    def plan(self, data: Any) -> Any:
        assert sum(entry.utterances for entry in data) > 0
        return super().plan(data)


class Elsewhere(BrokenStages):
    def plan(self, data: Any) -> Any:
        first, *rest = super().plan(data)
        return (replace(first, shares={"elsewhere": 1.0}), *rest)


class LeavesOut(BrokenStages):
    def plan(self, data: Any) -> Any:
        return super().plan(data)[:1]


class Endless(BrokenStages):
    def plan(self, data: Any) -> Any:
        first, *rest = super().plan(data)
        return (replace(first, epochs=0.0), *rest)


BROKEN_CURRICULA = {
    Counts: "it is not pure: it plans the same entries differently",
    Draws: "it is not pure: it draws random numbers",
    Short: "the shares of stage 'first' add up to 0.9",
    NeedsSizes: "with unknown sizes it raises TypeError",
    Elsewhere: "stage 'first' draws from what is no data entry: elsewhere",
    LeavesOut: "no stage uses b, and it says nothing",
    Endless: "stage 'first' has a length of 0",
}


@pytest.mark.parametrize("broken", BROKEN_CURRICULA, ids=lambda one: one.__name__)
def test_a_curriculum(broken: Any) -> None:
    curriculum: Curriculum = broken(ToyStagesOptions(first="a"))
    rejected(lambda: check_curriculum(curriculum, ["a", "b"]), BROKEN_CURRICULA[broken])


def test_the_curriculum_they_are_made_of_passes() -> None:
    assert [stage.name for stage in check_curriculum(ToyStages(ToyStagesOptions(first="a")), ["a", "b"])] == [
        "first",
        "blend",
    ]


# --------------------------------------------------------------------------- trackers


class Multiplies(Tracker):
    name = "broken"

    @hookimpl
    def kathrine_step_end(self, report: Any) -> None:
        self.total = [value * 2.0 for value in report.metrics.values()]


class NeedsTheStart(Tracker):
    name = "broken"

    @hookimpl
    def kathrine_run_start(self, run: Any) -> None:
        self.lines = [run.folder.name]

    @hookimpl
    def kathrine_run_end(self, outcome: Any) -> None:
        self.lines.append(outcome.status)


class Deaf(Tracker):
    name = "broken"


BROKEN_TRACKERS = {
    Multiplies: "kathrine_step_end ends the run with TypeError",
    NeedsTheStart: "kathrine_run_end ends the run with AttributeError",
    Deaf: "it implements no event hook",
}


@pytest.mark.parametrize("broken", BROKEN_TRACKERS, ids=lambda one: one.__name__)
def test_a_tracker(broken: Any, tmp_path: Path) -> None:
    rejected(lambda: check_tracker(broken(), tmp_path), BROKEN_TRACKERS[broken])
