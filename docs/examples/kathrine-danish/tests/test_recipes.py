"""The plugin is installed, its recipes are valid, and one goes from recordings to an adapter on the tiny model."""

import json
import runpy
from pathlib import Path

import pytest
from kathrine import Workspace
from kathrine.catalog import Catalog
from kathrine.recipe import load_recipe
from kathrine.recipe.plan import make_plan
from kathrine.testing import run_recipe

HERE = Path(__file__).resolve().parents[1]


def test_it_is_installed():
    catalog = Catalog.load()
    assert catalog.problem("language", "danish") == catalog.problem("source", "danish_folder") == ""


@pytest.mark.parametrize("name", ["danish:common_voice", str(HERE / "danish.toml")])
def test_a_recipe_is_valid(name):
    assert load_recipe(name).language.name == "danish"
    place = Workspace.default()
    plan = make_plan(load_recipe(name, "smoke", workspace=place), place)
    assert [stage.name for stage in plan.stages] == ["train"]
    assert {one.strategy for one in plan.trained} == {"lora", "text_projection", "language_tag"}


def test_a_run_from_recordings_to_an_adapter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(HERE / "make_recordings.py"))
    text = (HERE / "danish.toml").read_text(encoding="utf-8")
    done = run_recipe(text, profile="smoke", folder=tmp_path, workspace=Workspace.default())
    assert done.outcome.status == "finished"
    assert done.losses() and all(loss > 0 for loss in done.losses())
    assert "mine: kept 12 of 12 utterances, 0.02 h, 2 speakers" in done.said
    facts = json.loads((done.exports["adapter"] / "manifest.json").read_text(encoding="utf-8"))
    assert (done.exports["adapter"] / "language_tag.safetensors").is_file() and "danish" in json.dumps(facts)
