"""The self-test of the objective: does training learn what generation will ask for?

The model speaks a few built-in prompts greedily; its own codes are then fed back teacher-forced, through the very
functions that training uses. A model is sure of its own codes, so a correct alignment gives a low loss, a wrong one a
high loss, whatever the weights: no limit here depends on speech, language or training state.

Legend: B prompts, T rows, H backbone width, M target frames, K = codebooks - 1, V codes, D decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kathrine.generating import check_below, check_gap, evaluating, relative_difference
from kathrine.types import Sampling, SelfCheck
from kathrine_csm import generation, layout, objective
from kathrine_csm.layout import NONE, Prompt, Rows
from kathrine_csm.network import CsmNetwork

ENOUGH = 8
"""Fewest targets that must differ from their neighbour for the two alignments to be told apart."""


def tolerance(dtype: torch.dtype) -> float:
    """Largest relative difference (root mean square, against the spread) that rounding may explain."""
    return 0.01 if dtype == torch.float32 else 0.15


def built_in_prompts(network: CsmNetwork, begin: int, end: int) -> list[Prompt]:
    """Two texts without a voice, one with an in-context reference. Text and reference are arbitrary but fixed."""
    random = np.random.default_rng(12)
    vocabulary = min(begin, network.embed_text_tokens.weight.shape[0])

    def text(count: int) -> list[int]:
        return random.integers(0, vocabulary, count).tolist()

    codes = random.integers(0, network.codebook_size, (4, network.codebooks))
    return [
        Prompt(begin, end, text(9)),
        Prompt(begin, end, text(5)),
        Prompt(begin, end, text(7), text(6), codes),
    ]


def plain_rows(network: CsmNetwork, rows: Rows) -> Tensor:
    """The input rows [T, H], looked up one by one in transformers' own modules, to compare `layout.embed` with."""
    lines = []
    for text, frame in zip(rows.text_T, rows.frame_T, strict=True):
        if text != NONE:
            lines.append(network.embed_text_tokens(torch.tensor(int(text), device=network.device)))
        else:
            codes_11Q = torch.from_numpy(rows.codes_FQ[frame]).to(network.device)[None, None]
            lines.append(network.backbone_model.embed_tokens(codes_11Q)[0, 0])
    return torch.stack(lines)


@torch.no_grad()
def self_test(network: CsmNetwork, begin: int, end: int, max_frames: int = 12) -> list[SelfCheck]:
    """Prove the alignment on codes that the model generates itself.

    Given a network with its weights, and the text ids around a text; it is put in eval mode for the length of the
    test. Call it under the run's autocast where the run has one. Returns one SelfCheck per claim; all must have passed
    before a run may start.
    """
    prompts = built_in_prompts(network, begin, end)
    with evaluating(network):
        traces = generation.generate_traced(network, prompts, generation.GREEDY, max_frames)
        if sum(_changes(trace) for trace in traces) < ENOUGH:
            # Greedy speech may get stuck on one code; drawn speech does not, and is the model's own as well.
            traces = generation.generate_traced(network, prompts, Sampling(sub_greedy=True), max_frames)
        return _compare(network, prompts, traces)


def _changes(trace: generation.Trace) -> int:
    first_T = trace.codes_TQ[:, 0]
    return int((first_T[1:] != first_T[:-1]).sum())


def _compare(network: CsmNetwork, prompts: Sequence[Prompt], traces: Sequence[generation.Trace]) -> list[SelfCheck]:
    limit = tolerance(network.compute_dtype)
    examples = [
        layout.training_rows(prompt, trace.codes_TQ, network.end_code, end=trace.stop == "end")
        for prompt, trace in zip(prompts, traces, strict=True)
    ]
    batch = layout.collate(examples).to(network.device)
    inputs_BTH = layout.embed(network, batch)
    fed = torch.cat([inputs_BTH[item, : len(rows)] for item, rows in enumerate(examples)])
    plain = torch.cat([plain_rows(network, rows) for rows in examples])

    outputs = objective.aligned_outputs(network, batch)
    codes_MQ, hidden_MH = outputs.codes_MQ, cast(Tensor, outputs.hidden_MH)
    sub_logits_MKV = network.sub_talker_logits(hidden_MH, codes_MQ)
    decided_MV = torch.cat([trace.logits_DV for trace in traces])
    sub_decided_MKV = torch.cat([trace.sub_logits_DKV for trace in traces])

    # The backbone is compared among the ids that it may choose, where it got its first choice (the end may have been
    # masked, a code penalised) and where the next target differs.
    chosen_M = generation.without_surplus(decided_MV, network.codebook_size).argmax(dim=-1).to(network.device)
    next_M = outputs.targets_N.roll(-1)
    told_M = (outputs.item_N == outputs.item_N.roll(-1)) & (outputs.targets_N != next_M)
    if chosen_M.shape == told_M.shape:
        told_M &= chosen_M == outputs.targets_N
    told_M[-1] = False
    logits_MV = generation.without_surplus(outputs.logits_NV, network.codebook_size)
    talker_M = F.cross_entropy(logits_MV, outputs.targets_N, reduction="none")
    talker_next_M = F.cross_entropy(logits_MV, next_M, reduction="none")

    sub_MK = objective.sub_talker_losses(sub_logits_MKV, codes_MQ)
    shifted_MK = F.cross_entropy(sub_logits_MKV[:, :-1].float().transpose(1, 2), codes_MQ[:, 2:], reduction="none")

    return [
        check_below(
            "input_rows",
            relative_difference(fed, plain),
            limit,
            "each input row is a text id's vector or a frame's, with every codebook of a frame summed",
        ),
        check_below(
            "talker_teacher_forced",
            relative_difference(outputs.logits_NV, decided_MV),
            limit,
            "the backbone's teacher-forced logits equal those that generated the codes",
        ),
        check_below(
            "sub_talker_teacher_forced",
            relative_difference(sub_logits_MKV, sub_decided_MKV),
            limit,
            "the depth decoder's teacher-forced logits equal those that generated the codes",
        ),
        check_gap(
            "talker_alignment",
            talker_M[told_M],
            talker_next_M[told_M],
            "the backbone's loss is lower for the next frame than for the one after it",
        ),
        check_gap(
            "sub_talker_alignment",
            sub_MK.flatten(),
            shifted_MK.flatten(),
            "the depth decoder's loss is lower for a head's own codebook than for the one after it",
        ),
    ]
