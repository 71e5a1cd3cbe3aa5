"""A source asked for its part. Whatever goes wrong inside a plugin is said in one sentence that names it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.components import Progress, SourceContext
from kathrine.errors import KathrineError

if TYPE_CHECKING:
    from kathrine.recipe.recipe import DataEntry, Recipe
    from kathrine.types import Part, Utterance
    from kathrine.workspace import Workspace


def entry_context(
    entry: DataEntry,
    recipe: Recipe,
    folder: Path,
    workspace: Workspace,
    progress: Progress,
    part: Part | None = None,
) -> SourceContext:
    """What the source of a data entry is told. folder: its own in the workspace."""
    table = entry.table
    return SourceContext(
        folder=folder,
        workspace=workspace,
        progress=progress,
        seed=recipe.run.seed,
        max_hours=table.max_hours,
        speaker_cap_minutes=table.speaker_cap_minutes,
        speakers=tuple(table.speakers),
        min_seconds=recipe.prepare.min_seconds,
        max_seconds=recipe.prepare.max_seconds,
        offline=recipe.run.offline,
        part=part,
        speaker_floor_minutes=table.speaker_floor_minutes,
        reject_tags=recipe.prepare.tags == "reject",
    )


def fetch(entry: DataEntry, context: SourceContext) -> None:
    """`Source.prepare` of a data entry. Raises: KathrineError, also for a fault in the plugin."""
    with _named(entry, "fetching"):
        entry.source.prepare(context)


def listed(entry: DataEntry, context: SourceContext) -> Iterator[Utterance]:
    """`Source.utterances` of a data entry, one by one. Raises: KathrineError, also for a fault in the plugin."""
    with _named(entry, "listing its utterances"):
        utterances = iter(entry.source.utterances(context))
    while True:
        with _named(entry, "listing its utterances"):
            try:
                utterance = next(utterances)
            except StopIteration:
                return
        yield utterance


def left_out(entry: DataEntry) -> dict[str, int]:
    """`Source.left_out` of a data entry, in the order of its reasons and without those that never happened; asked after
    `listed` came to its end. Raises: KathrineError, also for a fault in the plugin."""
    with _named(entry, "counting what it left out"):
        counts = {str(reason): int(count) for reason, count in entry.source.left_out().items()}
    return {reason: count for reason, count in sorted(counts.items()) if count}


@contextmanager
def _named(entry: DataEntry, doing: str) -> Iterator[None]:
    try:
        yield
    except KathrineError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        raise KathrineError(
            f"data entry {entry.name}: source {entry.source.name} failed while {doing}: "
            f"{type(error).__name__}: {error} ({where})",
            "this is a fault of the plugin that brings the source; KATHRINE_TRACEBACK=1 shows the way to it",
        ) from error
