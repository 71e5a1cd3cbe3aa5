"""Every mistake at once, each with its place and a remedy."""

# ruff: noqa: E501  sentences stand here as they are printed

from pathlib import Path

import pytest
from plugin_makers import toy_catalog

from kathrine.errors import RecipeError
from kathrine.recipe import load_recipe
from kathrine.workspace import Workspace

GOOD = """[model.toy_model]
[[data]]
source = "toy_source"
[train]
steps = 5
[strategy.whole]
lr = 1e-3
"""


@pytest.fixture
def catalog(tmp_path):
    return toy_catalog(tmp_path)


@pytest.fixture
def problems(tmp_path, catalog):
    def load(text, **options):
        path = tmp_path / "curriculum.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(RecipeError) as raised:
            load_recipe(path, catalog=catalog, **options)
        return raised.value.problems

    return load


def test_the_good_recipe_is_good(tmp_path, catalog):
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    recipe = load_recipe(path, catalog=catalog, workspace=Workspace(tmp_path / "workspace"))
    assert recipe.train.steps == 5 and recipe.curriculum is None and recipe.language is None


def test_all_problems_come_at_once_in_reading_order(problems):
    found = problems(
        GOOD.replace("lr = 1e-3", "lr = 1e-3\nrnak = 4\nparts = 3")
        + '[prepare]\nmin_seconds = "long"\nmax_second = 3\n[strategy.wohle]\nlr = 1\n[vaildation]\nevery = 1\n[loss.nothing]\n'
    )
    assert found == [
        "curriculum.toml:8: strategy.whole: unknown option 'rnak' (did you mean 'rank'?)",
        "curriculum.toml:9: strategy.whole.parts: expected a list, found the number 3",
        'curriculum.toml:11: prepare.min_seconds: expected a number, found the string "long"',
        "curriculum.toml:12: prepare: unknown option 'max_second' (did you mean 'max_seconds'?)",
        "curriculum.toml:13: strategy.wohle: unknown strategy 'wohle' (did you mean 'whole'?); installed: whole",
        "curriculum.toml:15: unknown table 'vaildation' (did you mean 'validation'?)",
        "curriculum.toml:17: loss.nothing: 'weight' is required",
    ]


