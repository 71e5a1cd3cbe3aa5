"""The recipes that kathrine ships: valid in every profile, every key commented."""

import re
import tomllib
from pathlib import Path

import pytest

from kathrine.recipe import load_recipe
from kathrine.recipe.folders import builtin_folder
from kathrine.recipe.plan import make_plan
from kathrine.workspace import Workspace

RECIPES = sorted(builtin_folder().glob("*.toml"))


def profiles(path: Path) -> list[str | None]:
    return [None, *tomllib.loads(path.read_text(encoding="utf-8")).get("profile", {})]


CASES = [(path, profile) for path in RECIPES for profile in profiles(path)]


@pytest.mark.parametrize(("path", "profile"), CASES, ids=[f"{path.stem}-{profile}" for path, profile in CASES])
def test_a_shipped_recipe_is_valid_and_repeats_itself(path, profile, tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    recipe = load_recipe(path, profile, workspace=workspace)
    plan = make_plan(recipe, workspace)
    assert plan.trained, "the configuration of every shipped model is known offline"
    saved = tmp_path / "recipe.toml"
    saved.write_text(recipe.toml(), encoding="utf-8")
    assert load_recipe(saved).document == recipe.document


def test_every_shipped_recipe_has_a_smoke_profile():
    assert {path.stem for path in RECIPES} >= {"base", "baseline", "curriculum", "librivox_only"}
    for path in RECIPES:
        assert "smoke" in profiles(path), path.name


def test_every_key_of_every_table_is_commented_where_it_first_stands():
    """A child that only changes a value need not say again what the key means."""
    bare, commented = {}, set()
    for path in sorted(RECIPES, key=lambda path: path.stem != "base"):
        table = ""
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if line.startswith("["):
                table = line.split("#")[0].strip(" []")
            elif "=" in line and not line.lstrip().startswith("#"):
                key = (re.sub(r"^profile\.[^.]+\.", "", table), line.split("=")[0].strip())
                if "#" in line.split("=", 1)[1]:
                    commented.add(key)
                else:
                    bare.setdefault(key, f"{path.name}:{number}: {key[0]}.{key[1]}")
    plain = {"name", "source", "extends"}
    assert not [place for key, place in bare.items() if key not in commented and key[1] not in plain]
