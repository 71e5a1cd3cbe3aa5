"""What is to lie in the repository, laid out on disk first: large files as second names, so that nothing a run removes
or writes meanwhile can change what is uploaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kathrine.components import Exporter, Progress
from kathrine.corpus.files import link_or_copy, write_json
from kathrine.corpus.keys import file_digest
from kathrine.errors import KathrineError
from kathrine.hublayout import CHECKPOINTS, COMPLETE, LOGS, STATE
from kathrine.progress import SilentProgress
from kathrine.train.checkpoint import kept_reasons, saved_checkpoints

PLACE = ".hub"
"""In a run folder: what is being uploaded. Left by a process that was killed, removed by the next one."""
LARGE = 2**20
LOG_FILES = (
    *("metrics.jsonl", "timing.jsonl", "plan.json", "versions.json", "recipe.toml", "drift.json", "outcome.json"),
    "report.html",
)
STATE_FILES = ("recipe.toml", "versions.json", "plan.json", "metrics.jsonl", "timing.jsonl")


@dataclass(frozen=True)
class Layout:
    """Where things lie in a repository. root: label of the export at the root, or empty. folders: name -> what it is
    (`export`, `state`, `logs`, `checkpoints`)."""

    root: str = ""
    folders: Mapping[str, str] = field(default_factory=dict)


def arrange(labels: Sequence[str], own: Sequence[str], checkpoints: bool, root_there: str = "") -> Layout:
    """The layout of an upload.

    Given: labels of exports; own, of state and logs; root_there, the label that keeps the root, where only a part of a
    repository is uploaded.
    """
    root = (root_there or labels[0]) if labels else ""
    folders = {label: "export" for label in labels if label != root}
    folders |= {name: name for name in own}
    if checkpoints:
        folders[CHECKPOINTS] = CHECKPOINTS
    return Layout(root if root in labels else "", folders)


@contextmanager
def staging(run: Path, name: str) -> Iterator[Path]:
    """A fresh folder to lay out an upload in, removed afterwards."""
    folder = run / PLACE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear(run: Path) -> None:
    """Remove what a killed process left."""
    shutil.rmtree(run / PLACE, ignore_errors=True)


def place(source: Path, target: Path, changes: bool = False) -> None:
    """A file under another name: the same bytes on disk where it is large and nobody writes to it again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if changes or source.stat().st_size < LARGE:
        shutil.copyfile(source, target)
    else:
        link_or_copy(source, target)


def place_folder(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            place(path, target / path.relative_to(source))


def stage_export(exporter: Exporter, run: Path, source: Path, target: Path, location: str, progress: Progress) -> None:
    """An export's folder, with its card written for the place where it will lie; one edited by hand stays, and is
    told."""
    place_folder(source, target)
    told = SilentProgress()
    exporter.refresh_card(run, target, location, told)
    for line in told.warned:
        progress.warn(line.replace(str(target), str(source)))  # the copy is of no use to anybody


def stage_logs(run: Path, target: Path) -> None:
    """What a run wrote down; of its logs the older ones too."""
    for path in [*sorted(run.glob("console*.log")), *(run / name for name in LOG_FILES)]:
        if path.is_file():
            place(path, target / path.name, changes=True)


def stage_state(run: Path, target: Path) -> int:
    """A run folder to go on from: recipe, metrics, and every checkpoint that is more than one of the last. Returns: the
    newest one's step.

    Raises: KathrineError where there is no checkpoint.
    """
    saved = saved_checkpoints(run / "checkpoints")
    if not saved:
        raise KathrineError(f"{run} has no checkpoint, so no state to go on from", "leave state out")
    reasons = kept_reasons(saved, 1)
    for one in saved:
        if reasons[one.step]:
            place_folder(one.folder, target / "checkpoints" / one.folder.name)
    for name in STATE_FILES:
        if (run / name).is_file():
            place(run / name, target / name, changes=True)
    files = {
        path.relative_to(target).as_posix(): file_digest(path) for path in sorted(target.rglob("*")) if path.is_file()
    }
    write_json(target / COMPLETE, {"format": 1, "step": saved[-1].step, "files": files})
    return saved[-1].step


def snapshot(run: Path, target: Path) -> None:
    """The state and the logs of a run as of now, in a folder like the run's."""
    shutil.rmtree(target, ignore_errors=True)
    saved = saved_checkpoints(run / "checkpoints")
    reasons = kept_reasons(saved, 1)
    for one in saved:
        if reasons[one.step]:
            place_folder(one.folder, target / "checkpoints" / one.folder.name)
    stage_logs(run, target)


def stage(
    layout: Layout,
    run: Path,
    hub: Path,
    exporters: Mapping[str, Exporter],
    tree: Path,
    location: str,
    progress: Progress,
) -> None:
    """Lay out all of an upload.

    Given: run, the run's folder; hub, this exporter's own, which holds exported checkpoints; location, address of the
    repository's files at the branch, with a slash at its end.
    """
    for label in (layout.root, *(name for name, what in layout.folders.items() if what == "export")):
        if label:
            below = "" if label == layout.root else f"{label}/"
            stage_export(exporters[label], run, run / "export" / label, tree / below, location + below, progress)
    if STATE in layout.folders:
        stage_state(run, tree / STATE)
    if LOGS in layout.folders:
        stage_logs(run, tree / LOGS)
    if CHECKPOINTS in layout.folders:
        for one in sorted((hub / CHECKPOINTS).iterdir()):
            below = f"{CHECKPOINTS}/{one.name}/"
            stage_export(exporters[layout.root], run, one, tree / below, location + below, progress)
