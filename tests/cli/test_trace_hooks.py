"""`kathrine plugins --trace RECIPE`: a real run, a line for each hook call, and a table of all hooks."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import kathrine
from kathrine.catalog import Catalog, hook_manager, run_manager
from kathrine.cli.main import run
from kathrine.cli.trace_hooks import Lines, line
from kathrine.hooktrace import HookCall, recorded, shortened
from kathrine.misfits import HOOKS
from kathrine.testing import ToySource, registered
from kathrine.types import Stage, StepReport

RECIPE = """
[model.toy]
[[data]]
source = "toy"
[prepare]
min_seconds = 0.1
min_words = 1
[strategy.train_all]
[track.counting]
[train]
precision = "fp32"
steps = 6
accumulation = 1
[run]
device = "cpu"
[speak]
count = 0
[validation]
every = 100
"""


class Counting(kathrine.Tracker):
    """Counts steps, and fails where it is told to."""

    name = "counting"

    class Options(kathrine.Options):
        fails_at: int = 0
        """The step at which it raises an error; 0 never."""

    @kathrine.hookimpl
    def kathrine_step_end(self, report: StepReport) -> None:
        if report.step == self.options.fails_at:
            raise RuntimeError("no more fingers")


def plugin() -> ModuleType:
    module = ModuleType("counting_plugin")

    def kathrine_trackers() -> list[Any]:
        return [Counting]

    module.kathrine_trackers = kathrine.hookimpl(kathrine_trackers)  # type: ignore[attr-defined]
    return module


@pytest.fixture
def trace(tmp_path, monkeypatch, capsys):
    """Traces the recipe; returns the exit code and what was printed."""
    (tmp_path / "toy.toml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("COLUMNS", "250")

    def call(*options: str) -> tuple[int, str, str]:
        with registered(plugin()):
            code = run(["plugins", "--trace", str(tmp_path / "toy.toml"), *options])
        return code, *capsys.readouterr()

    return call


def test_calls_and_the_table(trace, tmp_path) -> None:
    code, told, news = trace()
    assert code == 0, news
    catalogue = re.findall(r"^ +\d+\.\d{3} s  (\w+)\(\) on (\w+) -> (.*)$", told, re.MULTILINE)
    assert ("kathrine_trackers", "counting_plugin", "[Counting]") in catalogue
    assert ("kathrine_sources", "toys", "[ToySource]") in catalogue
    steps = [one for one in told.splitlines() if " s  kathrine_step_end(" in one]
    assert len(steps) == 3, "the first three calls are shown"
    assert "kathrine_step_end: 3 more calls" in told
    assert "run=RunInfo(...), report=StepReport(step=1, epoch=" in steps[0]
    assert "tracker.counting" in steps[0] and steps[0].endswith("-> nothing")
    assert re.search(r"kathrine_run_start\(run=RunInfo\(folder=.*total_steps=6", told)
    rows = {cells[0]: cells[1:] for cells in (re.findall(r"[^│]+", one) for one in told.splitlines() if "│" in one)}
    table = {name.strip(): [cell.strip() for cell in cells] for name, cells in rows.items()}
    assert set(HOOKS) <= set(table)
    assert table["kathrine_step_end"][0] == "6" and "tracker.counting" in table["kathrine_step_end"][2]
    assert table["kathrine_run_end"][0] == "1"
    assert table["kathrine_commands"][0] == "0" and "hub" in table["kathrine_commands"][2]
    assert "the run: finished at step 6" in told
    assert not list((tmp_path / "temporary").glob("kathrine-*")), "the run folder is removed"
    assert "held-out" in news


def test_json_and_a_folder_that_stays(trace, tmp_path) -> None:
    code, told, _ = trace("--json", "--folder", str(tmp_path / "kept"), "--set", "train.steps=4")
    assert code == 0
    document = json.loads(told)
    assert (document["status"], document["step"], document["error"]) == ("finished", 4, "")
    steps = [call for call in document["calls"] if call["hook"] == "kathrine_step_end"]
    assert len(steps) == 4 and all("tracker.counting" in call["by"] for call in steps)
    times = [call["at"] for call in document["calls"]]
    assert times == sorted(times)
    (row,) = [row for row in document["hooks"] if row["hook"] == "kathrine_step_end"]
    assert row["called"] == 4 and row["seconds"] > 0 and "tracker.counting" in row["by"]
    assert (tmp_path / "kept" / "metrics.jsonl").is_file()


def test_a_failing_hook_has_its_line(trace, capsys) -> None:
    with pytest.raises(RuntimeError, match="no more fingers"):
        trace("--set", "track.counting.fails_at=5")
    told = capsys.readouterr().out
    assert "kathrine_step_end: 1 more call\n" in told
    assert re.search(r"-> raised RuntimeError: no more fingers \(.*test_trace_hooks\.py:\d+\)", told)
    assert "outcome=RunOutcome(status='failed', step=5, error='RuntimeError: no more fingers'" in told
    assert "kathrine_run_end" in told.split("implemented by")[1]


def test_a_recipe_with_mistakes_is_refused(trace) -> None:
    code, told, news = trace("--set", "track.counting.fails=5")
    assert code == 2 and "track.counting: unknown option 'fails'" in news
    assert "kathrine_trackers() on counting_plugin" in told


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["--profile", "smoke"], "--profile without --trace"),
        (["--set", "a=1", "--folder", "x"], "--set and --folder without --trace"),
        (["--trace", "x.toml", "show", "lora"], "--trace and `show` do not go together"),
        (["--profile", "smoke", "show", "lora"], "--profile without --trace"),
    ],
)
def test_options_that_do_not_go_together(command: list[str], sentence: str, capsys) -> None:
    assert run(["plugins", *command]) == 2
    assert sentence in capsys.readouterr().err


def test_only_managers_that_are_made_within_are_recorded() -> None:
    before = run_manager([Counting()])
    with recorded() as record:
        within = run_manager([Counting()])
        before.hook.kathrine_step_end(run=None, report=StepReport(1, 0.0, "all", {}, {}))
        within.hook.kathrine_step_end(run=None, report=StepReport(2, 0.0, "all", {}, {}))
        hook_manager().hook.kathrine_run_start(run=None)
    within.hook.kathrine_step_end(run=None, report=StepReport(3, 0.0, "all", {}, {}))
    after = run_manager([Counting()])
    after.hook.kathrine_step_end(run=None, report=StepReport(4, 0.0, "all", {}, {}))
    steps = [call.arguments["report"] for call in record.calls if call.hook == "kathrine_step_end"]
    assert steps[0] == "StepReport(step=2, epoch=0, stage='all')"
    assert not any("step=1," in step or "step=4," in step for step in steps)
    (start,) = [call for call in record.calls if call.hook == "kathrine_run_start"]
    assert start.by == () and line(start).endswith("on nobody -> nothing")


def test_a_catalogue_is_recorded_plugin_by_plugin(tmp_path) -> None:
    with recorded() as record:
        Catalog().add(plugin(), "counting")
    (call,) = record.calls
    assert (call.hook, call.by, call.result) == ("kathrine_trackers", ("counting",), "[Counting]")
    assert record.listeners("kathrine_trackers") == ["counting"]


def test_values_in_a_few_words() -> None:
    assert shortened(ToySource) == "ToySource"
    assert shortened(Path("/some/long/way/to/run")) == ".../to/run"
    assert shortened(Stage("all", {"a": 1.0}, steps=4)) == "Stage(name='all', steps=4)"
    assert shortened([1, 2.5, None, "word"]) == "[1, 2.5, None, 'word']"
    assert shortened({"a": 1}) == "<dict>"
    assert len(shortened("x" * 500)) == 90


def test_calls_that_are_left_out_are_counted_before_the_next_line(capsys) -> None:
    lines = Lines()
    for number in range(5):
        lines(HookCall(number, 0.0, "kathrine_step_end", ("a",), {}, "nothing"))
    lines(HookCall(5.0, 0.0, "kathrine_run_end", ("a",), {}, "nothing"))
    told = capsys.readouterr().out.splitlines()
    assert [one.split("  ")[-1].split("(")[0] for one in told[:3]] == ["kathrine_step_end"] * 3
    assert told[3].strip() == "kathrine_step_end: 2 more calls" and "kathrine_run_end" in told[4]
