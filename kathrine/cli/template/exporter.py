"""The exporter `newname`: a table of what was trained, and how far it has moved."""

from __future__ import annotations

import csv
import shutil
import tempfile
from pathlib import Path

import kathrine
from kathrine.components import Progress
from kathrine.types import ExportResult

FILE = "trained.csv"
COLUMNS = ("strategy", "name", "shape", "parameters", "length")

Row = tuple[str, str, str, str, str]


def table(run: kathrine.FinishedRun) -> list[Row]:
    """A row for each trained tensor: whose it is, its shape, and its Euclidean length."""
    rows = []
    for claim in run.claims:
        for name in (*claim.trains, *(spec.name for spec in claim.adds)):
            tensor = run.trainable[name]
            shape = "x".join(map(str, tensor.shape))
            length = f"{float(tensor.double().norm()):.6g}"
            rows.append((claim.strategy, name, shape, str(tensor.numel()), length))
    return rows


def write(path: Path, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return [(strategy, name, shape, count, length) for strategy, name, shape, count, length in rows]


class NewNameExporter(kathrine.Exporter):
    """A table of the trained weights, for a spreadsheet."""

    name = "newname"

    def export(self, run: kathrine.FinishedRun, folder: Path, progress: Progress) -> ExportResult:
        if folder.exists() and any(folder.iterdir()):
            raise kathrine.KathrineError(f"{folder} holds something already", "move it away first")
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Written beside its place and renamed at the end: a folder that exists is complete.
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            rows = table(run)
            write(partial / FILE, rows)
            if read(partial / FILE) != rows:
                raise kathrine.KathrineError(f"{FILE} does not read back as it was written", "is the disk full?")
            partial.chmod(0o755)
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        parameters = sum(int(count) for _, _, _, count, _ in rows)
        return ExportResult(self.label, folder, (FILE,), {"rows read back": len(rows), "parameters": parameters})
