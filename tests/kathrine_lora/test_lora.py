from __future__ import annotations

import re
from contextlib import ExitStack

import pytest
import torch
from tiny_training import (
    claim_and_apply,
    same_bits,
    snapshot,
    talker_loss,
    tiny_family,
    tiny_model,
    train,
    workspace,
)

from kathrine import KathrineError
from kathrine_lora import Lora, LoraOptions
from kathrine_lora.adapter import anchored_pattern, scaling_of

FAMILY = tiny_family()
SPECS = FAMILY.parameters(workspace()) or ()
FACTS = FAMILY.facts(workspace())
assert FACTS is not None
LAYERS = 1 + max(spec.layer for spec in SPECS if spec.layer is not None)


def lora(label: str = "lora", **options: object) -> Lora:
    return Lora(LoraOptions(lr=2e-3, **options), label)  # type: ignore[arg-type]


def test_the_claim_stays_in_the_talker() -> None:
    claim = lora().claim(SPECS, FACTS)
    assert len(claim.adapts) == 4 * LAYERS and len(claim.adds) == 8 * LAYERS and claim.trains == ()
    assert all(re.match(r"talker\.model\.layers\.\d+\.self_attn\.[qkvo]_proj\.weight$", n) for n in claim.adapts)
    both = lora(mlp=True, dora=True).claim(SPECS, FACTS)
    assert len(both.adapts) == 7 * LAYERS and len(both.adds) == 21 * LAYERS
    only = lora(layers=[1, 1]).claim(SPECS, FACTS)
    assert {name.split(".")[3] for name in only.adapts} == {"1"}
    asked = lora(parts=["sub_talker"]).claim(SPECS, FACTS)
    assert all(name.startswith("talker.code_predictor.") for name in asked.adapts)
    count = sum(spec.count for spec in lora(r=2).claim(SPECS, FACTS).adds)
    assert count == sum(2 * (s.shape[0] + s.shape[1]) for s in SPECS if s.name in claim.adapts)


def test_the_pattern_is_anchored_and_matches_nothing_else() -> None:
    modules = [name.removesuffix(".weight") for name in lora(mlp=True).claim(SPECS, FACTS).adapts]
    pattern = anchored_pattern(modules)
    every = {spec.name.removesuffix(".weight") for spec in SPECS}
    assert {module for module in every if re.fullmatch(pattern, module)} == set(modules)
    assert pattern.startswith("^") and pattern.endswith("$") and len(pattern) < 400
    odd = ["a.0.x", "a.0.y", "a.1.x", "b.c", "d"]
    assert [m for m in [*odd, "a.1.y", "b", "xa.0.x"] if re.fullmatch(anchored_pattern(odd), m)] == odd


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parts": ["talkr"]}, "no part 'talkr'"),
        ({"layers": [0, LAYERS]}, f"layer {LAYERS} is asked for"),
        ({"parts": ["codec_head"]}, "has no layer named q_proj"),
    ],
)
def test_what_matches_nothing_is_refused(options: dict, said: str) -> None:
    with pytest.raises(KathrineError, match=said):
        lora(**options).claim(SPECS, FACTS)


def test_problems_of_options() -> None:
    assert "nothing to adapt" in next(lora(attention=False).problems())
    assert "first and the last" in next(lora(layers=[2]).problems())
    assert "must not come after" in next(lora(layers=[2, 1]).problems())
    assert "names weights" in next(lora(label="a.b").problems())
    assert not list(lora().problems())


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("options", [{}, {"dora": True}])
def test_new_adapters_change_nothing_and_follow_the_seed(dtype: str, options: dict) -> None:
    values = []
    for draws, seed in ((0, 7), (1, 7), (2, 8)):
        model = tiny_model(dtype)
        untouched = talker_loss(model)
        torch.manual_seed(draws)
        before = torch.get_rng_state()
        _, trained = claim_and_apply(model, [lora(**options)], seed)
        assert torch.equal(torch.get_rng_state(), before)
        assert all(parameter.dtype == torch.float32 for parameter in trained.values())
        assert talker_loss(model) == pytest.approx(untouched, abs=1e-6 if dtype == "fp32" else 2e-3)
        values.append({name: parameter.detach().clone() for name, parameter in trained.items()})
    assert all(torch.equal(values[0][name], values[1][name]) for name in values[0])
    assert any(not torch.equal(values[0][name], values[2][name]) for name in values[0])
    first = [value for name, value in values[0].items() if ".lora_A." in name]
    assert len({tuple(value.flatten()[:3].tolist()) for value in first}) == len(first)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("options", [{}, {"dora": True, "mlp": True, "dropout": 0.0}, {"rslora": True, "r": 8}])
