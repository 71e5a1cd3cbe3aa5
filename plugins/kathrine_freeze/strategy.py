"""The strategy `freeze`: whole layers, named parts, or weights chosen by pattern are trained in place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import Field

from kathrine.components import StrategyOptions
from kathrine.errors import KathrineError
from kathrine.inplace import InPlaceStrategy, select_parts
from kathrine.types import ModelFacts, ParameterSpec


def select_layers(
    strategy: str, parameters: Sequence[ParameterSpec], first: int, last: int, facts: ModelFacts
) -> set[str]:
    """Names of all weights in the first `first` and the last `last` talker layers.

    Raises: KathrineError where the model has fewer layers than asked for.
    """
    layers = {spec.layer for spec in parameters if spec.layer is not None}
    if max(first, last) > len(layers):
        raise KathrineError(
            f"strategy.{strategy}: {max(first, last)} layers are asked for",
            f"{facts.checkpoint} has {len(layers)}",
        )
    wanted = {*range(first), *range(len(layers) - last, len(layers))}
    return {spec.name for spec in parameters if spec.layer in wanted}


def select_patterns(
    strategy: str, parameters: Sequence[ParameterSpec], patterns: Sequence[str], facts: ModelFacts
) -> set[str]:
    """Names that some pattern matches from end to end. Raises: KathrineError for a pattern that matches
    nothing."""
    chosen: set[str] = set()
    for pattern in patterns:
        matched = {spec.name for spec in parameters if re.fullmatch(pattern, spec.name)}
        if not matched:
            example = parameters[0].name if parameters else "none"
            raise KathrineError(
                f"strategy.{strategy}: the pattern {pattern!r} matches no weight of {facts.checkpoint}",
                f"a pattern must match a whole name, such as {example!r}; `kathrine inspect` lists them",
            )
        chosen |= matched
    return chosen


def select_names(
    strategy: str,
    parameters: Sequence[ParameterSpec],
    facts: ModelFacts,
    parts: Sequence[str] = (),
    first_layers: int = 0,
    last_layers: int = 0,
    patterns: Sequence[str] = (),
) -> tuple[str, ...]:
    """Everything that any of the four ways chooses, in the model's order.

    Raises: KathrineError for a part, a layer count or a pattern that the model can not answer.
    """
    chosen = set(select_parts(strategy, parameters, parts, facts))
    chosen |= select_layers(strategy, parameters, first_layers, last_layers, facts)
    chosen |= select_patterns(strategy, parameters, patterns, facts)
    return tuple(spec.name for spec in parameters if spec.name in chosen)


class FreezeOptions(StrategyOptions):
    """At least one of parts, first_layers, last_layers and patterns; what they choose adds up."""

    parts: list[str] = Field(default_factory=list)
    """Whole parts to train, by role name as `kathrine inspect` shows them, such as `sub_talker` or
    `talker`."""
    first_layers: int = Field(default=0, ge=0)
    """Train the first so many talker layers (near the text)."""
    last_layers: int = Field(default=0, ge=0)
    """Train the last so many talker layers (near the codes)."""
    patterns: list[str] = Field(default_factory=list)
    """Regular expressions; a weight is trained where one matches its whole official name."""


class Freeze(InPlaceStrategy):
    """Train chosen weights of the model itself, everything else stays frozen."""

    name = "freeze"
    Options = FreezeOptions
    options: FreezeOptions

    def problems(self) -> Iterator[str]:
        options = self.options
        if not (options.parts or options.first_layers or options.last_layers or options.patterns):
            yield "nothing to train: give parts, first_layers, last_layers or patterns"
        for pattern in options.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                yield f"patterns: {pattern!r} is no regular expression ({error})"

    def names(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> tuple[str, ...]:
        options = self.options
        names = select_names(
            self.label,
            parameters,
            facts,
            options.parts,
            options.first_layers,
            options.last_layers,
            options.patterns,
        )
        if not names:
            raise KathrineError(
                f"strategy.{self.label} trains nothing", "give parts, first_layers, last_layers or patterns"
            )
        return names
