from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from tiny_training import (
    claim_and_apply,
    made_up,
    prompted,
    same_bits,
    snapshot,
    talker_loss,
    tiny_family,
    tiny_model,
    train,
    workspace,
)

from kathrine import KathrineError
from kathrine.types import Sampling, SpeechRequest
from kathrine_language_tag import LanguageTag, LanguageTagOptions, rescaled_mean

TABLE = "talker.model.codec_embedding.weight"
GOLD = Path(__file__).parents[1] / "data" / "gold" / "tiny-0b6"


def tag(**options: object) -> LanguageTag:
    return LanguageTag(LanguageTagOptions(lr=1e-2, **options))  # type: ignore[arg-type]


def test_the_mean_is_as_long_as_what_it_is_made_of() -> None:
    rows = torch.tensor([[3.0, 0.0], [0.0, 5.0]])
    mean = rescaled_mean(rows)
    assert float(mean.norm()) == pytest.approx(4.0)
    assert float(mean[1] / mean[0]) == pytest.approx(5 / 3)
    assert torch.equal(rescaled_mean(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])), torch.zeros(2))


def test_the_claim_is_one_new_vector_and_the_start_is_the_named_rows() -> None:
    model = tiny_model()
    table = model.originals[TABLE].detach()
    claims, trained = claim_and_apply(model, [tag()])
    claim = claims[0]
    assert (claim.trains, claim.adapts, claim.weight_decay) == ((), (), 0.0)
    assert [(spec.name, spec.shape) for spec in claim.adds] == [("language_tag.norwegian", (table.shape[1],))]
    wanted = rescaled_mean(table[[2053, 2050]])
    assert torch.equal(trained["language_tag.norwegian"].detach(), wanted)
    assert trained["language_tag.norwegian"].dtype == torch.float32
    assert tag(language="Faroese", row=2101).languages() == {"faroese": 2101}


def test_the_row_is_the_familys_free_one_unless_it_is_named() -> None:
    parameters, facts = tiny_family().parameters(workspace()) or (), tiny_family().facts(workspace())
    assert facts is not None and facts.free_rows == (2100,)
    one = tag()
    assert set(one.languages()) == {"norwegian"}  # which row is not known yet
    with pytest.raises(KathrineError, match="claimed no row yet"):
        one.row  # noqa: B018
    one.claim(parameters, facts)
    assert one.languages() == {"norwegian": 2100} and one.row == 2100
    with pytest.raises(KathrineError, match="row of kathrine:tiny is free"):
        tag().claim(parameters, dataclasses.replace(facts, free_rows=()))
    with pytest.raises(KathrineError, match="can not name a language"):
        tag().claim(parameters, dataclasses.replace(facts, language_tags=False))
    with pytest.raises(KathrineError) as error:
        tag(row=5).claim(parameters, facts)
    assert "2100 is free" in error.value.hint


def test_an_empty_start_takes_the_row_as_it_is() -> None:
    model = tiny_model()
    _, trained = claim_and_apply(model, [tag(start_from=[])])
    assert torch.equal(trained["language_tag.norwegian"].detach(), model.originals[TABLE].detach()[2100])


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_its_id_stands_in_the_prompt_and_only_the_vector_moves(dtype: str) -> None:
    model = tiny_model(dtype)
    assert model.language_id("norwegian") is None
    strategy = tag(weight_decay=0.0)
    claims, trained = claim_and_apply(model, [strategy])
    before = snapshot(model)
    assert model.language_id("Norwegian") == 2100
    batch = model.collate(prompted(model, "norwegian"))
    assert 2100 in batch.codec_ids_C.tolist()
    assert 2100 not in model.collate(prompted(model)).codec_ids_C.tolist()
    auto = talker_loss(model)
    vector = trained["language_tag.norwegian"]
    first = vector.detach().clone()
    history = train(model, claims, trained, language="norwegian")
    assert history[-1] < history[0] - 0.01
    assert not torch.equal(first, vector.detach())
    assert all(same_bits(value, model.originals[name].detach()) for name, value in before.items())
    assert talker_loss(model) == auto
    assert talker_loss(model, "norwegian") != auto


