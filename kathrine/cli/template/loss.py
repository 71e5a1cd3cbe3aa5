"""The loss `newname`: label smoothing. It holds the talker's predictions away from certainty.

Legend: N rows with a target, V codec vocabulary, B items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import kathrine
from kathrine.components import Collated
from kathrine.types import LossTerm, ModelFacts, TalkerOutputs

if TYPE_CHECKING:
    import torch


def smoothing(logits_NV: torch.Tensor) -> torch.Tensor:
    """Cross entropy of each row against all codes alike, in nats, float32 [N] (Szegedy and others 2016, section 7)."""
    import torch.nn.functional as F

    return -F.log_softmax(logits_NV.float(), dim=1).mean(dim=1)


class NewNameLossOptions(kathrine.LossOptions):
    """weight: 0.01 to 0.1 beside a talker loss of a few nats."""


class NewNameLoss(kathrine.Loss):
    """Label smoothing of the talker: less certain predictions, at the price of a slower loss."""

    name = "newname"
    Options = NewNameLossOptions
    options: NewNameLossOptions

    def denominator(self, batch: Collated, facts: ModelFacts) -> float:
        return float(batch.targets)

    def term(
        self,
        model: kathrine.SpeechModel,
        batch: Collated,
        outputs: TalkerOutputs,
        generator: torch.Generator | None,
    ) -> LossTerm | None:
        import torch

        losses_N = smoothing(outputs.logits_NV)
        zeros_B = torch.zeros(batch.items, device=losses_N.device)
        sums_B = zeros_B.index_add(0, outputs.item_N, losses_N.detach())
        counts_B = zeros_B.index_add(0, outputs.item_N, torch.ones_like(losses_N))
        return LossTerm(losses_N.sum(), len(losses_N), len(losses_N), sums_B, counts_B)
