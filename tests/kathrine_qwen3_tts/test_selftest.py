"""The self-test passes on every correct model and fails on each planted defect, alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from golden_model import CHECKPOINTS, DEFECTS, GOLD, fresh_network, gold, planted
from safetensors.torch import load_file

from kathrine.types import Sampling
from kathrine_qwen3_tts import generation, selftest
from kathrine_qwen3_tts.network import load_network

NAMES = (
    *("input_rows", "talker_teacher_forced", "sub_talker_teacher_forced"),
    *("talker_alignment", "sub_talker_alignment"),
)

# The claim that must catch a defect, whatever else it also turns red.
CATCHES = {
    "double_shift": {"talker_teacher_forced", "talker_alignment"},
    "leaked_hidden": {"sub_talker_teacher_forced"},
    "shifted_labels": {"sub_talker_alignment"},
    "no_text_projection": {"input_rows"},
    "first_codebook_only": {"input_rows"},
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_passes_with_a_wide_margin(name):
    checks = {check.name: check for check in selftest.self_test(gold(name).network)}
    assert tuple(checks) == NAMES
    assert all(check.passed for check in checks.values()), checks
    for exact in NAMES[:3]:
        assert checks[exact].measured < 1e-5
    for gap in NAMES[3:]:
        assert checks[gap].measured > 4 * checks[gap].limit


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_each_planted_defect_is_caught(name, defect):
    with planted(defect):
        failed = {check.name for check in selftest.self_test(gold(name).network) if not check.passed}
    assert failed == CATCHES[defect]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_passes_in_bf16(name):
    tensors = load_file(GOLD / name / "model.safetensors")
    network = load_network(gold(name).config, tensors, dtype=torch.bfloat16)
    assert all(check.passed for check in selftest.self_test(network))


@pytest.mark.parametrize("kind", ["custom_voice", "voice_design"])
def test_passes_for_every_kind_of_checkpoint(kind):
    tensors = load_file(GOLD / "tiny-1b7" / "model.safetensors")
    config = {**gold("tiny-1b7").config, "tts_model_type": kind}
    tensors = {key: value for key, value in tensors.items() if not key.startswith("speaker_encoder.")}
    network = load_network(config, tensors)
    prompts = selftest.built_in_prompts(network)
    assert all(prompt.has_speaker == (kind == "custom_voice") for prompt in prompts)
    assert all(check.passed for check in selftest.self_test(network, prompts))


def test_passes_with_a_language_tag_of_its_own():
    network = fresh_network("tiny-0b6")
    vector = torch.nn.Parameter(torch.randn(network.hidden_size, generator=torch.Generator().manual_seed(3)))
    network.language_tag_vectors["2100"] = vector
    prompts = [dataclasses.replace(prompt, language_id=2100) for prompt in selftest.built_in_prompts(network)]
    assert all(check.passed for check in selftest.self_test(network, prompts))


def test_works_in_eval_mode_and_leaves_training_mode_on():
    network = fresh_network("tiny-0b6").train()
    network.talker.model.layers[0].mlp = torch.nn.Sequential(network.talker.model.layers[0].mlp, torch.nn.Dropout(0.5))
    assert all(check.passed for check in selftest.self_test(network))
    assert network.training
    assert network.talker.model.layers[0].mlp[1].training


def test_speech_that_is_stuck_on_one_code_is_drawn_instead(monkeypatch):
    network = gold("tiny-0b6").network
    original, used = generation.generate_traced, []

    def stuck(network, prompts, sampling, max_frames, **options):
        used.append(sampling)
        traces = original(network, prompts, sampling, max_frames, **options)
        if sampling == generation.GREEDY:
            same = [np.repeat(trace.codes_TQ[:1], len(trace.codes_TQ), 0) for trace in traces]
            return [dataclasses.replace(trace, codes_TQ=codes) for trace, codes in zip(traces, same, strict=True)]
        return traces

    monkeypatch.setattr(generation, "generate_traced", stuck)
    assert all(check.passed for check in selftest.self_test(network))
    assert used == [generation.GREEDY, Sampling(sub_greedy=True)]
