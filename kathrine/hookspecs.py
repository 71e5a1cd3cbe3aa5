"""Every hook of kathrine, in the order of a run. Reading this file is reading the life of the program.

Two sorts of hooks exist. The first says what exists: it is asked once, of every installed plugin, and its answers
are collected. The second says what happened: it is called during a run, only on the components that the recipe
names and on the built-in watchers, and its answers are ignored.

A plugin is a module named by an entry point of the group `kathrine`. It implements hooks with
`@kathrine.hookimpl` and names only the arguments that it needs. No hook's result depends on the order in which
plugins are installed; order is a matter of the recipe alone.
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

    When: once, when the catalogue is first asked. Returns: component classes, each with a unique `name`; a recipe
    uses one as `[model.NAME]`. Answers of all plugins are joined; a name that two plugins give is an error that
    names both distributions.
    """


@hookspec
def kathrine_sources() -> Iterable[type[Source]]:
    """Sources of utterances.

    When, returns and joining: as `kathrine_models`; a recipe uses one as `[[data]]` with `source = "NAME"`.
    """


@hookspec
def kathrine_languages() -> Iterable[type[Language]]:
    """Languages: written text to spoken text, alphabet, test sentences.

    When, returns and joining: as `kathrine_models`; a recipe uses one as `[language.NAME]`.
    """


@hookspec
def kathrine_strategies() -> Iterable[type[Strategy]]:
    """Strategies: which parameters are trained, and how.

    When, returns and joining: as `kathrine_models`; a recipe uses one as `[strategy.NAME]`, or as
    `[strategy.LABEL]` with `use = "NAME"` where it needs it twice.
    """


@hookspec
def kathrine_losses() -> Iterable[type[Loss]]:
    """Auxiliary losses, added to the talker's with a weight.

    When, returns and joining: as `kathrine_models`; a recipe uses one as `[loss.NAME]`.
    """


@hookspec
def kathrine_curricula() -> Iterable[type[Curriculum]]:
    """Curricula: data entries to stages.

    When, returns and joining: as `kathrine_models`; a recipe uses at most one, as `[curriculum.NAME]`.
    """


@hookspec
def kathrine_metrics() -> Iterable[type[Metric]]:
    """Metrics: scores of synthesised speech.

    When, returns and joining: as `kathrine_models`; a recipe uses one as `[evaluate.NAME]`.
    """


@hookspec
def kathrine_trackers() -> Iterable[type[Tracker]]:
    """Trackers: components that only watch a run.

    When, returns and joining: as `kathrine_models`; a recipe uses one as `[track.NAME]`.
    """


@hookspec
def kathrine_exporters() -> Iterable[type[Exporter]]:
    """Exporters: a finished run to something that others can load.

    When, returns and joining: as `kathrine_models`; a recipe uses one as `[export.NAME]`.
    """


@hookspec
def kathrine_recipes() -> Iterable[Path]:
    """Folders of recipes that a plugin brings.

    When: a recipe is named as `"PLUGIN:NAME"`, and in `kathrine plugins`. Returns: existing folders; the recipe
    `PLUGIN:NAME` is `NAME.toml` in a folder that the plugin PLUGIN gave.
    """


@hookspec
def kathrine_commands(cli: click.Group) -> None:
    """Commands of a plugin's own.

    When: the command line lists its commands, or is given one that is not built in. Given: the click group, to
    add commands to. Returns nothing. A name that is taken already is refused, naming the plugin.
    """


# --------------------------------------------------------------------------- what happened


@hookspec
def kathrine_run_start(run: RunInfo) -> None:
    """A run begins, after the plan is made and weights are loaded, before the first step.

    Called on every rank; `run.folder` may be written to on rank 0 only.
    """


@hookspec
def kathrine_stage_start(run: RunInfo, stage: Stage, step: int) -> None:
    """A stage begins. `step` counts the updates made so far; a resumed run is told its current stage first."""


@hookspec
def kathrine_step_end(run: RunInfo, report: StepReport) -> None:
    """An optimizer update was made or, with `report.metrics["skipped"] == 1`, left out. Rank 0 only."""


@hookspec
def kathrine_validation_end(run: RunInfo, report: ValidationReport) -> None:
    """Held-out losses were measured. Rank 0 only."""


@hookspec
def kathrine_samples_spoken(run: RunInfo, report: SamplesReport) -> None:
    """Test sentences were spoken and measured; their WAVs lie in `report.folder`. Before the validation of the same
    step. Rank 0 only."""


@hookspec
def kathrine_checkpoint_saved(run: RunInfo, checkpoint: Checkpoint) -> None:
    """A checkpoint folder is complete under its final name. Rank 0 only."""


@hookspec
def kathrine_run_end(run: RunInfo, outcome: RunOutcome) -> None:
    """The run is over: finished, stopped early, interrupted or failed. Always called, also after an error."""
