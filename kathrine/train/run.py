"""A run, from beginning to end. Each numbered paragraph is one step of the story."""

from __future__ import annotations

import shlex
import signal
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.catalog import run_manager
from kathrine.components import Progress
from kathrine.corpus.mixture import Corpus
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.recipe.plan import checked_stages, claims
from kathrine.recipe.recipe import Recipe
from kathrine.shell import environment, program, same_command
from kathrine.train.folder import RunFolder, check_same_run
from kathrine.train.hub_state import bring_state
from kathrine.train.judging import choice_reason
from kathrine.train.readiness import refuse_late_failures, refuse_missing_data
from kathrine.train.reporting import ReportWatcher
from kathrine.train.signals import Stopped, stopping
from kathrine.train.state import TrainState, stage_documents
from kathrine.train.watchers import ConsoleWatcher, LoggedProgress, MetricsWriter
from kathrine.types import RunOutcome
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    from kathrine.train.loop import Loop
    from kathrine.train.processes import Processes


def run(
    recipe: Recipe,
    workspace: Workspace,
    progress: Progress,
    resume: bool = False,
    corpus: Corpus | None = None,
    resume_from: str = "",
) -> RunOutcome:
    """Train, speak and export what a recipe describes.

    Given: resume, to go on with what lies in the run folder; corpus, to train on instead of preparing the
    recipe's; resume_from, a place on the Hub (`hub:OWNER/NAME`) whose state is brought into the run folder first.
    Returns: how it ended; `interrupted` after Ctrl-C, SIGTERM or SIGHUP, with everything saved.
    Raises: KathrineError for everything that the user can mend, before any work where that is possible.
    """
    # 1. The folder: nothing is overwritten by accident, and no run goes on under another recipe. What only the
    # prepared data can tell, whether it is merely longer, is asked in 4.
    folder = RunFolder.of(recipe)
    if resume_from:
        bring_state(resume_from, recipe, folder, workspace, progress)
    folder.refuse_unless_ready(resume or bool(resume_from))
    old = _old_document(folder)
    if old is not None:
        check_same_run(folder, recipe, old, folder.newest_checkpoint(), None)

    # 2. The processes. All but the first one keep silent, and wait where the first one works alone.
    from kathrine.train.processes import Processes

    processes = Processes.start(recipe.run.device, recipe.train.precision)
    logged: LoggedProgress | None = None
    if processes.first:
        folder.take()
        folder.fresh_console()
        logged = LoggedProgress(progress, folder.console)
        progress = logged
    else:
        progress = SilentProgress()
    try:
        return _run(recipe, workspace, progress, folder, old, processes, corpus)
    except Stopped as stopped:
        progress.warn("stopped before the first step; what was fetched and encoded is kept. To go on:")
        progress.say(f"  {environment()}{same_command()}")
        return RunOutcome("interrupted", 0, signal=stopped.number)
    except Exception as error:
        if logged is not None:
            kind = "" if isinstance(error, KathrineError) else f"{type(error).__name__}: "
            logged.log(f"error: {kind}{error}")
        raise
    finally:
        if logged is not None:
            logged.close()
        folder.release()


