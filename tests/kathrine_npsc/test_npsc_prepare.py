"""The source through `kathrine prepare`, with the recipe that is made for it: what is counted, cut and drawn."""

from __future__ import annotations

import pytest

from kathrine.corpus.mixture import Draw
from kathrine.corpus.prepare import prepare
from kathrine.corpus.prompting import Prompter
from kathrine.progress import SilentProgress
from kathrine.recipe import load_recipe
from kathrine.recipe.folders import builtin_folder
from kathrine.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


def prepared(workspace: Workspace, *overrides: str):
    recipe = load_recipe(builtin_folder() / "npsc_only.toml", "smoke", list(overrides), workspace=workspace)
    progress = SilentProgress()
    return prepare(recipe, workspace, progress), progress, recipe


def test_joined_clips_end_in_a_pause_and_the_table_says_how_many_are_cut(workspace):
    corpus, progress, _ = prepared(workspace)
    assert corpus.facts["entries"]["npsc"]["cut_share"] == 0
    joined = [row for row in corpus.rows if "+" in row.id]
    assert len(joined) == 2
    for row in joined:
        assert corpus.example(row.key).spoken["text"].endswith(".")
    assert any("4 clips were joined" in line for line in progress.said)
    assert any("asked for 12.0 min, accepted 2." in line and "margin" in line for line in progress.said)


def test_a_clip_that_stays_cut_has_no_added_full_stop_and_teaches_no_end(workspace):
    corpus, _, recipe = prepared(workspace, "data.npsc.merge_seconds=0.0")
    cut = [row for row in corpus.rows if row.cut]
    assert len(cut) == 2 and corpus.facts["entries"]["npsc"]["cut_share"] > 0
    prompter = Prompter(corpus.rows, recipe.prompt, {"npsc": recipe.data[0].table}, recipe.run.seed)
    for row in corpus.rows:
        example = corpus.example(row.key)
        assert all(spoken.endswith(".") is not row.cut for spoken in example.spoken.values())
        assert prompter.prompted(corpus, Draw(row.key, 0, 0)).end is not row.cut
        assert example.spoken["text"][0].isupper()  # the sentence case rule holds for cut clips too


def test_max_hours_is_met_within_one_utterance(workspace):
    corpus, progress, _ = prepared(workspace, "data.npsc.max_hours=0.02", "data.npsc.merge_seconds=0.0")
    used = sum(row.seconds for row in corpus.rows)
    longest = max(row.seconds for row in corpus.rows)
    assert 72 - longest < used <= 72
    assert not any("asked for" in line for line in progress.said)


def test_what_the_gates_leave_out_beyond_the_margin_is_said_and_a_larger_margin_mends_it(workspace):
    asked = ["data.npsc.max_hours=0.008", 'data.npsc.splits=["train"]', "prepare.min_letters_per_second=12"]
    _, short, _ = prepared(workspace, *asked, "data.npsc.margin=1.0")
    (line,) = [line for line in short.said if "asked for" in line]
    assert "asked for 0.5 min, accepted 0.4 min" in line and "raise its option `margin`" in line
    enough, said, _ = prepared(workspace, *asked, "data.npsc.margin=3.0")
    assert not any("asked for" in line for line in said.said)
    used = sum(row.seconds for row in enough.rows)
    assert 28.8 - max(row.seconds for row in enough.rows) < used <= 28.8


def test_digits_are_learnt_from_their_share(workspace):
    corpus, _, recipe = prepared(workspace)
    assert recipe.data[0].table.variants == {"text": 0.7, "normsentence_text": 0.3}
    both = [corpus.example(row.key).spoken for row in corpus.rows]
    assert any("tjue kommuner" in spoken["text"] for spoken in both)


@pytest.mark.parametrize("name", ["npsc_only.toml"])
def test_every_option_of_the_source_stands_in_its_recipe(name):
    from kathrine_npsc.options import NpscOptions

    written = (builtin_folder() / name).read_text(encoding="utf-8")
    lacking = [option for option in NpscOptions.model_fields if f"\n{option} = " not in written]
    assert lacking == ["fields"]
