"""Autoregressive synthesis of codes, with a KV cache and our own logit processing.

One decision of the backbone gives codebook 0 of the next frame; the depth decoder then gives the other codebooks from
the hidden state that made the decision; the sum of the frame's vectors is the next input. A frame of end codes ends
the speech (the last codebook is not asked, as in transformers' own generation).

Legend: B prompts, P prompt rows (left padded), H backbone width, V codes of the vocabulary, Q codebooks, K = Q-1,
T generated frames, D decisions (T, and one more for the end).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from kathrine.errors import KathrineError
from kathrine.generating import CachedSteps, distribution, draw, evaluating, penalised
from kathrine.types import Generated, Sampling, Stop
from kathrine_csm.layout import Prompt, collate, embed, prompt_rows
from kathrine_csm.network import CsmNetwork

MIN_FRAMES = 2
"""At the first decisions a frame of end codes is drawn again without the end code: so no speech is empty."""

ASKED_EVERY = 8
"""Frames between two questions whether a prompt goes round in circles."""

GREEDY = Sampling(greedy=True, sub_greedy=True)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What one prompt's generation did: codes, why it stopped, and (float32) what its decisions were made from.

    logits_DV: raw backbone logits. sub_logits_DKV: raw depth decoder logits. Both have a row for the end frame where
    the speech ended by itself, and are empty unless asked for.
    """

    codes_TQ: np.ndarray
    stop: Stop
    logits_DV: Tensor
    sub_logits_DKV: Tensor


def talker_scores(logits_BV: Tensor, seen_BV: Tensor, codebook_size: int, sampling: Sampling) -> Tensor:
    """Raw logits -> scores [B, V], float32; ids that the codec has no entry for are -inf.

    seen_BV: True where codebook 0 of an already generated frame (never of a reference frame) had that code.
    """
    return without_surplus(penalised(logits_BV.float(), seen_BV, sampling.repetition_penalty), codebook_size)


def without_surplus(scores_BV: Tensor, codebook_size: int) -> Tensor:
    """Scores with the ids above the codebook at -inf: padding and the like, which the codec can not decode."""
    surplus_V = torch.arange(scores_BV.shape[-1], device=scores_BV.device) >= codebook_size
    return scores_BV.float().masked_fill(surplus_V, -torch.inf)


