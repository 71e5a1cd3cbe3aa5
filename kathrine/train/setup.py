"""What a run is made of, before its first step: state, model, strategies, optimizer, plan, loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from kathrine.components import Progress, SpeechModel
from kathrine.corpus.batching import Plan
from kathrine.corpus.mixture import Corpus, training_keys
from kathrine.corpus.prompting import Prompter
from kathrine.errors import KathrineError
from kathrine.recipe.plan import claims, prompt_problems
from kathrine.recipe.prompts import fitting_prompt
from kathrine.recipe.recipe import Recipe
from kathrine.train.base import BaseModel
from kathrine.train.checkpoint import Saved
from kathrine.train.feed import Feed
from kathrine.train.folder import RunFolder
from kathrine.train.judging import Judge
from kathrine.train.loop import Loop
from kathrine.train.optimizer import Average, make_optimizer, restore_optimizer
from kathrine.train.processes import Processes
from kathrine.train.sampling import Sampler
from kathrine.train.signals import Interrupts
from kathrine.train.state import TrainState, stage_documents
from kathrine.train.step import StepModule
from kathrine.train.trainable import make_trainable
from kathrine.train.validation import Validator
from kathrine.types import DataSize, RunInfo, Stage
from kathrine.workspace import Workspace


def sizes_of(recipe: Recipe, corpus: Corpus) -> tuple[DataSize, ...]:
    """The data entries as the curriculum sees them: training utterances only."""
    keys = training_keys(corpus.rows)
    seconds = dict.fromkeys(keys, 0.0)
    for row in corpus.rows:
        if row.split == "train" and row.entry in seconds:
            seconds[row.entry] += row.seconds
    return tuple(
        DataSize(entry.name, entry.table.share, len(keys.get(entry.name, ())), seconds.get(entry.name, 0.0))
        for entry in recipe.data
    )


def state_of(
    saved: Saved | None, stages: tuple[Stage, ...], corpus: Corpus, processes: Processes, progress: Progress
) -> TrainState:
    """The state to go on from: a checkpoint's, or a new one."""
    state = TrainState.of(saved.state) if saved is not None else TrainState(corpus=corpus.fingerprint)
    if state.corpus != corpus.fingerprint:
        raise KathrineError(
            "the prepared corpus is not the one that this run began with",
            "restore the sources as they were, or start anew with another --folder",
        )
    if saved is not None and state.processes != processes.size:
        progress.warn(
            f"the run had {state.processes} processes and now has {processes.size}: batches stay the same, "
            "dropout and drawn frames differ"
        )
    documents = stage_documents(stages)
    if saved is not None and documents != state.stages and state.position.stage == len(stages):
        state.position, state.ended = state.onward, ""  # it had ended, and is longer now
    state.stages, state.processes = documents, processes.size
    return state


def load_model(recipe: Recipe, workspace: Workspace, processes: Processes, progress: Progress) -> SpeechModel:
    """The model on its device, after its self-test. Raises: KathrineError where a check fails."""
    with progress.task("loading the model"):
        model = recipe.model.load(workspace, str(processes.device), recipe.train.precision)
        checks = model.self_test()
    failed = [check for check in checks if not check.passed]
    if failed:
        told = "; ".join(f"{one.name}: {one.measured:.4g}, limit {one.limit:.4g} ({one.explanation})" for one in failed)
        raise KathrineError(
            f"the self-test of {model.facts.checkpoint} failed: {told}",
            "training on a misaligned objective spoils the model; see `kathrine inspect` for all checks",
        )
    if checks:
        progress.say(f"self-test passed: {', '.join(check.name for check in checks)}")
    if recipe.train.gradient_checkpointing:
        model.gradient_checkpointing(True)
    return model


def language_tag(recipe: Recipe, model: SpeechModel) -> Callable[[str], str | None]:
    """The name of the tag for an utterance's language: its own where the model has that, else the
    recipe's."""
    fallback = recipe.language.tag() if recipe.language is not None else ""

    def tag(language: str) -> str | None:
        for name in (language, fallback):
            if name and model.language_id(name) is not None:
                return name
        return None

    return tag