CASES = {
    "a whole number": ("[run]\nseed = 1.5", "9: run.seed: expected a whole number, found the number 1.5"),
    "true or false": ("[run]\noffline = 1", "9: run.offline: expected true or false, found the number 1"),
    "a bound": ("[run]\nseed = -1", "9: run.seed: has to be at least 0, found -1"),
    "an upper bound": ("[prompt]\nstreamed = 1.5", "9: prompt.streamed: has to be at most 1, found 1.5"),
    "a choice": (
        '[train2]\n[run]\ndevice = "cdua"',
        "10: run.device: expected 'auto', 'cpu' or 'cuda', found the string \"cdua\" (did you mean 'cuda'?)",
    ),
    "a union, said together": (
        '[strategy.again]\nuse = "whole"\nlr = 1\nlayers = "all"',
        '11: strategy.again.layers: expected a whole number or a list, found the string "all"',
    ),
    "inside an inline table": (
        "[evaluate]\n[strategy.x]\nuse='whole'\nlr=1\n[curriculum.in_order]\nstages = [{ name = 'a', epoch = 2 }]",
        "13: curriculum.in_order.stages.0: unknown option 'epoch' (did you mean 'epochs'?)",
    ),
    "a missing key of an inner table": (
        "[curriculum.in_order]\n[[curriculum.in_order.stages]]\nepochs = 2.0",
        "9: curriculum.in_order.stages.0: 'name' is required",
    ),
    "unknown option lists the options": (
        "[run]\nzzz = 1",
        "run: unknown option 'zzz'; options: device, folder, name",
    ),
    "a kernel key of data": (
        '[[data]]\nname = "b"\nsource = "other_source"\nmax_huors = 3',
        "11: data.b: unknown option 'max_huors' (did you mean 'max_hours'?)",
    ),
    "hours": (
        '[[data]]\nname = "b"\nsource = "other_source"\nhours = 3',
        "11: data.b: unknown option 'hours' (did you mean 'max_hours'?)",
    ),
    "a key of the source": (
        '[[data]]\nname = "b"\nsource = "toy_source"\nlevl = 3',
        "11: data.b: unknown option 'levl' (did you mean 'level'?)",
    ),
    "two entries of one name": (
        '[[data]]\nsource = "toy_source"',
        "8: data.toy_source: the name 'toy_source' is used twice (also curriculum.toml:2)",
    ),
    "an entry without source": ('[[data]]\nname = "c"', "8: data.c: 'source' is required"),
    "an entry without anything": ("[[data]]\nmax_hours = 1", "8: data: an entry needs a source"),
    "an unknown source": (
        '[[data]]\nsource = "toy_sauce"',
        "9: data.toy_sauce.source: unknown source 'toy_sauce' (did you mean 'toy_source'?); installed: other_source, toy",
    ),
    "a name with blanks": (
        '[[data]]\nsource = "toy_source"\nname = "a b"',
        "8: data: an entry has a name of letters",
    ),
    "file reference without file": (
        '[[data]]\nname = "d"\nsource = "toy_source"\nreference = "file"',
        '11: data.d.reference: reference = "file" needs reference_file',
    ),
    "a file that nobody reads": (
        '[[data]]\nname = "d"\nsource = "toy_source"\nreference_file = "a.wav"',
        '11: data.d.reference_file: is read with reference = "file" only',
    ),
    "floor above cap": (
        '[[data]]\nname="d"\nsource="toy_source"\nspeaker_cap_minutes = 1.0\nspeaker_floor_minutes = 2.0',
        "12: data.d.speaker_floor_minutes: is above speaker_cap_minutes = 1",
    ),
    "no variants": (
        '[[data]]\nname="d"\nsource="toy_source"\nvariants = {}',
        "11: data.d.variants: needs at least one written form",
    ),
    "a text variant that the source has not": (
        '[[data]]\nname="d"\nsource="other_source"\nvariants = { text = 1.0, digit = 0.5 }',
        "11: data.d.variants: source other_source has no text variant 'digit' (did you mean 'digits'?)",
    ),
    "a loss under the kernel's own name": (
        '[loss.talker]\nuse = "nothing"\nweight = 0.1',
        "8: loss.talker: 'talker' is the name under which kathrine reports its own: choose another",
    ),
    "a reference file that is not there": (
        '[[data]]\nname="d"\nsource="toy_source"\nreference = "file"\nreference_file = "nope.wav"',
        "12: data.d.reference_file: there is no file /",
    ),
    "a voice that is not there": (
        '[speak]\nreference_file = "nope.wav"',
        "9: speak.reference_file: there is no file /",
    ),
    "min above max": (
        "[prepare]\nmin_seconds = 20",
        "9: prepare.min_seconds: min_seconds = 20 leaves nothing below max_seconds = 15",
    ),
    "a component's own check": (
        '[strategy.mine]\nuse = "whole"\nlr = 1\nsecret = "bad"',
        "11: strategy.mine: secret: it is bad",
    ),
    "a strategy that can not be folded": (
        '[strategy.mine]\nuse = "whole"\nlr = 1\nsecret = "glued"\n[export.dump]\n[export.melt]',
        "13: export.melt: strategy.mine can not be folded into it: it is glued on",
    ),
    "use of something unknown": (
        '[strategy.mine]\nuse = "whle"\nlr = 1',
        "9: strategy.mine.use: unknown strategy 'whle' (did you mean 'whole'?)",
    ),
    "a free name without use": (
        "[strategy.zzzz]\nlr = 1",
        'a table with a name of its own says use = "NAME"',
    ),
    "use that is no string": (
        "[strategy.mine]\nuse = 3",
        "9: strategy.mine.use: expected the name of a strategy",
    ),
    "a component that is no table": (
        "[strategy]\nmine = 3",
        "9: strategy.mine: expected a table [strategy.NAME]",
    ),
    "enabled that is no boolean": (
        '[strategy.mine]\nuse = "whole"\nlr = 1\nenabled = "no"',
        "11: strategy.mine.enabled: expected true or false",
    ),
    "two models": (
        "[model.other_model]",
        "8: model.other_model: a recipe has one model, this one has model.toy_model (curriculum.toml:1) and model.other",
    ),
    "length beside a curriculum": (
        "[curriculum.in_order]",
        "5: train.steps: the curriculum gives the length of its stages: remove train.steps",
    ),
    "a curriculum's own refusal": (
        '[curriculum.in_order]\nfirst = "npsc"',
        "8: curriculum.in_order: there is no data entry 'npsc'; name another",
    ),
    "a learning rate of nobody": (
        "[curriculum.in_order]\nlr_scale = { loar = 0.5 }",
        "8: curriculum.in_order: stage 'toy_source' scales the learning rate of 'loar'; strategies: whole",
    ),
    "remote code": (
        '[[data]]\nname = "d"\nsource = "toy_source"\ntrust_remote_code = true',
        "11: data.d.trust_remote_code: kathrine never runs code that a repository brings: remove trust_remote_code",
    ),
    "remote code in the model": (
        "[model.x]\ntrust_remote_code = true",
        "9: model.x.trust_remote_code: kathrine never",
    ),
    "remote code at the top": ("[trust_remote_code]\nyes = true", "trust_remote_code: kathrine never"),
    "dates": ("[run]\nname = 2017-02-07", '9: run.name: dates are written as strings: "2017-02-07"'),
    "infinity": (
        "[train.x]\n[prepare]\nmax_seconds = inf",
        "10: prepare.max_seconds: has to be a finite number",
    ),
    "a table that is none": ("[x]\n", "unknown table 'x'; tables: "),
    "a contradiction in a table": (
        "[speak]\ngreedy = true\ntemperature = 0.5",
        "speak: greedy ignores temperature and top_k",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_mistake_has_its_place_and_its_remedy(case, problems):
    text, expected = CASES[case]
    found = problems(GOOD + text + "\n")
    assert any(expected in problem for problem in found), found
    if expected[0].isdigit():
        assert any(problem.startswith(f"curriculum.toml:{expected}") for problem in found), found


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ("train.betas=[1.5,0.9]", "--set: train.betas.0: has to be less than 1, found 1.5"),
        ("train.keep_epochs=[0]", "--set: train.keep_epochs.0: has to be at least 1, found 0"),
        ("strategy.whole.secret=bad", "--set: strategy.whole: secret: it is bad"),
    ],
)
def test_the_place_is_where_the_value_came_from(problems, sets, said):
    found = problems(GOOD, sets=(sets,))
    assert len(found) == 1 and found[0].startswith(said), found


