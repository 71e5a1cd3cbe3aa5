"""What a run does, on the toy family."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import signal
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kathrine import Exporter, KathrineError, Tracker, Workspace, hookimpl
from kathrine.progress import SilentProgress
from kathrine.testing import ToyFamily, ToyStages, TrainAll, prepared_toy_corpus, toy_recipe
from kathrine.toy import ToyModel, ToyOptions
from kathrine.train.folder import RunFolder
from kathrine.train.loop import Loop
from kathrine.train.optimizer import clipped_norm
from kathrine.train.run import run
from kathrine.train.validation import Validator
from kathrine.types import ExportResult, RunOutcome, SelfCheck
from kathrine_sub_talker.loss import SubTalker, SubTalkerOptions

GOLDEN = Path(__file__).parents[1] / "data" / "golden_20_steps.json"


def train(recipe: Any, progress: SilentProgress | None = None, corpus: Any = None, **more: Any) -> RunOutcome:
    workspace = Workspace(RunFolder.of(recipe).path.parent / "ws")
    return run(recipe, workspace, progress or SilentProgress(), corpus=corpus or prepared_toy_corpus(), **more)


def lines(recipe: Any, kind: str = "step") -> list[dict]:
    text = RunFolder.of(recipe).metrics.read_text()
    return [line for line in map(json.loads, text.splitlines()) if line["kind"] == kind]


def steps_kept(recipe: Any) -> list[int]:
    return [int(path.name) for path in sorted(RunFolder.of(recipe).checkpoints.iterdir())]


def sub_talker(**options: Any) -> SubTalker:
    return SubTalker(SubTalkerOptions(weight=0.2, **options))


# --------------------------------------------------------------------------- numbers


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


# --------------------------------------------------------------------------- trouble


@pytest.fixture
def broken_steps(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Steps in which the model gives a loss that is not a number."""
    steps: set[int] = set()
    inner = Loop.accumulate

    def accumulate(loop: Loop, *given: Any, **named: Any) -> Any:
        sums = inner(loop, *given, **named)
        if loop.state.step + 1 in steps:
            for parameter in loop.parameters:
                parameter.grad = torch.full_like(parameter, math.nan)
        return sums

    monkeypatch.setattr(Loop, "accumulate", accumulate)
    return steps


def test_a_bad_step_is_left_out_and_counted(tmp_path: Path, broken_steps: set[int]) -> None:
    broken_steps |= {3, 4}
    recipe = toy_recipe(tmp_path / "run", train={"steps": 8})
    progress = SilentProgress()
    train(recipe, progress)
    told = lines(recipe)
    assert [line["skipped"] for line in told] == [0, 0, 1, 1, 0, 0, 0, 0]
    assert told[2]["grad_norm"] is None and told[-1]["skipped_in_all"] == 2
    assert all(math.isfinite(line["loss"]) for line in told)
    assert sum("left out" in warning for warning in progress.warned) == 2


def test_too_many_bad_steps_stop_the_run(tmp_path: Path, broken_steps: set[int]) -> None:
    broken_steps |= set(range(5, 20))
    recipe = toy_recipe(tmp_path / "run", train={"steps": 30, "max_skipped": 4, "checkpoint_every": 2})
    with pytest.raises(KathrineError, match="4 updates in a row were not finite"):
        train(recipe)
    assert steps_kept(recipe)[0] == 4


def test_a_failed_self_test_stops_before_the_first_step(tmp_path: Path, monkeypatch: Any) -> None:
    check = SelfCheck("talker_alignment", False, 0.1, 1.0, "next frame must be easier than the one after")
    monkeypatch.setattr(ToyModel, "self_test", lambda model: [check])
    with pytest.raises(KathrineError, match=r"self-test of toy failed: talker_alignment: 0\.1, limit 1"):
        train(toy_recipe(tmp_path / "run"))
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_strategy_that_breaks_its_claim_is_refused(tmp_path: Path) -> None:
    class Liar(TrainAll):
        def apply(self, model: Any, claim: Any, seed: int) -> Any:
            trained = super().apply(model, claim, seed)
            trained.popitem()
            return trained

    with pytest.raises(KathrineError, match="does not train what it claimed"):
        train(toy_recipe(tmp_path / "run", strategies=[Liar()]))


def test_without_held_out_utterances(tmp_path: Path) -> None:
    recipe, progress = toy_recipe(tmp_path / "run"), SilentProgress()
    outcome = train(recipe, progress, prepared_toy_corpus(held_out=0))
    assert outcome.best is None
    assert any("no held-out utterances" in warning for warning in progress.warned)
    assert steps_kept(recipe) == [10, 20]


# --------------------------------------------------------------------------- what is kept


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


def state(recipe: Any, step: int) -> dict:
    return json.loads((RunFolder.of(recipe).checkpoints / f"{step:08d}" / "state.json").read_text())


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


# --------------------------------------------------------------------------- coming back


def test_a_used_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", train={"steps": 2})
    train(recipe)
    with pytest.raises(KathrineError, match="not empty") as refused:
        train(recipe)
    assert "--resume" in refused.value.hint
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
