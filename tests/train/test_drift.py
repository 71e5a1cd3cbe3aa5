"""drift.json: how far each part has moved, against a direct computation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_training import claim_and_apply, tiny_model
from toy_runs import train

from kathrine.inspect.pieces import pieces_of
from kathrine.testing import TrainAll, TrainAllOptions, toy_recipe
from kathrine.train.drift import drift_of, effective_rank, spectrum, thin_spectrum
from kathrine_freeze.strategy import Freeze
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
    spectra = drift_of(model, strategies, claims, spectra=True)["pieces"]
    assert spectra and all(one["spectral_norm"] is None and one["effective_rank"] is None for one in spectra)


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
    (piece,) = document["pieces"]
    assert piece["name"] == "talker" and piece["relative_l2"] == document["parts"]["talker"]["relative_l2"]
    assert "spectral_norm" not in piece  # asked for by `kathrine inspect` alone
    assert [one["strategy"] for one in document["touched"]] == ["train_all"]


def moved(strategies: list) -> tuple:
    """The tiny model with everything that these strategies train pushed away from where it was."""
    model = tiny_model()
    claims, trained = claim_and_apply(model, strategies)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in trained.values():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return model, claims, trained


def rank_by_hand(change: torch.Tensor) -> float:
    values = torch.linalg.svdvals(change.double())
    values = values[values > 1e-7 * values[0]]
    shares = values / values.sum()
    return float(torch.exp(-(shares * shares.log()).sum()))


def test_pieces_have_the_norms_and_ranks_of_their_changes() -> None:
    """Two adapters on some of the same weights, a part in place and a tag, against whole singular value
    decompositions."""
    strategies = [
        Lora(Lora.Options(lr=1e-3, r=4, alpha=8, mlp=True)),
        Lora(Lora.Options(lr=1e-3, r=2, alpha=2, layers=[1, 1]), "second"),
        TextProjection(TextProjection.Options(lr=1e-3)),
        LanguageTag(LanguageTag.Options(lr=1e-3, language="norwegian", row=2100)),
    ]
    model, claims, _ = moved(strategies)
    base = {name: one.detach().clone() for name, one in tiny_model().originals.items()}
    after = {name: base[name].clone() for name in base}
    for name in claims[2].trains:
        after[name] = model.originals[name].detach().clone()
    for strategy in strategies:
        strategy.fold(after)
    advanced: list[float] = []
    found = drift_of(model, strategies, claims, spectra=True, advance=lambda amount=1: advanced.append(amount))
    assert sum(advanced) == len(model.specs)
    pieces = {one["name"]: one for one in found["pieces"]}
    both = {f"talker {layer} {piece}" for layer in range(3) for piece in ("attention", "mlp")}
    assert set(pieces) == {*both, "text_projection", "codec_embedding"}
    names = {one.name: one.names for one in pieces_of(model.specs)}
    for name, piece in pieces.items():
        changes = [(one, (after[one] - base[one]).double()) for one in names[name]]
        length = sum(float(base[one].double().square().sum()) for one, _ in changes) ** 0.5
        change = sum(float(one.square().sum()) for _, one in changes) ** 0.5
        assert piece["relative_l2"] == pytest.approx(change / length, rel=1e-4), name
        matrices = [one for _, one in changes if one.dim() > 1 and float(one.abs().max()) > 0]
        lengths = [float(one.norm()) if one.dim() == 1 else float(torch.linalg.svdvals(one)[0]) for _, one in changes]
        assert piece["spectral_norm"] == pytest.approx(max(lengths), rel=1e-4), name
        ranks = [rank_by_hand(one) for one in matrices]
        assert piece["effective_rank"] == pytest.approx(sum(ranks) / len(ranks), rel=1e-3), name
        assert piece["parameters"] == sum(base[one].numel() for one in names[name])
    assert pieces["talker 1 attention"]["strategies"] == ["lora", "second"]
    assert pieces["talker 1 mlp"]["strategies"] == ["lora"]
    assert pieces["codec_embedding"]["strategies"] == ["language_tag"]
    assert pieces["codec_embedding"]["effective_rank"] == pytest.approx(1.0, abs=1e-4)  # one row
    assert pieces["talker 0 attention"]["effective_rank"] <= 4 < pieces["talker 1 attention"]["effective_rank"] <= 6
    assert [(one["strategy"], one["parts"], one["adapted"]) for one in found["touched"]] == [
        ("lora", ["talker"], 21), ("second", ["talker"], 4),
        ("text_projection", ["text_projection"], 0), ("language_tag", ["codec_embedding"], 0),
    ]  # fmt: skip
    in_place = sum(base[name].numel() for name in claims[2].trains)
    assert (found["touched"][2]["trained"], found["touched"][3]["added"]) == (in_place, 64)


def test_a_weight_in_place_and_adapted_is_decomposed_as_a_whole_and_dora_too() -> None:
    """No thin product tells the change of either."""
    for strategies in (
        [Lora(Lora.Options(lr=1e-3, r=2, layers=[0, 0])), Freeze(Freeze.Options(lr=1e-3, parts=["text_projection"]))],
        [Lora(Lora.Options(lr=1e-3, r=2, layers=[0, 0], dora=True))],
    ):
        model, claims, _ = moved(strategies)
        base = tiny_model().originals
        after = {name: model.originals[name].detach().clone() for name in base}
        for strategy in strategies:
            strategy.fold(after)
        found = {one["name"]: one for one in drift_of(model, strategies, claims, spectra=True)["pieces"]}
        ranks = [rank_by_hand(after[name] - base[name].detach()) for name in claims[0].adapts]
        assert found["talker 0 attention"]["effective_rank"] == pytest.approx(sum(ranks) / len(ranks), rel=2e-2)


def test_effective_rank_and_spectrum_of_known_matrices() -> None:
    assert effective_rank(torch.tensor([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3.0)
    assert effective_rank(torch.tensor([5.0])) == pytest.approx(1.0) and effective_rank(torch.zeros(3)) == 0.0
    random = torch.randn((7, 3, 5), generator=torch.Generator().manual_seed(1))
    for change in (random, random.reshape(105, 1), random.reshape(3, 35)):
        matrix = change.reshape(change.shape[0], -1).double()
        assert torch.allclose(spectrum(change)[: min(matrix.shape)], torch.linalg.svdvals(matrix), rtol=1e-6)
    assert float(spectrum(torch.tensor([3.0, 4.0]))[0]) == pytest.approx(5.0)
    pair = (torch.randn(9, 2), torch.randn(2, 6))
    assert torch.allclose(thin_spectrum(pair), torch.linalg.svdvals((pair[0] @ pair[1]).double())[:2], rtol=1e-5)
