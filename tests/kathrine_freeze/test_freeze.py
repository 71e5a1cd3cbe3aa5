from __future__ import annotations

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
from kathrine_freeze import Freeze, FreezeOptions, select_names

FAMILY = tiny_family()
SPECS = FAMILY.parameters(workspace()) or ()
FACTS = FAMILY.facts(workspace())
assert FACTS is not None
LAYERS = 1 + max(spec.layer for spec in SPECS if spec.layer is not None)


def freeze(**options: object) -> Freeze:
    return Freeze(FreezeOptions(lr=1e-3, **options), "mine")  # type: ignore[arg-type]


def test_layers_are_counted_from_both_ends() -> None:
    first = select_names("f", SPECS, FACTS, first_layers=1)
    last = select_names("f", SPECS, FACTS, last_layers=1)
    both = select_names("f", SPECS, FACTS, first_layers=1, last_layers=1)
    assert all(name.startswith("talker.model.layers.0.") for name in first)
    assert all(name.startswith(f"talker.model.layers.{LAYERS - 1}.") for name in last)
    assert both == (*first, *last)
    assert set(select_names("f", SPECS, FACTS, first_layers=LAYERS, last_layers=LAYERS)) == {
        spec.name for spec in SPECS if spec.layer is not None
    }


def test_parts_and_patterns_add_up_in_the_models_order() -> None:
    names = select_names(
        "f",
        SPECS,
        FACTS,
        parts=["sub_talker_head", "text_projection"],
        patterns=[r"talker\.model\.norm\.weight"],
    )
    wanted = {spec.name for spec in SPECS if spec.part in ("sub_talker_head", "text_projection")}
    assert set(names) == wanted | {"talker.model.norm.weight"}
    assert list(names) == [spec.name for spec in SPECS if spec.name in set(names)]


def test_sub_talker_is_a_part() -> None:
    claim = freeze(parts=["sub_talker"]).claim(SPECS, FACTS)
    assert claim.trains and all(name.startswith("talker.code_predictor.model.layers") for name in claim.trains[:-1])
    assert (claim.strategy, claim.lr, claim.adapts, claim.adds) == ("mine", 1e-3, (), ())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parts": ["talkr"]}, ("no part 'talkr'", "sub_talker_head")),
        ({"first_layers": LAYERS + 1}, (f"{LAYERS + 1} layers", f"has {LAYERS}")),
        ({"patterns": [r"q_proj"]}, ("'q_proj' matches no weight", "whole name")),
        ({}, ("trains nothing", "parts")),
    ],
)
def test_what_matches_nothing_is_refused(options: dict, said: tuple[str, str]) -> None:
    with pytest.raises(KathrineError) as error:
        freeze(**options).claim(SPECS, FACTS)
    assert all(words in str(error.value) for words in said)


def test_problems_name_empty_options_and_broken_patterns() -> None:
    assert "nothing to train" in next(freeze().problems())
    assert "no regular expression" in next(freeze(patterns=["("]).problems())
    assert not list(freeze(last_layers=2).problems())


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_twenty_steps_move_what_is_claimed_and_not_one_bit_else(dtype: str) -> None:
    model = tiny_model(dtype)
    strategy = freeze(last_layers=1, parts=["codec_head"])
    identities = {name: id(parameter) for name, parameter in model.originals.items()}
    claims, trained = claim_and_apply(model, [strategy])
    before = snapshot(model)
    history = train(model, claims, trained)
    assert history[-1] < history[0] - 0.3
    for name, parameter in model.originals.items():
        assert id(parameter) == identities[name]
        moved = not same_bits(before[name], parameter.detach())
        assert moved == (name in claims[0].trains), name
        if moved:
            assert parameter.dtype == torch.float32


def test_off_gives_the_untouched_model_and_scale_lies_between() -> None:
    model = tiny_model()
    untouched = talker_loss(model)
    strategy = freeze(first_layers=1)
    claims, trained = claim_and_apply(model, [strategy])
    train(model, claims, trained, steps=10)
    learnt = talker_loss(model)
    assert learnt < untouched - 0.1
    with strategy.off():
        assert talker_loss(model) == untouched
    with strategy.scale(0.5):
        assert learnt < talker_loss(model) < untouched
    with strategy.scale(1.0):
        assert talker_loss(model) == pytest.approx(learnt, abs=1e-6)
    assert talker_loss(model) == learnt
    with pytest.raises(RuntimeError, match="boom"), strategy.off():
        raise RuntimeError("boom")
    assert talker_loss(model) == learnt


def test_fold_changes_nothing_since_the_weights_are_trained_in_place() -> None:
    model = tiny_model()
    strategy = freeze(parts=["text_projection"])
    claim_and_apply(model, [strategy])
    weights = snapshot(model)
    before = dict(weights)
    strategy.fold(weights)
    assert all(weights[name] is before[name] for name in before) and strategy.fold_problem() == ""