def test_a_curriculum_takes_the_place_of_an_inherited_length(tmp_path, catalog):
    (tmp_path / "parent.toml").write_text(GOOD + "[profile.smoke.train]\nsteps = 3\n")
    path = tmp_path / "child.toml"
    path.write_text('extends = "parent.toml"\n[curriculum.in_order]\n')
    for profile in (None, "smoke"):
        recipe = load_recipe(path, profile, catalog=catalog)
        assert recipe.train.steps is None and recipe.curriculum is not None
    path.write_text('extends = "parent.toml"\n[curriculum.in_order]\n[train]\nsteps = 2\n')
    with pytest.raises(RecipeError, match=r"child\.toml:4: train\.steps: the curriculum gives the length"):
        load_recipe(path, catalog=catalog)


def test_a_curriculum_is_asked_although_an_entry_has_mistakes_of_its_own(problems):
    text = GOOD.replace('"toy_source"\n', '"toy_source"\nhours = 3\n').replace("steps = 5", "")
    assert problems(text + '[curriculum.in_order]\nfirst = "npsc"\n') == [
        "curriculum.toml:4: data.toy_source: unknown option 'hours' (did you mean 'max_hours'?)",
        "curriculum.toml:9: curriculum.in_order: there is no data entry 'npsc'; name another",
    ]


