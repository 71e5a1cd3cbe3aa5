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
from kathrine.errors import KathrineError
from kathrine.recipe.recipe import Recipe
from kathrine.train.checkpoint import Saved, pick
from kathrine.train.folder import RunFolder
from kathrine.train.outcome import every_loss, final_table
from kathrine.train.state import TrainState
from kathrine.train.step import talker_losses
from kathrine.train.trainable import Trainable
from kathrine.train.validation import HELD_OUT, Validator
from kathrine.train.watchers import LoggedProgress
from kathrine.types import ExportResult, PromptedExample, SpeechRequest
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
    validator: Validator
    state: TrainState
    progress: LoggedProgress
    tag: Callable[[str], str | None]
    device: str


def finish(end: Finished) -> list[ExportResult]:
    """Speak, export, and say so. Returns what exporters made."""
    saved, weights_from = load_final_weights(end)
    end.model.network.eval()
    spoken = speak(end)
    exports = export(end, saved, weights_from)
    for line in every_loss(end.state, weights_from):
        end.progress.log(line)
    for line in final_table(end.recipe.name, end.folder, end.state, weights_from, spoken, exports):
        end.progress.say(line)
    return exports


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
    return (
        saved,
        f"{'averaged (EMA)' if averaged else 'trained'} weights of the {which} checkpoint, step {saved.step}",
    )


# --------------------------------------------------------------------------- speech


def speak(end: Finished) -> list[Any]:
    """Test sentences into `samples/`. Returns what was measured on each."""
    if not end.recipe.speak.count:
        return []
    from kathrine.speech.samples import sampling_of, speak_samples

    requests = speech_requests(end)
    if not requests:
        end.progress.warn("no test sentences: name some in [speak], or a [language]")
        return []
    codec = end.recipe.model.open_codec(end.workspace, end.device, decode_only=True)
    return speak_samples(
        model=end.model,
        codec=codec,
        requests=requests,
        sampling=sampling_of(end.recipe.speak),
        max_seconds=end.recipe.speak.max_seconds,
        seed=end.recipe.run.seed,
        folder=end.folder.samples,
        progress=end.progress,
    )


def speech_requests(end: Finished) -> list[tuple[str, SpeechRequest]]:
    """Sentences of the recipe, else of the language, else of held-out utterances, in the voice that the
    recipe names."""
    from kathrine.corpus.text import spoken_text

    table, language = end.recipe.speak, end.recipe.language
    written = list(table.sentences) or (list(language.test_sentences()) if language is not None else [])
    spoken: list[tuple[str, tuple[int, ...]]] = []
    if written:
        encode = end.recipe.model.open_text(end.workspace)
        for sentence in written[: table.count]:
            said = spoken_text(sentence, "text", language)
            if said.rejected:
                end.progress.warn(f"not spoken: {sentence!r}: {said.rejected}")
                continue
            spoken.append((sentence, encode(said.text)))
    else:
        for item in end.validator.items[: table.count]:
            spoken.append((item.example.spoken["text"], item.example.text_ids["text"]))
    if not spoken:
        return []
    embedding_H, whose = voice(end)
    if whose:
        end.progress.say(f"test sentences are spoken in the voice of {whose}")
    tag = end.tag(language.tag() if language is not None else "")
    return [
        (sentence, SpeechRequest(text_ids=ids, speaker_embedding_H=embedding_H, language=tag))
        for sentence, ids in spoken
    ]


def voice(end: Finished) -> tuple[Any, str]:
    """Speaker embedding of the test sentences, and whose it is; None and "" for a family without speaker encoder.

    It comes from the recording that the recipe names, else from a held-out utterance of the first data entry;
    without any there, from the next entry that has one, and at last from a training utterance.
    """
    if end.recipe.speak.reference_file:
        encoder = end.recipe.model.open_speaker_encoder(end.workspace, end.device)
        if encoder is None:
            raise KathrineError("speak.reference_file is set, but the model has no speaker encoder", "leave it out")
        from kathrine.corpus.audio import AudioRejected, Conditioning, condition, read_audio

        path = Path(end.recipe.speak.reference_file).expanduser()
        try:
            wave_NC, rate = read_audio(path)
        except AudioRejected as error:
            raise KathrineError(f"speak.reference_file: {error.reason}: {path}", "name a recording") from error
        settings = Conditioning.of(end.recipe.prepare, end.model.facts.sample_rate)
        return encoder(condition(wave_NC, rate, settings)[0]), str(path)
    place = {entry.name: number for number, entry in enumerate(end.recipe.data)}
    held_out = sorted((item.example for item in end.validator.items), key=lambda one: place.get(one.entry, len(place)))
    trained = (end.corpus.example(row.key) for row in end.corpus.rows)
    example = held_out[0] if held_out else next(trained, None)
    if example is None or example.speaker_embedding_H is None:
        return None, ""
    return example.speaker_embedding_H, f"{example.key} ({'held out' if held_out else 'a training utterance'})"


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
    """Every exporter of the recipe, each into a fresh folder `export/LABEL`."""
    if not end.recipe.exporters:
        return []
    items = end.validator.items[:CHECKED]
    if not items:
        from kathrine.corpus.mixture import Draw

        rows = [row for row in end.corpus.rows if row.split == "train"][:CHECKED]
        items = [end.prompter.prompted(end.corpus, Draw(row.key, HELD_OUT, 0)) for row in rows]
    run = FinishedRun(
        folder=end.folder.path,
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
    )
    results = []
    for exporter in end.recipe.exporters:
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
