"""The watcher that keeps the run's page: `plan.json` at the start, `outcome.json` at the end, `report.html` all along.

The page is made from the files of the run folder alone, in a thread of its own, so that no step waits for it; a
page that can not be written is a warning and ends no run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kathrine.components import Progress
from kathrine.corpus.files import write_json
from kathrine.hookspecs import hookimpl
from kathrine.report.page import NAME, write_report
from kathrine.report.sounds import Sounds
from kathrine.train.state import stage_documents
from kathrine.types import RunInfo, RunOutcome

LEAST_SECONDS = 30.0
"""Between two pages of a run in progress."""
TIMES = 20.0
"""A page that takes long is written less often: at most a twentieth of the time goes into it."""


class ReportWatcher:
    """Writes the page after validations, samples and checkpoints, and when the run ends."""

    def __init__(
        self,
        folder: Path,
        data: Sequence[Mapping[str, Any]],
        progress: Progress,
        least_seconds: float = LEAST_SECONDS,
    ) -> None:
        """data: facts of each data entry, as the page shows them."""
        self.folder, self.data, self.progress = folder, data, progress
        self.least_seconds = least_seconds
        self.sounds = Sounds(folder)
        self.written = 0
        self._next = 0.0
        self._warned = False
        self._thread: threading.Thread | None = None

    @hookimpl
    def kathrine_run_start(self, run: RunInfo) -> None:
        (self.folder / "outcome.json").unlink(missing_ok=True)
        plan = {
            "total_steps": run.total_steps,
            "trained_parameters": run.trained_parameters,
            "processes": run.world_size,
            "stages": stage_documents(run.stages),
            "data": [dict(entry) for entry in self.data],
        }
        write_json(self.folder / "plan.json", plan)

    @hookimpl
    def kathrine_validation_end(self) -> None:
        self.renew()

    @hookimpl
    def kathrine_samples_spoken(self) -> None:
        self.renew()

    @hookimpl
    def kathrine_checkpoint_saved(self) -> None:
        self.renew()

    @hookimpl
    def kathrine_run_end(self, outcome: RunOutcome) -> None:
        best = outcome.best.name if outcome.best is not None else None
        told = {
            "status": outcome.status,
            "step": outcome.step,
            "best": best,
            "error": outcome.error,
            "reason": outcome.reason,
        }
        write_json(self.folder / "outcome.json", told)
        self.wait()
        self._write("")

    def renew(self) -> None:
        """Begin to write the page, unless it was written just now or is being written."""
        if time.monotonic() < self._next or (self._thread is not None and self._thread.is_alive()):
            return
        self._next = time.monotonic() + self.least_seconds
        self._thread = threading.Thread(target=self._write, args=("running",), name="report", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until no page is being written."""
        if self._thread is not None:
            self._thread.join()

    def _write(self, status: str) -> None:
        began = time.monotonic()
        try:
            write_report(self.folder, self.sounds, status)
            self.written += 1
        except Exception as error:  # noqa: BLE001  whatever is wrong with a page, the run matters more
            if not self._warned or not status:
                self.progress.warn(f"{NAME} can not be written: {type(error).__name__}: {error}")
            self._warned = True
        took = time.monotonic() - began
        self._next = max(self._next, time.monotonic() + TIMES * took)
