"""The strategy `lora`: adapters on the talker's attention and, if asked, its MLPs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kathrine.components import SpeechModel, Strategy, StrategyOptions
from kathrine.errors import KathrineError
from kathrine.types import Claim, ModelFacts, ParameterSpec
from kathrine_lora.adapter import (
    ATTENTION,
    MLP,
    adapter_parameters,
    adapter_row_bytes,
    adapter_specs,
    folded,
    inject,
    rescaled,
    thin,
    without,
)

if TYPE_CHECKING:
    import torch


class LoraOptions(StrategyOptions):
    """r 4, alpha 8, dropout 0.1 at lr 1e-5 is the stable baseline; 1e-4 was seen to end in noise."""

    r: int = Field(default=4, ge=1)
    """Rank: 4 to 16."""
    alpha: float = Field(default=8.0, gt=0)
    """Strength of the adapter: its update is multiplied by alpha / r; twice the rank is usual."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the adapter's inputs dropped in training: 0 to 0.1."""
    attention: bool = True
    """Adapt the four projections of attention (q, k, v, o)."""
    mlp: bool = False
    """Adapt the three projections of the MLP too: worth trying where consonants stay weak."""
    rslora: bool = False
    """Scale by alpha / sqrt(r) instead of alpha / r; for ranks above 16."""
    dora: bool = False
    """Train the norm of each output row beside the adapter (DoRA): slower, often better at small ranks."""
    layers: list[int] = Field(default_factory=list, max_length=2)
    """First and last layer to adapt, counted from 0, both included, such as [14, 27]; empty adapts all."""
    parts: list[str] = Field(default_factory=lambda: ["talker"], min_length=1)
    """Parts to adapt, by role name; never more than what stands here."""


def adapted_modules(
    label: str, parameters: Sequence[ParameterSpec], facts: ModelFacts, options: LoraOptions
) -> dict[str, tuple[int, int]]:
    """The linear layers to adapt, with the shapes [O, I] of their weights, in the model's order.

    Raises: KathrineError for a part or layer that the model does not have, or where nothing is left to adapt.
    """
    present = {spec.part for spec in parameters}
    for part in options.parts:
        if part not in present:
            raise KathrineError(
                f"strategy.{label}: {facts.checkpoint} has no part {part!r}",
                f"its parts: {', '.join(facts.parts)}",
            )
    layers = {spec.layer for spec in parameters if spec.layer is not None}
    if options.layers and options.layers[-1] >= len(layers):
        raise KathrineError(
            f"strategy.{label}: layer {options.layers[-1]} is asked for",
            f"{facts.checkpoint} has the layers 0 to {len(layers) - 1}",
        )
    kinds = (*(ATTENTION if options.attention else ()), *(MLP if options.mlp else ()))
    modules: dict[str, tuple[int, int]] = {}
    for spec in parameters:
        module, _, last = spec.name.rpartition(".")
        if spec.part not in options.parts or last != "weight" or len(spec.shape) != 2:
            continue
        if options.layers and spec.layer is not None and not options.layers[0] <= spec.layer <= options.layers[-1]:
            continue
        if module.rpartition(".")[2] in kinds:
            modules[module] = (spec.shape[0], spec.shape[1])
    if not modules:
        raise KathrineError(
            f"strategy.{label}: {', '.join(options.parts)} of {facts.checkpoint} has no layer named "
            f"{', '.join(kinds) or 'anything'}",
            "turn attention or mlp on, or name another part",
        )
    return modules


class Lora(Strategy):
    """Low-rank adapters (Hu et al. 2021), scoped to named parts by an anchored pattern of exact names."""

    name = "lora"
    Options = LoraOptions
    options: LoraOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._layers: dict[str, Any] = {}

    def problems(self) -> Iterator[str]:
        if not (self.options.attention or self.options.mlp):
            yield "nothing to adapt: set attention or mlp to true"
        if self.options.layers and len(self.options.layers) != 2:
            yield "layers: give the first and the last layer, such as [14, 27]"
        if len(self.options.layers) == 2 and not 0 <= self.options.layers[0] <= self.options.layers[1]:
            yield "layers: the first layer must not come after the last"
        if not re.fullmatch(r"[\w-]+", self.label):
            yield f"the label {self.label!r} names weights: use letters, digits, _ and - only"

    def claim(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> Claim:
        modules = adapted_modules(self.label, parameters, facts, self.options)
        return Claim(
            strategy=self.label,
            trains=(),
            adapts=tuple(f"{module}.weight" for module in modules),
            adds=adapter_specs(modules, self.label, self.options.r, self.options.dora),
            lr=self.options.lr,
            weight_decay=self.options.weight_decay,
        )

    def apply(self, model: SpeechModel, claim: Claim, seed: int) -> dict[str, torch.nn.Parameter]:
        options = self.options
        self._layers = inject(
            model.network,
            [name.removesuffix(".weight") for name in claim.adapts],
            self.label,
            seed,
            r=options.r,
            lora_alpha=options.alpha,
            lora_dropout=options.dropout,
            use_rslora=options.rslora,
            use_dora=options.dora,
        )
        trained: dict[str, torch.nn.Parameter] = {}
        for module, layer in self._layers.items():
            trained |= adapter_parameters(module, layer, self.label)
        for parameter in trained.values():
            parameter.requires_grad_(True)
        return trained

    def off(self) -> AbstractContextManager[None]:
        return without(list(self._layers.values()))

    def scale(self, factor: float) -> AbstractContextManager[None]:
        """Within it the adapters' update is multiplied by `factor`."""
        if self.options.dora:
            raise KathrineError(
                f"strategy.{self.label} can not be scaled: DoRA's row norms do not shrink with the adapter",
                "train with dora = false where you want to scale",
            )
        return rescaled(list(self._layers.values()), self.label, factor)

    def kept_per_row(self, inputs: int, outputs: int, mixed: bool, mask: int) -> tuple[float, bool]:
        options = self.options
        return adapter_row_bytes(inputs, outputs, options.r, options.dropout > 0, options.dora, mixed, mask)

    def fold(self, weights: dict[str, torch.Tensor]) -> None:
        for module, layer in self._layers.items():
            weights[f"{module}.weight"] = folded(weights[f"{module}.weight"], layer, self.label)

    def low_rank(self) -> Mapping[str, tuple[torch.Tensor, torch.Tensor]]:
        if self.options.dora:  # its row norms change the whole weight
            return {}
        return {f"{module}.weight": thin(layer, self.label) for module, layer in self._layers.items()}
