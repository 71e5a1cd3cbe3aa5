"""Ctrl-C, SIGTERM and SIGHUP: finish the step, save, and say how to go on."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

AGAIN = 2.0
"""Seconds within which a second Ctrl-C is taken for the first one: torchrun passes on to its processes what
their terminal has sent them already."""
WATCHED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP while nothing has to be finished. number: of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


@contextmanager
def stopping() -> Iterator[None]:
    """Within it a signal raises Stopped, which can be answered with the way to go on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    before = {one: signal.signal(one, stop) for one in WATCHED}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class Interrupts:
    """Within it a signal is noted instead of obeyed. A second Ctrl-C is obeyed at once.

    number: of the signal that came, or 0. Only the main thread may watch signals; elsewhere it stays 0.
    """

    def __init__(self) -> None:
        self.number = 0
        self._at_once = False
        self._at = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {one: signal.signal(one, self._note) for one in WATCHED}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)

    def obey(self) -> None:
        """From here on nothing has to be finished: every signal, one that came already too, raises
        KeyboardInterrupt."""
        self._at_once = True
        if self.number:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        now, again = time.monotonic(), bool(self.number)
        if not again:
            self.number, self._at = number, now
        if self._at_once or (again and number == signal.SIGINT and now - self._at > AGAIN):
            raise KeyboardInterrupt