def test_off_makes_prompts_auto() -> None:
    model = tiny_model()
    auto = talker_loss(model)
    strategy = tag()
    claim_and_apply(model, [strategy])
    tagged = talker_loss(model, "norwegian")
    assert tagged != auto
    with strategy.off():
        assert model.language_id("norwegian") is None
        assert talker_loss(model, "norwegian") == auto
    assert talker_loss(model, "norwegian") == tagged
    with pytest.raises(KathrineError, match="can not be scaled"), strategy.scale(0.5):
        pass


def test_generation_uses_the_vector() -> None:
    model = tiny_model()
    _, trained = claim_and_apply(model, [tag()])
    example = made_up(model, "voice", 4)
    request = SpeechRequest(example.text_ids["text"], example.speaker_embedding_H, language="norwegian")
    greedy = Sampling(greedy=True, sub_greedy=True)
    with torch.no_grad():
        before = model.generate([request], greedy, max_frames=6)[0].codes_TQ
        trained["language_tag.norwegian"].neg_().mul_(3)
        after = model.generate([request], greedy, max_frames=6)[0].codes_TQ
    assert before.shape != after.shape or (before != after).any()


def test_fold_writes_one_row_and_no_other() -> None:
    model = tiny_model()
    strategy = tag()
    claims, trained = claim_and_apply(model, [strategy])
    train(model, claims, trained, language="norwegian", steps=5)
    learnt = talker_loss(model, "norwegian")
    weights = {name: value.float() for name, value in snapshot(model).items()}
    kept = dict(weights)
    strategy.fold(weights)
    assert [name for name in kept if weights[name] is not kept[name]] == [TABLE]
    rows = (weights[TABLE] != kept[TABLE]).any(dim=1).nonzero().flatten().tolist()
    assert rows == [2100]
    plain = tiny_model()
    plain.originals[TABLE].data = weights[TABLE]
    plain.config["talker_config"]["codec_language_id"]["norwegian"] = 2100  # type: ignore[attr-defined]
    assert talker_loss(plain, "norwegian") == pytest.approx(learnt, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"row": 2055}, "taken by the language chinese"),
        ({"row": 2150}, "taken by the control id codec_eos_token_id"),
        ({"row": 1500}, "between 2048 and 3071"),
    ],
)
def test_a_taken_row_or_one_outside_the_free_range_is_refused(options: dict, said: str) -> None:
    with pytest.raises(KathrineError, match=said):
        claim_and_apply(tiny_model(), [tag(**options)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"row": 100}, "rows below 128 are codes"),
        ({"row": 4000}, "ends at 3071"),
        ({"start_from": ["klingon"]}, "klingon"),
        ({"row": 2050}, "row 2050 is taken by the language english"),
        ({"row": 2150}, "row 2150 is taken by the control id codec_eos_token_id"),
        ({"language": "German"}, "a tag for german already, row 2053"),
    ],
)
def test_what_can_not_be_is_refused_before_weights_are_there(options: dict, said: str) -> None:
    family = tiny_family()
    facts = family.facts(workspace())
    assert facts is not None
    with pytest.raises(KathrineError) as error:
        tag(**options).claim(family.parameters(workspace()) or (), facts)
    assert said in str(error.value)


def test_a_model_without_tags_is_refused() -> None:
    family = tiny_family()
    facts = family.facts(workspace())
    assert facts is not None
    specs = [spec for spec in family.parameters(workspace()) or () if spec.part != "codec_embedding"]
    with pytest.raises(KathrineError, match="has no language tags"):
        tag().claim(specs, dataclasses.replace(facts, parts=("talker",)))


def test_a_tag_that_the_model_has_is_trained_further_at_its_own_row_only() -> None:
    model = tiny_model(checkpoint=GOLD)
    row = model.language_id("norwegian")
    assert row == 2100
    _, trained = claim_and_apply(model, [tag()])
    assert torch.equal(trained["language_tag.norwegian"].detach(), model.originals[TABLE].detach()[2100])
    with pytest.raises(KathrineError, match="set row = 2100"):
        claim_and_apply(tiny_model(checkpoint=GOLD), [tag(row=2101)])


def test_problems_of_options() -> None:
    assert "dot" in next(tag(language="a.b").problems())
    assert "auto" in next(tag(language="Auto").problems())
    assert not list(tag().problems())