def sub_talker_frame(
    network: CsmNetwork,
    hidden_BH: Tensor,
    code_B: Tensor,
    sampling: Sampling,
    generators: Sequence[torch.Generator],
) -> tuple[Tensor, Tensor]:
    """Codebooks 1.. of one frame: (codes [B, K], raw logits [B, K, V]).

    Given the hidden state that decided the frame and its codebook 0.
    """
    decoder = network.depth_decoder
    table = decoder.model.embed_tokens.weight
    cache = DynamicCache(config=decoder.config)
    first_BH = F.embedding(code_B, table)
    step_BSH = torch.stack([hidden_BH, first_BH.to(hidden_BH.dtype)], dim=1)
    codes, logits = [], []
    for index in range(1, network.codebooks):
        output = decoder(
            inputs_embeds=step_BSH.to(network.compute_dtype),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits.append(output.logits[:, -1])
        scores_BV = without_surplus(logits[-1], network.codebook_size)
        if sampling.sub_greedy:
            codes.append(scores_BV.argmax(dim=-1))
        else:
            shares = distribution(scores_BV, sampling.sub_temperature, sampling.sub_top_k, sampling.sub_top_p)
            codes.append(draw(shares, generators))
        step_BSH = F.embedding(codes[-1] + index * network.vocabulary, table)[:, None]
    return torch.stack(codes, dim=1), torch.stack(logits, dim=1)


def next_frame(
    network: CsmNetwork,
    hidden_BH: Tensor,
    scores_BV: Tensor,
    sampling: Sampling,
    generators: Sequence[torch.Generator],
    may_end: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """One frame: (codes [B, Q], raw depth decoder logits [B, K, V], which prompts end with it [B]).

    Given: the hidden state that decides it, and scores of codebook 0; may_end, whether it may be the end.
    """
    if sampling.greedy:
        code_B = scores_BV.argmax(dim=-1)
    else:
        code_B = draw(distribution(scores_BV, sampling.temperature, sampling.top_k, sampling.top_p), generators)
    rest_BK, sub_BKV = sub_talker_frame(network, hidden_BH, code_B, sampling, generators)
    codes_BQ = torch.cat([code_B[:, None], rest_BK], dim=1)
    ends_B = (codes_BQ[:, :-1] == network.end_code).all(dim=1)
    if may_end or not ends_B.any():
        return codes_BQ, sub_BKV, ends_B
    again = ends_B.nonzero().flatten().tolist()
    masked_BV = scores_BV[again].clone()
    masked_BV[:, network.end_code] = -torch.inf
    own = [generators[index] for index in again]
    codes_BQ[again], sub_BKV[again], _ = next_frame(network, hidden_BH[again], masked_BV, sampling, own, True)
    return codes_BQ, sub_BKV, torch.zeros_like(ends_B)


def backbone_steps(network: CsmNetwork, prompts: Sequence[Prompt]) -> CachedSteps:
    """The backbone, ready to be fed these prompts and then a row a frame."""
    rows = [prompt_rows(prompt, network.codebooks, network.end_code) for prompt in prompts]
    inputs_BPH = embed(network, collate(rows, left=True).to(network.device))
    return CachedSteps(network.backbone_model, inputs_BPH, [len(item) for item in rows], network.compute_dtype)


@torch.no_grad()
def generate_traced(
    network: CsmNetwork,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    max_frames: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    traced: bool = True,
    repeats: Callable[[Sequence[int]], bool] | None = None,
) -> list[Trace]:
    """As `generate`, with what every decision was made from when `traced`."""
    if max_frames < 1:
        raise KathrineError(f"a budget of {max_frames} frames leaves nothing to synthesise", "give at least 1")
    if not prompts:
        return []
    with evaluating(network):
        return _generate(network, prompts, sampling, max_frames, seed, progress, traced, repeats)


def _generate(
    network: CsmNetwork,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    max_frames: int,
    seed: int,
    progress: Callable[[int], None] | None,
    traced: bool,
    repeats: Callable[[Sequence[int]], bool] | None,
) -> list[Trace]:
    device, batch = network.device, len(prompts)
    generators = [torch.Generator(device).manual_seed(seed + index) for index in range(batch)]
    seen_BV = torch.zeros(batch, network.vocabulary, dtype=torch.bool, device=device)
    ends: list[int | None] = [None] * batch
    stops: list[Stop] = ["budget"] * batch
    codes: list[Tensor] = []
    logits: list[Tensor] = []
    sub_logits: list[Tensor] = []

    backbone = backbone_steps(network, prompts)
    hidden_BH = backbone.prompts()
    for decision in range(max_frames + 1):
        logits_BV = network.lm_head(hidden_BH)
        scores_BV = talker_scores(logits_BV, seen_BV, network.codebook_size, sampling)
        may_end = decision >= MIN_FRAMES
        codes_BQ, sub_BKV, ends_B = next_frame(network, hidden_BH, scores_BV, sampling, generators, may_end)
        if traced:
            logits.append(logits_BV.float().cpu())
            sub_logits.append(sub_BKV.float().cpu())
        for index, ended in enumerate(ends_B.tolist()):
            if ended and ends[index] is None:
                ends[index], stops[index] = decision, "end"
        if repeats is not None and decision % ASKED_EVERY == ASKED_EVERY - 1:
            for index in (index for index, end in enumerate(ends) if end is None):
                if repeats([int(frame[index, 0]) for frame in codes]):
                    ends[index], stops[index] = decision, "repetition"
        if decision == max_frames or None not in ends:
            break
        codes.append(codes_BQ.cpu())
        seen_BV = seen_BV.scatter(1, codes_BQ[:, :1], True)
        if progress is not None:
            progress(decision + 1)
        hidden_BH = backbone(network.frame_embedding(codes_BQ)[:, None])

    def history(steps: list[Tensor], index: int, count: int) -> Tensor:
        return torch.stack([step[index] for step in steps[:count]]) if steps[:count] else torch.zeros(0)

    traces = []
    for index, end in enumerate(ends):
        frames = len(codes) if end is None else end
        decided = frames + (stops[index] == "end")
        traces.append(
            Trace(
                codes_TQ=history(codes, index, frames).numpy().astype(np.int16).reshape(-1, network.codebooks),
                stop=stops[index],
                logits_DV=history(logits, index, decided),
                sub_logits_DKV=history(sub_logits, index, decided),
            )
        )
    return traces


def generate(
    network: CsmNetwork,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    max_frames: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    repeats: Callable[[Sequence[int]], bool] | None = None,
) -> list[Generated]:
    """Synthesise codes for several prompts at once.

    Given: max_frames, a hard budget for each prompt (the end may still be decided right after the last frame); seed:
    prompt i draws from a generator of its own, seeded with seed + i; progress, called with the frames made so far;
    repeats, asked every eighth frame about the first codebook of each prompt so far: True ends it.
    Returns, per prompt, int16 codes [T, Q] without reference and end frames, and why it stopped.

    Raises: KathrineError: a budget below one frame.
    """
    traces = generate_traced(network, prompts, sampling, max_frames, seed, progress, False, repeats)
    return [Generated(codes_TQ=trace.codes_TQ, stop=trace.stop) for trace in traces]
