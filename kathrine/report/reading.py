"""A run folder as plain data: what was planned, measured, spoken, saved and exported.

Reads a run in progress, one that was killed, and one that failed: what is missing is empty, what can not be read is
named in `problems`. A million updates take 16 bytes for each number, not a dictionary each. Imports no torch.
"""

from __future__ import annotations

import json
import math
import time
import tomllib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError
from kathrine.report.curves import Point
from kathrine.speech.noise import Sounding, noise_trend
from kathrine.train.checkpoint import Saved

UNFINISHED = "unfinished"
"""The status of a run that has not told how it ended: it runs, or was killed."""
STATUS = {
    "running": "running",
    "finished": "finished",
    "stopped_early": "stopped early: validations brought nothing more",
    "interrupted": "interrupted; everything is saved",
    "failed": "failed",
    UNFINISHED: "not finished: it is running, or was killed",
}


@dataclass(slots=True)
class Column:
    """One number over the run: steps and values, NaN where it was not finite."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, step: int, value: float | None) -> None:
        self.steps.append(step)
        self.values.append(math.nan if value is None else value)

    def points(self) -> list[Point]:
        return list(zip(self.steps, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class Spoken:
    """Sentences spoken at a step, or at the end (`final`). takes: as `samples.json` has them, `file` under folder."""

    step: int | None
    folder: Path
    takes: Sequence[Mapping[str, Any]]

    @property
    def final(self) -> bool:
        return self.step is None


@dataclass(slots=True)
class RunRead:
    """Everything that a page about a run is made of.

    columns: numbers of the updates by name; timing: those that depend on the clock. last: the newest update's line.
    validations, samples: lines of metrics.jsonl, in order. stages: step before the first update of each stage, and its
    name. plan: what the run told at its start. outcome: how it ended; empty before that.
    """

    path: Path
    name: str
    recipe: dict[str, Any] = field(default_factory=dict)
    recipe_text: str = ""
    versions: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    outcome: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    timing: dict[str, Column] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    validations: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    stages: list[tuple[int, str]] = field(default_factory=list)
    checkpoints: list[Saved] = field(default_factory=list)
    spoken: list[Spoken] = field(default_factory=list)
    exports: list[Path] = field(default_factory=list)
    evaluation: dict[str, Any] = field(default_factory=dict)
    drift: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    touched: float = 0.0

    @property
    def step(self) -> int:
        """Updates made."""
        return int(self.last.get("step", 0))

    @property
    def total_steps(self) -> int | None:
        return self.plan.get("total_steps")

    @property
    def status(self) -> str:
        return str(self.outcome.get("status", UNFINISHED))

    @property
    def state(self) -> Mapping[str, Any]:
        """Of the newest checkpoint."""
        return self.checkpoints[-1].state if self.checkpoints else {}

    @property
    def best_step(self) -> int | None:
        """Of the newest validation that was the best one so far."""
        best = [line["step"] for line in self.validations if line.get("improved") and line["step"]]
        return best[-1] if best else None

    def validation_at(self, step: int | None) -> Mapping[str, Any]:
        """The line of the validation after this step; empty where there was none."""
        return next((line for line in reversed(self.validations) if line["step"] == step), {})

    def before_noise(self) -> list[int]:
        """Steps after which samples grew noisier at two checkpoints in a row while the loss fell."""
        found: list[int] = []
        history: list[Sounding] = []
        for line in self.samples:
            loss = self.validation_at(line["step"]).get("validation.score")
            noise = {name: line.get(f"samples.{name}") for name in ("floor_db", "flatness", "high_db")}
            if isinstance(loss, float) and all(isinstance(value, float) for value in noise.values()):
                history.append(Sounding(line["step"], loss, {name: float(value or 0) for name, value in noise.items()}))
                before = noise_trend(history)
                if before is not None and before not in found:
                    found.append(before)
        return found


def read_run(path: Path) -> RunRead:
    """Read a run folder. Raises: KathrineError where the folder is none."""
    if not (path / "recipe.toml").is_file():
        raise KathrineError(f"{path} is not a run folder: it has no recipe.toml", "name a folder that `run` wrote")
    run = RunRead(path, path.name)
    try:
        run.recipe_text = (path / "recipe.toml").read_text(encoding="utf-8")
        run.recipe = tomllib.loads(run.recipe_text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        run.problems.append(f"recipe.toml can not be read: {error}")
    run.name = str(run.recipe.get("run", {}).get("name") or path.name)
    run.versions, run.plan = _document(run, "versions.json"), _document(run, "plan.json")
    run.outcome = _document(run, "outcome.json")
    run.evaluation, run.drift = _document(run, "evaluation/results.json"), _document(run, "drift.json")
    _read_metrics(run)
    for line in _lines(run, "timing.jsonl"):
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float):
                run.timing.setdefault(name, Column()).add(line["step"], float(value))
    run.checkpoints = list(_checkpoints(run))
    run.spoken = list(_spoken(run))
    exports = path / "export"
    run.exports = sorted(one for one in exports.iterdir() if one.is_dir()) if exports.is_dir() else []
    return run


def _document(run: RunRead, name: str) -> dict[str, Any]:
    """A JSON object of the folder; empty where there is none, and where it can not be read."""
    path = run.path / name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        run.problems.append(f"{name} can not be read: {error}")
        return {}
    if isinstance(found, dict):
        return found
    return {"results": found}


def _lines(run: RunRead, name: str) -> Iterator[dict[str, Any]]:
    """Whole lines of a JSONL file. The last one is left out while it is being written; others that can not be read
    are counted as a problem."""
    path = run.path / name
    if not path.is_file():
        return
    run.touched = max(run.touched, path.stat().st_mtime)
    bad = 0
    with path.open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                break
            try:
                line = json.loads(raw)
                int(line["step"])
            except (ValueError, KeyError, TypeError):
                bad += 1
                continue
            yield line
    if bad:
        run.problems.append(f"{name}: {bad} lines can not be read")


def _read_metrics(run: RunRead) -> None:
    for line in _lines(run, "metrics.jsonl"):
        kind, step = line.get("kind"), line["step"]
        if kind == "step":
            if not run.stages or run.stages[-1][1] != line.get("stage"):
                run.stages.append((step - 1, str(line.get("stage"))))
            for name, value in line.items():
                if name not in ("kind", "step", "stage") and (value is None or isinstance(value, int | float)):
                    run.columns.setdefault(name, Column()).add(step, value)
            run.last = line
        elif kind == "validation":
            run.validations.append(line)
        elif kind == "samples":
            run.samples.append(line)


def _checkpoints(run: RunRead) -> Iterator[Saved]:
    """Complete checkpoints, oldest first; one may go while it is looked at."""
    folder = run.path / "checkpoints"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.name.isdigit():
            continue
        try:
            document = json.loads((path / "state.json").read_text(encoding="utf-8"))
            yield Saved(path, document["step"], tuple(document["reasons"]), document["state"])
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            run.problems.append(f"checkpoints/{path.name} can not be read: {error}")


def _spoken(run: RunRead) -> Iterator[Spoken]:
    """Spoken sentences: of the end first, then newest to oldest."""
    folder = run.path / "samples"
    steps = sorted((path for path in folder.iterdir() if path.name.isdigit()), reverse=True) if folder.is_dir() else []
    for place, step in ((folder, None), *((path, int(path.name)) for path in steps)):
        name = (place / "samples.json").relative_to(run.path).as_posix()
        takes = _document(run, name).get("results", [])
        usable = [take for take in takes if isinstance(take, dict) and {"text", "file"} <= set(take)]
        if usable:
            yield Spoken(step, place, usable)


def sound_of(spoken: Spoken, take: Mapping[str, Any]) -> Path:
    """The file of a take; never one outside its folder."""
    return spoken.folder / Path(str(take["file"])).name


def age(run: RunRead) -> str:
    """How long ago the run wrote its last number, in words; empty where it has written none."""
    if not run.touched:
        return ""
    minutes = max(0.0, time.time() - run.touched) / 60
    if minutes < 2:
        return "a moment ago"
    return f"{minutes:.0f} minutes ago" if minutes < 120 else f"{minutes / 60:.0f} hours ago"
