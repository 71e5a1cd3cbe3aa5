"""What the doctor says about a recipe: sources, estimate, memory, exports, and the command itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import source_client
from click.testing import CliRunner

from kathrine import KathrineError
from kathrine.cli.doctor import command
from kathrine.components import Exporter, Metric
from kathrine.datafiles import bundled_sample
from kathrine.doctor import estimate, memory, network
from kathrine.inspect.fit_estimate import fit_of
from kathrine.inspect.fit_table import find_gpu
from kathrine.recipe import load_recipe
from kathrine.recipe.plan import make_plan
from kathrine.testing import toy_recipe
from kathrine.workspace import Workspace
from kathrine_espeak.source import EspeakOptions, EspeakSource
from kathrine_librivox.catalogue_source import CatalogueOptions, CatalogueSource
from kathrine_librivox.source import LibrivoxOptions, LibrivoxSource
from kathrine_manifest.options import ManifestOptions
from kathrine_manifest.source import Manifest
from kathrine_npsc.options import NpscOptions
from kathrine_npsc.source import NpscSource
from kathrine_prepared.source import Prepared, PreparedOptions

SMOKE = ["kathrine:curriculum", "--profile", "smoke"]


def said(source, folder: Path, **wishes) -> list[str]:
    """What a source says; an error counts as a sentence."""
    try:
        return list(source.reachable(source_client.context_in(folder, source.name, **wishes)))
    except KathrineError as error:
        return [error.sentence]


def fetched(source, folder: Path, **wishes) -> int | None:
    return source.bytes_to_fetch(source_client.context_in(folder, source.name, **wishes))


def test_bundled_samples_can_be_reached_and_bring_nothing(tmp_path):
    sources = [
        NpscSource(NpscOptions(root="kathrine:npsc")),
        LibrivoxSource(LibrivoxOptions(root="kathrine:nb-librivox")),
        Manifest(ManifestOptions(path="kathrine:nb-librivox")),
        Manifest(ManifestOptions(path=str(bundled_sample("nb-librivox") / "metadata.csv"))),
    ]
    assert [said(source, tmp_path) for source in sources] == [[], [], [], []]
    assert [fetched(source, tmp_path) for source in sources] == [0, 0, 0, 0]


def test_places_that_are_not_there_or_hold_nothing(tmp_path):
    empty, table = tmp_path / "empty", tmp_path / "rows.jsonl"
    empty.mkdir()
    table.write_text("")
    for source, told in (
        (NpscSource(NpscOptions(root=str(empty))), "is empty"),
        (LibrivoxSource(LibrivoxOptions(root=str(tmp_path / "gone"))), "is no folder"),
        (Prepared(PreparedOptions(root=str(empty))), "no complete prepared corpus"),
        (Manifest(ManifestOptions(path=str(table))), "is empty"),
        (Manifest(ManifestOptions(path="kathrine:nb-librivox", root=str(tmp_path / "gone"))), "no folder"),
        (NpscSource(NpscOptions(root="kathrine:nothing")), "no bundled sample"),
    ):
        assert told in " ".join(said(source, tmp_path)), source.name
    (empty / "complete.json").write_text("{}")
    assert said(Prepared(PreparedOptions(root=str(empty))), tmp_path) == []
    assert fetched(Prepared(PreparedOptions(root=str(empty))), tmp_path) == 0
    assert fetched(Prepared(PreparedOptions(root="somebody/corpus")), tmp_path) is None


def test_the_catalogue_asks_its_two_hosts(tmp_path):
    away = CatalogueSource(CatalogueOptions(librivox_url="http://127.0.0.1:9", archive_url="http://127.0.0.1:9"))
    assert len(said(away, tmp_path)) == 2 and "does not answer" in said(away, tmp_path)[0]
    assert said(away, tmp_path, offline=True) == []
    assert fetched(away, tmp_path) is None
    assert fetched(away, tmp_path, max_hours=10.0) == pytest.approx(10 * 1.15 * 58e6)


def test_espeak_says_when_its_engine_is_missing(tmp_path, monkeypatch):
    source = EspeakSource(EspeakOptions(sentences=["Hei på deg."], engine="program"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "espeak" in " ".join(said(source, tmp_path))
    assert 0 < fetched(source, tmp_path) < 1e6


def test_hours_become_bytes_and_what_lies_there_is_taken_off(tmp_path):
    source = NpscSource(NpscOptions())
    ten = fetched(source, tmp_path, max_hours=10.0)
    assert ten == round((10 * 1.15 + 2) * 360e6)
    assert fetched(source, tmp_path) == round(126 * 360e6)  # all of it
    kept = source_client.context_in(tmp_path, "npsc").folder
    kept.mkdir(parents=True)
    (kept / "clip.mp3").write_bytes(b"x" * 1000)
    assert fetched(source, tmp_path, max_hours=10.0) == ten - 1000
    assert fetched(LibrivoxSource(LibrivoxOptions()), tmp_path) == 270_000_000
    assert fetched(Manifest(ManifestOptions(path="somebody/data")), tmp_path) is None
    assert fetched(Manifest(ManifestOptions(path="somebody/data")), tmp_path, max_hours=2.0) == 230_000_000


def test_the_estimate_of_the_main_recipe(tmp_path):
    workspace = Workspace(tmp_path)
    recipe = load_recipe("kathrine:curriculum")
    plan = make_plan(recipe, workspace)
    parts, unknown = estimate.estimate(recipe, workspace, plan)
    found = {part.what: part for part in parts}
    assert unknown == []
    assert set(found) == {"data.npsc", "data.librivox", "corpus", "model", "samples", "checkpoints", "exports"}
    assert found["corpus"].bytes == pytest.approx(72 * 12e6 + 40e6)
    assert found["model"].bytes == pytest.approx(2 * plan.model_parameters + 0.7e9)
    assert found["exports"].bytes == pytest.approx(2 * plan.model_parameters + 0.7e9 + 4 * plan.trained_parameters)
    assert found["checkpoints"].bytes % (16 * plan.trained_parameters) == 0
    assert {part.what for part in parts if part.folder == "run"} == {"samples", "checkpoints", "exports"}


def test_rates_are_those_of_the_model_and_not_of_one_family(tmp_path):
    """CSM has 32 codes in a frame: twice the codes of an hour, the same of all else."""
    workspace = Workspace(tmp_path)
    sixteen = load_recipe("kathrine:curriculum").model.facts(workspace)
    thirty_two = load_recipe("kathrine:csm").model.facts(workspace)
    assert (sixteen.codebooks, thirty_two.codebooks) == (16, 32)
    more = estimate.corpus_per_hour(thirty_two) - estimate.corpus_per_hour(sixteen)
    assert more == pytest.approx(3600 * 12.5 * 16 * 2 * 2)
    by_frames = load_recipe("kathrine:curriculum", sets=["train.batch.frames=2000", 'train.batch.unset=["examples"]'])
    plan = make_plan(by_frames, workspace)
    slow, fast = (estimate.updates_of(by_frames, plan, 40.0, rate) for rate in (12.5, 25.0))
    assert fast == pytest.approx(2 * slow, rel=0.01)
    short, long = (
        next(part.bytes for part in estimate.run_parts(by_frames, plan, 100, 0.0, rate) if part.what == "samples")
        for rate in (24_000, 48_000)
    )
    assert long == 2 * short


@pytest.mark.parametrize(
    ("train", "updates", "kept"),
    [
        ({"checkpoint_every": 500, "keep_last": 2}, 10_000, 4),
        ({"checkpoint_every": 500, "keep_last": 2, "keep_epochs": [1, 2], "keep_every": 1000}, 10_000, 16),
        ({"checkpoint_every": 500, "keep_last": 2}, 400, 2),
    ],
)
def test_checkpoints_that_lie_there_at_once(tmp_path, train, updates, kept):
    recipe = toy_recipe(tmp_path, train=train)
    assert estimate.kept_checkpoints(recipe, updates) == kept


def test_updates_follow_from_steps_or_from_hours(tmp_path):
    workspace = Workspace(tmp_path)
    recipe = load_recipe("kathrine:base", sets=["data.npsc.max_hours=40"])
    assert estimate.updates_of(recipe, make_plan(recipe, workspace), 40.0) == 5 * 24_000 // 16
    steps = load_recipe("kathrine:base", sets=["train.steps=700"])
    assert estimate.updates_of(steps, make_plan(steps, workspace), 40.0) == 700


def test_memory_against_what_is_free(tmp_path):
    recipe = load_recipe("kathrine:base")
    plan = make_plan(recipe, Workspace(tmp_path))
    need = memory.memory_need(plan, Workspace(tmp_path), gpu=True)
    assert need.bytes == fit_of(plan, Workspace(tmp_path), find_gpu("24GB")).need.total
    states = [memory.check_memory(need, round(need.bytes * factor), "a GPU").state for factor in (0.9, 1.1, 1.2)]
    assert states == ["red", "yellow", "green"]
    told = memory.check_memory(need, 10**12, "a GPU").measured
    assert "activations of 4 utterances of 15 s" in told and "not verified on a GPU" in told
    assert "not verified" not in memory.memory_need(plan, Workspace(tmp_path), gpu=False).counted
    assert memory.check_memory(None, 10**12, "a GPU").state == "yellow"


def test_memory_of_a_family_that_does_not_describe_its_layers(tmp_path):
    plan = make_plan(toy_recipe(tmp_path), Workspace(tmp_path))
    need = memory.memory_need(plan, Workspace(tmp_path), gpu=True)
    width = 2 if plan.recipe.train.precision == "bf16" else 4
    assert need.bytes == width * plan.model_parameters + plan.optimizer_bytes
    assert "not counted: activations" in memory.check_memory(need, 10**12, "a GPU").measured
    states = [memory.check_memory(need, round(need.bytes * factor), "a GPU").state for factor in (0.9, 1.2, 4)]
    assert states == ["red", "yellow", "green"]


class Late(Exporter):
    """Knows before the run what it could not do after it."""

    name = "late"

    def before_run(self, plan, progress) -> Iterator[str]:
        yield "the token may not write to somebody/model; make one with write access"

    def export(self, run, folder, progress):
        raise NotImplementedError


class Deaf(Metric):
    """Has nothing to listen with."""

    name = "deaf"

    def available(self) -> str:
        return "its package is not installed"

    def score(self, wave, sample_rate, text, reference):
        raise NotImplementedError


def test_what_exporters_say_is_red_and_a_missing_metric_yellow(tmp_path):
    recipe = toy_recipe(tmp_path, components={"exporters": (Late(),), "metrics": (Deaf(),)})
    (late,) = network.check_exports(recipe, Workspace(tmp_path))
    assert late.state == "red" and "export.late" in late.measured and late.remedy == "make one with write access"
    (deaf,) = network.check_metrics(recipe)
    assert deaf.state == "yellow" and "not installed" in deaf.measured
    assert network.check_exports(toy_recipe(tmp_path), Workspace(tmp_path))[0].state == "yellow"


def test_a_broken_exporter_is_said_and_nothing_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(Late, "before_run", lambda self, plan, progress: 1 / 0)
    recipe = toy_recipe(tmp_path, components={"exporters": (Late(),)})
    (broken,) = network.check_exports(recipe, Workspace(tmp_path))
    assert broken.state == "red" and "ZeroDivisionError" in broken.measured and "plugin" in broken.remedy


def test_a_source_that_says_nothing_is_yellow_and_a_broken_one_is_named(tmp_path, monkeypatch):
    recipe = toy_recipe(tmp_path)
    (silent,) = network.check_data(recipe, Workspace(tmp_path))
    assert silent.state == "yellow" and "does not say" in silent.measured
    monkeypatch.setattr(type(recipe.data[0].source), "reachable", lambda self, context: 1 / 0)
    (broken,) = network.check_data(recipe, Workspace(tmp_path))
    assert broken.state == "red" and "ZeroDivisionError" in broken.measured


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to run commands in, so that no run folder of this checkout is looked at."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_on_the_smoke_profile(here):
    result = CliRunner().invoke(command, [*SMOKE, "--json"], standalone_mode=False)
    told = json.loads(result.output)
    assert result.return_value == 0 and told["state"] in ("green", "yellow")
    names = [one["name"] for one in told["findings"]]
    wanted = "recipe packages gpu precision memory threads processes volume disk clock hub token model exports"
    for name in [*wanted.split(), "workspace", "run folder", "data.npsc", "data.librivox"]:
        assert name in names
    assert set(told["findings"][0]) == {"group", "name", "state", "measured", "remedy"}
    assert set(told) == {"recipe", "state", "findings", "writes", "unknown"}
    assert all(one["remedy"] for one in told["findings"] if one["state"] != "green")
    assert list(here.iterdir()) == []


def test_red_ends_in_2_with_remedies_in_the_table(here):
    sets = ["--set", "run.device=cuda", "--set", "run.offline=true", "--folder", "/proc/runs"]
    result = CliRunner().invoke(command, [*SMOKE, *sets], standalone_mode=False)
    assert result.return_value == 2
    assert "not ready" in result.output and "red" in result.output and "->" in result.output
    assert "/proc/runs" in result.output


def test_a_broken_recipe_shows_all_problems_and_the_machine_is_looked_at_all_the_same(here):
    (here / "my.toml").write_text(
        'extends = "kathrine:base"\n[run]\noffline = true\n[strategy.lora]\nalpah = 2\n[train]\nepoch = 1\n'
    )
    result = CliRunner().invoke(command, ["my.toml", "--json"], standalone_mode=False)
    told = json.loads(result.output)
    assert result.return_value == 2
    problems = [one["measured"] for one in told["findings"] if one["name"] == "recipe"]
    assert len(problems) == 2 and "my.toml:5" in problems[0] and "my.toml:7" in problems[1]
    assert {"packages", "gpu", "workspace", "clock"} <= {one["name"] for one in told["findings"]}


def test_a_run_folder_in_use_is_said(here):
    (here / "runs" / "curriculum-smoke").mkdir(parents=True)
    (here / "runs" / "curriculum-smoke" / "recipe.toml").write_text("")
    told = json.loads(CliRunner().invoke(command, [*SMOKE, "--json"], standalone_mode=False).output)
    (folder,) = [one for one in told["findings"] if one["name"] == "run folder" and one["group"] == "recipe"]
    assert folder["state"] == "yellow" and "--resume" in folder["remedy"]
