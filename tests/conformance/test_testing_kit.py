"""Places and runs for tests: a workspace, a catalogue with a plugin that is not installed, a recipe as text."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from plugin_makers import TOY, module_of

import kathrine
from kathrine import KathrineError, Workspace
from kathrine.catalog import Catalog
from kathrine.errors import RecipeError
from kathrine.testing import (
    ConformanceError,
    made_up_items,
    no_network,
    registered,
    run_recipe,
    tiny_family,
    tiny_model,
    toy_source,
    without_modules,
    workspace,
)
from kathrine.testing.fixtures import kathrine_workspace, shared_workspace  # noqa: F401  pytest finds them by name

RECIPE = """
[model.toy]
[[data]]
source = "toy"
utterances = 16
validation_share = 0.25
[prepare]
min_seconds = 0.1
min_words = 1
[strategy.train_all]
[train]
steps = 6
precision = "fp32"
warmup_steps = 1
[validation]
every = 3
[run]
device = "cpu"
[speak]
count = 0
[profile.longer.train]
steps = 8
"""


def test_a_workspace_is_the_default_one_for_a_while() -> None:
    before = os.environ.get("KATHRINE_WORKSPACE")
    with workspace() as place:
        assert Workspace.default() == place and place.models.is_dir()
    assert os.environ.get("KATHRINE_WORKSPACE") == before and not place.root.exists()


def test_fixtures(kathrine_workspace: Workspace, shared_workspace: Workspace) -> None:  # noqa: F811
    assert Workspace.default() == kathrine_workspace != shared_workspace


def test_nothing_here_needs_pytest_or_torch_at_import() -> None:
    program = "import sys, kathrine.testing; print([one for one in ('pytest', 'torch') if one in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_a_module_is_a_plugin_without_being_installed(tmp_path: Path) -> None:
    module = module_of(TOY, tmp_path, "not_installed")
    with registered(module) as catalog:
        assert catalog.owner("strategy", "whole").name == "not_installed"
        assert Catalog.load().component("source", "toy_source").name == "toy_source"  # also for whoever asks anew
        assert catalog.component("model", "toy") and catalog.component("source", "npsc")
        with registered(module) as again:  # twice is harmless
            assert not again.clashes()
        assert "whole" in Catalog.load().names("strategy")
    assert "whole" not in Catalog.load().names("strategy") and "toy" not in Catalog.load().names("model")


def test_an_object_with_hooks_is_a_plugin_and_a_broken_one_says_why() -> None:
    class Mine(kathrine.GenericLanguage):
        name = "mine"

    class Plugin:
        @kathrine.hookimpl
        def kathrine_languages(self) -> list:
            return [Mine]

    with registered(Plugin()) as catalog:
        assert catalog.component("language", "mine") is Mine
    with pytest.raises(ConformanceError, match="no_hooks is no plugin: it implements no hook"):
        with registered(SimpleNamespace(__name__="no_hooks")):
            pass


def test_an_installed_plugin_is_not_added_twice() -> None:
    import kathrine_lora

    with registered(kathrine_lora) as catalog:
        assert not catalog.clashes() and catalog.owner("strategy", "lora").distribution == "kathrine"


def test_a_recipe_is_run_and_told(tmp_path: Path) -> None:
    done = run_recipe(RECIPE, sets=["train.checkpoint_every=3"])
    assert done.outcome.status == "finished" and done.outcome.step == 6
    assert len(done.losses()) == 6 and done.losses()[-1] < done.losses()[0]
    assert {line["kind"] for line in done.metrics} == {"step", "validation"} and done.exports == {}
    assert any("finished" in line or "loss" in line for line in done.said)
    folder = done.folder
    assert (folder / "recipe.toml").is_file()
    del done
    gc.collect()
    assert not folder.exists()

    kept = run_recipe(RECIPE, profile="longer", folder=tmp_path / "here")
    assert kept.outcome.step == 8 and kept.folder == tmp_path / "here" / "run" and kept.recipe.profile == "longer"
    with pytest.raises(RecipeError, match="no_such"):
        run_recipe(RECIPE + "[loss.no_such]\nweight = 1.0\n")


def test_exports_of_a_run_are_told(shared_workspace: Workspace) -> None:  # noqa: F811
    text = RECIPE.replace("[strategy.train_all]", '[strategy.freeze]\nlr = 0.01\nparts = ["head"]\n[export.adapter]')
    done = run_recipe(text, workspace=shared_workspace)
    assert list(done.exports) == ["adapter"] and (done.exports["adapter"] / "trained.safetensors").is_file()


def test_the_tiny_model_of_a_family_by_name() -> None:
    model = tiny_model("qwen3_tts")
    assert model.facts.checkpoint == "kathrine:tiny" and model.facts.codebooks == 16
    family = tiny_family("qwen3_tts", attention_window="windowed")
    assert family.options.attention_window == "windowed"
    items = made_up_items(family, Workspace.default(), language="german")
    assert len(items) == 4 and {item.language for item in items} == {"german"}
    forms = [model.facts.form_of(item.reference is not None) for item in items]
    assert forms == ["speaker", "speaker", "in_context", "speaker"]
    assert tiny_model("toy", hidden=False).facts.family == "toy"
    with pytest.raises(KathrineError, match="unknown model 'qwen3'"):
        tiny_model("qwen3")


def test_a_family_without_a_tiny_checkpoint_says_so(tmp_path: Path) -> None:
    with registered(module_of(TOY, tmp_path, "two_parts")), pytest.raises(KathrineError, match="embeds no tiny"):
        tiny_family("toy_model")


def test_toy_source_and_what_watches() -> None:
    import socket

    assert toy_source(3, seed=2).options.utterances == 3
    with no_network() as asked, pytest.raises(ConnectionRefusedError, match="no network in this test"):
        socket.create_connection(("127.0.0.1", 9))
    assert asked == ["127.0.0.1:9"]
    with without_modules("wave"), pytest.raises(ImportError):
        import wave  # noqa: F401
    import wave as there

    assert there.__name__ == "wave"
