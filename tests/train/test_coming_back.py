"""Coming back to a run: what is refused, what goes on, and what lies in its folder."""

from __future__ import annotations

import json
import os
import signal
import tomllib
from pathlib import Path
from typing import Any

import pytest
from toy_runs import lines, steps_kept, train

from kathrine import KathrineError, Tracker, hookimpl
from kathrine.progress import SilentProgress
from kathrine.testing import ToyFamily, prepared_toy_corpus, toy_recipe
from kathrine.train.folder import RunFolder


def test_a_used_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"steps": 2})
    train(recipe)
    with pytest.raises(KathrineError, match="not empty") as refused:
        train(recipe)
    assert "--resume" in refused.value.hint
    nothing = tmp_path / "nothing"
    for state in ("missing", "empty"):
        with pytest.raises(KathrineError, match=f"there is no run to go on with in {nothing}") as refused:
            train(toy_recipe(nothing), resume=True)
        assert "--folder" in refused.value.hint
        assert list(tmp_path.glob("nothing")) == ([] if state == "missing" else [nothing])
        nothing.mkdir(exist_ok=True)
    (nothing / "console.log").write_text("stopped while it prepared")  # such a run has begun, and may be asked to go on
    assert train(toy_recipe(nothing, train={"steps": 1}), resume=True).status == "finished"
    assert RunFolder(nothing).has_begun() and not RunFolder(tmp_path / "new").has_begun()
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / ".lock").touch()  # another process may have got so far
    assert not RunFolder(tmp_path / "locked").has_begun()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(KathrineError, match=r"no recipe\.toml"):
        train(toy_recipe(other), resume=True)


def test_a_changed_recipe_is_refused_with_a_diff(tmp_path: Path) -> None:
    train(toy_recipe(tmp_path / "run", train={"steps": 4}))
    harmless = {"steps": 4, "gradient_checkpointing": True, "keep_last": 1, "export_from": "last"}
    assert train(toy_recipe(tmp_path / "run", train=harmless), resume=True).status == "finished"
    changed = toy_recipe(tmp_path / "run", train={"steps": 4, "clip": 0.5}, speak={"count": 0, "greedy": True})
    with pytest.raises(KathrineError) as refused:
        train(changed, resume=True)
    assert "-train.clip = 1.0" in refused.value.message
    assert "+train.clip = 0.5" in refused.value.message
    assert "speak" not in refused.value.message  # what changes nothing about training may change


def test_a_changed_recipe_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    class Unreachable(ToyFamily):
        def fetch(self, workspace: Any, progress: Any, offline: bool = False) -> None:
            raise AssertionError("fetched before the recipe was compared")

    train(toy_recipe(tmp_path / "run", train={"steps": 2}))
    changed = toy_recipe(tmp_path / "run", train={"steps": 2, "clip": 0.5}, model=Unreachable())
    with pytest.raises(KathrineError, match=r"\+train\.clip = 0\.5"):
        train(changed, resume=True)


def test_more_steps_are_allowed_where_the_schedule_permits(tmp_path: Path) -> None:
    def made(name: str, steps: int, schedule: str) -> Any:
        return toy_recipe(tmp_path / name, train={"steps": steps, "schedule": schedule, "ema": 0.9})

    train(made("constant", 15, "constant"))
    outcome = train(made("constant", 30, "constant"), resume=True)
    assert outcome.step == 30
    train(made("at once", 30, "constant"))
    for one, two in zip(lines(made("constant", 30, "constant")), lines(made("at once", 30, "constant")), strict=True):
        assert one == two
    train(made("cosine", 15, "cosine"))
    with pytest.raises(KathrineError, match=r"\+train\.steps = 30") as refused:
        train(made("cosine", 30, "cosine"), resume=True)
    assert "cosine" in refused.value.hint
    with pytest.raises(KathrineError, match=r"\+train\.steps = 10"):
        train(made("constant", 10, "constant"), resume=True)


def test_other_versions_are_told_on_resume(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"steps": 2})
    train(recipe)
    same, other = SilentProgress(), SilentProgress()
    train(recipe, same, resume=True)
    path = tmp_path / "run" / "versions.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "packages": {**document["packages"], "torch": "1.0"}, "threads": 99}))
    train(recipe, other, resume=True)
    assert not [warning for warning in same.warned if "since this run began" in warning]
    (warning,) = [warning for warning in other.warned if "since this run began" in warning]
    assert "torch 1.0 -> " in warning and "threads 99 -> " in warning and "numpy" not in warning


