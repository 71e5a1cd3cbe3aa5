"""Progress: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from kathrine.progress import PlainProgress, RichProgress, SilentProgress, duration, open_progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (7620, "2 h 07 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_lines_with_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("kathrine.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    with PlainProgress(stream, every=5.0) as progress, progress.task("encoding", total=100) as advance:
        for _ in range(9):
            now[0] += 2
            advance(10, description="encoding, 5.0 x real time")
        progress.warn("narrow")
    assert stream.getvalue().splitlines() == [
        "encoding ...",
        "encoding, 5.0 x real time: 30%, 14 s left",
        "encoding, 5.0 x real time: 60%, 8 s left",
        "encoding, 5.0 x real time: 90%, 2 s left",
        "warning: narrow",
        "encoding, 5.0 x real time: done in 18 s",
    ]


def test_bars_on_a_terminal() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, legacy_windows=False)
    progress = open_progress(console)
    assert isinstance(progress, RichProgress)
    with progress, progress.task("encoding", total=4) as advance:
        advance(3, description="encoding [fast]")
        time.sleep(0.3)  # bars are drawn ten times a second
        progress.say("news [bold]")
        progress.warn("careful")
        progress.say("x" * 150)
    shown = stream.getvalue()
    assert "x" * 150 in shown  # a line to paste must not be broken
    assert "75%" not in shown.partition("encoding [fast]: done in 0 s")[2]
    assert "75%" in shown and "news [bold]" in shown and "warning: careful" in shown and "encoding" in shown


def test_the_right_one_is_opened() -> None:
    assert isinstance(open_progress(Console(file=io.StringIO())), PlainProgress)
    assert isinstance(open_progress(quiet=True), SilentProgress)
