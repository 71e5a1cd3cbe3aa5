"""Every hook of kathrine, in the order of a run. Reading this file is reading the life of the program.

Two sorts of hooks exist. The first says what exists: it is asked once, of every installed plugin, and its answers
are collected. The second says what happened: it is called during a run, only on the components that the recipe
names and on the built-in watchers, and its answers are ignored.

A plugin is a module named by an entry point of the group `kathrine`. It implements hooks with
`@kathrine.hookimpl` and names only the arguments that it needs. No hook's result depends on the order in which
plugins are installed; order is a matter of the recipe alone.

Each docstring says when a hook is called, what it is given, what it returns, and what becomes of the answers of several
plugins; the reference page is made of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from kathrine.components import (
        Curriculum,
        Exporter,
        Language,
        Loss,
        Metric,
        ModelFamily,
        Source,
        Strategy,
        Tracker,
    )
    from kathrine.types import Checkpoint, RunInfo, RunOutcome, SamplesReport, Stage, StepReport, ValidationReport

hookspec = pluggy.HookspecMarker("kathrine")
hookimpl = pluggy.HookimplMarker("kathrine")

# --------------------------------------------------------------------------- what exists


@hookspec
def kathrine_models() -> Iterable[type[ModelFamily]]:
    """Model families.

    When: once, when the catalogue is first asked for what is installed.
    Given: nothing.
    Returns: subclasses of `kathrine.ModelFamily`, each with a unique `name`; a recipe uses one as `[model.NAME]`.
    Answers: joined. A name that two plugins give is an error that names both distributions.
    """


@hookspec
def kathrine_sources() -> Iterable[type[Source]]:
    """Sources of utterances.

    When: once, when the catalogue is first asked for what is installed.
    Given: nothing.
    Returns: subclasses of `kathrine.Source`, each with a unique `name`; a recipe uses one as `[[data]]` with
        `source = "NAME"`.
    Answers: joined. A name that two plugins give is an error that names both distributions.
    """


@hookspec
def kathrine_languages() -> Iterable[type[Language]]:
    """Languages: written text to spoken text, alphabet, test sentences.

    When: once, when the catalogue is first asked for what is installed.
    Given: nothing.
    Returns: subclasses of `kathrine.Language`, each with a unique `name`; a recipe uses at most one, as
        `[language.NAME]`.
    Answers: joined. A name that two plugins give is an error that names both distributions.
    """


@hookspec
def kathrine_strategies() -> Iterable[type[Strategy]]:
    """Strategies: which parameters are trained, and how.

    When: once, when the catalogue is first asked for what is installed.
    Given: nothing.
    Returns: subclasses of `kathrine.Strategy`, each with a unique `name`; a recipe uses one as `[strategy.NAME]`,
        or as `[strategy.LABEL]` with `use = "NAME"` where it needs it twice.
    Answers: joined. A name that two plugins give is an error that names both distributions.
    """


@hookspec
def kathrine_losses() -> Iterable[type[Loss]]:
    """Auxiliary losses, added to the talker's with a weight.

    When: once, when the catalogue is first asked for what is installed.
    Given: nothing.
    Returns: subclasses of `kathrine.Loss`, each with a unique `name`; a recipe uses one as `[loss.NAME]`.
    Answers: joined. A name that two plugins give is an error that names both distributions.
    """


@hookspec
def kathrine_curricula() -> Iterable[type[Curriculum]]:
    """Curricula: data entries to stages.

    When: once, when the catalogue is first asked for what is installed.
    Given: nothing.
    Returns: subclasses of `kathrine.Curriculum`, each with a unique `name`; a recipe uses at most one, as
        `[curriculum.NAME]`.
    Answers: joined. A name that two plugins give is an error that names both distributions.
    """


@hookspec
def kathrine_metrics() -> Iterable[type[Metric]]:
    """Metrics: scores of synthesised speech.

    When: once, when the catalogue is first asked for what is installed.
    Given: nothing.
    Returns: subclasses of `kathrine.Metric`, each with a unique `name`; a recipe uses one as `[evaluate.NAME]`.
    Answers: joined. A name that two plugins give is an error that names both distributions.
    """


@hookspec
def kathrine_trackers() -> Iterable[type[Tracker]]:
    """Trackers: components that only watch a run.

    When: once, when the catalogue is first asked for what is installed.
    Given: nothing.
    Returns: subclasses of `kathrine.Tracker`, each with a unique `name`; a recipe uses one as `[track.NAME]`.
    Answers: joined. A name that two plugins give is an error that names both distributions.
    """


@hookspec
def kathrine_exporters() -> Iterable[type[Exporter]]:
    """Exporters: a finished run to something that others can load.

    When: once, when the catalogue is first asked for what is installed.
    Given: nothing.
    Returns: subclasses of `kathrine.Exporter`, each with a unique `name`; a recipe uses one as `[export.NAME]`.
    Answers: joined. A name that two plugins give is an error that names both distributions.
    """


@hookspec
def kathrine_recipes() -> Iterable[Path]:
    """Folders of recipes that a plugin brings.

    When: a recipe is named as `"PLUGIN:NAME"`, on the command line or in `extends`, and in `kathrine plugins`.
    Given: nothing.
    Returns: existing folders; the recipe `PLUGIN:NAME` is `NAME.toml` in a folder that the plugin PLUGIN gave.
    Answers: kept apart by plugin, so that no two of them clash.
    """


@hookspec
def kathrine_commands(cli: click.Group) -> None:
    """Commands of a plugin's own.

    When: the command line lists its commands, or is given one that is not built in.
    Given: cli, the click group, to add commands to.
    Returns: nothing.
    Answers: every plugin adds its own. A name that is taken already is refused, naming the plugin.
    """


# --------------------------------------------------------------------------- what happened


@hookspec
def kathrine_run_start(run: RunInfo) -> None:
    """A run begins.

    When: after the plan is made and weights are loaded, before the first step. On every rank.
    Given: run, what stays the same all the time; `run.folder` may be written to on rank 0 only.
    Returns: nothing.
    Answers: ignored. One that raises ends the run.
    """


@hookspec
def kathrine_stage_start(run: RunInfo, stage: Stage, step: int) -> None:
    """A stage begins.

    When: before the first step of each stage; a resumed run is told its current stage first. On every rank.
    Given: run; stage; step, the updates made so far.
    Returns: nothing.
    Answers: ignored. One that raises ends the run.
    """


@hookspec
def kathrine_step_end(run: RunInfo, report: StepReport) -> None:
    """An optimizer update was made or, with `report.metrics["skipped"] == 1`, left out.

    When: after each update. Rank 0 only.
    Given: run; report, losses and learning rates as numbers by flat names, and what the clock says apart from them.
    Returns: nothing.
    Answers: ignored. One that raises ends the run.
    """


@hookspec
def kathrine_validation_end(run: RunInfo, report: ValidationReport) -> None:
    """Held-out losses were measured.

    When: every `validation.every` updates, before the first step and at the end. Rank 0 only.
    Given: run; report, with the score and whether this is the best checkpoint so far.
    Returns: nothing.
    Answers: ignored. One that raises ends the run.
    """


@hookspec
def kathrine_samples_spoken(run: RunInfo, report: SamplesReport) -> None:
    """Test sentences were spoken and measured.

    When: every `speak.every` updates, or with each validation, before that of the same step. Rank 0 only.
    Given: run; report, with what was measured on each take; their WAVs lie in `report.folder`.
    Returns: nothing.
    Answers: ignored. One that raises ends the run.
    """


@hookspec
def kathrine_checkpoint_saved(run: RunInfo, checkpoint: Checkpoint) -> None:
    """A checkpoint folder is complete under its final name.

    When: after each checkpoint. Rank 0 only.
    Given: run; checkpoint, its folder and why it is kept.
    Returns: nothing.
    Answers: ignored. One that raises ends the run.
    """


@hookspec
def kathrine_run_end(run: RunInfo, outcome: RunOutcome) -> None:
    """The run is over: finished, stopped early, interrupted or failed.

    When: always, also after an error or Ctrl-C; after the exports where there are any. On every rank.
    Given: run; outcome, how it ended.
    Returns: nothing.
    Answers: ignored. One that raises makes the run fail, with everything on disk.
    """
