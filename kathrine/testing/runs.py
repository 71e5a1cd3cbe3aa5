"""A recipe as text, run from beginning to end in a folder of its own."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kathrine.catalog import Catalog
from kathrine.progress import SilentProgress
from kathrine.recipe.recipe import Recipe, load_recipe
from kathrine.recipe.tomlwriter import toml_value
from kathrine.testing.places import catalog_with_toys
from kathrine.types import RunOutcome
from kathrine.workspace import Workspace


@dataclass(frozen=True, eq=False)
class RecipeRun:
    """What a run left. folder: the run folder. outcome: how it ended. metrics: the lines of `metrics.jsonl`. exports:
    the folder of each exporter by its label. said, warned: what it told, in order.

    A run without a `folder` of its own lies in a temporary one that lives as long as this object.
    """

    recipe: Recipe
    folder: Path
    outcome: RunOutcome
    metrics: tuple[Mapping[str, Any], ...]
    exports: Mapping[str, Path]
    said: tuple[str, ...]
    warned: tuple[str, ...]

    def losses(self, name: str = "loss.talker") -> list[float]:
        """A number of each step, in order; steps without it are left out."""
        return [float(line[name]) for line in self.metrics if line.get("kind") == "step" and line.get(name) is not None]


def run_recipe(
    text: str,
    *,
    profile: str | None = None,
    sets: Sequence[str] = (),
    catalog: Catalog | None = None,
    folder: Path | None = None,
    workspace: Workspace | None = None,
) -> RecipeRun:
    """Run a recipe: prepare, train, validate, speak, export, as `kathrine run` does.

    Given: text, TOML; relative paths in it start from `folder`. profile and sets, as on the command line. catalog,
    default all that is installed or registered, and the toys. folder, where recipe, run and workspace lie, default a
    temporary one. workspace, default one in that folder; name a lasting one where the tiny model need not be built
    anew. Returns: what it left. Raises: what a run raises, KathrineError above all.
    """
    from kathrine.train.run import run

    place = folder or Path(tempfile.mkdtemp(prefix="kathrine-run-")).resolve()
    try:
        place.mkdir(parents=True, exist_ok=True)
        path = place / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        made = workspace or Workspace(place / "workspace")
        wanted = [*sets, f"run.folder={toml_value(str(place / 'run'))}"]
        recipe = load_recipe(path, profile, wanted, catalog or catalog_with_toys(), made)
        progress = SilentProgress()
        outcome = run(recipe, made, progress)
    except BaseException:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)
        raise
    metrics, exports = place / "run" / "metrics.jsonl", place / "run" / "export"
    found = RecipeRun(
        recipe=recipe,
        folder=place / "run",
        outcome=outcome,
        metrics=tuple(map(json.loads, metrics.read_text(encoding="utf-8").splitlines())) if metrics.is_file() else (),
        exports={path.name: path for path in sorted(exports.glob("[!.]*"))},
        said=tuple(progress.said),
        warned=tuple(progress.warned),
    )
    if folder is None:
        weakref.finalize(found, shutil.rmtree, place, ignore_errors=True)
    return found
