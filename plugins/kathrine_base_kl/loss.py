"""The loss `base_kl`: how far the talker's predictions have moved from those of the model before training.

Legend: N rows with a target, V codec vocabulary, B items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from kathrine.components import Collated, Loss, LossOptions, SpeechModel
from kathrine.types import LossTerm, ModelFacts, TalkerOutputs

if TYPE_CHECKING:
    import torch


def divergence(base_NV: torch.Tensor, logits_NV: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(base || model) of each row in nats, float32 [N], with both distributions softened by the temperature.

    Times the temperature squared, so that gradients keep their size (Hinton, Vinyals, Dean 2015, section 2).
    """
    import torch.nn.functional as F

    base_NV = F.log_softmax(base_NV.float() / temperature, dim=1)
    logits_NV = F.log_softmax(logits_NV.float() / temperature, dim=1)
    return F.kl_div(logits_NV, base_NV, reduction="none", log_target=True).sum(dim=1) * temperature**2


class BaseKlOptions(LossOptions):
    """weight: 0.01 to 0.1 beside a talker loss of a few nats; more holds the accent of the base model as well."""

    temperature: float = Field(default=1.0, gt=0)
    """Softens both predictions: above 1 the unlikely codes count for more; 1 to 2."""


class BaseKl(Loss):
    """Penalises predictions that drift from the base model's: less forgetting, at the price of slower learning."""

    name = "base_kl"
    needs_base = True
    Options = BaseKlOptions
    options: BaseKlOptions

    def denominator(self, batch: Collated, facts: ModelFacts) -> float:
        return float(batch.targets)

    def term(
        self, model: SpeechModel, batch: Collated, outputs: TalkerOutputs, generator: torch.Generator | None
    ) -> LossTerm | None:
        import torch

        if outputs.base_logits_NV is None:
            return None
        losses_N = divergence(outputs.base_logits_NV, outputs.logits_NV, self.options.temperature)
        zeros_B = torch.zeros(batch.items, device=losses_N.device)
        sums_B = zeros_B.index_add(0, outputs.item_N, losses_N.detach())
        counts_B = zeros_B.index_add(0, outputs.item_N, torch.ones_like(losses_N))
        return LossTerm(losses_N.sum(), len(losses_N), len(losses_N), sums_B, counts_B)
