"""Autoregressive synthesis of codes, with a KV cache and our own logit processing.

One decision of the talker gives codebook 0 of the next frame, or the end; the sub-talker then gives the other
codebooks from the hidden state that made the decision; their sum, plus the next text row, is the next input.

Legend: B prompts, P prompt rows (left padded), H talker width, C codec vocabulary, Q codebooks, K = Q-1,
V codes per sub-talker codebook, T generated frames, D decisions (T, and one more for the end or the budget).
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
from kathrine_qwen3_tts.batches import collate, embed
from kathrine_qwen3_tts.layout import Prompt, control_ids, frame_text, prompt_rows
from kathrine_qwen3_tts.network import TtsNetwork

MIN_FRAMES = 2
"""The end is masked at the first decisions, as in the official package."""

CONTROL_ROWS = 1024
"""The last rows of the codec vocabulary: control ids, tags, speakers. Of these only the end can be drawn."""

ASKED_EVERY = 8
"""Frames between two questions whether a prompt goes round in circles."""

GREEDY = Sampling(greedy=True, sub_greedy=True)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What one prompt's generation did: codes, why it stopped, and (float32) what its decisions were made
    from.

    hidden_DH: normed last hidden state of the deciding row. logits_DC: raw talker logits. sub_logits_TKV: raw
    sub-talker logits. The last three are empty unless asked for.
    """

    codes_TQ: np.ndarray
    stop: Stop
    hidden_DH: Tensor
    logits_DC: Tensor
    sub_logits_TKV: Tensor


def allowed_ids(codec_vocabulary: int, codec_end: int) -> Tensor:
    """Bool [C]: ids that the talker may choose: codes and the end of speech."""
    allowed_C = torch.arange(codec_vocabulary) < codec_vocabulary - CONTROL_ROWS
    allowed_C[codec_end] = True
    return allowed_C


def talker_scores(
    logits_BC: Tensor, seen_BC: Tensor, allowed_C: Tensor, codec_end: int, decision: int, sampling: Sampling
) -> Tensor:
    """Raw logits -> scores [B, C], float32; impossible ids are -inf.

    seen_BC: True where codebook 0 of an already generated frame (never of a reference frame) had that code.
    The order does not matter for the masks: repetition penalty, control ids, the end at the first decisions.
    """
    scores = penalised(logits_BC.float(), seen_BC, sampling.repetition_penalty)
    scores = scores.masked_fill(~allowed_C, -torch.inf)
    if decision < MIN_FRAMES:
        scores[:, codec_end] = -torch.inf
    return scores


def _choose_sub(logits_BV: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]) -> Tensor:
    if sampling.sub_greedy:
        return logits_BV.float().argmax(dim=-1)
    probabilities = distribution(logits_BV, sampling.sub_temperature, sampling.sub_top_k, sampling.sub_top_p)
    return draw(probabilities, generators)


def _choose_talker(scores_BC: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]) -> Tensor:
    if sampling.greedy:
        return scores_BC.argmax(dim=-1)
    return draw(distribution(scores_BC, sampling.temperature, sampling.top_k, sampling.top_p), generators)


def sub_talker_frame(
    network: TtsNetwork,
    hidden_BH: Tensor,
    code_B: Tensor,
    sampling: Sampling,
    generators: Sequence[torch.Generator],
) -> tuple[Tensor, Tensor]:
    """Codebooks 1.. of one frame: (codes [B, K], raw logits [B, K, V]).

    Given the hidden state that decided the frame and its codebook 0.
    """
    sub_talker = network.talker.code_predictor
    cache = DynamicCache(config=sub_talker.model.config)
    first_BH = F.embedding(code_B, network.talker.model.codec_embedding.weight)
    step_BSH = torch.stack([hidden_BH, first_BH.to(hidden_BH.dtype)], dim=1)
    codes, logits = [], []
    tables = network.code_tables()
    for index, head in enumerate(sub_talker.lm_head, start=1):
        inputs = network.sub_talker_project(step_BSH).to(network.compute_dtype)
        states = sub_talker.model(inputs_embeds=inputs, past_key_values=cache, use_cache=True).last_hidden_state
        logits.append(head(states[:, -1]))
        codes.append(_choose_sub(logits[-1], sampling, generators))
        step_BSH = F.embedding(codes[-1], tables[index])[:, None]
    return torch.stack(codes, dim=1), torch.stack(logits, dim=1)


