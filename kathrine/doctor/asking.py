"""Questions that may never be answered: each is asked in a thread of its own and given up after a few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from kathrine.errors import KathrineError

SECONDS = 6.0
"""How long an answer is waited for. Name look-ups, proxies and silent firewalls know no time limit of their own."""

T = TypeVar("T")


class Question(Generic[T]):
    """A function at work. Questions that are asked together are waited for together.

    Args:
        ask: the function; it is left behind, not stopped, when its time is over.
        what: whose answer it is, as the error names it.
        seconds: from now on.
    """

    def __init__(self, ask: Callable[[], T], what: str, seconds: float = SECONDS) -> None:
        self._answer: list[T] = []
        self._error: list[Exception] = []
        self._what, self._seconds = what, seconds
        self._until = time.monotonic() + seconds

        def work() -> None:
            try:
                self._answer.append(ask())
            except Exception as error:  # noqa: BLE001  raised again where it is waited for
                self._error.append(error)

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def answer(self) -> T:
        """What the function returned. Raises: what it raised; KathrineError where it gave no answer in time."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        if self._error:
            raise self._error[0]
        if not self._answer:
            raise KathrineError(f"{self._what} gave no answer within {self._seconds:g} s", "is there a network?")
        return self._answer[0]

    def sound_answer(self, who: str) -> T:
        """As `answer`, for functions of a plugin. Raises: KathrineError alone; a fault of theirs names `who`."""
        try:
            return self.answer()
        except KathrineError:
            raise
        except Exception as error:
            told = f"{who} failed: {type(error).__name__}: {error}"
            raise KathrineError(told, "this is a fault of the plugin that brings it") from error
