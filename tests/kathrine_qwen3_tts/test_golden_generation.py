"""KV-cache generation and teacher forcing against every recorded sequence of the official package."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from golden_model import CHECKPOINTS, DEFECTS, as_tensor, gold, golden_prompt, largest, planted, recorded

from kathrine.errors import KathrineError
from kathrine_qwen3_tts import batches, generation, layout, objective
from kathrine_qwen3_tts.generation import GREEDY

SEQUENCES = {"tiny-0b6": 34, "tiny-1b7": 39}
CASES = [
    pytest.param(name, index, id=f"{name}-{case['name']}")
    for name in CHECKPOINTS
    for index, case in enumerate(recorded(name)["generation"])
]


def run(data, case):
    prompts = [golden_prompt(data, s, not case["non_streaming_mode"]) for s in case["sequences"]]
    sampling = dataclasses.replace(GREEDY, repetition_penalty=case["repetition_penalty"])
    traces = generation.generate_traced(data.network, prompts, sampling, case["max_new_tokens"] - 1)
    return prompts, traces


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_all_sequences_are_there(name):
    assert sum(len(case["sequences"]) for case in recorded(name)["generation"]) == SEQUENCES[name]


@pytest.mark.parametrize(("name", "index"), CASES)
def test_generation_and_teacher_forcing_equal_the_official_package(name, index):
    data = gold(name)
    case = data.cases["generation"][index]
    prompts, traces = run(data, case)
    for prompt, sequence, trace in zip(prompts, case["sequences"], traces, strict=True):
        check_generation(data, sequence, trace)
        check_prompt(data, prompt, sequence)
        check_teacher_forcing(data, prompt, sequence, trace)


def check_generation(data, sequence, trace):
    gold_trace = data.traces
    assert np.array_equal(trace.codes_TQ, gold_trace[sequence["codes"]].numpy())
    assert trace.codes_TQ.dtype == np.int16
    assert trace.stop == ("end" if sequence["stopped_by_eos"] else "budget")
    assert len(trace.logits_DC) == sequence["decisions"]
    assert largest(trace.hidden_DH, gold_trace[sequence["hidden"]]) < 2e-5
    full = sequence["full_logit_steps"]
    assert largest(trace.logits_DC[:full], gold_trace[sequence["talker_logits"]]) < 1e-4
    assert largest(small(data, trace.logits_DC), gold_trace[sequence["talker_logits_small"]]) < 1e-4
    expected = gold_trace[sequence["sub_logits"]]
    assert largest(trace.sub_logits_TKV[: len(expected)], expected) < 1e-4


def small(data, logits):
    columns = [*range(data.cases["predictor_vocab"]), data.cases["codec_eos"]]
    return logits[:, columns]


def check_prompt(data, prompt, sequence):
    rows = layout.prompt_rows(prompt, data.control)
    assert len(rows) == layout.row_count(prompt) == sequence["prompt_rows"]
    with torch.no_grad():
        inputs = batches.embed(data.network, batches.collate([rows]))[0]
    assert largest(inputs, data.traces[sequence["prompt_embeds"]]) < 2e-5


@torch.no_grad()
def check_teacher_forcing(data, prompt, sequence, trace):
    """One pass over the recorded codes: the same logits and hidden states as step by step."""
    codes = data.traces[sequence["codes"]].numpy()
    batch = batches.collate([layout.training_rows(prompt, codes, data.control)])
    outputs = objective.aligned_outputs(data.network, batch)
    assert largest(outputs.logits_NV, trace.logits_DC) < 1e-4
    assert largest(small(data, outputs.logits_NV), data.traces[sequence["talker_logits_small"]]) < 1e-4
    assert largest(outputs.hidden_MH, data.traces[sequence["hidden"]][: len(codes)]) < 2e-5
    assert torch.equal(outputs.codes_MQ, as_tensor(codes))
    sub = data.network.sub_talker_logits(outputs.hidden_MH, outputs.codes_MQ)
    assert largest(sub, trace.sub_logits_TKV) < 1e-4
    pairs, targets = objective.sub_talker_pairs(sub, outputs.codes_MQ)
    assert torch.equal(pairs.argmax(-1), targets)


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_every_planted_defect_turns_the_proof_red(name, defect):
    data = gold(name)
    case = data.cases["generation"][0]
    with planted(defect), pytest.raises(AssertionError):
        prompts, traces = run(data, case)
        check_generation(data, case["sequences"][0], traces[0])
        check_prompt(data, prompts[0], case["sequences"][0])
        check_teacher_forcing(data, prompts[0], case["sequences"][0], traces[0])


def long_case(data):
    return next(case for case in data.cases["generation"] if case["name"] == "batch2_eos_stream")


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_prompt_is_generated_alike_alone_and_in_a_batch(name):
    data = gold(name)
    case = long_case(data)
    prompts, together = run(data, case)
    for prompt, trace in zip(prompts, together, strict=True):
        (alone,) = generation.generate(data.network, [prompt], GREEDY, case["max_new_tokens"] - 1)
        assert np.array_equal(alone.codes_TQ, trace.codes_TQ)
        assert alone.stop == trace.stop


def test_budget_is_hard_and_progress_counts_frames():
    data = gold("tiny-0b6")
    prompt = golden_prompt(data, data.cases["generation"][0]["sequences"][0], streamed=True)
    made = []
    (result,) = generation.generate(data.network, [prompt], GREEDY, 3, progress=made.append)
    assert (len(result.codes_TQ), result.stop, made) == (3, "budget", [1, 2, 3])
    with pytest.raises(KathrineError, match="0 frames"):
        generation.generate(data.network, [prompt], GREEDY, 0)
    assert generation.generate(data.network, [], GREEDY, 3) == []


def test_generation_leaves_every_mode_as_it_was():
    data = gold("tiny-0b6")
    prompt = golden_prompt(data, data.cases["generation"][0]["sequences"][0], streamed=True)
    data.network.talker.model.layers[1].train()
    try:
        generation.generate(data.network, [prompt], GREEDY, 1)
        assert data.network.talker.model.layers[1].training
        assert not data.network.talker.model.layers[0].training
    finally:
        data.network.eval()