def test_twenty_steps_move_the_adapters_and_no_weight_of_the_model(dtype: str, options: dict) -> None:
    model = tiny_model(dtype)
    before = snapshot(model)
    claims, trained = claim_and_apply(model, [lora(**options)])
    first = {name: parameter.detach().clone() for name, parameter in trained.items()}
    history = train(model, claims, trained)
    assert history[-1] < history[0] - 0.1
    assert all(same_bits(value, model.originals[name].detach()) for name, value in before.items())
    assert all(not torch.equal(first[name], parameter.detach()) for name, parameter in trained.items())


@pytest.mark.parametrize("options", [{}, {"dora": True}, {"rslora": True, "mlp": True}])
def test_off_is_the_untouched_model_and_fold_is_the_adapted_one(options: dict) -> None:
    model = tiny_model()
    untouched = talker_loss(model)
    strategy = lora(**options)
    claims, trained = claim_and_apply(model, [strategy])
    train(model, claims, trained, steps=8)
    learnt = talker_loss(model)
    assert learnt < untouched - 0.05
    wanted = {name: parameter.requires_grad for name, parameter in model.network.named_parameters()}
    with strategy.off():
        assert talker_loss(model) == untouched
    assert {name: parameter.requires_grad for name, parameter in model.network.named_parameters()} == wanted
    assert talker_loss(model) == learnt
    weights = {name: parameter.detach().float().clone() for name, parameter in model.originals.items()}
    kept = dict(weights)
    strategy.fold(weights)
    assert {name for name in kept if weights[name] is not kept[name]} == set(claims[0].adapts)
    plain = tiny_model()
    for name, parameter in plain.originals.items():
        parameter.data = weights[name]
    assert talker_loss(plain) == pytest.approx(learnt, abs=1e-5)


@pytest.mark.parametrize("options", [{}, {"dora": True}, {"rslora": True, "r": 3}, {"dora": True, "rslora": True}])
def test_fold_equals_pefts_own_merge(options: dict) -> None:
    model = tiny_model()
    strategy = lora(**options)
    claims, trained = claim_and_apply(model, [strategy])
    train(model, claims, trained, steps=8)
    weights = {name: parameter.detach().clone() for name, parameter in model.originals.items()}
    strategy.fold(weights)
    for name in claims[0].adapts:
        layer = model.network.get_submodule(name.removesuffix(".weight"))
        layer.merge()
        assert layer.merged and torch.allclose(layer.get_base_layer().weight, weights[name], atol=2e-7)
        layer.unmerge()


def test_scale_multiplies_the_update_and_dora_refuses() -> None:
    model = tiny_model()
    untouched = talker_loss(model)
    strategy = lora(r=4, alpha=8)
    claims, trained = claim_and_apply(model, [strategy])
    train(model, claims, trained, steps=8)
    learnt = talker_loss(model)
    with strategy.scale(0.0):
        assert talker_loss(model) == pytest.approx(untouched, abs=1e-6)
    with strategy.scale(0.5):
        assert learnt < talker_loss(model) < untouched
    assert talker_loss(model) == learnt
    with pytest.raises(KathrineError, match="DoRA"), lora(dora=True).scale(0.5):
        pass
    assert scaling_of(4, 8.0, False) == 2.0 and scaling_of(4, 8.0, True) == 4.0


def test_two_adapters_side_by_side_keep_out_of_each_others_way() -> None:
    model = tiny_model()
    untouched = talker_loss(model)
    low, high = lora("low", layers=[0, 0]), lora("high", layers=[1, LAYERS - 1], mlp=True, r=2)
    claims, trained = claim_and_apply(model, [low, high])
    assert not set(claims[0].adapts) & set(claims[1].adapts)
    first = {name: parameter.detach().clone() for name, parameter in trained.items()}
    train(model, claims, trained)
    assert all(not torch.equal(first[name], parameter.detach()) for name, parameter in trained.items())
    learnt = talker_loss(model)
    with low.off():
        without_low = talker_loss(model)
        assert without_low not in (learnt, untouched)
    with high.off():
        assert talker_loss(model) not in (learnt, untouched, without_low)
    with ExitStack() as stack:
        stack.enter_context(low.off())
        stack.enter_context(high.off())
        assert talker_loss(model) == untouched
    assert talker_loss(model) == learnt


def test_dropout_acts_in_training_only() -> None:
    model = tiny_model()
    claims, trained = claim_and_apply(model, [lora(dropout=0.5)])
    train(model, claims, trained, steps=5)
    assert talker_loss(model) == talker_loss(model)
    layers = [m for m in model.network.modules() if isinstance(m, torch.nn.Dropout)]
    assert len(layers) == len(claims[0].adapts) and all(layer.p == 0.5 for layer in layers)
