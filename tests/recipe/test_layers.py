"""Parents, profiles and --set: what wins, and where it came from."""

import pytest
from plugin_makers import install, toy_catalog

from kathrine.catalog import Catalog
from kathrine.errors import KathrineError, RecipeError
from kathrine.recipe import load_recipe
from kathrine.recipe.folders import builtin_folder, find_recipe, recipe_names

BASE = """[run]
seed = 1
[model.toy_model]
checkpoint = "toy:one"
[[data]]
source = "toy_source"
max_hours = 3.0
variants = { text = 0.5, spelled = 0.5 }
[train]
epochs = 3
batch = { examples = 4 }
[strategy.whole]
lr = 1e-3
parts = ["talker", "head"]
[profile.smoke.run]
seed = 11
[profile.smoke.train]
steps = 5
"""

CHILD = """extends = "base.toml"
[run]
device = "cpu"
[[data]]
source = "other_source"
[[data]]
name = "toy_source"
level = 7
variants = { text = 1.0 }
[strategy.whole]
parts = ["head"]
[strategy.second]
use = "whole"
lr = 2e-3
[profile.smoke.run]
seed = 22
[[profile.smoke.data]]
name = "toy_source"
max_hours = 0.1
"""


@pytest.fixture
def write(tmp_path):
    def writer(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return writer


@pytest.fixture
def catalog(tmp_path):
    return toy_catalog(tmp_path)


@pytest.fixture
def child(write):
    return write(base=BASE, child=CHILD) / "child.toml"


def test_a_child_changes_its_parent_key_by_key(child, catalog):
    recipe = load_recipe(child, catalog=catalog)
    assert recipe.name == "child"
    assert (recipe.run.seed, recipe.run.device) == (1, "cpu")
    assert [entry.name for entry in recipe.data] == ["toy_source", "other_source"]
    first = recipe.data[0]
    assert (first.table.max_hours, first.source.options.level) == (3.0, 7)
    assert first.table.variants == {"text": 1.0}, "an inline table is replaced whole"
    assert [strategy.label for strategy in recipe.strategies] == ["whole", "second"]
    assert recipe.strategies[0].options.parts == ["head"], "a list is replaced whole"
    assert recipe.strategies[0].options.lr == 1e-3
    assert recipe.strategies[1].name == "whole"


def test_profiles_lie_over_the_recipe_parents_first(child, catalog):
    recipe = load_recipe(child, "smoke", catalog=catalog)
    assert recipe.name == "child-smoke" and recipe.profile == "smoke"
    assert recipe.run.seed == 22
    assert recipe.data[0].table.max_hours == 0.1 and recipe.data[0].source.options.level == 7


def test_steps_in_a_higher_layer_drive_out_epochs(child, catalog):
    assert load_recipe(child, catalog=catalog).train.epochs == 3
    train = load_recipe(child, "smoke", catalog=catalog).train
    assert (train.epochs, train.steps) == (None, 5)


def test_set_wins_over_everything(child, catalog):
    sets = [
        "run.seed=33",
        "data.toy_source.max_hours=0.5",
        "strategy.second.lr=0.5",
        "train.batch.examples=2",
        "run.device=cuda",
        "strategy.whole.parts=['talker']",
        "data.other_source.speakers=[\"Kari\", 'Ola']",
    ]
    recipe = load_recipe(child, "smoke", sets, catalog)
    assert recipe.run.seed == 33 and recipe.run.device == "cuda"
    assert recipe.data[0].table.max_hours == 0.5
    assert recipe.data[1].table.speakers == ["Kari", "Ola"]
    assert recipe.strategies[1].options.lr == 0.5
    assert recipe.strategies[0].options.parts == ["talker"]
    assert recipe.train.batch.examples == 2


def test_set_replaces_an_inline_table_whole(child, catalog):
    recipe = load_recipe(child, None, ["train.batch={frames = 900}"], catalog)
    assert recipe.train.batch.examples is None and recipe.train.batch.frames == 900


def test_origins_name_file_and_line_or_default_or_set(child, catalog):
    origins = load_recipe(child, "smoke", ["strategy.second.lr=0.5"], catalog).origins
    assert origins["run.seed"] == "child.toml:16"
    assert origins["train.steps"] == "base.toml:18"
    assert origins["train.batch"] == "base.toml:11"
    assert origins["train.clip"] == "default"
    assert origins["strategy.second.lr"] == "--set"
    assert origins["strategy.whole.lr"] == "base.toml:13"
    assert origins["strategy.whole.parts"] == "child.toml:11"
    assert origins["data.toy_source.level"] == "child.toml:8"
    assert origins["data.toy_source.max_hours"] == "child.toml:19"
    assert origins["data.other_source.source"] == "child.toml:5"
    assert "train.epochs" not in origins


def test_the_resolved_recipe_repeats_itself(child, catalog, tmp_path):
    recipe = load_recipe(child, "smoke", ["train.accumulation=3"], catalog)
    saved = tmp_path / "elsewhere" / "recipe.toml"
    saved.parent.mkdir()
    saved.write_text(recipe.toml(), encoding="utf-8")
    again = load_recipe(saved, catalog=catalog)
    assert again.document == recipe.document
    assert again.name == "child-smoke"
    assert again.toml() == recipe.toml()


def test_enabled_false_switches_inherited_things_off(write, catalog):
    text = 'extends = "base.toml"\n[[data]]\nname = "toy_source"\nenabled = false\n'
    text += '[[data]]\nsource = "other_source"\n'
    text += '[strategy.whole]\nenabled = false\n[strategy.mine]\nuse = "whole"\nlr = 1.0\n'
    recipe = load_recipe(write(base=BASE, off=text) / "off.toml", catalog=catalog)
    assert [entry.name for entry in recipe.data] == ["other_source"]
    assert [strategy.label for strategy in recipe.strategies] == ["mine"]
    assert "whole" not in recipe.document["strategy"]
    assert "enabled" not in recipe.document["strategy"]["mine"]


def test_unset_takes_an_inherited_key_away(write, catalog):
    text = 'extends = "base.toml"\n[[data]]\nname = "toy_source"\nunset = ["max_hours"]\n'
    text += '[train]\nunset = ["batch"]\n'
    recipe = load_recipe(write(base=BASE, less=text) / "less.toml", catalog=catalog)
    assert recipe.data[0].table.max_hours is None
    assert recipe.origins["train.batch"] == "default"
    folder = write(wrong='extends = "base.toml"\n[train]\nunset = ["epoch"]\n')
    with pytest.raises(
        RecipeError, match=r"wrong.toml:3: train.unset: no lower layer sets 'epoch' \(did you mean 'epo"
    ):
        load_recipe(folder / "wrong.toml", catalog=catalog)


def test_paths_start_from_the_file_that_wrote_them(tmp_path, catalog, monkeypatch):
    for name in ("parents", "children", "cwd"):
        (tmp_path / name).mkdir()
    base = BASE.replace("max_hours = 3.0", 'path = "clips"\nfiles = ["a", "/b"]\nroot = "owner/set"\nmax_hours = 3.0')
    (tmp_path / "parents" / "base.toml").write_text(base)
    text = 'extends = "../parents/base.toml"\n[speak]\nreference_file = "me.wav"\n'
    (tmp_path / "children" / "child.toml").write_text(text)
    (tmp_path / "children" / "me.wav").touch()
    monkeypatch.chdir(tmp_path / "cwd")
    options = load_recipe("../children/child.toml", catalog=catalog).data[0].source.options
    assert options.path == str(tmp_path / "parents" / "clips")
    assert options.files == [str(tmp_path / "parents" / "a"), "/b"]
    assert options.root == "owner/set", "neither marked as a path nor a folder that exists: a name on the Hub"
    recipe = load_recipe("../children/child.toml", None, ["data.toy_source.path=mine"], catalog)
    assert recipe.data[0].source.options.path == str(tmp_path / "cwd" / "mine")
    assert recipe.speak.reference_file == str(tmp_path / "children" / "me.wav")
    (tmp_path / "parents" / "owner" / "set").mkdir(parents=True)
    options = load_recipe("../children/child.toml", catalog=catalog).data[0].source.options
    assert options.root == str(tmp_path / "parents" / "owner" / "set")
    (tmp_path / "cwd" / "other").mkdir()
    sets = ["data.toy_source.root=./other"]
    options = load_recipe("../children/child.toml", None, sets, catalog).data[0].source.options
    assert options.root == str(tmp_path / "cwd" / "other")


def test_circles_are_refused(write, catalog):
    folder = write(a='extends = "b.toml"\n', b='extends = "a.toml"\n')
    with pytest.raises(RecipeError, match=r"in a circle: a.toml -> b.toml -> a.toml"):
        load_recipe(folder / "a.toml", catalog=catalog)


def test_a_missing_parent_is_named_with_its_line(write, catalog):
    folder = write(a='\nextends = "nowhere.toml"\n')
    with pytest.raises(RecipeError, match=r"a.toml:2: extends: the recipe nowhere.toml does not exist"):
        load_recipe(folder / "a.toml", catalog=catalog)
    folder = write(b="extends = [1]\n")
    with pytest.raises(RecipeError, match=r"b.toml:1: extends: expected one recipe"):
        load_recipe(folder / "b.toml", catalog=catalog)


def test_broken_toml_is_named_with_its_line(write, catalog):
    folder = write(a="[run]\nseed = \n")
    with pytest.raises(RecipeError, match=r"a.toml:2: not valid TOML"):
        load_recipe(folder / "a.toml", catalog=catalog)


def test_recipes_of_plugins_and_built_in_ones_go_by_name(tmp_path, monkeypatch):
    recipes = tmp_path / "more"
    recipes.mkdir()
    (recipes / "quick.toml").write_text("[run]\n")
    text = f"import kathrine\n@kathrine.hookimpl\ndef kathrine_recipes():\n    return [{str(recipes)!r}]\n"
    monkeypatch.syspath_prepend(install(tmp_path, "with-recipes", with_recipes=text))
    catalog = Catalog.load()
    assert find_recipe("with_recipes:quick", tmp_path, catalog) == (recipes / "quick.toml").resolve()
    with pytest.raises(KathrineError, match=r"no recipe 'quik' \(did you mean 'quick'"):
        find_recipe("with_recipes:quik", tmp_path, catalog)
    with pytest.raises(KathrineError, match=r"no plugin 'with_recipe' is installed \(did you mean 'with_recipes'"):
        find_recipe("with_recipe:quick", tmp_path, catalog)
    assert find_recipe("kathrine:base", tmp_path, catalog) == builtin_folder() / "base.toml"
    assert {"base", "baseline", "curriculum"} <= set(recipe_names([builtin_folder()]))
    with pytest.raises(KathrineError, match="kathrine:curriculum"):
        find_recipe("recipes/no-such.toml", tmp_path, catalog)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("train.steps", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("steps=3", "expected TABLE.KEY=VALUE"),
        ("data.toy_source=3", "expected TABLE.KEY=VALUE"),
        ("extends=other", "expected TABLE.KEY=VALUE"),
        ("a b.c=3", "is not a dotted key"),
        ("data.toy_sorce.max_hours=2", r"no data entry is named 'toy_sorce' \(did you mean 'toy_source'\?\)"),
        ("train.step=20", r"--set: train: unknown option 'step' \(did you mean 'steps'\?\)"),
        ("train.steps=many", r'--set: train.steps: expected a whole number, found the string "many"'),
        ("train.batch.frames=7", "exactly one of examples and frames"),
    ],
)
def test_wrong_sets_are_explained(child, catalog, text, reason):
    with pytest.raises(RecipeError, match=reason):
        load_recipe(child, None, [text], catalog)


def test_unknown_profiles_and_unknown_tables_in_unused_profiles(write, catalog):
    folder = write(base=BASE + "[profile.big.trian]\nsteps = 3\n")
    with pytest.raises(
        RecipeError, match=r"base.toml:19: profile.big: unknown table 'trian' in a profile \(did you mean"
    ):
        load_recipe(folder / "base.toml", catalog=catalog)
    with pytest.raises(RecipeError, match=r"no profile 'smok' \(did you mean 'smoke'\?\); profiles: big, smoke"):
        load_recipe(folder / "base.toml", "smok", catalog=catalog)
