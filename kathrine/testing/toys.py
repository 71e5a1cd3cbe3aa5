"""Small components for tests, beside the toy family and the toy corpus, and recipes made of them without a file.

Nothing here is used in a real run. The toy family is `kathrine.toy.ToyFamily`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kathrine.components import (
    Component,
    Curriculum,
    ModelFamily,
    Options,
    SpeechModel,
    Strategy,
    StrategyOptions,
)
from kathrine.errors import KathrineError
from kathrine.hookspecs import hookimpl
from kathrine.recipe.recipe import DataEntry, Recipe
from kathrine.recipe.tables import KERNEL_TABLES, DataTable
from kathrine.toy import ToyFamily
from kathrine.toy_corpus import ToySource, ToySourceOptions
from kathrine.types import Claim, DataSize, ModelFacts, ParameterSpec, Stage

if TYPE_CHECKING:
    import torch


class TrainAllOptions(StrategyOptions):
    lr: float = 1e-2
    """Peak learning rate."""
    parts: list[str] = Field(default_factory=list)
    """Parts to train; empty trains all."""


class TrainAll(Strategy):
    """`[strategy.train_all]`: every parameter, or those of some parts, in place."""

    name = "train_all"
    Options = TrainAllOptions
    options: TrainAllOptions

    def claim(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> Claim:
        parts = self.options.parts or facts.parts
        names = tuple(spec.name for spec in parameters if spec.part in parts)
        return Claim(self.label, names, (), (), self.options.lr, self.options.weight_decay)

    def apply(self, model: SpeechModel, claim: Claim, seed: int) -> dict[str, torch.nn.Parameter]:
        trained = {name: model.originals[name] for name in claim.trains}
        for parameter in trained.values():
            parameter.data = parameter.data.float()
        self._trained = trained
        self._before = {name: parameter.detach().clone() for name, parameter in trained.items()}
        return trained

    @contextmanager
    def off(self) -> Iterator[None]:
        after = {name: parameter.data for name, parameter in self._trained.items()}
        for name, parameter in self._trained.items():
            parameter.data = self._before[name]
        try:
            yield
        finally:
            for name, parameter in self._trained.items():
                parameter.data = after[name]


class ToyStagesOptions(Options):
    first: str
    """The data entry that the first stage draws from alone."""
    epochs: list[float] = Field(default_factory=lambda: [1.0, 1.0])
    """Length of both stages."""
    lr_scale: float = 1.0
    """Factor on learning rates in the second stage."""


class ToyStages(Curriculum):
    """`[curriculum.toy_stages]`: one entry alone, then all in proportion to their utterances."""

    name = "toy_stages"
    Options = ToyStagesOptions
    options: ToyStagesOptions

    def plan(self, data: Sequence[DataSize]) -> tuple[Stage, ...]:
        first, second = self.options.epochs
        if self.options.first not in {entry.name for entry in data}:
            raise KathrineError(f"curriculum.{self.label}: there is no data entry {self.options.first!r}")
        total = sum(entry.utterances or 1 for entry in data)
        shares = {entry.name: (entry.utterances or 1) / total for entry in data}
        return (
            Stage("first", {self.options.first: 1.0}, epochs=first),
            Stage("blend", shares, epochs=second, lr_scale={"*": self.options.lr_scale}),
        )


class ToyPlugin:
    """The toys as a plugin: `[model.toy]`, `source = "toy"`, `[strategy.train_all]`, `[curriculum.toy_stages]`."""

    @hookimpl
    def kathrine_models(self) -> list[type[ModelFamily]]:
        return [ToyFamily]

    @hookimpl
    def kathrine_sources(self) -> list[type[ToySource]]:
        return [ToySource]

    @hookimpl
    def kathrine_strategies(self) -> list[type[Strategy]]:
        return [TrainAll]

    @hookimpl
    def kathrine_curricula(self) -> list[type[Curriculum]]:
        return [ToyStages]


def toy_source(utterances: int = 12, seed: int = 0) -> ToySource:
    """A source of made-up words with their codes, without any audio. Given: how many, and what they say."""
    return ToySource(ToySourceOptions(utterances=utterances, seed=seed))


def toy_recipe(
    folder: Path,
    *,
    entries: Sequence[str] = ("toy",),
    strategies: Sequence[Strategy] | None = None,
    losses: Sequence[Component] = (),
    model: ModelFamily | None = None,
    components: Mapping[str, Any] | None = None,
    **tables: Mapping[str, Any],
) -> Recipe:
    """A recipe on the toy family, made without any file.

    Given: folder, the run folder; components, other fields of Recipe (curriculum, exporters, trackers...);
    tables, values that differ from the defaults, by name of the table: `train={"steps": 20}`.
    """
    standard: dict[str, dict[str, Any]] = {
        "run": {"folder": str(folder), "device": "cpu", "name": "toy"},
        "prompt": {"in_context": 0.3, "max_reference_seconds": 2.0},
        "train": {
            "steps": 20,
            "precision": "fp32",
            "warmup_steps": 2,
            "accumulation": 2,
            "checkpoint_every": 10,
        },
        "validation": {"every": 10, "utterances": 8},
        "speak": {"count": 0},  # the toy speaks silence
    }
    made: dict[str, Any] = {}
    for name, table in KERNEL_TABLES.items():
        values = {**standard.get(name, {}), **tables.get(name, {})}
        if "epochs" in tables.get(name, {}):
            values.pop("steps", None)
        made[name] = table.model_validate(values)
    strategies = [TrainAll()] if strategies is None else list(strategies)
    model = model or ToyFamily()
    data = tuple(DataEntry(name, DataTable(source="toy", name=name), ToySource()) for name in entries)
    document = {name: table.model_dump(mode="json", exclude_none=True) for name, table in made.items()}
    document["model"] = {model.name: model.options.model_dump(mode="json", exclude_none=True)}
    document["data"] = [entry.table.model_dump(mode="json", exclude_none=True) for entry in data]
    more = dict(components or {})
    curriculum = [more["curriculum"]] if more.get("curriculum") else []
    for kind, found in (("strategy", strategies), ("loss", losses), ("curriculum", curriculum)):
        for one in found:
            document.setdefault(kind, {})[one.label] = one.options.model_dump(mode="json", exclude_none=True)
    return Recipe(
        name=made["run"].name or "toy",
        path=None,
        document=document,
        origins={},
        **made,
        data=data,
        model=model,
        strategies=tuple(strategies),
        losses=tuple(losses),  # type: ignore[arg-type]
        **more,
    )
