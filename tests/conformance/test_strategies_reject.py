"""What `check_strategy` rejects: strategies that break the contract in one place, which it has to name."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rejecting import rejected

from kathrine import Workspace
from kathrine.testing import ToyFamily, TrainAll, TrainAllOptions, check_strategy
from kathrine.types import ParameterSpec


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


class Good(TrainAll):
    """Trains the head: what the broken ones are made of."""

    name = "broken"
    Options = TrainAllOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options or TrainAllOptions(parts=["head"]), label)


class MovesAFrozenWeight(Good):
    def apply(self, model: Any, claim: Any, seed: int) -> Any:
        model.originals["talker.bias_ih_l0"].data += 0.1
        return super().apply(model, claim, seed)


class MovesAFrozenWeightInAStep(Good):
    def apply(self, model: Any, claim: Any, seed: int) -> Any:
        def drift(module: Any, given: Any) -> None:
            if module.training:
                model.originals["talker.bias_ih_l0"].data += 0.1

        model.network.talker.register_forward_pre_hook(lambda module, given: drift(module, given))
        return super().apply(model, claim, seed)


class Adds(Good):
    """Adds a vector to what the head gives; `used` is what becomes of it."""

    def claim(self, parameters: Any, facts: Any) -> Any:
        spec = ParameterSpec("more.weight", (33,), "adapter")
        return replace(super().claim(parameters, facts), trains=(), adds=(spec,))

    def apply(self, model: Any, claim: Any, seed: int) -> Any:
        self.on = True
        model.network.register_parameter("more", torch.nn.Parameter(self.first(seed)))
        vector = model.network.more

        def add(module: Any, given: Any, result: Any) -> Any:
            return result + self.used(vector, module.training) if self.on else result

        model.network.head.register_forward_hook(add)
        return {"more.weight": vector}

    def first(self, seed: int) -> torch.Tensor:
        return torch.zeros(33)

    def used(self, vector: torch.Tensor, training: bool) -> torch.Tensor:
        return vector

    @contextmanager
    def off(self) -> Iterator[None]:
        self.on = False
        try:
            yield
        finally:
            self.on = True

    def fold(self, weights: Any) -> None:
        raise AssertionError("not asked")

    def fold_problem(self) -> str:
        return "a hook is no weight"


class TrainsNothing(Adds):
    def used(self, vector: torch.Tensor, training: bool) -> torch.Tensor:
        return 0.0 * vector


class NoGradient(Adds):
    def used(self, vector: torch.Tensor, training: bool) -> torch.Tensor:
        return vector.detach()


class TrainsLessThanItClaims(Good):
    def apply(self, model: Any, claim: Any, seed: int) -> Any:
        model.network.head.bias.register_hook(lambda slope: slope * 0)
        return super().apply(model, claim, seed)


class LosesAWeightOnLoad(Adds):
    """Its effect grows with what it counts, and no checkpoint has the count."""

    steps = 0

    def used(self, vector: torch.Tensor, training: bool) -> torch.Tensor:
        self.steps += training
        return vector * (1 + self.steps)


class StartsByChance(Adds):
    def first(self, seed: int) -> torch.Tensor:
        return torch.randn(33)


class LeavesATrace(Good):
    @contextmanager
    def off(self) -> Iterator[None]:
        yield


class DoesNotComeBack(Good):
    @contextmanager
    def off(self) -> Iterator[None]:
        for name, parameter in self._trained.items():
            parameter.data = self._before[name].clone()
        yield


class FoldsWrongly(Good):
    def fold(self, weights: Any) -> None:
        weights["head.bias"] = weights["head.bias"] + 0.5


class FoldsMore(Good):
    def fold(self, weights: Any) -> None:
        weights["talker.bias_ih_l0"] = weights["talker.bias_ih_l0"] + 0.5


class ScalesWrongly(Good):
    @contextmanager
    def scale(self, factor: float) -> Iterator[None]:
        yield


class HalfPrecision(Good):
    def apply(self, model: Any, claim: Any, seed: int) -> Any:
        trained = super().apply(model, claim, seed)
        for parameter in trained.values():
            parameter.data = parameter.data.bfloat16()
        return trained


class ClaimsByChance(Good):
    def claim(self, parameters: Any, facts: Any) -> Any:
        return replace(super().claim(parameters, facts), lr=random.random())


BROKEN_STRATEGIES = {
    MovesAFrozenWeight: "apply changed frozen weights without a claim: talker.bias_ih_l0",
    MovesAFrozenWeightInAStep: "a step moves weights that are frozen: talker.bias_ih_l0",
    TrainsNothing: "it trains nothing: a step changes none of its weights",
    NoGradient: "it trains nothing: no gradient reaches it",
    TrainsLessThanItClaims: "it claims weights that no step changes: head.bias",
    LosesAWeightOnLoad: "saved and loaded it gives another model: logits differ",
    StartsByChance: "first values are not a function of the seed: more.weight",
    LeavesATrace: "off() leaves a trace after training: logits differ by up to",
    DoesNotComeBack: "after off() the model is another one",
    FoldsWrongly: "folded it gives another model: logits differ",
    FoldsMore: "fold changes weights without a claim: talker.bias_ih_l0",
    ScalesWrongly: "scale(0) is not 0 of its effect",
    HalfPrecision: "is not float32",
    ClaimsByChance: "claim is not a function of names and shapes",
}


@pytest.mark.parametrize("broken", BROKEN_STRATEGIES, ids=lambda one: one.__name__)
def test_a_strategy(broken: Any, place: Workspace) -> None:
    rejected(lambda: check_strategy(broken(), ToyFamily(), place), BROKEN_STRATEGIES[broken])


def test_what_they_are_made_of_passes(place: Workspace) -> None:
    assert set(check_strategy(Good(), ToyFamily(), place)) == {"head.weight", "head.bias"}
    assert set(check_strategy(Adds(), ToyFamily(), place)) == {"more.weight"}
