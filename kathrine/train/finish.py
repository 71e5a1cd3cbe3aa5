"""After the last step: weights are chosen, sentences spoken, exports written, and a table says what came of it.

All of it is made from a checkpoint on disk, so that a run that is resumed only to export again gives the
same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kathrine.components import FinishedRun, SpeechModel
from kathrine.corpus.mixture import Corpus
from kathrine.corpus.prompting import Prompter
from kathrine.recipe.recipe import Recipe
from kathrine.train.checkpoint import Saved, pick
from kathrine.train.drift import drift_of, write_drift
from kathrine.train.folder import RunFolder
from kathrine.train.judging import choice_reason
from kathrine.train.outcome import every_loss, final_table
from kathrine.train.readiness import planned_run
from kathrine.train.sampling import Sampler
from kathrine.train.state import TrainState
from kathrine.train.step import talker_losses
from kathrine.train.trainable import Trainable
from kathrine.train.validation import HELD_OUT, Validator
from kathrine.train.watchers import LoggedProgress
from kathrine.types import ExportResult, PromptedExample
from kathrine.workspace import Workspace

CHECKED = 8
"""Utterances in the batch that exporters compare losses on."""


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


def finish(end: Finished) -> list[ExportResult]:
    """Speak, export, and say so. Returns what exporters made."""
    saved, weights_from = load_final_weights(end)
    if end.recipe.train.export_from == "best":
        end.progress.say(f"best checkpoint: {choice_reason(end.state, end.recipe.validation)}")
    end.model.network.eval()
    with end.progress.task("measuring how far each part has moved"):
        drift = drift_of(end.model, end.recipe.strategies, end.trainable.claims)
    write_drift(end.folder.path, saved.step, weights_from, drift)
    remove_old_takes(end.folder.samples)
    spoken = end.sampler.speak(end.folder.samples) if end.sampler.wanted else []
    exports = export(end, saved, weights_from)  # last: their cards let the sentences be heard
    for line in every_loss(end.state, weights_from):
        end.progress.log(line)
    for line in final_table(end.recipe.name, end.folder, end.state, weights_from, spoken, exports):
        end.progress.say(line)
    return exports


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
    averaged = end.recipe.train.ema > 0
    weights = saved.tensors("ema" if averaged else "trainable")
    with torch.no_grad():
        for name, parameter in end.trainable.parameters.items():
            parameter.copy_(weights[name])
    kind = "averaged (EMA)" if averaged else "trained"
    return saved, f"{kind} weights of the {which} checkpoint, step {saved.step}"


# --------------------------------------------------------------------------- exports


def validation_loss(items: Sequence[PromptedExample]) -> Callable[[SpeechModel], float]:
    """A function from a model to its teacher-forced talker loss on these items.

    It computes in float32 where all weights are float32, else under bf16 autocast.
    """

    def loss_of(model: SpeechModel) -> float:
        parameters = list(model.network.parameters())
        device = parameters[0].device
        mixed = any(parameter.dtype == torch.bfloat16 for parameter in parameters)
        was_training = model.network.training
        model.network.eval()
        context = torch.autocast(device.type, torch.bfloat16) if mixed else nullcontext()
        with torch.no_grad(), context:
            losses_N = talker_losses(model.forward(model.collate(items).to(device)))
        model.network.train(was_training)
        return float(losses_N.mean())

    return loss_of


def export(end: Finished, saved: Saved, weights_from: str) -> list[ExportResult]:
    """Every exporter of the recipe, each into a fresh folder `export/LABEL`; those that publish come last."""
    named = {exporter.label for exporter in end.recipe.exporters}
    left = [path.name for path in sorted(end.folder.export.glob("[!.]*")) if path.name not in named]
    if left:
        end.progress.warn(f"export/{', export/'.join(left)}: of an earlier end of this run, not made anew")
    if not end.recipe.exporters:
        return []
    items = end.validator.items[:CHECKED]
    if not items:
        from kathrine.corpus.mixture import Draw

        rows = [row for row in end.corpus.rows if row.split == "train"][:CHECKED]
        items = [end.prompter.prompted(end.corpus, Draw(row.key, HELD_OUT, 0)) for row in rows]
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
        validation_loss=validation_loss(items),
        language=end.recipe.language.tag() if end.recipe.language is not None else "",
        data=data_facts(end.corpus),
        corpus=end.corpus,
    )
    results = []
    for exporter in sorted(end.recipe.exporters, key=lambda one: one.publishes):
        folder = end.folder.export / exporter.label
        if folder.exists():
            shutil.rmtree(folder)
        end.folder.export.mkdir(parents=True, exist_ok=True)
        results.append(exporter.export(run, folder, end.progress))
    return results


def data_facts(corpus: Corpus) -> list[Mapping[str, Any]]:
    """Facts of each data entry, with its name."""
    entries = corpus.facts.get("entries", {})
    return [{"name": name, **entries.get(name, {})} for name in corpus.entries]