def make_loop(
    recipe: Recipe,
    workspace: Workspace,
    progress: Progress,
    folder: RunFolder,
    processes: Processes,
    corpus: Corpus,
    stages: tuple[Stage, ...],
    state: TrainState,
    saved: Saved | None,
    model: SpeechModel,
) -> Loop:
    """Everything that the loop needs, restored from a checkpoint where there is one. Events are set later."""
    seed, train = recipe.run.seed, recipe.train
    made = claims(recipe, workspace, model.specs, model.facts)
    if saved is None and processes.first:
        for strategy in recipe.strategies:
            for doubt in strategy.doubts(model):
                progress.warn(f"strategy.{strategy.label}: {doubt}")
    trainable = make_trainable(model, recipe.strategies, made, seed)
    parameters = trainable.parameters
    if saved is not None:
        _restore(parameters, saved.tensors("trainable"), saved)
    optimizer = make_optimizer(trainable.claims, trainable.by_strategy, train)
    average = Average(parameters, train.ema) if train.ema else None
    if saved is not None:
        restore_optimizer(optimizer, trainable.names, saved.tensors("optimizer"))
        if average is not None:
            average.restore(saved.tensors("ema"))

    tables = {entry.name: entry.table for entry in recipe.data}
    prompt = fitting_prompt(recipe.prompt, model.facts)
    prompter = Prompter(corpus.rows, prompt, tables, seed, language_tag(recipe, model))
    keys = training_keys(corpus.rows)
    refuse_long_rows(model, prompter, keys, train.batch.frames)
    if processes.first:
        for note in prompt_problems(recipe, model.facts):
            progress.warn(note)
        for epoch in unreachable_epochs(stages, train.keep_epochs):
            progress.warn(f"train.keep_epochs: epoch {epoch} is never reached, so nothing is kept for it")
    plan = Plan(stages, keys, train.batch, train.accumulation, seed, lambda draw: model.rows(prompter.outline(draw)))
    base = BaseModel.of(model, recipe.strategies, recipe.losses)
    validator = Validator(model, recipe.losses, corpus, prompter, recipe.validation, train.batch, processes, base)
    if not validator and processes.first:
        progress.warn("there are no held-out utterances: no validation, no best checkpoint, no early stopping")
    if validator and validator.without_gain and processes.first:
        named = ", ".join(validator.without_gain)
        progress.warn(f"{named}: too few held-out utterances to measure text gain (two different texts are needed)")
    module = StepModule(model, recipe.losses, corpus.entries, list(parameters.values()), processes.size, base)
    total = sum(plan.lengths())
    if train.warmup_steps >= total and processes.first:
        progress.warn(f"train.warmup_steps is {train.warmup_steps}, the whole run has {total} steps")
    count = sum(parameter.numel() for parameter in parameters.values())
    resumed_from = saved.step if saved is not None else None
    info = RunInfo(folder.path, recipe.document, stages, total, count, processes.size, resumed_from)
    tag = language_tag(recipe, model)
    device = str(processes.device)
    sampler = Sampler(recipe, workspace, folder.samples, model, corpus, validator.items, tag, device, progress)
    judge = Judge(info, None, progress, processes, validator, sampler, recipe.validation, average, state)
    return Loop(
        info=info,
        folder=folder,
        events=None,
        progress=progress,
        processes=processes,
        model=model,
        losses=recipe.losses,
        step_module=module,
        module=processes.accelerator.prepare_model(module),
        trainable=trainable,
        optimizer=optimizer,
        average=average,
        plan=plan,
        feed=Feed(plan, prompter, corpus, model, processes.rank, processes.size, base),
        judge=judge,
        train=train,
        validation=recipe.validation,
        seed=seed,
        state=state,
        interrupts=Interrupts(),
    )


def refuse_long_rows(
    model: SpeechModel, prompter: Prompter, keys: Mapping[str, Sequence[str]], frames: int | None
) -> None:
    """Raises: KathrineError where an utterance could, in some epoch, take more rows than a batch may have."""
    if frames is None:
        return
    longest = {key: max(model.rows(item) for item in prompter.longest(key)) for found in keys.values() for key in found}
    worst = max(longest, key=lambda key: longest[key], default=None)
    if worst is not None and longest[worst] > frames:
        raise KathrineError(
            f"{worst} can take up to {longest[worst]} input rows, with its longest text and reference, but "
            f"train.batch.frames is {frames}",
            f"set it to {longest[worst]} or more, or lower prepare.max_seconds or prompt.max_reference_seconds",
        )


def unreachable_epochs(stages: Sequence[Stage], wanted: Sequence[int]) -> list[int]:
    """Epochs to keep that lie behind the end of a run; none while a stage is as long as its steps take."""
    if any(stage.epochs is None for stage in stages):
        return []
    total = sum(math.ceil(stage.epochs or 0) for stage in stages)
    return [epoch for epoch in wanted if epoch > total]


def _restore(parameters: Mapping[str, Any], weights: Mapping[str, Any], saved: Saved) -> None:
    if set(parameters) != set(weights):
        odd = ", ".join(sorted(set(parameters) ^ set(weights))[:5])
        raise KathrineError(
            f"{saved.folder} holds other weights than this recipe trains: {odd}", "use the same plugins"
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def run_facts(model: SpeechModel, corpus: Corpus, processes: Processes) -> dict[str, Any]:
    """What `versions.json` holds beside versions."""
    return {
        "model": {"checkpoint": model.facts.checkpoint, "revision": model.facts.revision},
        "corpus": corpus.fingerprint,
        "device": torch.cuda.get_device_name() if processes.device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "processes": processes.size,
    }
