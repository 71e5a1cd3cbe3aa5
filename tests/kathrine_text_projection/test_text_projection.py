from __future__ import annotations

import dataclasses

import pytest
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
from kathrine_text_projection import TextProjection


def test_it_trains_its_part_with_its_own_rate_and_off_takes_it_back() -> None:
    model = tiny_model()
    untouched = talker_loss(model)
    strategy = TextProjection(TextProjection.Options(lr=2e-3, weight_decay=0.01))
    claims, trained = claim_and_apply(model, [strategy])
    assert claims[0].trains == tuple(spec.name for spec in model.specs if spec.part == "text_projection")
    assert (claims[0].lr, claims[0].weight_decay) == (2e-3, 0.01)
    before = snapshot(model)
    history = train(model, claims, trained)
    assert history[-1] < history[0] - 0.1
    moved = {name for name, value in before.items() if not same_bits(value, model.originals[name].detach())}
    assert moved == set(claims[0].trains)
    with strategy.off():
        assert talker_loss(model) == untouched


def test_a_model_without_the_part_is_refused_with_the_parts_it_has() -> None:
    family = tiny_family()
    facts = family.facts(workspace())
    specs = [spec for spec in family.parameters(workspace()) or () if spec.part != "text_projection"]
    assert facts is not None
    facts = dataclasses.replace(facts, parts=tuple(part for part in facts.parts if part != "text_projection"))
    with pytest.raises(KathrineError) as error:
        TextProjection(TextProjection.Options(lr=1e-4)).claim(specs, facts)
    assert "no part 'text_projection'" in str(error.value) and "codec_head" in error.value.hint
    assert "text_projection" not in error.value.hint
