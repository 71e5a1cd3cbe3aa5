"""The strategy `newname`: weights that are named by patterns, trained where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import kathrine
from kathrine.inplace import InPlaceStrategy
from kathrine.types import ModelFacts, ParameterSpec
from pydantic import Field


class NewNameStrategyOptions(kathrine.StrategyOptions):
    """lr: weights that are trained in place want small steps, 1e-5 to 1e-4."""

    weights: list[str] = Field(default_factory=lambda: ["talker.*norm.weight"], min_length=1)
    """Names of the weights to train, with `*` for any letters; `kathrine inspect MODEL` lists them."""


class NewNameStrategy(InPlaceStrategy):
    """Train weights by name: the talker's norms, or those that patterns say."""

    name = "newname"
    Options = NewNameStrategyOptions
    options: NewNameStrategyOptions

    def names(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> tuple[str, ...]:
        for pattern in self.options.weights:
            if not any(fnmatchcase(spec.name, pattern) for spec in parameters):
                raise kathrine.KathrineError(
                    f"strategy.{self.label}: {facts.checkpoint} has no weight {pattern!r}",
                    f"`kathrine inspect` lists the weights; the model's parts: {', '.join(facts.parts)}",
                )
        return tuple(spec.name for spec in parameters if self._wanted(spec.name))

    def _wanted(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.options.weights)
