"""The page while a run trains: renewed now and then, beside the steps, and never in the way of them."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from report_pages import Page, written_run

from kathrine import KathrineError
from kathrine.progress import SilentProgress
from kathrine.report.page import write_report
from kathrine.train import reporting
from kathrine.train.loop import Loop
from kathrine.train.reporting import ReportWatcher
from kathrine.types import RunInfo, RunOutcome, Stage

sys.path.append(str(Path(__file__).parents[1] / "train"))
from toy_runs import train

from kathrine.testing import toy_recipe


def watcher(folder: Path, progress: Any = None, seconds: float = 0.0) -> ReportWatcher:
    written_run(folder, [{"loss": 1.0}])
    return ReportWatcher(folder, [{"name": "toy", "seconds": 3.0}], progress or SilentProgress(), least_seconds=seconds)


def test_events_write_the_page_as_of_a_run_in_progress(tmp_path: Path) -> None:
    one = watcher(tmp_path)
    (tmp_path / "outcome.json").write_text('{"status": "failed"}')
    one.kathrine_run_start(run=RunInfo(tmp_path, {}, (Stage("all", {"toy": 1.0}, steps=7),), 7, 12345, 1))
    assert not (tmp_path / "outcome.json").exists(), "a resumed run has not ended"
    for event in (one.kathrine_validation_end, one.kathrine_samples_spoken, one.kathrine_checkpoint_saved):
        one._next = 0.0
        event()
        one.wait()
    assert one.written == 3
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.numbers["status"] == "running" and "12,345" in page.text and "of 7" in page.text
    assert "was killed" not in page.text


def test_it_is_not_written_more_often_than_every_so_many_seconds(tmp_path: Path) -> None:
    one = watcher(tmp_path, seconds=1000.0)
    for _ in range(5):
        one.renew()
        one.wait()
    assert one.written == 1
    one.kathrine_run_end(outcome=RunOutcome("finished", 1))
    assert one.written == 2, "the end is always written"
    assert json.loads((tmp_path / "outcome.json").read_text())["status"] == "finished"
    assert Page((tmp_path / "report.html").read_text()).numbers["status"] == "finished"


def test_a_step_does_not_wait_for_a_slow_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, release = watcher(tmp_path), threading.Event()

    def slowly(*arguments: Any) -> Path:
        assert release.wait(30)
        return write_report(*arguments)

    monkeypatch.setattr(reporting, "write_report", slowly)
    one.renew()
    one.renew()  # while the first is being written: nothing
    assert one.written == 0
    release.set()
    one.wait()
    assert one.written == 1


def test_a_page_that_can_not_be_written_is_a_warning(tmp_path: Path) -> None:
    heard = SilentProgress()
    one = watcher(tmp_path, heard)
    (tmp_path / "report.html").mkdir()
    for _ in range(2):
        one._next = 0.0
        one.renew()
        one.wait()
    assert len(heard.warned) == 1 and "report.html can not be written" in heard.warned[0]
    one.kathrine_run_end(outcome=RunOutcome("failed", 1, error="out of paper"))
    assert len(heard.warned) == 2, "at the end it is said again"
    assert json.loads((tmp_path / "outcome.json").read_text())["error"] == "out of paper"


def test_a_run_that_fails_leaves_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Loop.update

    def update(loop: Loop, *given: Any) -> Any:
        if loop.state.step == 3:
            raise KathrineError("out of ink", "buy some")
        return inner(loop, *given)

    monkeypatch.setattr(Loop, "update", update)
    with pytest.raises(KathrineError, match="out of ink"):
        train(toy_recipe(tmp_path / "run"))
    page = Page((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert page.numbers["status"] == "failed" and page.numbers["last"]["step"] == 3
    assert "This run failed: out of ink" in page.text
