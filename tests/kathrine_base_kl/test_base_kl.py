"""The base model's predictions come from the trained weights with every strategy off, and cost no second model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tiny_training import claim_and_apply, prompted, same_bits, tiny_model, train

from kathrine import KathrineError, Workspace
from kathrine.progress import SilentProgress
from kathrine.testing import TrainAll, TrainAllOptions, prepared_toy_corpus, toy_recipe
from kathrine.train.base import BaseModel
from kathrine.train.run import run
from kathrine.train.step import StepModule
from kathrine_base_kl import BaseKl, BaseKlOptions, divergence
from kathrine_freeze import Freeze, FreezeOptions
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions
from kathrine_text_projection import TextProjection

STRATEGIES = {
    "lora": lambda: [Lora(LoraOptions(lr=1e-2, dropout=0.3))],
    "freeze": lambda: [Freeze(FreezeOptions(lr=1e-3, parts=["talker"]))],
    "text_projection": lambda: [TextProjection(TextProjection.Options(lr=1e-2))],
    "all with a tag": lambda: [
        Lora(LoraOptions(lr=1e-2, dropout=0.3)),
        TextProjection(TextProjection.Options(lr=1e-2)),
        LanguageTag(LanguageTagOptions(lr=1e-2)),
    ],
}


def loss(**options: object) -> BaseKl:
    return BaseKl(BaseKlOptions(weight=0.5, **options))  # type: ignore[arg-type]


def untouched_logits(language: str | None = None) -> torch.Tensor:
    """Logits of a second model, freshly loaded: what the one model has to give with everything off."""
    fresh = tiny_model()
    with torch.no_grad():
        return fresh.forward(fresh.collate(prompted(fresh, language))).logits_NV


@pytest.mark.parametrize("name", STRATEGIES)
def test_with_every_strategy_off_the_model_is_the_one_that_was_loaded(name: str) -> None:
    model, strategies = tiny_model(), STRATEGIES[name]()
    claims, trained = claim_and_apply(model, strategies)
    language = "norwegian" if "tag" in name else None
    train(model, claims, trained, steps=3, language=language)
    model.network.train()
    before = {key: value.detach().clone() for key, value in trained.items()}
    base = BaseModel.of(model, strategies, [loss()])
    items = prompted(model, language)
    batch = model.collate(items)
    asked = base.collate(items, batch)
    assert (asked is batch) == (language is None)
    found = base.logits(asked)
    assert found is not None and not found.requires_grad
    torch.testing.assert_close(found, untouched_logits(), rtol=1e-5, atol=1e-5)
    assert model.network.training and all(same_bits(trained[key].detach(), before[key]) for key in before)
    outputs = model.forward(batch)
    assert not torch.allclose(outputs.logits_NV, found, atol=1e-3)  # three steps have moved it
    base.add_logits(outputs, found)
    assert float(loss().term(model, batch, outputs, None).total.detach()) > 0.1


def test_a_tag_that_the_model_had_stays_and_a_run_without_the_loss_does_nothing() -> None:
    model, strategies = tiny_model(), STRATEGIES["all with a tag"]()
    claim_and_apply(model, strategies)
    german, unasked = prompted(model, "german"), BaseModel.of(model, strategies, [])
    batch = model.collate(german)
    assert BaseModel.of(model, strategies, [loss()]).collate(german, batch) is batch
    assert unasked.collate(german, batch) is None and unasked.logits(None) is None


def test_it_is_the_divergence_of_both_predictions_by_row_and_by_item() -> None:
    model = tiny_model()
    batch = model.collate(prompted(model))
    with torch.no_grad():
        outputs = model.forward(batch)
    outputs.base_logits_NV = outputs.logits_NV + torch.randn(
        outputs.logits_NV.shape, generator=torch.Generator().manual_seed(1)
    )
    term = loss().term(model, batch, outputs, None)
    one, two = outputs.base_logits_NV.double().softmax(1), outputs.logits_NV.double().softmax(1)
    by_hand_N = (one * (one / two).log()).sum(1)
    assert float(term.total) == pytest.approx(float(by_hand_N.sum()), rel=1e-5)
    assert (term.covered, term.coverable) == (len(by_hand_N),) * 2
    assert loss().denominator(batch, model.facts) == len(by_hand_N) == float(term.counts_B.sum())
    assert float(term.sums_B[2]) == pytest.approx(float(by_hand_N[outputs.item_N == 2].sum()), rel=1e-5)
    warm = divergence(outputs.base_logits_NV, outputs.logits_NV, 2.0)
    half, other = (outputs.base_logits_NV / 2).softmax(1), (outputs.logits_NV / 2).softmax(1)
    torch.testing.assert_close(warm, 4 * (half * (half / other).log()).sum(1), rtol=1e-3, atol=1e-5)
    assert float(loss(temperature=2.0).term(model, batch, outputs, None).total) == pytest.approx(float(warm.sum()))


def test_the_gradient_of_a_step_is_that_of_a_second_model_in_memory() -> None:
    model, strategies = tiny_model(), STRATEGIES["freeze"]()
    claims, trained = claim_and_apply(model, strategies)
    train(model, claims, trained, steps=2)
    model.network.zero_grad()
    penalty = loss()
    base = BaseModel.of(model, strategies, [penalty])
    module = StepModule(model, [penalty], ["made_up"], list(trained.values()), 1, base)
    items = prompted(model)
    batch = model.collate(items)
    divisors = {"talker": float(batch.targets), "base_kl": penalty.denominator(batch, model.facts)}
    entries = torch.zeros(len(items), dtype=torch.int64)
    sums = module(batch, entries, divisors, lambda label: torch.Generator(), base.collate(items, batch))
    sums.scalar.backward()
    found = {name: parameter.grad.clone() for name, parameter in trained.items()}
    model.network.zero_grad()
    outputs, reference = model.forward(batch), untouched_logits()
    talker = F.cross_entropy(outputs.logits_NV, outputs.targets_N)
    (talker + 0.5 * divergence(reference, outputs.logits_NV, 1.0).mean()).backward()
    for name, parameter in trained.items():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_rows_that_do_not_belong_together_are_a_fault_and_none_is_best_effort() -> None:
    model = tiny_model()
    batch = model.collate(prompted(model))
    outputs = model.forward(batch)
    assert loss().term(model, batch, outputs, None) is None
    with pytest.raises(KathrineError, match=r"the base model gave logits"):
        BaseModel(model, (), True).add_logits(outputs, outputs.logits_NV[:-1])


def test_a_run_holds_the_model_nearer_to_where_it_began(tmp_path: Path) -> None:
    def last(name: str, losses: list[BaseKl]) -> dict:
        recipe = toy_recipe(tmp_path / name, strategies=[TrainAll(TrainAllOptions(lr=1e-2))], losses=losses)
        run(recipe, Workspace(tmp_path / "ws"), SilentProgress(), corpus=prepared_toy_corpus())
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return {key: value for line in lines for key, value in line.items()} | {
            "first": next(line for line in lines if line["kind"] == "step")
        }

    weak = last("weak", [BaseKl(BaseKlOptions(weight=1e-6, required=True))])
    strong = last("strong", [BaseKl(BaseKlOptions(weight=3.0, required=True))])
    assert weak["first"]["loss.base_kl"] == pytest.approx(0, abs=1e-6) and weak["coverage.base_kl"] == 1.0
    assert strong["validation.base_kl"] < 0.5 * weak["validation.base_kl"]
    assert strong["validation.talker"] > weak["validation.talker"]
