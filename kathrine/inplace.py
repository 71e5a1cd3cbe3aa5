"""Training weights where they lie: what every strategy shares that adds no modules of its own.

A trained weight becomes float32 and stays the same parameter object, so that optimizers, names and hooks
hold. A copy of its first value is kept in its first precision: half the memory of the trained one where a
model is loaded in bf16.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from kathrine.components import SpeechModel, Strategy
from kathrine.errors import KathrineError
from kathrine.types import Claim, ModelFacts, ParameterSpec

if TYPE_CHECKING:
    import torch


def select_parts(
    strategy: str, parameters: Sequence[ParameterSpec], parts: Sequence[str], facts: ModelFacts
) -> tuple[str, ...]:
    """Names of all parameters of these parts, in the model's order.

    Raises: KathrineError for a part that the model does not have; it lists those that it has.
    """
    present = {spec.part for spec in parameters}
    known = [part for part in facts.parts if part in present] or sorted(present)
    for part in parts:
        if part not in present:
            raise KathrineError(
                f"strategy.{strategy}: {facts.checkpoint} has no part {part!r}",
                f"its parts: {', '.join(known)}",
            )
    return tuple(spec.name for spec in parameters if spec.part in parts)


def make_trainable(parameters: Mapping[str, torch.nn.Parameter]) -> dict[str, torch.Tensor]:
    """Turn parameters to float32 in place and ask for their gradients; returns copies of their first
    values."""
    kept = {}
    for name, parameter in parameters.items():
        kept[name] = parameter.detach().clone()
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
    return kept


@contextmanager
def blended(
    parameters: Mapping[str, torch.nn.Parameter], kept: Mapping[str, torch.Tensor], factor: float
) -> Iterator[None]:
    """Within it each parameter is `kept + factor x (trained - kept)`; factor 0 is exactly the first value."""
    trained: dict[str, Any] = {name: parameter.data for name, parameter in parameters.items()}
    try:
        for name, parameter in parameters.items():
            first = kept[name].to(parameter.device).float()
            parameter.data = first if factor == 0 else first.lerp(trained[name], factor)
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.data = trained[name]


class InPlaceStrategy(Strategy):
    """Base of strategies that train existing weights. Subclasses say which in `names`."""

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._parameters: dict[str, torch.nn.Parameter] = {}
        self._kept: dict[str, torch.Tensor] = {}

    @abstractmethod
    def names(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> tuple[str, ...]:
        """Official names of the weights to train. Raises KathrineError where nothing matches."""

    def claim(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> Claim:
        return Claim(
            strategy=self.label,
            trains=self.names(parameters, facts),
            adapts=(),
            adds=(),
            lr=self.options.lr,
            weight_decay=self.options.weight_decay,
        )

    def apply(self, model: SpeechModel, claim: Claim, seed: int) -> dict[str, torch.nn.Parameter]:
        self._parameters = {name: model.originals[name] for name in claim.trains}
        self._kept = make_trainable(self._parameters)
        return dict(self._parameters)

    def off(self) -> AbstractContextManager[None]:
        return blended(self._parameters, self._kept, 0.0)

    def scale(self, factor: float) -> AbstractContextManager[None]:
        """Within it the change since the first step is multiplied by `factor`."""
        return blended(self._parameters, self._kept, factor)
