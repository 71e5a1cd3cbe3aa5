"""How long work shows itself: bars on a terminal, a line now and then elsewhere, nothing in tests."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

    from kathrine.components import Progress

LINE_EVERY = 5.0


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s` or `2 h 07 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class RichProgress:
    """Bars with percentage and the time that is left; news and warnings scroll above them.

    A bar whose work is done makes room for a line, so that the last news are the last thing on the screen; one
    whose work failed stays as it was. Use as a context manager.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            speed_estimate_period=120,
        )

    def __enter__(self) -> RichProgress:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Callable[..., None]]:
        task, name, began = self._progress.add_task(description, total=total), description, time.monotonic()

        def advance(amount: float = 1, description: str | None = None) -> None:
            nonlocal name
            name = description or name
            self._progress.update(task, advance=amount, description=name)

        try:
            yield advance
        except BaseException:
            self._progress.stop_task(task)
            raise
        self._progress.remove_task(task)
        self._progress.refresh()
        self.say(f"{name}: done in {duration(time.monotonic() - began)}")

    def say(self, message: str) -> None:
        self._progress.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        self._progress.console.print(
            "warning: " + message, style="yellow", markup=False, highlight=False, soft_wrap=True
        )


class PlainProgress:
    """Lines for logs: one when a task begins, one every few seconds with the time that is left, one at its
    end."""

    def __init__(self, stream: TextIO | None = None, every: float = LINE_EVERY) -> None:
        self.stream = stream or sys.stderr
        self.every = every

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *error: object) -> None:
        self.stream.flush()

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Callable[..., None]]:
        began = shown = time.monotonic()
        done, name = 0.0, description
        self.say(f"{name} ...")

        def advance(amount: float = 1, description: str | None = None) -> None:
            nonlocal done, shown, name
            done, name = done + amount, description or name
            now = time.monotonic()
            if now - shown < self.every:
                return
            shown = now
            if total and done:
                left = duration((now - began) * (total - done) / done)
                self.say(f"{name}: {min(done / total, 1):.0%}, {left} left")
            else:
                self.say(f"{name}: {done:g}")

        yield advance
        self.say(f"{name}: done in {duration(time.monotonic() - began)}")

    def say(self, message: str) -> None:
        print(message, file=self.stream, flush=True)

    def warn(self, message: str) -> None:
        self.say(f"warning: {message}")


@dataclass
class SilentProgress:
    """Says nothing and remembers what it was told: for tests, and for processes that must not speak."""

    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)

    def __enter__(self) -> SilentProgress:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Callable[..., None]]:
        self.tasks.append(description)

        def advance(amount: float = 1, description: str | None = None) -> None:
            if description:
                self.tasks[-1:] = [description]

        yield advance

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.warned.append(message)


def open_progress(console: Console | None = None, quiet: bool = False) -> RichProgress | PlainProgress | SilentProgress:
    """The right one for where the output goes, as a context manager. Given a console, that one's; else
    stderr."""
    if quiet:
        return SilentProgress()
    if console is None:
        if not sys.stderr.isatty():
            return PlainProgress()
        from rich.console import Console

        console = Console(stderr=True)
    return RichProgress(console) if console.is_terminal else PlainProgress(cast(TextIO, console.file))


if TYPE_CHECKING:
    _all: tuple[Progress, ...] = (RichProgress(), PlainProgress(), SilentProgress())
