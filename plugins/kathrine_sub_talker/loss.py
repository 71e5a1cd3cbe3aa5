"""The loss `sub_talker`: cross entropy of codebooks 1 .. Q-1, on all target frames or on a drawn share of
them.

Legend: M target frames of a batch, K drawn frames, Q codebooks, H width, B items.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from kathrine.components import Collated, Loss, LossOptions, SpeechModel
from kathrine.types import LossTerm, ModelFacts, TalkerOutputs

if TYPE_CHECKING:
    import torch


def drawn_frames(frames: int, share: float, generator: torch.Generator | None) -> torch.Tensor | None:
    """Indices, ascending, of max(1, ceil(share x frames)) frames drawn without replacement; None for all.

    Without a generator nothing is drawn: all frames count.
    """
    import torch

    count = max(1, math.ceil(share * frames))
    if generator is None or count >= frames:
        return None
    return torch.randperm(frames, generator=generator, device=generator.device)[:count].sort().values


def sub_talker_term(
    model: SpeechModel, outputs: TalkerOutputs, items: int, share: float, generator: torch.Generator | None
) -> LossTerm | None:
    """The sum to divide by (Q-1) x all target frames of the step; None where hidden states are missing.

    A sum over K of M frames is weighted M/K, so that its expectation is that of all frames. Float32
    throughout.
    """
    import torch
    import torch.nn.functional as F

    if outputs.hidden_MH is None:
        return None
    hidden_MH, codes_MQ, item_M = outputs.hidden_MH, outputs.codes_MQ, outputs.item_M
    frames, codebooks = codes_MQ.shape
    counts_B = torch.zeros(items, device=item_M.device)
    counts_B = counts_B.index_add(0, item_M, torch.full_like(item_M, codebooks - 1, dtype=torch.float32))
    if frames == 0:
        return LossTerm(hidden_MH.float().sum() * 0, 0, 0, torch.zeros_like(counts_B), counts_B)
    chosen_K = drawn_frames(frames, share, generator)
    if chosen_K is not None:
        chosen_K = chosen_K.to(hidden_MH.device)
        # F.embedding, not indexing: its backward pass gives the same bits on any number of threads
        hidden_MH = F.embedding(chosen_K, hidden_MH)
        codes_MQ, item_M = codes_MQ[chosen_K], item_M[chosen_K]
    covered = codes_MQ.shape[0]
    losses_K = model.sub_talker_losses(hidden_MH, codes_MQ).sum(dim=1) * (frames / covered)
    sums_B = torch.zeros_like(counts_B).index_add(0, item_M, losses_K.detach())
    return LossTerm(losses_K.sum(), covered, frames, sums_B, counts_B)


class SubTalkerOptions(LossOptions):
    """weight: 0.2 was stable with a LoRA at 1e-5; the official trainer uses 0.3."""

    share: float = Field(default=1.0, gt=0, le=1)
    """Share of the target frames looked at in each step, drawn anew each time; validation looks at all."""


class SubTalker(Loss):
    """Keeps the fine detail of the codes (crisp consonants, no rattle) in the objective."""

    name = "sub_talker"
    Options = SubTalkerOptions
    options: SubTalkerOptions

    def sub_talker_share(self) -> float:
        return self.options.share

    def denominator(self, batch: Collated, facts: ModelFacts) -> float:
        return float((facts.codebooks - 1) * batch.target_frames)

    def term(
        self, model: SpeechModel, batch: Collated, outputs: TalkerOutputs, generator: torch.Generator | None
    ) -> LossTerm | None:
        return sub_talker_term(model, outputs, batch.items, self.options.share, generator)
