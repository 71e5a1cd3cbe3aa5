"""`kathrine check` and `kathrine schema` as a user calls them."""

import json
import os
import subprocess
import sys
import tomllib

import pytest
from plugin_makers import TOY, install

RECIPE = """[model.toy_model]
[[data]]
source = "toy_source"
max_hours = 2.0
[train]
steps = 5
[strategy.whole]
lr = 1e-3
[loss.nothing]
weight = 0.2
[export.dump]
[profile.smoke.train]
steps = 2
"""


@pytest.fixture
def call(tmp_path):
    install(tmp_path, "toy-distribution", toy_checked=TOY)
    (tmp_path / "mine.toml").write_text(RECIPE)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    env = {
        **os.environ,
        "PYTHONPATH": path,
        "COLUMNS": "200",
        "KATHRINE_WORKSPACE": str(tmp_path / "workspace"),
    }

    def caller(*args):
        command = [sys.executable, "-m", "kathrine", *args]
        return subprocess.run(command, capture_output=True, text=True, env=env, check=False, cwd=tmp_path, timeout=120)

    return caller


def test_the_plan_is_printed(call):
    result = call("check", "mine.toml")
    assert result.returncode == 0, result.stderr
    text = result.stdout
    for part in (
        "toy_source",
        "2 h",
        "5 steps",
        "64 in 2 tensors",
        "talker 64",
        "loss: talker + 0.2 x nothing",
    ):
        assert part in text, part
    assert "batch: 4 utterances x 4 per update; bf16, cosine" in text
    assert "exports: dump" in text and "speaker + streamed 35%" in text
    assert "64, the model has 192 (33.33%)" in text
    assert "note: sizes are unknown until `kathrine prepare` has run" in text


def test_json_profile_and_set(call):
    result = call("check", "mine.toml", "--profile", "smoke", "--set", "strategy.whole.lr=0.5", "--json", "--origins")
    plan = json.loads(result.stdout)
    assert plan["stages"][0]["steps"] == 2 and plan["trained"][0]["lr"] == 0.5
    assert plan["origins"]["train.steps"] == "mine.toml:13" and plan["origins"]["strategy.whole.lr"] == "--set"


def test_origins_lists_key_value_and_place(call):
    text = call("check", "mine.toml", "--origins", "--set", "run.seed=7").stdout
    rows = {line.split()[0]: line.split() for line in text.split("\n") if line.split()}
    assert rows["run.seed"] == ["run.seed", "7", "--set"]
    assert rows["data.toy_source.max_hours"] == ["data.toy_source.max_hours", "2.0", "mine.toml:4"]
    assert rows["strategy.whole.parts"] == ["strategy.whole.parts", '["talker"]', "default"]
    assert rows["train.clip"][-1] == "default"


def test_every_mistake_at_once_with_code_2(call, tmp_path):
    (tmp_path / "bad.toml").write_text(RECIPE.replace("lr =", "lrr =").replace("weight =", "wait ="))
    result = call("check", "bad.toml")
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("kathrine: 4 problems in the recipe\n")
    assert "  bad.toml:8: strategy.whole: unknown option 'lrr' (did you mean 'lr'?)\n" in result.stderr
    assert "  bad.toml:7: strategy.whole: 'lr' is required\n" in result.stderr
    assert "  bad.toml:10: loss.nothing: unknown option 'wait' (did you mean 'weight'?)\n" in result.stderr
    assert "Traceback" not in result.stderr


def test_claim_conflicts_are_problems(call, tmp_path):
    (tmp_path / "twice.toml").write_text(RECIPE + '[strategy.again]\nuse = "whole"\nlr = 1\n')
    result = call("check", "twice.toml")
    assert result.returncode == 2
    assert (
        "twice.toml:14: strategy.again: claims talker.0.weight, talker.1.weight, which strategy.whole" in result.stderr
    )


def test_schema_is_written_whole(call, tmp_path):
    result = call("schema", "-o", "out/recipe.schema.json")
    assert result.returncode == 0, result.stderr
    schema = json.loads((tmp_path / "out" / "recipe.schema.json").read_text())
    assert schema["$schema"].endswith("2020-12/schema") and "strategy.whole" in schema["$defs"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["recipe.schema.json"]
    assert json.loads(call("schema").stdout) == schema


def test_resolved_recipe_is_in_the_json(call):
    document = json.loads(call("check", "mine.toml", "--json").stdout)["recipe"]
    assert document["run"]["name"] == "mine"
    assert set(tomllib.loads(RECIPE)) - {"profile"} <= set(document)
