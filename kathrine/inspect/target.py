"""What `kathrine inspect` was pointed at: a run's folder, or a model by folder or name. No torch at import."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kathrine.catalog import Catalog
from kathrine.components import Component, ModelFamily, Progress
from kathrine.datafiles import HUB_ID
from kathrine.errors import KathrineError, OtherFamilyError
from kathrine.hublayout import CHECKPOINTS, INDEX
from kathrine.recipe.recipe import Recipe, load_recipe
from kathrine.suggest import listing
from kathrine.workspace import Workspace

RUN_RECIPE = "recipe.toml"


@dataclass(frozen=True, slots=True)
class Target:
    """A model family pointed at a checkpoint. recipe: says what trains; run: the run's folder, where it is one or one
    of its checkpoints."""

    family: ModelFamily
    recipe: Recipe | None
    run: Path | None


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's. An export holds its recipe too, but no checkpoints; a repository of the Hub may hold
    both, for it is laid out otherwise."""
    held = (folder / RUN_RECIPE).is_file() and (folder / CHECKPOINTS).is_dir()
    return held and not (folder / INDEX).is_file()


def run_of(name: str, checkpoint: str | None) -> tuple[Path | None, str]:
    """The run's folder and which of its checkpoints, for a run's or a checkpoint's folder; None for anything else."""
    folder = Path(name).expanduser()
    if is_run(folder):
        return folder, checkpoint or "best"
    run = folder.parent.parent
    if folder.name.isdigit() and folder.parent.name == CHECKPOINTS and (run / RUN_RECIPE).is_file():
        if checkpoint is not None:
            raise KathrineError(f"{name} is one checkpoint already", "leave --checkpoint out, or name the run")
        return run, str(int(folder.name))
    return None, ""


def find_target(
    name: str,
    recipe: Recipe | None,
    catalog: Catalog,
    workspace: Workspace,
    progress: Progress | None = None,
    revision: str = "",
) -> Target:
    """Resolve what a user named.

    Given: name, a run folder or one of its checkpoints, a model folder, a Hub id or an embedded name; recipe, already
    loaded, or None; progress, where a model that is not known here may be fetched; revision, of a model on the Hub,
    empty for the newest.
    Raises: KathrineError for a name that no installed model family knows.
    """
    folder = Path(name).expanduser()
    run, _ = run_of(name, None)
    if run is not None:
        trained = load_recipe(run / RUN_RECIPE, catalog=catalog, of_run=True)
        return Target(trained.model, recipe or trained, run)
    if folder.exists() and not folder.is_dir():
        raise KathrineError(f"{name} is a file", "name the folder of a model or of a run")
    families = [catalog.component("model", one) for one in catalog.names("model")]
    others: list[OtherFamilyError] = []
    for family in families:
        pointed = family(family.Options(checkpoint=name, revision=revision))  # type: ignore[call-arg]
        assert isinstance(pointed, ModelFamily)
        try:
            known = pointed.facts(workspace) is not None
        except OtherFamilyError as error:
            others.append(error)
            continue
        if known:
            return Target(pointed, recipe, None)
    if progress is not None and HUB_ID.fullmatch(name):
        refused: list[KathrineError] = []
        for family in families:
            pointed = family(family.Options(checkpoint=name, revision=revision))  # type: ignore[call-arg]
            try:
                pointed.fetch(workspace, progress)  # type: ignore[attr-defined]
            except KathrineError as error:
                # what a family says of its own checkpoint comes before what others say of it
                refused.insert(len(refused) if isinstance(error, OtherFamilyError) else 0, error)
            else:
                return Target(pointed, recipe, None)  # type: ignore[arg-type]
        raise refused[0]
    if others:
        raise KathrineError(
            f"{name} is a model of no family that is installed here", f"installed: {listing(catalog.names('model'))}"
        ) from others[0]
    raise KathrineError(
        f"'{name}' is no run, no model folder and no model whose configuration is known here",
        f"give a folder, the name of a model such as {listing(known_names(families))}, or fetch the model first "
        "with `kathrine prepare`",
    )


def known_names(families: Sequence[type[Component]]) -> list[str]:
    """Names of models that a user can try: those that families embed, and the one that each takes by default."""
    named: list[str] = []
    for family in families:
        default = family.Options.model_fields["checkpoint"].default
        named += [*filter(None, [getattr(family, "tiny", "")]), *([default] if isinstance(default, str) else [])]
    return named


def recipe_for(
    name: str, profile: str | None, family: ModelFamily, catalog: Catalog, say: Callable[[str], None]
) -> Recipe:
    """A recipe whose corpus is to be put to a model: where it names another checkpoint, that of the model takes its
    place, and `say` is told.

    Raises: KathrineError where the recipe is for another model family.
    """
    recipe = load_recipe(name, profile, catalog=catalog)
    if recipe.model.name != family.name:
        raise KathrineError(
            f"{name} is a recipe for model.{recipe.model.name}, and the model to inspect is of model.{family.name}",
            "name a recipe for the same model family",
        )
    wanted, own = family.options, recipe.model.options
    if (wanted.checkpoint, wanted.revision) == (own.checkpoint, own.revision):
        return recipe
    told = f"{wanted.checkpoint} at {wanted.revision}" if wanted.revision else wanted.checkpoint
    say(f"{name} is for {own.checkpoint}: its data is prepared for {told} instead")
    table = f"model.{recipe.model.label}"
    sets = [f"{table}.{key}={json.dumps(getattr(wanted, key))}" for key in ("checkpoint", "revision")]
    return load_recipe(name, profile, sets, catalog=catalog)
