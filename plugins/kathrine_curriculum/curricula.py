"""The curricula `source_first` and `staged`: options, and thin components over `plans`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kathrine.components import Curriculum, Options
from kathrine.types import DataSize, Stage
from kathrine_curriculum.plans import source_first, staged

Factor = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0)]
Shares = Literal["balanced", "size"] | dict[str, Share]


def length_problem(what: str, epochs: float | None, steps: int | None) -> Iterator[str]:
    if epochs is not None and steps is not None:
        yield f"{what}: give epochs or steps, not both"
    if epochs is None and steps is None:
        yield f"{what}: give its length as epochs or steps"


class SourceFirstOptions(Options):
    """Give one of first_epochs and first_steps, and one of epochs and steps."""

    first: str = Field(min_length=1)
    """Name of the data entry that is trained on alone at first: the one with the clearest speech."""
    first_epochs: float | None = Field(default=None, gt=0)
    """Length of the first stage, in passes over that entry."""
    first_steps: int | None = Field(default=None, ge=1)
    """Length of the first stage, in optimizer updates."""
    epochs: float | None = Field(default=None, gt=0)
    """Length of the blend; an epoch has as many draws as all entries have utterances together."""
    steps: int | None = Field(default=None, ge=1)
    """Length of the blend, in optimizer updates."""
    shares: Shares = "balanced"
    """Shares in the blend: "balanced" (by the entries' own `share`, 1 where there is none), "size" (in
    proportion to their utterances), or a table by entry name."""
    lr_scale: dict[str, Factor] = Field(default_factory=dict)
    """Factors on learning rates in the blend, by strategy label, or "*" for all others; 0.5 keeps what the
    first stage has learnt."""


class SourceFirst(Curriculum):
    """One data entry first, then all of them together."""

    name = "source_first"
    Options = SourceFirstOptions
    options: SourceFirstOptions

    def problems(self) -> Iterator[str]:
        options = self.options
        if (options.first_epochs is None) == (options.first_steps is None):
            yield "give exactly one of first_epochs and first_steps"
        if (options.epochs is None) == (options.steps is None):
            yield "give exactly one of epochs and steps"

    def plan(self, data: Sequence[DataSize]) -> tuple[Stage, ...]:
        options = self.options
        return source_first(
            data,
            options.first,
            first_epochs=options.first_epochs,
            first_steps=options.first_steps,
            epochs=options.epochs,
            steps=options.steps,
            shares=options.shares,
            lr_scale=options.lr_scale,
            where=f"curriculum.{self.label}",
        )


class StageOptions(Options):
    """One stage: `[[curriculum.staged.stages]]`."""

    name: str = ""
    """What reports call it; empty counts: "stage 1"."""
    shares: Shares = "balanced"
    """As in source_first; entries that a table does not name are left out of this stage."""
    epochs: float | None = Field(default=None, gt=0)
    """Length in epochs; an epoch has as many draws as the stage's entries have utterances together."""
    steps: int | None = Field(default=None, ge=1)
    """Length in optimizer updates."""
    lr_scale: dict[str, Factor] = Field(default_factory=dict)
    """Factors on learning rates, by strategy label, or "*" for all others."""

    @model_validator(mode="after")
    def one_length(self) -> StageOptions:
        for problem in length_problem(self.name or "stage", self.epochs, self.steps):
            raise ValueError(problem)
        return self

    def stage(self) -> Stage | tuple[Stage, Literal["balanced", "size"]]:
        shares = {} if isinstance(self.shares, str) else self.shares
        stage = Stage(self.name, shares, self.steps, self.epochs, self.lr_scale)
        return (stage, self.shares) if isinstance(self.shares, str) else stage


class StagedOptions(Options):
    """The stages, in order."""

    stages: list[StageOptions] = Field(min_length=1)
    """Tables `[[curriculum.staged.stages]]` with name, shares, epochs or steps, lr_scale."""


class Staged(Curriculum):
    """A list of stages, each with its own shares, length and factors on the learning rates."""

    name = "staged"
    Options = StagedOptions
    options: StagedOptions

    def plan(self, data: Sequence[DataSize]) -> tuple[Stage, ...]:
        return staged(data, [stage.stage() for stage in self.options.stages], where=f"curriculum.{self.label}")
