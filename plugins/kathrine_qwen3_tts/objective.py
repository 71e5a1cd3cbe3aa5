"""The objective: the one file that owns alignment.

The row that DECIDES a frame is the row before the frame's own (layout.py). Its hidden state gives both the
talker's logits for codebook 0 of that frame and the sub-talker's first input for codebooks 1 .. Q-1. Targets
come out of the layout already beside their rows; nothing is shifted here or later.

Legend: B items, T rows, H talker width, N rows with a talker target, C codec vocabulary, M target frames,
Q codebooks, V codes per codebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from kathrine.types import TalkerOutputs
from kathrine_qwen3_tts.batches import CollatedRows, embed

if TYPE_CHECKING:
    from kathrine_qwen3_tts.network import TtsNetwork


def deciding_rows(batch: CollatedRows) -> Tensor:
    """Flat index [N] of the row whose logits are compared with target n."""
    return batch.target_row_N


def frame_deciding_rows(batch: CollatedRows) -> Tensor:
    """Flat index [M] of the row whose hidden state starts the sub-talker for target frame m."""
    return batch.frame_row_M


def aligned_outputs(network: TtsNetwork, batch: CollatedRows) -> TalkerOutputs:
    """One teacher-forced pass. Heads run on rows with a target only.

    Given a batch on the network's device. Returns logits_NV beside targets_N, and hidden_MH beside codes_MQ.
    """
    hidden_BTH = network.talker_hidden(embed(network, batch))
    hidden_PH = hidden_BTH.flatten(0, 1)
    return TalkerOutputs(
        logits_NV=network.talker.codec_head(F.embedding(deciding_rows(batch), hidden_PH)),
        targets_N=batch.target_N,
        item_N=batch.item_N,
        hidden_MH=F.embedding(frame_deciding_rows(batch), hidden_PH),
        codes_MQ=F.embedding(batch.target_frame_M, batch.codes_GQ),
        item_M=batch.item_M,
    )


def talker_losses(outputs: TalkerOutputs) -> Tensor:
    """Cross entropy [N] in nats, float32, of each talker target over the codec vocabulary."""
    return F.cross_entropy(outputs.logits_NV.float(), outputs.targets_N, reduction="none")


def talker_loss_sums(outputs: TalkerOutputs) -> tuple[Tensor, int]:
    """(sum of the talker's losses, number of targets); the loss is one divided by the other."""
    return talker_losses(outputs).sum(), outputs.targets_N.shape[0]


def sub_talker_pairs(logits_MKV: Tensor, codes_MQ: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [M, K, V] and targets [M, K] side by side: head i is about codebook i+1, K = Q-1."""
    return logits_MKV, codes_MQ[:, 1:]


def sub_talker_losses(logits_MKV: Tensor, codes_MQ: Tensor) -> Tensor:
    """Cross entropy [M, K] in nats, float32, from the logits of `TtsNetwork.sub_talker_logits`."""
    logits_MKV, targets_MK = sub_talker_pairs(logits_MKV, codes_MQ)
    return F.cross_entropy(logits_MKV.float().transpose(1, 2), targets_MK, reduction="none")


def sub_talker_loss_sums(network: TtsNetwork, hidden_MH: Tensor, codes_MQ: Tensor) -> tuple[Tensor, int]:
    """(sum of the sub-talker's losses, number of (frame, codebook) pairs) for these target frames.

    Given hidden_MH and codes_MQ of `aligned_outputs`, or the same selection of frames from both.
    """
    losses_MK = sub_talker_losses(network.sub_talker_logits(hidden_MH, codes_MQ), codes_MQ)
    return losses_MK.sum(), losses_MK.numel()