def talker_steps(network: TtsNetwork, prompts: Sequence[Prompt]) -> CachedSteps:
    """The talker, ready to be fed these prompts and then a row a frame."""
    control = control_ids(network.config)
    rows = [prompt_rows(prompt, control) for prompt in prompts]
    inputs_BPH = embed(network, collate(rows, left=True).to(network.device))
    return CachedSteps(network.talker.model, inputs_BPH, [len(item) for item in rows], network.compute_dtype)


@torch.no_grad()
def generate_traced(
    network: TtsNetwork,
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
    network: TtsNetwork,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    max_frames: int,
    seed: int,
    progress: Callable[[int], None] | None,
    traced: bool,
    repeats: Callable[[Sequence[int]], bool] | None,
) -> list[Trace]:
    control, device, batch = control_ids(network.config), network.device, len(prompts)
    generators = [torch.Generator(device).manual_seed(seed + index) for index in range(batch)]
    allowed_C = allowed_ids(network.codec_vocabulary, control.codec_end).to(device)
    seen_BC = torch.zeros(batch, network.codec_vocabulary, dtype=torch.bool, device=device)
    ends: list[int | None] = [None] * batch
    stops: list[Stop] = ["budget"] * batch
    firsts: list[list[int]] = [[] for _ in prompts]
    codes, hiddens, logits, sub_logits = [], [], [], []

    talker = talker_steps(network, prompts)
    hidden_BH = talker.prompts()
    for decision in range(max_frames + 1):
        logits_BC = network.talker.codec_head(hidden_BH)
        if traced:
            hiddens.append(hidden_BH.float().cpu())
            logits.append(logits_BC.float().cpu())
        scores_BC = talker_scores(logits_BC, seen_BC, allowed_C, control.codec_end, decision, sampling)
        code_B = _choose_talker(scores_BC, sampling, generators)
        for index, code in enumerate(code_B.tolist()):
            if code == control.codec_end and ends[index] is None:
                ends[index], stops[index] = decision, "end"
            firsts[index].append(code)
        if repeats is not None and decision % ASKED_EVERY == ASKED_EVERY - 1:
            for index in (index for index, end in enumerate(ends) if end is None):
                if repeats(firsts[index][:-1]):
                    ends[index], stops[index] = decision, "repetition"
        if decision == max_frames or None not in ends:
            break
        seen_BC = seen_BC.scatter(1, code_B[:, None], True)
        rest_BK, sub_BKV = sub_talker_frame(network, hidden_BH, code_B, sampling, generators)
        codes_BQ = torch.cat([code_B[:, None], rest_BK], dim=1)
        codes.append(codes_BQ.cpu())
        if traced:
            sub_logits.append(sub_BKV.float().cpu())
        if progress is not None:
            progress(decision + 1)
        texts = [frame_text(prompt, control, prompt.reference_frames + decision + 1) for prompt in prompts]
        row_BH = network.text_rows(torch.tensor(texts, device=device)) + network.frame_embedding(codes_BQ)
        hidden_BH = talker(row_BH[:, None])

    def history(steps: list[Tensor], index: int, count: int) -> Tensor:
        return torch.stack([step[index] for step in steps[:count]]) if steps[:count] else torch.zeros(0)

    traces = []
    for index, end in enumerate(ends):
        frames = len(codes) if end is None else end
        traces.append(
            Trace(
                codes_TQ=history(codes, index, frames).numpy().astype(np.int16).reshape(-1, network.codebooks),
                stop=stops[index],
                hidden_DH=history(hiddens, index, frames + 1),
                logits_DC=history(logits, index, frames + 1),
                sub_logits_TKV=history(sub_logits, index, frames),
            )
        )
    return traces


def generate(
    network: TtsNetwork,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    max_frames: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    repeats: Callable[[Sequence[int]], bool] | None = None,
) -> list[Generated]:
    """Synthesise codes for several prompts at once.

    Given: max_frames, a hard budget for each prompt (the end may still be decided right after the last
    frame); seed: prompt i draws from a generator of its own, seeded with seed + i; progress, called with the
    frames made so far; repeats, asked every eighth frame about the first codebook of each prompt so far: True
    ends it.
    Returns, per prompt, int16 codes [T, Q] without reference frames, and why it stopped.

    Raises:
        KathrineError: a budget below one frame.
    """
    traces = generate_traced(network, prompts, sampling, max_frames, seed, progress, False, repeats)
    return [Generated(codes_TQ=trace.codes_TQ, stop=trace.stop) for trace in traces]
