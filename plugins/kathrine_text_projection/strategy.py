"""The strategy `text_projection`: the part of that role, trained in place with a learning rate of its own."""

from __future__ import annotations

from collections.abc import Sequence

from kathrine.components import StrategyOptions
from kathrine.inplace import InPlaceStrategy, select_parts
from kathrine.types import ModelFacts, ParameterSpec

PART = "text_projection"


class TextProjectionOptions(StrategyOptions):
    """lr: 3e-5 to 5e-5 beside a LoRA at 1e-5 was stable; higher ones tend to noise."""


class TextProjection(InPlaceStrategy):
    """Train the text projection. Checkpoints hold it as `text_projection.bin` too."""

    name = "text_projection"
    Options = TextProjectionOptions
    options: TextProjectionOptions

    def names(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> tuple[str, ...]:
        return select_parts(self.label, parameters, (PART,), facts)
