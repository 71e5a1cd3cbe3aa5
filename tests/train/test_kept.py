"""Which checkpoints are kept, which is best, and what results are made from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from toy_runs import lines, state, steps_kept, train

from kathrine import Exporter
from kathrine.progress import SilentProgress
from kathrine.testing import ToyStages, prepared_toy_corpus, toy_recipe
from kathrine.train.validation import Validator
from kathrine.types import ExportResult


def test_checkpoints_that_are_kept(tmp_path: Path) -> None:
    recipe = toy_recipe(
        tmp_path / "run",
        train={
            "epochs": 6.0, "checkpoint_every": 1, "keep_last": 2, "keep_epochs": [1, 2], "keep_every": 5,
            "accumulation": 1,
        },
        validation={"every": 4},
    )  # fmt: skip
    train(recipe)  # 3 steps an epoch, 18 in all
    states = {step: state(recipe, step) for step in steps_kept(recipe)}
    best = states[18]["state"]["best_step"]
    assert set(states) == {3, 5, 6, 10, 15, 17, 18, best}
    assert states[3]["reasons"] == ["last", "epoch 1"]
    assert states[6]["reasons"] == ["last", "epoch 2"]
    assert "every" in states[10]["reasons"]


def test_best_is_the_lowest_held_out_loss(tmp_path: Path, monkeypatch: Any) -> None:
    scores = iter([5.0, 4.0, 3.0, 3.5, 3.2])
    monkeypatch.setattr(Validator, "run", lambda one: ({"validation.toy.talker": 1.0}, next(scores)))
    recipe = toy_recipe(tmp_path / "run", train={"steps": 20, "keep_last": 1}, validation={"every": 5})
    outcome = train(recipe)
    assert outcome.best is not None and outcome.best.name == "00000010" and outcome.best.is_dir()
    assert steps_kept(recipe) == [10, 20]


def test_a_little_better_is_not_better(tmp_path: Path, monkeypatch: Any) -> None:
    scores = iter([5.0, 4.0, 3.95, 3.8, 3.79])
    monkeypatch.setattr(Validator, "run", lambda one: ({"validation.toy.talker": 1.0}, next(scores)))
    recipe = toy_recipe(tmp_path / "run", validation={"every": 5, "min_delta": 0.1})
    train(recipe)
    assert [line["improved"] for line in lines(recipe, "validation")] == [False, True, False, True, False]


@pytest.mark.parametrize(("export_from", "step"), [("best", 10), ("last", 20)])
def test_results_come_from_the_wanted_checkpoint(tmp_path: Path, monkeypatch: Any, export_from: str, step: int) -> None:
    scores = iter([5.0, 3.0, 4.0])
    monkeypatch.setattr(Validator, "run", lambda one: ({"validation.toy.talker": 1.0}, next(scores)))
    seen: list[Any] = []

    class Keep(Exporter):
        name = "keep"

        def export(self, run: Any, folder: Path, progress: Any) -> ExportResult:
            same = all(torch.equal(run.trainable[name], one) for name, one in run.model.originals.items())
            seen.append((run.step, run.weights_from, same, run.validation_loss(run.model)))
            return ExportResult("keep", folder, (), {"loss": 1.5}, ("a note",))

    recipe = toy_recipe(tmp_path / "run", train={"export_from": export_from}, components={"exporters": (Keep(),)})
    progress = SilentProgress()
    train(recipe, progress)
    ((made, weights_from, same, loss),) = seen
    assert made == step and f"{export_from} checkpoint, step {step}" in weights_from
    assert same and math.isfinite(loss)
    assert any(said.split() == ["export/keep", "loss", "1.5"] for said in progress.said)
    assert any("a note" in said for said in progress.said)


def test_an_exporter_finds_the_sentences_spoken_and_what_was_known_before(tmp_path: Path) -> None:
    heard: list[Any] = []

    class Listen(Exporter):
        name = "listen"

        def export(self, run: Any, folder: Path, progress: Any) -> ExportResult:
            heard.append((run.plan, json.loads((run.folder / "samples" / "samples.json").read_text())))
            return ExportResult("listen", folder, (), {})

    train(toy_recipe(tmp_path / "run", components={"exporters": (Listen(),)}, speak={"count": 1}))
    ((plan, takes),) = heard
    assert list(plan.sources) == ["toy"] and plan.codes == () and len(takes) == 1


def test_text_gain_is_measured_on_as_many_as_wanted(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"steps": 1}, validation={"text_gain_utterances": 0})
    train(recipe)
    assert not [name for line in lines(recipe, "validation") for name in line if "text_gain" in name]


def test_early_stopping_ends_the_run_or_the_stage(tmp_path: Path, monkeypatch: Any) -> None:
    def made(name: str, stop: str) -> Any:
        return toy_recipe(
            tmp_path / name,
            entries=("one", "two"),
            components={"curriculum": ToyStages(ToyStages.Options(first="one", epochs=[10.0, 2.0]))},
            train={"steps": None, "accumulation": 1},
            validation={"every": 2, "patience": 2, "stop": stop},
        )

    calls: list[int] = []
    score = iter(range(1000))
    monkeypatch.setattr(Validator, "run", lambda one: ({"validation.one.talker": 1.0}, float(next(score))))
    corpus = prepared_toy_corpus({"one": 12, "two": 12})
    assert train(made("run", "run"), corpus=corpus).status == "stopped_early"
    assert len(lines(made("run", "run"))) == 6  # the best at 2, none better at 4 and 6
    outcome = train(made("stage", "stage"), corpus=corpus)
    stages = [line["stage"] for line in lines(made("stage", "stage"))]
    assert outcome.status == "finished" and not calls
    # never better than in the first stage: the second one is given as many validations again, no more
    assert stages == ["first"] * 6 + ["blend"] * 4
    again = train(made("run", "run"), corpus=corpus, resume=True)
    assert again.status == "stopped_early" and again.step == 6


def test_ema_is_what_validation_and_export_use(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"steps": 10, "ema": 0.95})
    progress = SilentProgress()
    train(recipe, progress)
    folder = tmp_path / "run" / "checkpoints" / "00000010"
    raw, averaged = (
        load_file(str(folder / "trainable.safetensors")),
        load_file(str(folder / "ema.safetensors")),
    )
    assert raw.keys() == averaged.keys()
    assert not torch.equal(raw["head.weight"], averaged["head.weight"])
    assert {line["weights"] for line in lines(recipe, "validation")} == {"ema"}
    assert any("averaged (EMA) weights of the best checkpoint" in said for said in progress.said)
