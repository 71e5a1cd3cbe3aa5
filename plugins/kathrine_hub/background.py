"""Uploading while a run goes on: in a thread of its own, which never stops or delays a step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from kathrine.components import Progress
from kathrine.errors import KathrineError


class Background:
    """One upload at a time. A checkpoint that comes while one is under way is left to the next one.

    Args:
        upload: does the work; may raise anything. every: checkpoints between two uploads. progress: told of trouble
        once, until an upload succeeds again.
    """

    def __init__(self, upload: Callable[[Path, int], None], every: int, progress: Progress) -> None:
        self.upload, self.every, self.progress = upload, every, progress
        self.saved = 0
        self.done: list[int] = []
        self.step = 0
        self._warned = False
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def due(self) -> bool:
        """Count a checkpoint; whether it is one to upload."""
        self.saved += 1
        return bool(self.every) and self.saved % self.every == 0 and not self.busy

    def start(self, run: Path, step: int) -> None:
        self.step = step
        self._thread = threading.Thread(target=self._work, args=(run, step), name="hub upload", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until nothing is being uploaded, with that shown; Ctrl-C does not wait."""
        if not self.busy:
            return
        assert self._thread is not None
        with self.progress.task(f"waiting for the upload of step {self.step}"):
            while self._thread.is_alive():
                self._thread.join(0.2)

    def _work(self, run: Path, step: int) -> None:
        try:
            self.upload(run, step)
        except KathrineError as error:
            self._trouble(error.message)
        except Exception as error:  # noqa: BLE001  whatever is wrong with an upload, the run matters more
            self._trouble(f"{type(error).__name__} in the upload")
        else:
            self.done.append(step)
            if self._warned:
                self.progress.say(f"the Hub is back: step {step} is uploaded")
            self._warned = False

    def _trouble(self, reason: str) -> None:
        if not self._warned:
            self.progress.warn(
                f"the upload while training failed: {reason}; training goes on, and the next checkpoint tries again"
            )
        self._warned = True
