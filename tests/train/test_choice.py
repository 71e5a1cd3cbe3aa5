"""Which checkpoint is the best one, and why: the rule itself, and the run that goes by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from toy_runs import lines, state, steps_kept, train

from kathrine import Tracker, hookimpl
from kathrine.progress import SilentProgress
from kathrine.speech.checks import ADVICE
from kathrine.testing import toy_recipe
from kathrine.toy import CODEBOOKS, SAMPLES_PER_FRAME, ToyCodec, ToyModel
from kathrine.train.choice import Candidate, is_better, reason
from kathrine.train.folder import RunFolder
from kathrine.train.validation import Validator
from kathrine.types import Generated

BEST = Candidate(10, 2.0, 0.0)


@pytest.mark.parametrize(
    ("new", "best", "rule", "better", "why"),
    [
        (Candidate(20, 1.5, 0.0), BEST, "flags_then_loss", True, "held-out loss is lower than that of step 10"),
        (Candidate(20, 2.5, 0.0), BEST, "flags_then_loss", False, "not lower"),
        (Candidate(20, 1.0, 0.06), BEST, "flags_then_loss", False, "6% of its takes are flagged, more than 5%"),
        (Candidate(20, 1.0, 0.05), BEST, "flags_then_loss", False, "more flagged takes than step 10"),
        (Candidate(20, 3.0, 0.01), Candidate(10, 2.0, 0.04), "flags_then_loss", True, "fewer flagged takes"),
        (Candidate(20, 1.0, 0.5), BEST, "loss", True, "lower"),
        (Candidate(20, 1.0, None), BEST, "flags_then_loss", True, "lower"),
        (Candidate(20, float("nan"), 0.0), BEST, "flags_then_loss", False, "not a number"),
        (Candidate(20, 9.0, 0.0), None, "flags_then_loss", True, "the first that qualifies"),
        (Candidate(20, 9.0, 1.0), None, "flags_then_loss", False, "100% of its takes are flagged"),
    ],
)
def test_the_rule(new, best, rule, better, why) -> None:
    found, told = is_better(new, best, rule)
    assert found is better and why in told


def test_a_little_better_is_not_better() -> None:
    assert not is_better(Candidate(20, 1.95, 0.0), BEST, "flags_then_loss", 0.1)[0]
    assert is_better(Candidate(20, 1.85, 0.0), BEST, "flags_then_loss", 0.1)[0]


def test_the_reason_is_told() -> None:
    assert reason(BEST, "flags_then_loss") == "0% of its takes flagged, held-out loss 2.0000; rule flags_then_loss"
    assert reason(None, "flags_then_loss") == "no checkpoint has at most 5% flagged takes and a finite held-out loss"


# --------------------------------------------------------------------------- in a run

RATE = 8000


class Voices:
    """What the model says at each time that it is asked: clean tones with a given noise under them, or silence."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *noise: float | None) -> None:
        self.noise, self.spoken = list(noise), 0
        monkeypatch.setattr(ToyModel, "generate", self.generate)
        monkeypatch.setattr(ToyCodec, "decode", self.decode)

    def generate(self, requests: Any, *given: Any, **named: Any) -> list[Generated]:
        codes_TQ = np.random.default_rng(self.spoken).integers(0, 9, (20, CODEBOOKS)).astype(np.int16)
        return [Generated(codes_TQ, "end")]

    def decode(self, codes: Any, progress: Any = None) -> list[np.ndarray]:
        level = self.noise[min(self.spoken // 2, len(self.noise) - 1)]
        self.spoken += len(codes[0]) == 20  # the reference is decoded too
        samples = len(codes[0]) * SAMPLES_PER_FRAME
        if level is None:
            return [np.zeros(samples, np.float32)]
        time = np.arange(samples) / RATE
        tone = 0.3 * np.sin(2 * np.pi * 220 * time) * (np.sin(2 * np.pi * time) > -0.5)
        return [(tone + level * np.random.default_rng(1).normal(0, 1, samples)).astype(np.float32)]


def spoken_run(folder: Path, monkeypatch: pytest.MonkeyPatch, scores: list[float], **tables: Any) -> Any:
    left = iter(scores)
    monkeypatch.setattr(Validator, "run", lambda one: ({"validation.toy.talker": 1.0}, next(left)))
    train_table = {"steps": 5 * (len(scores) - 1), "keep_last": 1, **tables.pop("train", {})}
    speak = {"count": 2, "sentences": ["Dette er en prøve.", "Og en til."], **tables.pop("speak", {})}
    return toy_recipe(folder, train=train_table, validation={"every": 5, **tables.pop("validation", {})}, speak=speak)


def test_a_checkpoint_with_flagged_takes_is_never_the_best(tmp_path: Path, monkeypatch) -> None:
    Voices(monkeypatch, 1e-4, 1e-4, None, 1e-4)  # silent at the third time, when the loss is lowest
    recipe = spoken_run(tmp_path / "run", monkeypatch, [5.0, 4.0, 2.0, 3.0])
    progress = SilentProgress()
    outcome = train(recipe, progress)
    assert outcome.best is not None and outcome.best.name == "00000015"
    assert "best checkpoint: 0% of its takes flagged, held-out loss 3.0000; rule flags_then_loss" in progress.said
    assert any("not the best: 100% of its takes are flagged" in said for said in progress.said)
    told = lines(recipe, "samples")
    assert [line["samples.flagged"] for line in told] == [0.0, 0.0, 1.0, 0.0]
    assert told[2]["samples.flag.silent"] == 2


def test_by_the_loss_alone_it_is(tmp_path: Path, monkeypatch) -> None:
    Voices(monkeypatch, None)
    recipe = spoken_run(tmp_path / "run", monkeypatch, [5.0, 4.0, 2.0, 3.0], validation={"best_by": "loss"})
    outcome = train(recipe)
    assert outcome.best is not None and outcome.best.name == "00000010"


def test_flags_do_not_stop_a_run_that_still_learns(tmp_path: Path, monkeypatch) -> None:
    Voices(monkeypatch, None)
    recipe = spoken_run(tmp_path / "run", monkeypatch, [5.0, 4.0, 3.0, 2.0], validation={"patience": 1})
    progress = SilentProgress()
    outcome = train(recipe, progress)
    assert (outcome.status, outcome.step, outcome.best) == ("finished", 15, None)
    assert any("results from trained weights of the last checkpoint" in said for said in progress.said)
    assert any("best checkpoint: no checkpoint has at most 5% flagged takes" in said for said in progress.said)


def test_sentences_are_spoken_the_same_at_every_checkpoint(tmp_path: Path, monkeypatch) -> None:
    Voices(monkeypatch, 1e-4)
    seen: list[Any] = []

    class Watch(Tracker):
        name = "watch"

        @hookimpl
        def kathrine_samples_spoken(self, report: Any) -> None:
            seen.append(("spoken", report.step))
            assert all((report.folder / take["file"]).is_file() for take in report.takes)

        @hookimpl
        def kathrine_validation_end(self, report: Any) -> None:
            seen.append(("validation", report.step))

    recipe = spoken_run(tmp_path / "run", monkeypatch, [5.0, 4.0, 3.0], speak={"count": 2})
    object.__setattr__(recipe, "trackers", (Watch(),))
    train(recipe)
    assert seen == [(what, step) for step in (0, 5, 10) for what in ("spoken", "validation")]
    samples = RunFolder.of(recipe).samples
    assert sorted(path.name for path in samples.iterdir()) == [
        *("00000000", "00000005", "00000010", "01.wav", "02.wav", "samples.json"),
    ]
    listed = [json.loads((samples / f"{step:08d}" / "samples.json").read_text()) for step in (0, 5, 10)]
    assert [[take["text"] for take in one] for one in listed] == [["Dette er en prøve.", "Og en til."]] * 3
    assert {take["seed"] for one in listed for take in one} == {recipe.run.seed}
    assert all(set(take["flags"]) <= set(ADVICE) for one in listed for take in one)
    assert soundfile.info(samples / "00000005" / "02.wav").samplerate == RATE


def test_every_so_many_updates_instead_of_with_validations(tmp_path: Path, monkeypatch) -> None:
    Voices(monkeypatch, 1e-4)
    recipe = spoken_run(tmp_path / "run", monkeypatch, [5.0, 4.0, 3.0], speak={"every": 4})
    train(recipe)
    assert [line["step"] for line in lines(recipe, "samples")] == [0, 4, 8]
    assert "samples" in state(recipe, 8)["reasons"] and {4, 8} <= set(steps_kept(recipe))


def test_noise_that_grows_while_the_loss_falls_is_told_and_the_earlier_checkpoint_kept(
    tmp_path: Path, monkeypatch
) -> None:
    Voices(monkeypatch, 1e-5, 1e-4, 3e-4, 1e-3, 1e-3, 1e-3, 1e-3)
    recipe = spoken_run(
        tmp_path / "run", monkeypatch, [9.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0], validation={"best_by": "loss"}
    )
    progress = SilentProgress()
    train(recipe, progress)
    (told,) = [said for said in progress.warned if "noisier while the loss falls" in said and "since step 5:" in said]
    assert told.startswith("step 15: ")
    newest = max(steps_kept(recipe))
    assert 5 in state(recipe, newest)["state"]["before_noise"]
    assert 5 in steps_kept(recipe)  # neither the best nor one of the last: kept because of what came after it
    assert steps_kept(recipe) == sorted({0, 5, *steps_kept(recipe)} - {0})


def test_noise_that_grows_with_the_loss_is_not_told(tmp_path: Path, monkeypatch) -> None:
    Voices(monkeypatch, 1e-5, 1e-4, 3e-4, 1e-3)
    recipe = spoken_run(tmp_path / "run", monkeypatch, [2.0, 3.0, 4.0, 5.0], validation={"best_by": "loss"})
    progress = SilentProgress()
    train(recipe, progress)
    assert not [said for said in progress.warned if "noisier" in said]


def test_a_validation_without_sentences_is_no_candidate(tmp_path: Path, monkeypatch) -> None:
    Voices(monkeypatch, 1e-4)
    recipe = spoken_run(tmp_path / "run", monkeypatch, [5.0, 4.0, 1.0, 3.0], speak={"every": 15})
    progress = SilentProgress()
    outcome = train(recipe, progress)
    assert outcome.best is not None and outcome.best.name == "00000015"
    assert any("no test sentences were spoken at this step" in said for said in progress.said)


def test_where_none_qualified_it_is_said(tmp_path: Path, monkeypatch) -> None:
    from kathrine import KathrineError
    from kathrine.train.checkpoint import pick

    Voices(monkeypatch, None)
    recipe = spoken_run(tmp_path / "run", monkeypatch, [5.0, 4.0])
    train(recipe)
    with pytest.raises(KathrineError, match=r"none qualified by validation\.best_by") as error:
        pick(RunFolder.of(recipe).checkpoints, "best")
    assert "--checkpoint last" in error.value.hint