def test_another_corpus_is_refused(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"steps": 2})
    train(recipe)
    with pytest.raises(KathrineError, match="prepared corpus is not the one"):
        train(recipe, corpus=prepared_toy_corpus({"toy": 13}), resume=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_step_and_saves(tmp_path: Path, number: int) -> None:
    class Sender(Tracker):
        name = "sender"

        @hookimpl
        def kathrine_step_end(self, report: Any) -> None:
            if report.step == 7:
                os.kill(os.getpid(), number)

    handler = signal.getsignal(number)
    recipe = toy_recipe(tmp_path / "run", components={"trackers": (Sender(),)})
    progress = SilentProgress()
    outcome = train(recipe, progress)
    assert (outcome.status, outcome.signal) == ("interrupted", number)
    assert outcome.step in (7, 8)
    assert steps_kept(recipe)[-1] == outcome.step
    assert signal.getsignal(number) == handler
    resume = next(said for said in progress.said if "--resume" in said)
    assert str(tmp_path / "run" / "recipe.toml") in resume

    unbroken = toy_recipe(tmp_path / "unbroken")
    train(unbroken)
    assert train(toy_recipe(tmp_path / "run"), resume=True).status == "finished"
    assert lines(recipe) == lines(unbroken)


def test_half_a_checkpoint_is_ignored_and_removed(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run")
    train(recipe)
    half = tmp_path / "run" / "checkpoints" / "00000099.partial"
    half.mkdir()
    (half / "trainable.safetensors").write_bytes(b"")
    train(recipe, resume=True)
    assert not half.exists()


def test_what_lies_in_the_run_folder(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run")
    train(recipe)
    folder = tmp_path / "run"
    assert tomllib.loads((folder / "recipe.toml").read_text()) == recipe.document
    versions = json.loads((folder / "versions.json").read_text())
    assert versions["packages"]["torch"] and versions["corpus"] and versions["processes"] == 1
    console = (folder / "console.log").read_text()
    assert "step 20" in console and "held-out" in console
    timing = [json.loads(line) for line in (folder / "timing.jsonl").read_text().splitlines()]
    assert [line["step"] for line in timing] == list(range(1, 21))
    assert not {"seconds", "eta"} & set(lines(recipe)[0])


def test_events_come_in_order_and_the_end_always_comes(tmp_path: Path) -> None:
    seen: list[str] = []

    class Watch(Tracker):
        name = "watch"

        @hookimpl
        def kathrine_run_start(self, run: Any) -> None:
            seen.append(f"start {run.total_steps} {run.resumed_from}")

        @hookimpl
        def kathrine_stage_start(self, stage: Any, step: int) -> None:
            seen.append(f"stage {stage.name} {step}")

        @hookimpl
        def kathrine_step_end(self, report: Any) -> None:
            seen.append(f"step {report.step}")
            if report.step == 3 and fail:
                raise RuntimeError("the disk of the watcher is full")

        @hookimpl
        def kathrine_validation_end(self, report: Any) -> None:
            seen.append(f"validation {report.step}")

        @hookimpl
        def kathrine_checkpoint_saved(self, checkpoint: Any) -> None:
            seen.append(f"saved {checkpoint.step} {', '.join(checkpoint.reasons)}")

        @hookimpl
        def kathrine_run_end(self, outcome: Any) -> None:
            seen.append(f"end {outcome.status} {outcome.step}")

    fail = True
    recipe = toy_recipe(
        tmp_path / "run",
        train={"steps": 4, "checkpoint_every": 2},
        validation={"every": 100},
        components={"trackers": (Watch(),)},
    )
    with pytest.raises(RuntimeError, match="full"):
        train(recipe)
    head = ["start 4 None", "validation 0", "stage train 0", "step 1", "step 2", "saved 2 last", "step 3"]
    assert seen == [*head, "end failed 3"]
    assert "error: RuntimeError: the disk of the watcher is full" in (tmp_path / "run" / "console.log").read_text()
    seen.clear()
    fail = False
    train(recipe, resume=True)
    tail = ["step 3", "step 4", "validation 4", "saved 4 best, last", "end finished 4"]
    assert seen == ["start 4 2", "stage train 2", *tail]


def test_two_processes_in_one_folder_are_refused(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"steps": 2})
    folder = RunFolder.of(recipe)
    folder.take()
    with pytest.raises(KathrineError, match="another process works in"):
        train(recipe)
    folder.release()
    assert train(recipe).status == "finished"