def _run(
    recipe: Recipe,
    workspace: Workspace,
    progress: Progress,
    folder: RunFolder,
    old: Mapping[str, Any] | None,
    processes: Processes,
    corpus: Corpus | None,
) -> RunOutcome:
    from kathrine.train import setup
    from kathrine.train.alignment import next_frame_margin, refuse_misaligned
    from kathrine.train.finish import data_facts

    # 3. to 6. until everything is ready. A signal here stops at once: what was made is kept.
    with stopping():
        state, saved, model, loop = _ready(recipe, workspace, progress, folder, old, processes, corpus)
        corpus = loop.feed.corpus

    # 7. Real speech has to agree that the objective is aligned. Then the loop, from wherever the run stands.
    if state.step == 0:
        sentence = refuse_misaligned(next_frame_margin(model, loop.judge.validator.right, processes), model)
        if sentence:
            progress.say(sentence)
    if processes.first:
        folder.cut_back(state.metrics_bytes, state.timing_bytes)
        facts = setup.run_facts(model, corpus, processes)
        note = folder.changed_versions(facts) if saved is not None else ""
        if note:
            progress.warn(note)
        folder.write_start(recipe, facts)
        writer = MetricsWriter(folder.metrics, folder.timing)
        assert isinstance(progress, LoggedProgress)
        console = ConsoleWatcher(progress)
        report = ReportWatcher(folder.path, data_facts(corpus), progress)
        loop.tell(_events(recipe, [writer, console, report]))
    else:
        console = None
        loop.tell(_events(recipe, []))
    outcome = RunOutcome("failed", state.step)
    try:
        loop.events.kathrine_run_start(run=loop.info)
        with loop.interrupts:
            with memory_advice(state):
                status = loop.run()
            if console is not None:
                console.close()

            # 8. The end: sentences are spoken and exports written, from the checkpoint that the recipe wants.
            best = folder.checkpoints / f"{state.best_step:08d}" if state.best_step is not None else None
            undone: tuple[str, ...] = ()
            if status != "interrupted":
                loop.interrupts.obey()
                if processes.first:
                    undone = _finish(recipe, workspace, progress, folder, corpus, loop)
        why = choice_reason(state, recipe.validation) if state.latest else ""
        outcome = RunOutcome(status, state.step, best, signal=loop.interrupts.number, reason=why, undone=undone)
    except KeyboardInterrupt:
        outcome = RunOutcome("interrupted", state.step, signal=loop.interrupts.number or int(signal.SIGINT))
        if not state.ended:  # a second Ctrl-C, which did not wait for the step
            raise
    except BaseException as error:
        message = error.message if isinstance(error, KathrineError) else f"{type(error).__name__}: {error}"
        outcome = RunOutcome("failed", state.step, error=message)
        raise
    finally:
        loop.events.kathrine_run_end(run=loop.info, outcome=outcome)
    if outcome.status == "interrupted":
        what = "all steps are made" if state.ended else "everything is saved"
        progress.say(f"stopped at step {state.step}; {what}. To go on:")
        progress.say(f"  {resume_line(folder, processes.size)}")
    processes.stop()
    return outcome


def _ready(
    recipe: Recipe,
    workspace: Workspace,
    progress: Progress,
    folder: RunFolder,
    old: Mapping[str, Any] | None,
    processes: Processes,
    corpus: Corpus | None,
) -> tuple[TrainState, Any, Any, Loop]:
    """The state, the checkpoint to go on from, the model, and the loop."""
    from kathrine.train import setup

    # 3. What would fail after training, found before anything is fetched. Then the checkpoint and the data, brought
    # here and made ready: by the first process, then quickly by the others.
    if processes.first:
        refuse_late_failures(recipe, workspace, progress)
    for rank in range(2):
        if min(processes.rank, 1) == rank:
            fetch(recipe, workspace, progress)
            if recipe.model.parameters(workspace) is not None:
                claims(recipe, workspace)  # what would be trained is known now, before the hours of prepare
            corpus = corpus if corpus is not None else _prepare(recipe, workspace, progress)
        processes.wait()
    assert corpus is not None
    if processes.first:
        refuse_missing_data(recipe, workspace, corpus)

    # 4. The stages, and whether an older run would have had the same.
    stages = checked_stages(recipe, setup.sizes_of(recipe, corpus))
    saved = folder.last_checkpoint() if processes.first else None
    saved = processes.first_says(saved)
    if old is not None and processes.first:
        note = check_same_run(folder, recipe, old, saved, stage_documents(stages))
        if note:
            progress.warn(note)
    state = setup.state_of(saved, stages, corpus, processes, progress)

    # 5. The model, proven to be aligned before anything is trained on it.
    model = setup.load_model(recipe, workspace, processes, progress)

    # 6. What is trained: everything is frozen, strategies claim and apply, and the result is verified.
    loop = setup.make_loop(recipe, workspace, progress, folder, processes, corpus, stages, state, saved, model)
    return state, saved, model, loop


