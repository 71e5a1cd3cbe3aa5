"""Signals are noted while a step has to be finished, and obeyed where nothing has to be."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from kathrine import Exporter, Tracker, Workspace, hookimpl
from kathrine.progress import SilentProgress
from kathrine.testing import prepared_toy_corpus, toy_recipe
from kathrine.train import signals
from kathrine.train.run import resume_line, run
from kathrine.train.signals import Interrupts
from kathrine.types import ExportResult


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    sum(range(1000))  # Python runs handlers between two of its own instructions


def test_the_same_ctrl_c_may_come_twice() -> None:
    """A terminal sends it to every process, and torchrun passes it on to its own once more."""
    with Interrupts() as interrupts:
        send(signal.SIGINT)
        send(signal.SIGINT)
        assert interrupts.number == signal.SIGINT
        send(signal.SIGTERM)
        assert interrupts.number == signal.SIGINT


def test_a_second_ctrl_c_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "AGAIN", 0.0)
    with pytest.raises(KeyboardInterrupt), Interrupts():
        send(signal.SIGINT)
        send(signal.SIGINT)


@pytest.mark.parametrize("early", [True, False])
def test_with_nothing_left_to_finish_every_signal_is_obeyed(early: bool) -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        if early:
            send(signal.SIGHUP)
        interrupts.obey()
        assert not early
        send(signal.SIGTERM)


def test_stopped_while_exporting_and_resumed(tmp_path: Path) -> None:
    stop, ends = [True], []

    class Slow(Exporter):
        name = "slow"

        def export(self, run: Any, folder: Path, progress: Any) -> ExportResult:
            if stop:
                send(signal.SIGTERM)
            return ExportResult("slow", folder, (), {})

    class Watch(Tracker):
        name = "watch"

        @hookimpl
        def kathrine_run_end(self, outcome: Any) -> None:
            ends.append((outcome.status, outcome.signal))

    components = {"exporters": (Slow(),), "trackers": (Watch(),)}
    recipe = toy_recipe(tmp_path / "run", train={"steps": 2}, components=components)
    progress, corpus = SilentProgress(), prepared_toy_corpus()
    outcome = run(recipe, Workspace(tmp_path / "ws"), progress, corpus=corpus)
    assert (outcome.status, outcome.signal) == ("interrupted", signal.SIGTERM)
    assert ends == [("interrupted", signal.SIGTERM)]
    assert any("all steps are made" in said for said in progress.said)
    assert not any(said.startswith("made") for said in progress.said)

    stop.clear()
    again = SilentProgress()
    assert run(recipe, Workspace(tmp_path / "ws"), again, corpus=corpus, resume=True).status == "finished"
    assert any(said.startswith("export/slow") for said in again.said)


def test_the_printed_line_can_be_pasted(tmp_path: Path) -> None:
    from kathrine.train.folder import RunFolder

    assert f"'{tmp_path}/my run'" in resume_line(RunFolder(tmp_path / "my run"), 1)
    launched = f"{sys.executable} -m torch.distributed.run --nproc_per_node 4 -m kathrine run "
    assert launched in resume_line(RunFolder(tmp_path), 4)
