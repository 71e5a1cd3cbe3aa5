"""What `kathrine inspect` was pointed at: a run's folder, or a model by folder or name. No torch at import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kathrine.catalog import Catalog
from kathrine.components import ModelFamily, Progress
from kathrine.datafiles import HUB_ID
from kathrine.errors import KathrineError
from kathrine.hublayout import CHECKPOINTS, INDEX
from kathrine.recipe.recipe import Recipe, load_recipe
from kathrine.workspace import Workspace

RUN_RECIPE = "recipe.toml"


@dataclass(frozen=True, slots=True)
class Target:
    """A model family pointed at a checkpoint. recipe: says what trains; run: the run's folder, where it is one."""

    family: ModelFamily
    recipe: Recipe | None
    run: Path | None


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's. An export holds its recipe too, but no checkpoints; a repository of the Hub may hold
    both, for it is laid out otherwise."""
    held = (folder / RUN_RECIPE).is_file() and (folder / CHECKPOINTS).is_dir()
    return held and not (folder / INDEX).is_file()


def find_target(
    name: str, recipe: Recipe | None, catalog: Catalog, workspace: Workspace, progress: Progress | None = None
) -> Target:
    """Resolve what a user named.

    Given: name, a run folder, a model folder, a Hub id or an embedded name; recipe, already loaded, or None; progress,
    where a model that is not known here may be fetched.
    Raises: KathrineError for a name that no installed model family knows.
    """
    folder = Path(name).expanduser()
    if is_run(folder):
        trained = load_recipe(folder / RUN_RECIPE, catalog=catalog)
        return Target(trained.model, recipe or trained, folder)
    if folder.exists() and not folder.is_dir():
        raise KathrineError(f"{name} is a file", "name the folder of a model or of a run")
    families = [catalog.component("model", one) for one in catalog.names("model")]
    for family in families:
        pointed = family(family.Options(checkpoint=name))  # type: ignore[call-arg]
        assert isinstance(pointed, ModelFamily)
        if pointed.facts(workspace) is not None:
            return Target(pointed, recipe, None)
    if progress is not None and HUB_ID.fullmatch(name):
        refused = []
        for family in families:
            pointed = family(family.Options(checkpoint=name))  # type: ignore[call-arg]
            try:
                pointed.fetch(workspace, progress)  # type: ignore[attr-defined]
            except KathrineError as error:
                refused.append(error)
            else:
                return Target(pointed, recipe, None)  # type: ignore[arg-type]
        raise refused[0]
    raise KathrineError(
        f"'{name}' is no run, no model folder and no model whose configuration is known here",
        "give a folder, `kathrine:tiny`, a released name such as Qwen3-TTS-12Hz-0.6B-Base, "
        "or fetch the model first with `kathrine prepare`",
    )
