"""The event files hold what metrics.jsonl holds."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from kathrine import Workspace
from kathrine.progress import SilentProgress
from kathrine.testing import prepared_toy_corpus, toy_recipe
from kathrine.train.run import run
from kathrine_tensorboard import TensorBoard


def test_metrics_arrive(tmp_path: Path) -> None:
    tracker = TensorBoard(TensorBoard.Options(every=2))
    recipe = toy_recipe(
        tmp_path / "run",
        train={"steps": 4},
        validation={"every": 4, "utterances": 4},
        components={"trackers": (tracker,)},
    )
    run(recipe, Workspace(tmp_path / "ws"), SilentProgress(), corpus=prepared_toy_corpus())

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    found.Reload()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["loss.talker"] for line in lines if line["kind"] == "step"}
    scalars = {one.step: one.value for one in found.Scalars("train/loss.talker")}
    assert set(scalars) == {2, 4}
    for step, value in scalars.items():
        assert value == pytest.approx(losses[step], rel=1e-6)
    held_out = [line["validation.toy.talker"] for line in lines if line["kind"] == "validation"]
    assert [one.value for one in found.Scalars("validation/toy.talker")] == pytest.approx(held_out, rel=1e-6)
    assert "timing/seconds" in found.Tags()["scalars"]


def test_missing_backend_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(TensorBoard().problems())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (problem,) = TensorBoard().problems()
    assert "pip install kathrine[tensorboard]" in problem


def test_samples_arrive_with_their_sound_and_their_text(tmp_path: Path) -> None:
    recipe = toy_recipe(
        tmp_path / "run",
        train={"steps": 2},
        validation={"every": 2, "utterances": 4},
        speak={"count": 1, "sentences": ["Dette er en prøve."], "max_seconds": 1.0},
        components={"trackers": (TensorBoard(TensorBoard.Options(folder=str(tmp_path / "events"))),)},
    )
    run(recipe, Workspace(tmp_path / "ws"), SilentProgress(), corpus=prepared_toy_corpus())

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path / "events"))
    found.Reload()
    (tag,) = found.Tags()["audio"]
    assert tag == "samples/01.wav" and [one.step for one in found.Audio(tag)] == [0, 2]
    assert all(one.sample_rate == 8000 and one.length_frames > 0 for one in found.Audio(tag))
    assert [one.value for one in found.Scalars("samples/flagged")] == [1.0, 1.0]  # the toy speaks silence
    texts = [one for one in found.Tags()["tensors"] if "01.wav" in one]
    assert texts and b"pr\xc3\xb8ve" in found.Tensors(texts[0])[0].tensor_proto.string_val[0]
