"""A second look at the alignment, on real speech: the next frame has to be easier to tell than the one after it.

The self-test of a family works on what the model generates itself. This one works on held-out utterances, and
only compares: limits on the losses themselves stop correct runs (a stock model on a new language has talker
losses around 6). Random weights put the two in any order, so nothing follows from it for models that nobody
trained.

Legend: N rows with a target, P pairs of neighbouring rows, I utterances.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from kathrine.components import SpeechModel
from kathrine.errors import KathrineError
from kathrine.train.processes import Processes
from kathrine.types import PromptedExample

LEAST_UTTERANCES = 4
STANDARD_ERRORS = 3.0


@dataclass(frozen=True, slots=True)
class Margin:
    """Talker loss of the frame after next minus that of the next one, nat: mean over utterances and its
    error."""

    mean: float
    error: float
    utterances: int

    @property
    def aligned(self) -> bool:
        return self.mean > STANDARD_ERRORS * self.error


def next_frame_margin(
    model: SpeechModel, batches: Sequence[Sequence[PromptedExample]], processes: Processes
) -> Margin | None:
    """The margin on some items, or None for too few of them.

    Rows of one item follow each other in `TalkerOutputs`: row n is asked for the target of row n, which it
    predicts, and for that of row n + 1. The error is that of the mean over utterances, since frames of one
    are alike.
    Raises: KathrineError where a loss is not a number: nothing can be learnt from there.
    """
    model.network.eval()
    means: list[float] = []
    with torch.no_grad(), processes.autocast():
        for items in batches:
            outputs = model.forward(model.collate(items).to(processes.device))
            same_P = outputs.item_N[1:] == outputs.item_N[:-1]
            logits_PV = outputs.logits_NV[:-1].float()
            after_P = F.cross_entropy(logits_PV, outputs.targets_N[1:], reduction="none")
            next_P = F.cross_entropy(logits_PV, outputs.targets_N[:-1], reduction="none")
            blank_I = torch.zeros(len(items), dtype=torch.float64, device=processes.device)
            item_P = outputs.item_N[:-1]
            sums_I = blank_I.index_add(0, item_P, ((after_P - next_P) * same_P).double())
            counts_I = blank_I.index_add(0, item_P, same_P.double())
            means += (sums_I / counts_I.clamp(min=1)).tolist()
    if not all(map(math.isfinite, means)):
        raise KathrineError(
            f"{model.facts.checkpoint} gives a loss that is not a number on held-out speech, before any training",
            'set train.precision = "fp32"; if that changes nothing, its weights are broken: fetch them again',
        )
    if len(means) < LEAST_UTTERANCES:
        return None
    error = statistics.stdev(means) / math.sqrt(len(means))
    return Margin(statistics.fmean(means), error, len(means))


def refuse_misaligned(margin: Margin | None, model: SpeechModel) -> str:
    """A sentence about the margin. Raises: KathrineError for a trained model that is not aligned."""
    if margin is None:
        return ""
    measured = f"{margin.mean:+.3f} nat (standard error {margin.error:.3f}, {margin.utterances} utterances)"
    if model.facts.released and not margin.aligned:
        raise KathrineError(
            f"{model.facts.checkpoint} predicts the next frame no better than the one after: {measured}",
            "it learnt a shifted objective, or the codes are not of its tokenizer; take another checkpoint",
        )
    return f"on held-out speech the next frame is easier than the one after it by {measured}"
