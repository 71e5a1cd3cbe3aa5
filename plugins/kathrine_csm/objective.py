"""The objective: the one file that owns alignment.

The row that DECIDES a frame is the row before the frame's own (layout.py). Its hidden state gives both the backbone's
logits for codebook 0 of that frame and the depth decoder's first input for codebooks 1 .. Q-1. Targets come out of the
layout already beside their rows; nothing is shifted here or later.

Legend: T rows, H backbone width, M target frames (the end frame included), Q codebooks, K = Q-1, V codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from kathrine.types import TalkerOutputs
from kathrine_csm.layout import CollatedRows, embed

if TYPE_CHECKING:
    from kathrine_csm.network import CsmNetwork


def deciding_rows(batch: CollatedRows) -> Tensor:
    """Flat index [M] of the row whose hidden state decides target frame m, all its codebooks."""
    return batch.deciding_M


def aligned_outputs(network: CsmNetwork, batch: CollatedRows) -> TalkerOutputs:
    """One teacher-forced pass. The head runs on rows with a target only.

    Given a batch on the network's device. Every target of the backbone is a frame, so N and M are the same rows.
    """
    hidden_PH = network.backbone_hidden(embed(network, batch)).flatten(0, 1)
    hidden_MH = F.embedding(deciding_rows(batch), hidden_PH)
    codes_MQ = F.embedding(batch.frame_M, batch.codes_GQ)
    return TalkerOutputs(
        logits_NV=network.lm_head(hidden_MH),
        targets_N=codes_MQ[:, 0],
        item_N=batch.item_M,
        hidden_MH=hidden_MH,
        codes_MQ=codes_MQ,
        item_M=batch.item_M,
    )


def sub_talker_targets(codes_MQ: Tensor) -> Tensor:
    """Targets [M, K] beside the logits of `CsmNetwork.sub_talker_logits`: head i is about codebook i+1."""
    return codes_MQ[:, 1:]


def sub_talker_losses(logits_MKV: Tensor, codes_MQ: Tensor) -> Tensor:
    """Cross entropy [M, K] in nats, float32."""
    return F.cross_entropy(logits_MKV.float().transpose(1, 2), sub_talker_targets(codes_MQ), reduction="none")
