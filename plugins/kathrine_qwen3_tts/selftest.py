"""The self-test of the objective: does training learn what generation will ask for?

The model speaks a few built-in prompts greedily; its own codes are then fed back teacher-forced, through the
very functions that training uses. A model is sure of its own codes, so a correct alignment gives a low loss,
a wrong one a high loss, whatever the weights: no limit here depends on speech, language or training state.

Legend: B prompts, T rows, H talker width, N talker targets, C codec vocabulary, M target frames,
K = codebooks - 1, V codes per sub-talker codebook, D decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kathrine.generating import check_below, check_gap, evaluating, relative_difference
from kathrine.types import Sampling, SelfCheck
from kathrine_qwen3_tts import batches, generation, layout, objective
from kathrine_qwen3_tts.layout import NONE, Prompt, Rows
from kathrine_qwen3_tts.network import TtsNetwork

ENOUGH = 8
"""Fewest targets that must differ from their neighbour for the talker's two alignments to be told apart."""

NEWLINE_ID = 198
"""The newline token that closes the role, the same in every checkpoint of the family."""


def tolerance(dtype: torch.dtype) -> float:
    """Largest relative difference (root mean square, against the spread) that rounding may explain."""
    return 0.01 if dtype == torch.float32 else 0.15


def built_in_prompts(network: TtsNetwork) -> list[Prompt]:
    """Streamed and auto; whole with a language tag; in-context. Text and voice are arbitrary but fixed."""
    config, talker = network.config, network.config["talker_config"]
    random = np.random.default_rng(12)
    role = [config["im_start_token_id"], config["assistant_token_id"], NEWLINE_ID]

    def text(count: int) -> list[int]:
        return random.integers(0, config["im_start_token_id"], count).tolist()

    def codes(count: int) -> np.ndarray:
        return random.integers(0, network.codebook_size, (count, network.codebooks))

    voice: dict = {}
    kind = config.get("tts_model_type", "base")
    if kind == "base":
        # The sum of a frame has the size of what this place in a row usually carries.
        frame_Q = torch.from_numpy(codes(1)[0]).to(network.device)
        with torch.no_grad():
            voice = {"speaker_embedding": network.frame_embedding(frame_Q).float().cpu().numpy()}
    elif kind == "custom_voice" and talker.get("spk_id"):
        voice = {"speaker_id": min(talker["spk_id"].values())}
    languages = talker.get("codec_language_id") or {}
    return [
        Prompt(role, text(9), streamed=True, **voice),
        Prompt(role, text(7), streamed=False, language_id=min(languages.values(), default=None), **voice),
        Prompt(role, text(12), streamed=True, reference_codes=codes(4), **voice),
    ]


def plain_rows(network: TtsNetwork, rows: Rows) -> Tensor:
    """The input rows [T, H] of the contract, written out one by one, to compare `batches.embed` with."""
    talker = network.talker
    projection = talker.text_projection
    tables = [talker.model.codec_embedding, *talker.code_predictor.model.codec_embedding]
    lines = []
    for text, codec, frame, speaker in zip(rows.text_T, rows.codec_T, rows.frame_T, rows.speaker_T, strict=True):
        line_H = torch.zeros(network.hidden_size, device=network.device)
        if text != NONE:
            wide = talker.model.text_embedding.weight[int(text)].to(projection.linear_fc1.weight.dtype)
            line_H = line_H + projection.linear_fc2(F.silu(projection.linear_fc1(wide)))
        if codec != NONE:
            tag = str(int(codec))
            tags = network.language_tag_vectors
            line_H = line_H + (tags[tag] if tag in tags else talker.model.codec_embedding.weight[int(codec)])
        if frame != NONE:
            for code, table in zip(rows.codes_FQ[frame], tables, strict=True):
                line_H = line_H + table.weight[int(code)]
        if speaker:
            line_H = line_H + torch.as_tensor(rows.speaker_embedding, device=network.device)
        lines.append(line_H)
    return torch.stack(lines)


