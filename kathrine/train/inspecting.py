"""What `kathrine inspect` finds with the weights of a target: the self-test, the rows of the tag table, and how far a
run has moved its model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kathrine.catalog import Catalog
from kathrine.components import Progress
from kathrine.errors import KathrineError
from kathrine.inspect.rows import TableRows, inspect_rows
from kathrine.train.drift import drift_of
from kathrine.train.loaded import Loaded, Wish, load_target
from kathrine.types import SelfCheck
from kathrine.workspace import Workspace


def tested(
    name: str, wish: Wish, catalog: Catalog, workspace: Workspace, progress: Progress
) -> tuple[list[SelfCheck], dict[str, Any] | None]:
    """The self-test of a target with all that was trained and, of a run, its drift with spectra and the step."""
    with load_target(name, wish, catalog, workspace, progress) as loaded:
        with progress.task("self-test"):
            checks = loaded.model.self_test()
        return checks, run_drift(loaded, progress)


def run_drift(loaded: Loaded, progress: Progress) -> dict[str, Any] | None:
    """How far a run has moved its model, by part and piece; None for anything that is no run."""
    if loaded.trainable is None or loaded.recipe is None:
        return None
    strategies: Sequence[Any] = loaded.recipe.strategies
    with progress.task("measuring how far each piece has moved", total=len(loaded.model.specs)) as advance:
        found = drift_of(loaded.model, strategies, loaded.trainable.claims, spectra=True, advance=advance)
    return {"step": loaded.step, **found}


def tag_rows(name: str, wish: Wish, catalog: Catalog, workspace: Workspace, progress: Progress) -> TableRows:
    """The table of language tags of a target; of a run with the rows that its strategies trained.

    Raises: KathrineError for a family without language tags.
    """
    with load_target(name, wish, catalog, workspace, progress) as loaded:
        model, table = loaded.model, loaded.model.language_table()
        if table not in model.originals:
            raise KathrineError(f"{name} has no table {table}", "a fault of the model family")
        weights = {table: model.originals[table].detach().float().cpu()}
        for strategy in loaded.recipe.strategies if loaded.recipe is not None else ():
            if strategy.languages() and not strategy.fold_problem():
                strategy.fold(weights)
        return inspect_rows(weights[table], model.row_meanings(), table)