def test_an_empty_recipe_is_told_what_it_needs(problems):
    found = problems("")
    assert any("a recipe needs a model: add [model.NAME] (installed: other_model, toy_model)" in line for line in found)
    assert any("nothing would be trained" in line for line in found)
    assert any('a recipe needs data: add [[data]] with source = "NAME"' in line for line in found)
    assert any("train: how long? Set epochs or steps, or name a curriculum" in line for line in found)
    assert all(line.startswith("curriculum.toml: ") for line in found)


def test_data_in_single_brackets(problems):
    text = GOOD.replace("[[data]]\n", "[data.toy]\n")
    assert "curriculum.toml:2: data: expected entries, each below its own [[data]]" in problems(text)


def test_top_level_keys_are_refused(problems):
    assert "curriculum.toml:1: unknown table 'seed'; tables: " in problems("seed = 3\n" + GOOD)[0]
    assert problems("train = 3\n" + GOOD.replace("[train]\nsteps = 5\n", ""))[0] == (
        "curriculum.toml:1: train: expected a table [train]"
    )


def test_failed_plugins_are_named_once_when_something_is_missing(problems, catalog):
    catalog.add(object(), "broken", "some-distribution", "0.1")
    found = problems(GOOD + "[strategy.a]\nlr = 1\n[strategy.b]\nlr = 1\n")
    assert len([line for line in found if "plugin 'broken' of some-distribution 0.1 failed to load" in line]) == 1
    assert found[-1].startswith("plugin 'broken'")
    assert len(found) == 3


def test_claims_are_checked_where_the_configuration_is_at_hand(problems, tmp_path):
    text = (
        GOOD + '[strategy.again]\nuse = "whole"\nlr = 1\n[strategy.nobody]\nuse = "whole"\nlr = 1\nparts = ["tail"]\n'
    )
    found = problems(text, workspace=Workspace(tmp_path / "workspace"))
    assert found == [
        "curriculum.toml:8: strategy.again: claims talker.0.weight, talker.1.weight, which strategy.whole claims too: "
        "each parameter has one strategy",
        "curriculum.toml:11: strategy.nobody: claims nothing: nothing in the model matches its options",
    ]


def test_the_message_counts_the_problems(problems, tmp_path):
    with pytest.raises(RecipeError, match=r"^1 problem in the recipe\n  curriculum.toml:9: "):
        path = tmp_path / "curriculum.toml"
        path.write_text(GOOD + "[run]\nseed = -3\n")
        load_recipe(path, catalog=toy_catalog(tmp_path))


def test_a_run_that_exists_asks_for_no_recordings(tmp_path: Path) -> None:
    """It is looked at, not trained: what only training needs may have moved since."""
    path = tmp_path / "recipe.toml"
    path.write_text(
        '[model.qwen3_tts]\ncheckpoint = "kathrine:tiny"\n[[data]]\nsource = "manifest"\npath = "gone.jsonl"\n'
        '[strategy.lora]\nlr = 1e-5\n[train]\nsteps = 1\n[speak]\nreference_file = "gone.wav"\n'
        '[export.custom_voice]\nvoices = { kari = "gone-too.wav" }\n',
        encoding="utf-8",
    )
    with pytest.raises(RecipeError) as refused:
        load_recipe(path)
    assert all(name in str(refused.value) for name in ("gone.jsonl", "gone.wav", "gone-too.wav"))
    recipe = load_recipe(path, of_run=True)
    assert [entry.source.name for entry in recipe.data] == ["manifest"] and len(recipe.exporters) == 1
    path.write_text(path.read_text(encoding="utf-8").replace("lr = ", "lrr = "), encoding="utf-8")
    with pytest.raises(RecipeError, match="unknown option 'lrr'"):  # a broken recipe stays one
        load_recipe(path, of_run=True)