@torch.no_grad()
def self_test(network: TtsNetwork, prompts: Sequence[Prompt] | None = None, max_frames: int = 12) -> list[SelfCheck]:
    """Prove the alignment on codes that the model generates itself.

    Given a network with its weights; it is put in eval mode for the length of the test. Call it under the
    run's autocast where the run has one. Returns one SelfCheck per claim; all must have passed before a run
    may start.
    """
    prompts = built_in_prompts(network) if prompts is None else prompts
    with evaluating(network):
        traces = generation.generate_traced(network, prompts, generation.GREEDY, max_frames)
        if sum(_changes(trace) for trace in traces) < ENOUGH:
            # Greedy speech may get stuck on one code; drawn speech does not, and is the model's own as well.
            traces = generation.generate_traced(network, prompts, Sampling(sub_greedy=True), max_frames)
        return _compare(network, prompts, traces)


def _changes(trace: generation.Trace) -> int:
    first_T = trace.codes_TQ[:, 0]
    return int((first_T[1:] != first_T[:-1]).sum())


def _compare(network: TtsNetwork, prompts: Sequence[Prompt], traces: Sequence[generation.Trace]) -> list[SelfCheck]:
    control, limit = layout.control_ids(network.config), tolerance(network.compute_dtype)
    examples = [
        layout.training_rows(prompt, trace.codes_TQ, control, end=trace.stop == "end")
        for prompt, trace in zip(prompts, traces, strict=True)
    ]
    batch = batches.collate(examples).to(network.device)
    inputs_BTH = batches.embed(network, batch)
    fed = torch.cat([inputs_BTH[item, : len(rows)] for item, rows in enumerate(examples)])
    plain = torch.cat([plain_rows(network, rows) for rows in examples])

    outputs = objective.aligned_outputs(network, batch)
    codes_MQ, hidden_MH = outputs.codes_MQ, cast(Tensor, outputs.hidden_MH)
    sub_logits_MKV = network.sub_talker_logits(hidden_MH, codes_MQ)
    decided_NC = torch.cat(
        [trace.logits_DC[: len(rows.target_N)] for trace, rows in zip(traces, examples, strict=True)]
    )
    sub_decided_MKV = torch.cat([trace.sub_logits_TKV for trace in traces if len(trace.codes_TQ)])

    # The talker is compared among the ids that it may choose, where it got its first choice (the end may have
    # been masked, a code penalised) and where the next target differs.
    allowed_C = generation.allowed_ids(network.codec_vocabulary, control.codec_end)
    chosen_N = decided_NC.masked_fill(~allowed_C, -torch.inf).argmax(dim=-1).to(network.device)
    next_N = outputs.targets_N.roll(-1)
    told_N = (outputs.item_N == outputs.item_N.roll(-1)) & (outputs.targets_N != next_N)
    told_N &= chosen_N == outputs.targets_N
    told_N[-1] = False
    logits_NC = outputs.logits_NV.float().masked_fill(~allowed_C.to(network.device), -torch.inf)
    talker_N = objective.talker_losses(replace(outputs, logits_NV=logits_NC))
    talker_next_N = F.cross_entropy(logits_NC, next_N, reduction="none")

    sub_MK = objective.sub_talker_losses(sub_logits_MKV, codes_MQ)
    shifted_MK = F.cross_entropy(sub_logits_MKV[:, :-1].float().transpose(1, 2), codes_MQ[:, 2:], reduction="none")

    return [
        check_below(
            "input_rows",
            relative_difference(fed, plain),
            limit,
            "each input row is its projected text plus its codec part, with every codebook of a frame summed",
        ),
        check_below(
            "talker_teacher_forced",
            relative_difference(outputs.logits_NV, decided_NC),
            limit,
            "the talker's teacher-forced logits equal those that generated the codes",
        ),
        check_below(
            "sub_talker_teacher_forced",
            relative_difference(sub_logits_MKV, sub_decided_MKV),
            limit,
            "the sub-talker's teacher-forced logits equal those that generated the codes",
        ),
        check_gap(
            "talker_alignment",
            talker_N[told_N],
            talker_next_N[told_N],
            "the talker's loss is lower for the next frame than for the one after it",
        ),
        check_gap(
            "sub_talker_alignment",
            sub_MK.flatten(),
            shifted_MK.flatten(),
            "the sub-talker's loss is lower for a head's own codebook than for the one after it",
        ),
    ]
