"""drift.json: how far each part has moved, against a direct computation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_training import claim_and_apply, tiny_model
from toy_runs import train

from kathrine.testing import TrainAll, TrainAllOptions, toy_recipe
from kathrine.train.drift import drift_of
from kathrine_language_tag.strategy import LanguageTag
from kathrine_lora import Lora
from kathrine_text_projection.strategy import TextProjection


def test_nothing_trained_is_no_drift() -> None:
    model = tiny_model()
    strategies = [Lora(Lora.Options(lr=1e-3))]
    claims, _ = claim_and_apply(model, strategies)
    found = drift_of(model, strategies, claims)
    assert set(found["parts"]) == {spec.part for spec in model.specs}
    assert all(part["change"] == 0 and part["changed"] == 0 for part in found["parts"].values())
    assert found["not_measured"] == {}


@pytest.mark.parametrize("rslora", [False, True])
def test_every_strategy_counts_with_what_it_changes(rslora: bool) -> None:
    model, untouched = tiny_model(), tiny_model()
    lora = Lora(Lora.Options(lr=1e-3, r=4, alpha=8, mlp=True, rslora=rslora))
    projection = TextProjection(TextProjection.Options(lr=1e-3))
    tag = LanguageTag(LanguageTag.Options(lr=1e-3, language="norwegian", row=2100, start_from=["german", "english"]))
    strategies = [lora, projection, tag]
    claims, trained = claim_and_apply(model, strategies)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in trained.values():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    found = drift_of(model, strategies, claims)["parts"]

    base = {name: one.detach().double() for name, one in untouched.originals.items()}
    part_of = {spec.name: spec.part for spec in model.specs}
    scaling = 8 / 4**0.5 if rslora else 8 / 4
    change: dict[str, float] = {}
    for name in claims[0].adapts:
        module = name.removesuffix(".weight")
        down, up = (trained[f"{module}.lora_{which}.lora.weight"].detach().double() for which in "AB")
        change[part_of[name]] = change.get(part_of[name], 0.0) + float((scaling * up @ down).square().sum())
    for name in claims[1].trains:
        moved = trained[name].detach().double() - base[name]
        change[part_of[name]] = change.get(part_of[name], 0.0) + float(moved.square().sum())
    table = model.language_table()
    (vector,) = (trained[spec.name].detach().double() for spec in claims[2].adds)
    change[part_of[table]] = float((vector - base[table][2100]).square().sum())
    assert set(change) == {"talker", "text_projection", part_of[table]}
    for part, facts in found.items():
        length = sum(float(weight.square().sum()) for name, weight in base.items() if part_of[name] == part) ** 0.5
        assert facts["base"] == pytest.approx(length, rel=1e-6)
        assert facts["relative_l2"] == pytest.approx(change.get(part, 0.0) ** 0.5 / length, rel=1e-4)
        assert (facts["changed"] > 0) == (part in change)
    # the model is as it was: strategies are on again
    assert torch.equal(model.originals[claims[1].trains[0]], trained[claims[1].trains[0]])


def test_a_run_saves_it_for_the_weights_that_it_exports(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", strategies=[TrainAll(TrainAllOptions(parts=["talker"]))], train={"steps": 6})
    train(recipe)
    document = json.loads((tmp_path / "run" / "drift.json").read_text())
    assert document["weights_from"].startswith("trained weights of the") and document["step"] > 0
    moved = {name for name, part in document["parts"].items() if part["changed"]}
    assert moved == {"talker"} and document["parts"]["talker"]["relative_l2"] > 0
