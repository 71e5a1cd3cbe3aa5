"""The distributions that codes are drawn from, against recorded ones; seeds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from golden_model import CHECKPOINTS, gold, golden_prompt

from kathrine.types import Sampling
from kathrine_qwen3_tts import generation

CASES = [(name, index) for name in CHECKPOINTS for index in range(2)]


def settings(params: dict) -> Sampling:
    return Sampling(
        temperature=params["temperature"],
        top_k=params["top_k"],
        top_p=params["top_p"],
        repetition_penalty=params["repetition_penalty"],
        sub_temperature=params["subtalker_temperature"],
        sub_top_k=params["subtalker_top_k"],
        sub_top_p=params["subtalker_top_p"],
    )


@pytest.mark.parametrize(("name", "index"), CASES)
def test_distributions(name, index):
    data = gold(name)
    assert len(data.cases["sampling"]) == 2
    case = data.cases["sampling"][index]
    sampling, end = settings(case["params"]), data.cases["codec_eos"]
    codes = data.traces[case["codes"]].long()
    logits_DC = data.traces[case["talker_logits"]]
    allowed = generation.allowed_ids(logits_DC.shape[1], end)
    seen = torch.zeros(1, logits_DC.shape[1], dtype=torch.bool)
    for decision, logits_C in enumerate(logits_DC):
        scores = generation.talker_scores(logits_C[None], seen, allowed, end, decision, sampling)
        mine = generation.distribution(scores, sampling.temperature, sampling.top_k, sampling.top_p)[0]
        expected = torch.zeros_like(mine)
        probabilities = data.traces[case["talker_probs"]][decision]
        real = probabilities > 0
        expected[data.traces[case["talker_prob_ids"]][decision].long()[real]] = probabilities[real]
        assert torch.equal(mine > 0, expected > 0)
        assert int((mine > 0).sum()) == case["support_talker"][decision]
        assert float((mine - expected).abs().max()) < 1e-5
        if decision < len(codes):
            seen[0, codes[decision, 0]] = True
    sub = generation.distribution(
        data.traces[case["sub_logits"]], sampling.sub_temperature, sampling.sub_top_k, sampling.sub_top_p
    )
    expected = data.traces[case["sub_probs"]]
    assert torch.equal(sub > 0, expected > 0)
    assert float((sub - expected).abs().max()) < 1e-5


@pytest.mark.parametrize(("name", "index"), CASES)
def test_a_run_that_always_draws_the_likeliest_code(name, index, monkeypatch):
    data = gold(name)
    case = data.cases["sampling"][index]
    monkeypatch.setattr(generation, "draw", lambda probabilities, generators: probabilities.argmax(-1))
    prompt = golden_prompt(data, case, streamed=not case["non_streaming_mode"])
    (result,) = generation.generate(data.network, [prompt], settings(case["params"]), case["max_new_tokens"] - 1)
    assert np.array_equal(result.codes_TQ, data.traces[case["codes"]].numpy())


def test_seeds():
    data = gold("tiny-0b6")
    prompts = [golden_prompt(data, case, streamed=True) for case in data.cases["sampling"]]

    def codes(chosen, seed):
        return [item.codes_TQ.tolist() for item in generation.generate(data.network, chosen, Sampling(), 6, seed)]

    both = codes(prompts, 7)
    assert both == codes(prompts, 7)
    assert both != codes(prompts, 8)
    assert codes(prompts[:1], 7) == both[:1], "a prompt's draws do not depend on its neighbours"
    assert codes(prompts[1:], 8) == both[1:], "prompt i of a batch draws from seed + i"


def test_talker_and_sub_talker_are_drawn_separately():
    data = gold("tiny-0b6")
    prompt = golden_prompt(data, data.cases["sampling"][0], streamed=True)
    half = dataclasses.replace(generation.GREEDY, greedy=False, temperature=8.0)
    frames = {generation.generate(data.network, [prompt], half, 1, seed)[0].codes_TQ.tobytes() for seed in range(9)}
    assert len(frames) > 1
    greedy = {
        generation.generate(data.network, [prompt], generation.GREEDY, 1, seed)[0].codes_TQ.tobytes()
        for seed in range(3)
    }
    assert len(greedy) == 1


def test_edges_of_the_distribution():
    scores = torch.tensor([[2.0, 1.0, 0.0, -torch.inf]])
    assert generation.distribution(scores, 1.0, 0, 1.0)[0].tolist() == pytest.approx(scores.softmax(-1)[0].tolist())
    assert generation.distribution(scores, 1.0, 1, 1.0)[0].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert generation.distribution(scores, 1.0, 0, 0.0)[0].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert (generation.distribution(scores, 1.0, 99, 1.0)[0] > 0).sum() == 3
    hot = generation.distribution(scores, 100.0, 0, 1.0)[0]
    assert float(hot[:3].max() - hot[:3].min()) < 0.02


def test_only_codes_and_the_end_can_be_drawn():
    allowed = generation.allowed_ids(3072, 2150)
    assert allowed[:2048].all() and allowed[2150] and int(allowed.sum()) == 2049
