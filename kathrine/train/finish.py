"""After the last step: weights are chosen, sentences spoken, exports written, and a table says what came of it.

All of it is made from a checkpoint on disk, so that a run that is resumed only to export again gives the
same.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from kathrine.components import FinishedRun, SpeechModel
from kathrine.corpus.mixture import Corpus
from kathrine.corpus.prompting import Prompter
from kathrine.errors import KathrineError
from kathrine.recipe.recipe import Recipe
from kathrine.train.checkpoint import Saved, pick
from kathrine.train.drift import drift_of, write_drift
from kathrine.train.folder import RunFolder, versions
from kathrine.train.judging import choice_reason
from kathrine.train.measured import checked_items, once, speaking, text_gain, validation_loss
from kathrine.train.outcome import every_loss, final_table
from kathrine.train.readiness import planned_run
from kathrine.train.sampling import Sampler
from kathrine.train.state import TrainState
from kathrine.train.trainable import Trainable
from kathrine.train.validation import Validator
from kathrine.train.watchers import LoggedProgress
from kathrine.types import ExportResult
from kathrine.workspace import Workspace


@dataclass(eq=False)
class Finished:
    """What the end of a run works with."""

    recipe: Recipe
    workspace: Workspace
    folder: RunFolder
    model: SpeechModel
    trainable: Trainable
    corpus: Corpus
    prompter: Prompter
    sampler: Sampler
    validator: Validator
    state: TrainState
    progress: LoggedProgress


def finish(end: Finished) -> tuple[list[ExportResult], list[KathrineError]]:
    """Speak, export, and say so. Returns what exporters made, and why others made nothing."""
    saved, weights_from = load_final_weights(end)
    if end.recipe.train.export_from == "best":
        end.progress.say(f"best checkpoint: {choice_reason(end.state, end.recipe.validation)}")
    end.model.network.eval()
    with end.progress.task("measuring how far each part has moved"):
        drift = drift_of(end.model, end.recipe.strategies, end.trainable.claims)
    write_drift(end.folder.path, saved.step, weights_from, drift)
    remove_old_takes(end.folder.samples)
    spoken = end.sampler.speak(end.folder.samples) if end.sampler.wanted else []
    exports, refused = export(end, saved, weights_from, drift)  # last: their cards let the sentences be heard
    for line in every_loss(end.state, weights_from):
        end.progress.log(line)
    for line in final_table(end.recipe.name, end.folder, end.state, weights_from, spoken, exports):
        end.progress.say(line)
    return exports, refused


def remove_old_takes(folder: Path) -> None:
    """Takes of an earlier end of this run would stand beside the new ones; those of checkpoints stay."""
    for path in [*folder.glob("[0-9][0-9]*.wav"), folder / "samples.json"]:
        path.unlink(missing_ok=True)


def load_final_weights(end: Finished) -> tuple[Saved, str]:
    """Puts the weights that the recipe wants exported into the model. Returns the checkpoint and a
    description."""
    which = end.recipe.train.export_from
    if which == "best" and end.state.best_step is None:
        which = "last"
    saved = pick(end.folder.checkpoints, which)
    return saved, f"{_load(end, saved)} weights of the {which} checkpoint, step {saved.step}"


def _load(end: Finished, saved: Saved) -> str:
    """Puts a checkpoint's weights into the model; returns of which kind they are."""
    averaged = end.recipe.train.ema > 0
    weights = saved.tensors("ema" if averaged else "trainable")
    with torch.no_grad():
        for name, parameter in end.trainable.parameters.items():
            parameter.copy_(weights[name])
    return "averaged (EMA)" if averaged else "trained"


@contextmanager
def as_of(end: Finished, run: FinishedRun, step: int) -> Iterator[FinishedRun]:
    """Within it the model has the weights of another checkpoint; afterwards those that it had."""
    before = {name: parameter.detach().clone() for name, parameter in end.trainable.parameters.items()}
    try:
        kind = _load(end, pick(end.folder.checkpoints, str(step)))
        weights = {name: one.detach().float().cpu() for name, one in end.trainable.parameters.items()}
        told = f"{kind} weights of the checkpoint of step {step}"
        # what is known of the final weights is not known of these
        yield replace(run, trainable=weights, weights_from=told, step=step, drift={}, **measures(end))
    finally:
        with torch.no_grad():
            for name, parameter in end.trainable.parameters.items():
                parameter.copy_(before[name])


# --------------------------------------------------------------------------- exports


def measures(end: Finished) -> dict[str, Any]:
    """`validation_loss`, `text_gain` and `speak` of a FinishedRun; what the run's model gives is asked once."""
    items, pairs = checked_items(end.validator, end.corpus, end.prompter)
    return {
        "validation_loss": once(end.model, validation_loss(items)),
        "text_gain": once(end.model, text_gain(pairs)),
        "speak": once(end.model, speaking(end.sampler)),
    }


def export(
    end: Finished, saved: Saved, weights_from: str, drift: Mapping[str, Any]
) -> tuple[list[ExportResult], list[KathrineError]]:
    """Every exporter of the recipe, each into a fresh folder `export/LABEL`; those that publish come last.

    One that refuses what it made does not keep the others from their work; but then nothing is published."""
    named = {exporter.label for exporter in end.recipe.exporters}
    left = [path.name for path in sorted(end.folder.export.glob("[!.]*")) if path.name not in named]
    if left:
        end.progress.warn(f"export/{', export/'.join(left)}: of an earlier end of this run, not made anew")
    if not end.recipe.exporters:
        return [], []
    run = FinishedRun(
        folder=end.folder.path,
        plan=planned_run(end.recipe, end.workspace),
        recipe=end.recipe.document,
        workspace=end.workspace,
        family=end.recipe.model,
        model=end.model,
        strategies=end.recipe.strategies,
        claims=end.trainable.claims,
        trainable={name: one.detach().float().cpu() for name, one in end.trainable.parameters.items()},
        weights_from=weights_from,
        step=saved.step,
        language=end.recipe.language.tag() if end.recipe.language is not None else "",
        data=data_facts(end.corpus),
        corpus=end.corpus,
        profile=end.recipe.profile or "",
        versions=versions(),
        drift=drift,
        **measures(end),
    )
    run.at = lambda step: as_of(end, run, step)
    results: list[ExportResult] = []
    refused: list[KathrineError] = []
    for exporter in sorted(end.recipe.exporters, key=lambda one: one.publishes):
        if exporter.publishes and refused:
            end.progress.warn(f"export.{exporter.label}: nothing is published, since an export failed")
            continue
        folder = end.folder.export / exporter.label
        if folder.exists():
            shutil.rmtree(folder)
        end.folder.export.mkdir(parents=True, exist_ok=True)
        try:
            results.append(exporter.export(run, folder, end.progress))
        except KathrineError as error:
            end.progress.warn(error.message)
            refused.append(error)
    return results, refused


def data_facts(corpus: Corpus) -> list[Mapping[str, Any]]:
    """Facts of each data entry, with its name."""
    entries = corpus.facts.get("entries", {})
    return [{"name": name, **entries.get(name, {})} for name in corpus.entries]
