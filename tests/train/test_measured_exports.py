"""What exporters are given at the end of a run, and what is asked of them before it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_runs import train

from kathrine import Exporter
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.testing import prepared_toy_corpus, toy_recipe
from kathrine.types import ExportResult


class Keep(Exporter):
    name = "keep"
    corpora: list[str]
    problem = ""

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self.runs: list[Any] = []
        self.corpora = []

    def before_training(self, plan: Any, corpus: Any) -> Iterator[str]:
        self.corpora.append(corpus.fingerprint)
        if self.problem:
            yield self.problem

    def export(self, run: Any, folder: Path, progress: Any) -> ExportResult:
        self.runs.append(run)
        return ExportResult("keep", folder, (), {})


def test_loss_gain_and_a_sentence_can_be_measured_on_any_model(tmp_path: Path) -> None:
    keep = Keep()
    recipe = toy_recipe(tmp_path / "run", train={"steps": 30}, components={"exporters": (keep,), "profile": "smoke"})
    corpus = prepared_toy_corpus()
    train(recipe, corpus=corpus)
    (run,) = keep.runs
    fresh = recipe.model.load(run.workspace)
    assert run.validation_loss(run.model) < run.validation_loss(fresh)
    gain, none = run.text_gain(run.model), run.text_gain(fresh)
    assert gain is not None and none is not None and gain > none + 0.05
    spoken, again = run.speak(run.model, run.family), run.speak(run.model, run.family)
    assert again is spoken  # asked once
    assert len(spoken.codes_TQ) > 0 and len(spoken.wave) == len(spoken.codes_TQ) * 640
    assert run.speak(fresh, run.family) is not spoken and "silent" in spoken.flags  # as the toy is
    assert run.corpus is corpus and run.profile == "smoke" and math.isfinite(gain)
    assert run.versions["packages"]["kathrine"] and "parts" in run.drift
    assert keep.corpora == [corpus.fingerprint]


def test_without_held_out_utterances_training_ones_are_measured(tmp_path: Path) -> None:
    keep = Keep()
    corpus = prepared_toy_corpus()
    corpus.rows = [row for row in corpus.rows if row.split == "train"]
    train(toy_recipe(tmp_path / "run", train={"steps": 5}, components={"exporters": (keep,)}), corpus=corpus)
    (run,) = keep.runs
    assert math.isfinite(run.validation_loss(run.model)) and run.text_gain(run.model) is not None
    assert run.speak(run.model, run.family) is not None


def test_an_export_that_fails_keeps_no_other_from_its_work_and_is_made_by_resuming(tmp_path: Path) -> None:
    class Refused(Keep):
        name = "refused"

        def export(self, run: Any, folder: Path, progress: Any) -> ExportResult:
            raise KathrineError("export.refused has another loss", "nothing was kept of this export")

    class Uploads(Keep):
        name = "uploads"
        publishes = True

    first, keep, uploads = Refused(), Keep(), Uploads()
    recipe = toy_recipe(tmp_path / "run", train={"steps": 2}, components={"exporters": (uploads, first, keep)})
    progress = SilentProgress()
    with pytest.raises(KathrineError, match=r"^export\.refused has another loss") as error:
        train(recipe, progress)
    assert error.value.hint.startswith("nothing was kept of this export; the checkpoints are kept")
    assert "--resume" in error.value.hint and str(tmp_path / "run") in error.value.hint
    assert len(keep.runs) == 1 and uploads.runs == []
    assert any("nothing is published" in line for line in progress.warned)
    assert any(line.startswith("export/keep") for line in progress.said)  # the table is there all the same
    again = toy_recipe(tmp_path / "run", train={"steps": 2}, components={"exporters": (uploads, keep)})
    train(again, resume=True)
    assert len(keep.runs) == 2 and len(uploads.runs) == 1


def test_what_the_corpus_lacks_is_refused_before_the_first_step(tmp_path: Path) -> None:
    keep = Keep()
    keep.problem = "voices: nobody of that name"
    recipe = toy_recipe(tmp_path / "run", components={"exporters": (keep,)})
    with pytest.raises(KathrineError, match=r"export\.keep: voices: nobody of that name"):
        train(recipe)
    assert not list((tmp_path / "run").glob("checkpoints/*")) and not keep.runs