@contextmanager
def memory_advice(state: TrainState) -> Iterator[None]:
    """Within it a full device becomes a sentence with remedies."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise KathrineError(
            f"out of memory at step {state.step + 1}: {str(error).splitlines()[0]}",
            "set train.gradient_checkpointing = true and add --resume, or start anew with half of train.batch"
            " and twice train.accumulation (which is the same update)",
        ) from error


def resume_line(folder: RunFolder, processes: int) -> str:
    """The command that goes on with a run."""
    launched = f"{shlex.quote(sys.executable)} -m torch.distributed.run --nproc_per_node {processes} -m kathrine"
    start = launched if processes > 1 else program()
    recipe, path = shlex.quote(str(folder.recipe)), shlex.quote(str(folder.path))
    return f"{environment()}{start} run {recipe} --folder {path} --resume"


def _old_document(folder: RunFolder) -> Mapping[str, Any] | None:
    return tomllib.loads(folder.recipe.read_text(encoding="utf-8")) if folder.recipe.is_file() else None


def fetch(recipe: Recipe, workspace: Workspace, progress: Progress) -> None:
    """The checkpoint, first of all: without it nothing else is worth doing.

    Raises: the family's KathrineError; where the recipe can be tried without it, the remedy says so.
    """
    try:
        recipe.model.fetch(workspace, progress, offline=recipe.run.offline)
    except KathrineError as error:
        tried = "--profile smoke" in error.hint
        if tried or recipe.path is None or recipe.profile or not _has_smoke_profile(recipe.path):
            raise
        line = f"or try the whole way without network or weights: {program()} run {recipe.path} --profile smoke"
        raise KathrineError(error.message, f"{error.hint}; {line}" if error.hint else line) from error


def _has_smoke_profile(path: Path) -> bool:
    return "smoke" in tomllib.loads(path.read_text(encoding="utf-8")).get("profile", {})


def _prepare(recipe: Recipe, workspace: Workspace, progress: Progress) -> Corpus:
    from kathrine.corpus.prepare import prepare

    return prepare(recipe, workspace, progress)


def _events(recipe: Recipe, watchers: list[Any]) -> Any:
    """The hooks of the components that the recipe names, and of the built-in watchers."""
    named: list[Any] = [recipe.model, *(entry.source for entry in recipe.data), recipe.language]
    named += [recipe.curriculum, *recipe.strategies, *recipe.losses, *recipe.metrics, *recipe.trackers]
    named += recipe.exporters
    return run_manager([one for one in named if one is not None], watchers).hook


def _finish(
    recipe: Recipe, workspace: Workspace, progress: Progress, folder: RunFolder, corpus: Corpus, loop: Loop
) -> tuple[str, ...]:
    """The end of a run; returns what exporters could not do. Raises: KathrineError for exports that failed, with the
    command that makes them again; all others are there."""
    from kathrine.train.finish import Finished, finish

    assert isinstance(progress, LoggedProgress)  # as on every first process
    exports, refused = finish(
        Finished(
            recipe=recipe,
            workspace=workspace,
            folder=folder,
            model=loop.model,
            trainable=loop.trainable,
            corpus=corpus,
            prompter=loop.feed.prompter,
            sampler=loop.judge.sampler,
            validator=loop.judge.validator,
            state=loop.state,
            progress=progress,
        )
    )
    if refused:
        again = f"the checkpoints are kept, and this exports again: {resume_line(folder, loop.processes.size)}"
        hints = [*dict.fromkeys(error.hint for error in refused if error.hint), again]
        raise KathrineError("; ".join(error.message for error in refused), "; ".join(hints)) from refused[0]
    return tuple(result.undone for result in exports if result.undone)
