"""The tracker `newname`: the loss of every step as a table, `steps.csv` in the run folder."""

from __future__ import annotations

import csv
from pathlib import Path

import kathrine
from kathrine.types import RunInfo, StepReport

FILE = "steps.csv"
COLUMNS = ("step", "stage", "loss", "seconds")


def rows_until(path: Path, step: int) -> list[list[str]]:
    """What an earlier process wrote, up to this step: what came after its checkpoint is trained again."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return [row for row in rows if int(row[0]) <= step]


class NewNameTracker(kathrine.Tracker):
    """`steps.csv`: step, stage, loss and seconds, for a spreadsheet."""

    name = "newname"
    _path: Path | None = None

    @kathrine.hookimpl
    def kathrine_step_end(self, run: RunInfo, report: StepReport) -> None:
        if self._path is None:  # made with the first step: only the process that is told of steps writes
            self._path = run.folder / FILE
            self._begin(self._path, run.resumed_from or 0)
        loss, seconds = report.metrics.get("loss.talker"), report.timing.get("seconds")
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow([report.step, report.stage, loss, seconds])

    def _begin(self, path: Path, step: int) -> None:
        rows = rows_until(path, step)
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        partial.replace(path)
