"""What is trained: claims are joined, applied in the order of the recipe, and then verified.

The verification is not a formality: adapter libraries switch parameters off that others had switched on, and
rename layers. So requires_grad is set from the claims at the very end, and the set of trained parameters is
compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kathrine.components import SpeechModel, Strategy
from kathrine.corpus.mixture import derived_seed
from kathrine.errors import KathrineError
from kathrine.types import Claim

if TYPE_CHECKING:
    import torch


@dataclass(eq=False)
class Trainable:
    """claims in recipe order. by_strategy: parameters by label and checkpoint name. parameters: all of
    them."""

    claims: list[Claim]
    by_strategy: dict[str, dict[str, torch.nn.Parameter]]

    @property
    def parameters(self) -> dict[str, torch.nn.Parameter]:
        return {name: parameter for part in self.by_strategy.values() for name, parameter in part.items()}

    @property
    def names(self) -> dict[torch.nn.Parameter, str]:
        return {parameter: name for name, parameter in self.parameters.items()}


def make_trainable(model: SpeechModel, strategies: Sequence[Strategy], claims: Sequence[Claim], seed: int) -> Trainable:
    """Freezes everything, lets strategies apply their claims, switches on what was claimed, and verifies.

    Given: claims that do not conflict (`kathrine.recipe.plan.claims`), in the order of the strategies.
    Raises: KathrineError for a strategy that does not do what it claimed.
    """
    for parameter in model.network.parameters():
        parameter.requires_grad_(False)
    applied = {}
    for strategy, claim in zip(strategies, claims, strict=True):
        applied[claim.strategy] = strategy.apply(model, claim, derived_seed(seed, "strategy", claim.strategy))
    _verify(model, claims, applied)
    return Trainable(list(claims), applied)


def _verify(model: SpeechModel, claims: Sequence[Claim], applied: dict[str, dict[str, torch.nn.Parameter]]) -> None:
    import torch

    for claim in claims:
        promised = {*claim.trains, *(spec.name for spec in claim.adds)}
        got = set(applied[claim.strategy])
        if promised != got:
            odd = ", ".join(sorted(promised ^ got)[:5])
            raise KathrineError(
                f"strategy.{claim.strategy} does not train what it claimed: {odd}", "a fault of the plugin"
            )
        for name, parameter in applied[claim.strategy].items():
            if parameter.dtype != torch.float32:
                raise KathrineError(
                    f"strategy.{claim.strategy} trains {name} in {parameter.dtype}, which loses updates",
                    "a fault of the plugin: trained parameters are float32",
                )
    trained = {id(parameter) for part in applied.values() for parameter in part.values()}
    for parameter in model.network.parameters():
        parameter.requires_grad_(id(parameter) in trained)
    present = {id(parameter) for parameter in model.network.parameters() if parameter.requires_grad}
    lost = [name for part in applied.values() for name, one in part.items() if id(one) not in present]
    if lost:
        raise KathrineError(
            f"{len(lost)} trained parameters are not part of the network: {', '.join(lost[:5])}",
            "a fault of the plugin: a later strategy may have replaced them; try the other order",
        )
