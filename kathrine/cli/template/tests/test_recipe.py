"""The recipe is one, with and without its smoke profile, and uses what the plugin brings."""

from pathlib import Path
from typing import Any

import pytest
from kathrine import Workspace
from kathrine.catalog import KINDS
from kathrine.recipe import load_recipe
from kathrine.recipe.plan import make_plan
from kathrine.testing import registered

import kathrine_newname

RECIPE = Path(kathrine_newname.__file__).parent / "recipes" / "newname.toml"


@pytest.mark.parametrize("profile", [None, "smoke"])
def test_the_recipe_uses_every_component(profile: str | None) -> None:
    with registered(kathrine_newname) as catalog:
        recipe = load_recipe(RECIPE, profile, catalog=catalog, workspace=Workspace.default())
        assert make_plan(recipe, Workspace.default()).stages
        named: list[Any] = [recipe.model, recipe.language, recipe.curriculum, *(entry.source for entry in recipe.data)]
        named += [*recipe.strategies, *recipe.losses, *recipe.metrics, *recipe.trackers, *recipe.exporters]
        used = {(one.kind, one.name) for one in named if one is not None}
        brought = {(kind, "newname") for kind in KINDS if "newname" in catalog.names(kind)}
    assert brought and brought <= used
