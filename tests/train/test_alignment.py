"""The relative test on real speech tells an aligned model from a shifted one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from kathrine import KathrineError, Workspace
from kathrine.progress import SilentProgress
from kathrine.testing import prepared_toy_corpus, toy_recipe
from kathrine.toy import ToyModel
from kathrine.train.alignment import Margin, refuse_misaligned
from kathrine.train.run import run
from kathrine.types import TalkerOutputs


def trained_then_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Trains the toy model, and makes what it learnt the released weights of the next run."""
    recipe = toy_recipe(
        folder / "first",
        prompt={"streamed": 1.0, "in_context": 0.0},
        train={"steps": 150, "accumulation": 1},
    )
    corpus = prepared_toy_corpus({"toy": 40}, held_out=8)
    run(recipe, Workspace(folder / "ws"), SilentProgress(), corpus=corpus)
    from safetensors.torch import load_file

    weights = load_file(str(folder / "first" / "checkpoints" / "00000150" / "trainable.safetensors"))
    inner = ToyModel.__init__

    def init(model: ToyModel, facts: Any, *given: Any) -> None:
        inner(model, dataclasses.replace(facts, released=True), *given)
        model.network.load_state_dict(weights)

    monkeypatch.setattr(ToyModel, "__init__", init)
    return corpus


def test_a_released_model_that_is_aligned_passes_and_a_shifted_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = trained_then_checked(tmp_path, monkeypatch)
    prompt = {"streamed": 1.0, "in_context": 0.0}
    progress = SilentProgress()
    recipe = toy_recipe(tmp_path / "good", prompt=prompt, train={"steps": 1})
    run(recipe, Workspace(tmp_path / "ws"), progress, corpus=corpus)
    assert any("the next frame is easier than the one after it by +" in said for said in progress.said)

    inner = ToyModel.forward

    def shifted(model: ToyModel, batch: Any) -> TalkerOutputs:
        outputs = inner(model, batch)
        return dataclasses.replace(outputs, logits_NV=outputs.logits_NV.roll(1, dims=0))

    monkeypatch.setattr(ToyModel, "forward", shifted)
    recipe = toy_recipe(tmp_path / "bad", prompt=prompt, train={"steps": 1})
    with pytest.raises(KathrineError, match="predicts the next frame no better"):
        run(recipe, Workspace(tmp_path / "ws"), SilentProgress(), corpus=corpus)
    assert not (tmp_path / "bad" / "metrics.jsonl").exists()


def test_three_standard_errors() -> None:
    assert Margin(0.31, 0.1, 20).aligned and not Margin(0.29, 0.1, 20).aligned


def test_random_weights_are_not_judged(tmp_path: Path) -> None:
    from kathrine.testing import ToyFamily

    model = ToyFamily().load(Workspace(tmp_path))
    assert "by -1.000 nat" in refuse_misaligned(Margin(-1.0, 0.1, 8), model)
    assert refuse_misaligned(None, model) == ""
