"""Where recipes lie, in a wheel and in an editable install."""

from __future__ import annotations

import re
from pathlib import Path

from kathrine.catalog import Catalog
from kathrine.errors import KathrineError
from kathrine.suggest import did_you_mean, listing

_NAMED = re.compile(r"([a-z][a-z0-9_]*):([A-Za-z0-9_][A-Za-z0-9_./-]*)")


def builtin_folder() -> Path:
    """The folder of the built-in recipes: inside the package in a wheel, beside it in a source tree."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def is_name(reference: str) -> bool:
    """Whether a reference has the form `PLUGIN:NAME` rather than that of a path."""
    return _NAMED.fullmatch(reference) is not None and not Path(reference).exists()


def find_recipe(reference: str, folder: Path, catalog: Catalog) -> Path:
    """The file of a recipe.

    Given: a path, relative to `folder`; or `kathrine:NAME` for a built-in recipe, `PLUGIN:NAME` for a
    plugin's. Raises: KathrineError that lists the names that exist.
    """
    named = _NAMED.fullmatch(reference)
    if named is None or (folder / reference).exists():
        path = (folder / Path(reference).expanduser()).resolve()
        if path.is_file():
            return path
        known = [f"kathrine:{name}" for name in recipe_names([builtin_folder()])]
        what = "is a folder" if path.is_dir() else "does not exist"
        raise KathrineError(f"the recipe {reference} {what}", f"built-in recipes: {listing(known)}")
    owner, name = named.groups()
    folders = _folders(owner, catalog)
    for candidate in folders:
        path = candidate / f"{name.removesuffix('.toml')}.toml"
        if path.is_file():
            return path.resolve()
    known = recipe_names(folders)
    hint = f"recipes of {owner}: {listing(known)}"
    raise KathrineError(f"{owner} has no recipe '{name}'{did_you_mean(name, known)}", hint)


def recipe_names(folders: list[Path] | tuple[Path, ...]) -> list[str]:
    """Names of the recipes in these folders, sorted."""
    return sorted({path.stem for folder in folders for path in folder.glob("*.toml")})


def _folders(owner: str, catalog: Catalog) -> list[Path]:
    if owner == "kathrine":
        return [builtin_folder()]
    for plugin in catalog.plugins:
        if plugin.name == owner:
            return list(plugin.recipes)
    owners = ["kathrine", *(plugin.name for plugin in catalog.plugins if plugin.recipes)]
    reasons = [str(failure) for failure in catalog.failures if failure.name == owner]
    hint = "; ".join([f"recipes come from: {listing(owners)}", *reasons])
    raise KathrineError(f"no plugin '{owner}' is installed{did_you_mean(owner, owners)}", hint)
