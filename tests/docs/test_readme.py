"""What the README shows is true: its recipe is one, with and without the smoke profile."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_runner import blocks

from kathrine.corpus.prepare import prepare
from kathrine.progress import SilentProgress
from kathrine.recipe import load_recipe
from kathrine.recipe.plan import make_plan
from kathrine.workspace import Workspace

README = Path(__file__).resolve().parents[2] / "README.md"


def recipe_of_the_readme(folder: Path) -> Path:
    (block,) = blocks(README, "toml")
    path = folder / "my.toml"
    path.write_text(block.text, encoding="utf-8")
    return path


def test_the_recipe_of_the_readme_is_one(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    recipe = load_recipe(recipe_of_the_readme(tmp_path), workspace=workspace)
    plan = make_plan(recipe, workspace)
    assert [stage.name for stage in plan.stages] and recipe.train.epochs is None
    assert {entry.name: entry.table.max_hours for entry in recipe.data} == {"npsc": 60.0, "librivox": 12.0}


@pytest.mark.slow
def test_its_smoke_profile_prepares_offline(tmp_path: Path) -> None:
    recipe = load_recipe(recipe_of_the_readme(tmp_path), "smoke")
    corpus = prepare(recipe, Workspace.default(), SilentProgress())
    assert set(corpus.entries) == {"npsc", "librivox"} and len(corpus.rows) > 20
