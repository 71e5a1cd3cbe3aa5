"""The plan of a recipe, and the claims that training shares with it."""

import json

import pytest
from plugin_makers import toy_catalog

from kathrine.errors import KathrineError, RecipeError
from kathrine.recipe import load_recipe
from kathrine.recipe.plan import claims, make_plan, prompt_shares, recipe_problem, sizes, stages
from kathrine.workspace import Workspace

TEXT = """[model.toy_model]
[[data]]
source = "toy_source"
share = 3.0
[[data]]
source = "other_source"
share = 1.0
[prompt]
in_context = 0.25
streamed = 0.5
[train]
steps = 5
ema = 0.9
[strategy.whole]
lr = 1e-3
[strategy.top]
use = "whole"
parts = ["head"]
lr = 2e-3
weight_decay = 0.1
"""


@pytest.fixture
def load(tmp_path):
    catalog = toy_catalog(tmp_path)

    def loader(text, **options):
        path = tmp_path / "plan.toml"
        path.write_text(text)
        return load_recipe(path, catalog=catalog, **options)

    return loader


def test_the_plan_counts_what_trains(load, tmp_path):
    plan = make_plan(load(TEXT), Workspace(tmp_path))
    whole, top = plan.trained
    assert (whole.parameters, whole.tensors, whole.parts, whole.lr) == (64, 2, {"talker": 64}, 1e-3)
    assert (top.strategy, top.component, top.parts, top.weight_decay) == ("top", "whole", {"head": 128}, 0.1)
    assert (plan.model_parameters, plan.trained_parameters) == (192, 192)
    assert plan.optimizer_bytes == 192 * (4 + 4 + 8) + 192 * 4, "weights, gradients, two moments, and the average"
    (stage,) = plan.stages
    assert stage.steps == 5 and stage.shares == {"toy_source": 0.75, "other_source": 0.25}
    assert any("unknown until" in note for note in plan.notes)
    assert json.loads(json.dumps(plan.as_json()))["trained"][1]["parameters"] == 128


def test_prompt_shares_are_products(load):
    shares = prompt_shares(load(TEXT))
    assert shares["in_context + whole"] == pytest.approx(0.125)
    forms = [share for name, share in shares.items() if "+" in name]
    assert sum(forms) == pytest.approx(1)


def test_stages_follow_the_curriculum(load):
    text = TEXT.replace("steps = 5\n", "") + "[curriculum.in_order]\nfirst_steps = 7\n"
    recipe = load(text)
    planned = stages(recipe.curriculum, sizes(recipe), recipe.train)
    assert [(stage.name, stage.steps) for stage in planned] == [("toy_source", 7), ("other_source", 7)]


def test_sizes_of_a_prepared_corpus_make_the_shares(load):
    recipe = load(TEXT.replace("share = 3.0\n", "").replace("share = 1.0\n", ""))
    splits = {"splits": {"train": {"utterances": 30, "seconds": 90.0}}}
    facts = {
        "entries": {
            "toy_source": splits,
            "other_source": {"splits": {"train": {"utterances": 10, "seconds": 1}}},
        }
    }
    data = sizes(recipe, facts)
    assert data[0].utterances == 30 and data[0].seconds == 90.0
    assert stages(None, data, recipe.train)[0].shares == {"toy_source": 0.75, "other_source": 0.25}
    assert stages(None, sizes(recipe), recipe.train)[0].shares == {"toy_source": 0.5, "other_source": 0.5}


def test_claims_refuse_conflicts_with_their_place(load, tmp_path):
    recipe = load(TEXT.replace('parts = ["head"]\n', ""))
    with pytest.raises(
        RecipeError, match=r"plan.toml:16: strategy.top: claims talker.0.weight, talker.1.weight, which"
    ):
        claims(recipe, Workspace(tmp_path))


def test_an_unknown_configuration_is_said(load, tmp_path):
    recipe = load(TEXT.replace("[model.toy_model]", '[model.toy_model]\ncheckpoint = "unknown"'))
    plan = make_plan(recipe, Workspace(tmp_path))
    assert plan.trained is None and any("not at hand" in note for note in plan.notes)
    with pytest.raises(KathrineError, match="kathrine prepare"):
        claims(recipe, Workspace(tmp_path))


def test_claims_on_a_loaded_models_own_parameters(load, tmp_path):
    recipe = load(TEXT)
    workspace = Workspace(tmp_path)
    specs = recipe.model.parameters(workspace)[:2]
    with pytest.raises(RecipeError, match=r"strategy.top: claims nothing"):
        claims(recipe, workspace, specs, recipe.model.facts(workspace))
    assert [claim.strategy for claim in claims(recipe, workspace)] == ["whole", "top"]


def test_a_language_without_a_tag_is_said(load, tmp_path):
    notes = make_plan(load(TEXT + "[language.words]\n"), Workspace(tmp_path)).notes
    assert any("'words' has no language tag here: every prompt is auto" in note for note in notes)
    notes = make_plan(load(TEXT.replace("[train]", "language_tag = 0.0\n[train]")), Workspace(tmp_path)).notes
    assert not any("auto" in note for note in notes)


def test_a_strategy_that_can_not_be_folded_is_noted_without_a_merging_exporter(load, tmp_path):
    text = TEXT.replace("weight_decay = 0.1", 'secret = "glued"') + "[export.dump]\n"
    notes = make_plan(load(text), Workspace(tmp_path)).notes
    assert "no merged export: strategy.top: it is glued on" in notes


def test_a_problem_has_the_place_of_its_option_else_of_its_table(load):
    recipe = load(TEXT)
    assert recipe_problem(recipe, "strategy.top", "parts: gone").split(": ")[0].endswith(":18")
    assert recipe_problem(recipe, "strategy.top", "lr = 2: too much").split(": ")[0].endswith(":19")
    assert recipe_problem(recipe, "strategy.top", "a: b").split(": ")[0].endswith(":16")
