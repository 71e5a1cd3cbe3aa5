"""The numbers of a run, on the toy family."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from toy_runs import lines, sub_talker, train

from kathrine import KathrineError, Tracker, Workspace, hookimpl
from kathrine.progress import SilentProgress
from kathrine.testing import ToyFamily, ToyStages, TrainAll, prepared_toy_corpus, toy_recipe
from kathrine.toy import ToyModel, ToyOptions
from kathrine.train.loop import Loop
from kathrine.train.optimizer import clipped_norm

GOLDEN = Path(__file__).parents[1] / "data" / "golden_20_steps.json"


def test_twenty_golden_steps(tmp_path: Path) -> None:
    """A refactor keeps the loss. KATHRINE_WRITE_GOLDEN=1 writes the file anew."""
    recipe = toy_recipe(
        tmp_path / "run",
        entries=("one", "two"),
        losses=[sub_talker(share=0.5)],
        model=ToyFamily(ToyOptions(dropout=0.1)),
        components={"curriculum": ToyStages(ToyStages.Options(first="one", epochs=[3.0, 3.5], lr_scale=0.5))},
        train={"steps": None, "epochs": None, "batch": {"examples": 3}, "accumulation": 3, "ema": 0.9},
        validation={"every": 10, "utterances": 6},
    )
    train(recipe, corpus=prepared_toy_corpus({"one": 17, "two": 11}))
    found = {"steps": lines(recipe)[:20], "validations": lines(recipe, "validation")}
    if os.environ.get("KATHRINE_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    expected = json.loads(GOLDEN.read_text())
    assert len(found["steps"]) == 20
    for kind in expected:
        assert len(found[kind]) == len(expected[kind])
        for one, two in zip(expected[kind], found[kind], strict=True):
            assert one.keys() == two.keys()
            for name, value in one.items():
                wanted = pytest.approx(value, rel=1e-5, abs=1e-7) if isinstance(value, float) else value
                assert two[name] == wanted, (kind, one["step"], name)


def test_it_learns_and_text_gain_says_so(tmp_path: Path) -> None:
    recipe = toy_recipe(
        tmp_path / "run",
        prompt={"streamed": 1.0, "in_context": 0.0},
        train={"steps": 120, "accumulation": 1},
        validation={"every": 120},
    )
    train(recipe, corpus=prepared_toy_corpus({"toy": 40}, held_out=8))
    before, after = lines(recipe, "validation")
    assert before["validation.toy.talker"] > 3
    assert after["validation.toy.talker"] < 1
    assert abs(before["validation.toy.text_gain"]) < 0.3
    assert after["validation.toy.text_gain"] > 1
    assert after["validation.score"] == after["validation.toy.talker"]


def test_accumulation_changes_nothing_but_memory(tmp_path: Path) -> None:
    """One batch of 8, and two of 4, are the same update: sums are divided by the counts of the whole step."""
    results = []
    for name, batch, accumulation in (("a", 8, 1), ("b", 4, 2), ("c", 2, 4)):
        recipe = toy_recipe(
            tmp_path / name,
            losses=[sub_talker()],
            prompt={"in_context": 0.0},
            train={"steps": 1, "batch": {"examples": batch}, "accumulation": accumulation},
        )
        train(recipe, corpus=prepared_toy_corpus({"toy": 8}))
        results.append(lines(recipe)[0])
    for other in results[1:]:
        for name in ("loss", "loss.talker", "loss.sub_talker", "grad_norm", "targets", "talker.toy"):
            assert other[name] == pytest.approx(results[0][name], rel=1e-5), name


def test_the_total_is_the_weighted_sum_and_coverage_is_told(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", losses=[sub_talker(share=0.25)], train={"steps": 4})
    train(recipe)
    for line in lines(recipe):
        assert line["loss"] == pytest.approx(line["loss.talker"] + 0.2 * line["loss.sub_talker"], rel=1e-9)
        assert 0.25 <= line["coverage.sub_talker"] < 0.5
        assert line["form.speaker"] + line["form.in_context"] == line["examples"]
        assert line["layout.streamed"] + line["layout.whole"] == line["examples"]
    assert "validation.toy.sub_talker" in lines(recipe, "validation")[0]


def test_without_hidden_states_it_warns_once_and_goes_on(tmp_path: Path) -> None:
    model = ToyFamily(ToyOptions(hidden=False))
    recipe = toy_recipe(tmp_path / "run", losses=[sub_talker()], model=model, train={"steps": 5})
    progress = SilentProgress()
    assert train(recipe, progress).status == "finished"
    assert sum("sub_talker can not be computed" in warning for warning in progress.warned) == 1
    assert all(line["coverage.sub_talker"] == 0 and line["loss.sub_talker"] is None for line in lines(recipe))
    assert lines(recipe, "validation")[0]["validation.toy.sub_talker"] is None
    assert any("sub_talker: coverage 0" in said for said in progress.said)

    required = toy_recipe(tmp_path / "required", losses=[sub_talker(required=True)], model=model)
    with pytest.raises(KathrineError, match=r"loss\.sub_talker can not be computed"):
        train(required)


def test_only_what_is_claimed_moves(tmp_path: Path) -> None:
    recipe = toy_recipe(
        tmp_path / "run",
        strategies=[TrainAll(TrainAll.Options(parts=["head"]))],
        train={"steps": 20},
    )
    before = {name: one.detach().clone() for name, one in loaded(tmp_path).originals.items()}
    seen: dict[str, torch.Tensor] = {}

    class Look(Tracker):
        name = "look"

        @hookimpl
        def kathrine_run_end(self) -> None:
            seen.update({name: one.detach().clone() for name, one in models[0].originals.items()})

    models: list[ToyModel] = []
    family = recipe.model
    inner = family.load
    family.load = lambda *given, **named: models.append(inner(*given, **named)) or models[0]  # type: ignore
    train(dataclasses.replace(recipe, trackers=(Look(),)))
    moved = {name for name, value in before.items() if not torch.equal(value, seen[name])}
    assert moved == {"head.weight", "head.bias"}
    saved = load_file(str(tmp_path / "run" / "checkpoints" / "00000020" / "trainable.safetensors"))
    assert set(saved) == moved


def loaded(folder: Path) -> ToyModel:
    return ToyFamily().load(Workspace(folder / "ws"))


def test_the_host_waits_for_the_device_once_a_step(tmp_path: Path, monkeypatch: Any) -> None:
    """Everything that would copy a number from the device is counted within an update."""
    copies: list[str] = []
    counting = [False]

    def counted(name: str) -> None:
        inner = getattr(torch.Tensor, name)

        def wrapped(tensor: torch.Tensor, *given: Any, **named: Any) -> Any:
            if counting[0]:
                copies.append(name)
            return inner(tensor, *given, **named)

        monkeypatch.setattr(torch.Tensor, name, wrapped)

    for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__"):
        counted(name)
    inner = Loop.update

    def update(loop: Loop, *given: Any) -> Any:
        optimizer_step = loop.optimizer.step

        def step() -> None:  # torch's own optimizer on the CPU looks at its step counter
            counting[0] = False
            optimizer_step()
            counting[0] = True

        monkeypatch.setattr(loop.optimizer, "step", step)
        counting[0] = True
        report = inner(loop, *given)
        counting[0] = False
        monkeypatch.setattr(loop.optimizer, "step", optimizer_step)
        assert copies == ["tolist"]
        copies.clear()
        return report

    monkeypatch.setattr(Loop, "update", update)
    recipe = toy_recipe(tmp_path / "run", losses=[sub_talker(share=0.5)], train={"steps": 3, "ema": 0.9})
    assert train(recipe).step == 3


def test_bf16_trains_float32_weights(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"steps": 10, "precision": "bf16"}, losses=[sub_talker()])
    train(recipe)
    losses = [line["loss"] for line in lines(recipe)]
    assert losses[-1] < losses[0]
    saved = load_file(str(tmp_path / "run" / "checkpoints" / "00000010" / "trainable.safetensors"))
    assert {tensor.dtype for tensor in saved.values()} == {torch.float32}


def test_frames_batches(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"epochs": 2.0, "batch": {"frames": 120}})
    train(recipe)
    assert all(line["padded_rows"] <= 2 * 120 for line in lines(recipe))
    assert sum(line["examples"] for line in lines(recipe)) == 2 * 12


def test_adamw_takes_the_recipe_s_betas_and_eps(tmp_path: Path, monkeypatch: Any) -> None:
    made: list[torch.optim.Optimizer] = []
    inner = torch.optim.AdamW

    def adamw(*given: Any, **named: Any) -> torch.optim.Optimizer:
        made.append(inner(*given, **named))
        return made[-1]

    monkeypatch.setattr(torch.optim, "AdamW", adamw)
    strategies = [
        TrainAll(TrainAll.Options(parts=["head"], lr=0.03, weight_decay=0.1), "heads"),
        TrainAll(TrainAll.Options(parts=["talker"], lr=0.01), "body"),
    ]
    table = {"steps": 4, "betas": [0.8, 0.95], "eps": 1e-6, "schedule": "constant", "warmup_steps": 2}
    recipe = toy_recipe(tmp_path / "run", strategies=strategies, train=table)
    train(recipe)
    groups = made[0].param_groups
    assert [group["strategy"] for group in groups] == ["heads", "body"]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert {(group["betas"], group["eps"]) for group in groups} == {((0.8, 0.95), 1e-6)}
    rates = [(line["lr.heads"], line["lr.body"]) for line in lines(recipe)]
    assert rates == [(0.015, 0.005), (0.03, 0.01), (0.03, 0.01), (0.03, 0.01)]


def test_gradients_are_clipped_where_wanted() -> None:
    for clip, left in ((0.5, 0.5), (100.0, 5.0), (0.0, 5.0)):
        used, unused = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(3))
        used.grad = torch.tensor([3.0, 4.0])
        assert clipped_norm([used, unused], clip).item() == pytest.approx(5.0)
        assert used.grad.norm().item() == pytest.approx(left, rel=1e-5)
        assert unused.grad is not None and not unused.grad.any()


def test_cosine_ends_at_its_share(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"steps": 12, "warmup_steps": 4, "final_lr_share": 0.2})
    train(recipe)
    rates = [line["lr.train_all"] / 1e-2 for line in lines(recipe)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[3:]))
    assert rates[7] == pytest.approx(0.6) and rates[-1] == pytest.approx(0.2)


def test_a_stage_scales_learning_rates(tmp_path: Path) -> None:
    recipe = toy_recipe(
        tmp_path / "run",
        entries=("one", "two"),
        components={"curriculum": ToyStages(ToyStages.Options(first="one", lr_scale=0.25))},
        train={"steps": None, "schedule": "constant", "warmup_steps": 0},
    )
    train(recipe, corpus=prepared_toy_corpus({"one": 9, "two": 9}))
    assert {(line["stage"], line["lr.train_all"]) for line in lines(recipe)} == {
        ("first", 1e-2),
        ("blend", 2.5e-3),
    }
