"""The run folder: what a run writes, and the rules for coming back to it."""

from __future__ import annotations

import difflib
import errno
import fcntl
import json
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from kathrine.corpus.files import write_text
from kathrine.errors import KathrineError
from kathrine.recipe.recipe import Recipe
from kathrine.recipe.tomlwriter import toml_value
from kathrine.shell import program
from kathrine.train.checkpoint import Saved, remove_partial, saved_checkpoints
from kathrine.train.state import only_longer

WITHOUT_EFFECT = {"speak", "export", "track", "evaluate"}
"""Tables that change nothing about training: a resumed run may have others."""
_UNUSED = re.compile(r"\.lock|console(\.\d+)?\.log")
"""What a run leaves that never came to train."""
WITHOUT_EFFECT_KEYS = {
    "run": {"folder", "name", "offline"},
    "train": {
        "gradient_checkpointing",
        "checkpoint_every",
        "keep_last",
        "keep_epochs",
        "keep_every",
        "export_from",
    },
}


def is_unused(name: str) -> bool:
    """Whether a file of a run folder says nothing of a run that could be gone on with."""
    return _UNUSED.fullmatch(name) is not None


class RunFolder:
    """`recipe.toml`, `versions.json`, `plan.json`, `console.log`, `metrics.jsonl`, `timing.jsonl`, `checkpoints/`,
    `samples/`, `drift.json`, `export/`, `outcome.json`, `report.html`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.recipe = path / "recipe.toml"
        self.console = path / "console.log"
        self.metrics = path / "metrics.jsonl"
        self.timing = path / "timing.jsonl"
        self.samples = path / "samples"
        self.export = path / "export"
        self._lock: Any = None

    @classmethod
    def of(cls, recipe: Recipe) -> RunFolder:
        return cls(Path(recipe.run.folder or Path("runs") / recipe.name).expanduser().absolute())

    def used(self) -> bool:
        """Whether something that a run needs lies in it."""
        return self.path.is_dir() and any(not is_unused(child.name) for child in self.path.iterdir())

    def has_begun(self) -> bool:
        """Whether there is a run to go on with; a log alone is one that was stopped in prepare."""
        return self.used() or self.console.is_file()

    def refuse_unless_ready(self, resume: bool) -> None:
        """Raises KathrineError where something lies in the folder and nobody asked to go on with it, or where somebody
        asked and nothing does."""
        if self.path.exists() and not self.path.is_dir():
            raise KathrineError(f"{self.path} is a file", "choose another run.folder")
        used = self.used()
        if used and not resume:
            raise KathrineError(
                f"the run folder {self.path} is not empty",
                "add --resume to go on with that run, or give this one another --folder",
            )
        if resume and not self.has_begun():
            raise KathrineError(
                f"there is no run to go on with in {self.path}",
                "leave --resume out to begin one, or name the run's folder with --folder",
            )
        if used and not self.recipe.is_file():
            raise KathrineError(f"{self.path} is not a run folder: it has no recipe.toml", "choose another --folder")

    def take(self) -> None:
        """Make the folder and hold it: two processes in one run folder would destroy each other's files."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = (self.path / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KathrineError(f"another process works in {self.path}", "wait for it, or stop it") from error
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP):  # a file system that knows no locks
                raise

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def newest_checkpoint(self) -> Saved | None:
        """The newest complete checkpoint; nothing is touched."""
        saved = saved_checkpoints(self.checkpoints)
        return saved[-1] if saved else None

    def last_checkpoint(self) -> Saved | None:
        """The newest complete checkpoint; half-written ones are removed."""
        remove_partial(self.checkpoints)
        return self.newest_checkpoint()

    def cut_back(self, metrics_bytes: int, timing_bytes: int) -> None:
        """Forget what was written after the checkpoint that the run goes on from."""
        for path, size in ((self.metrics, metrics_bytes), (self.timing, timing_bytes)):
            if path.is_file():
                with path.open("r+b") as file:
                    file.truncate(size)

    def fresh_console(self) -> None:
        """Make room for a new `console.log`; older logs move up to console.1.log and so on."""
        if self.console.is_file():
            older = sorted(self.path.glob("console.*.log"), key=lambda path: int(path.suffixes[-2][1:]))
            for path in reversed(older):
                path.rename(self.path / f"console.{int(path.suffixes[-2][1:]) + 1}.log")
            self.console.rename(self.path / "console.1.log")

    def changed_versions(self, facts: Mapping[str, Any]) -> str:
        """A sentence about what a resumed run is no longer made with, or an empty string.

        Given: facts, as for `write_start`. Bits are the same only with the same packages, device and threads.
        """
        path = self.path / "versions.json"
        if not path.is_file():
            return ""
        old, new = json.loads(path.read_text(encoding="utf-8")), {**versions(), **facts}
        told = []
        for name in ("python", "packages", "device", "threads"):
            before, now = old.get(name), new.get(name)
            if isinstance(before, dict) and isinstance(now, dict):
                told += [f"{key} {before.get(key)} -> {now[key]}" for key in now if before.get(key) != now[key]]
            elif before != now:
                told.append(f"{name} {before} -> {now}")
        return f"since this run began: {', '.join(told)}; numbers may differ in their last digits" if told else ""

    def write_start(self, recipe: Recipe, facts: Mapping[str, Any]) -> None:
        """`recipe.toml` and `versions.json`."""
        write_text(self.recipe, recipe.toml())
        write_text(self.path / "versions.json", json.dumps({**versions(), **facts}, indent=1) + "\n")


def versions() -> dict[str, Any]:
    """What a run was made with."""
    names = ("kathrine", "torch", "transformers", "peft", "accelerate", "numpy", "safetensors", "pyarrow")
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    plugins = {point.name: f"{point.dist.name} {point.dist.version}" for point in _plugins() if point.dist}
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": found,
        "plugins": plugins,
    }


def _plugins() -> Sequence[metadata.EntryPoint]:
    return sorted(metadata.entry_points(group="kathrine"), key=lambda point: point.name)


# --------------------------------------------------------------------------- the same recipe?


def relevant(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a resolved recipe that training depends on."""
    kept = {name: table for name, table in document.items() if name not in WITHOUT_EFFECT}
    for table, keys in WITHOUT_EFFECT_KEYS.items():
        kept[table] = {name: value for name, value in document[table].items() if name not in keys}
    return kept


def recipe_diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Differences that matter between two resolved recipes, as a unified diff; empty where there are none.

    One line a key, with its whole path, so that each line can be read without any context.
    """
    before, after = (flat(relevant(document)) for document in (old, new))
    lines = difflib.unified_diff(before, after, "recipe.toml of the run", "the recipe now", lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith("@@"))


def flat(document: Mapping[str, Any]) -> list[str]:
    """`path.to.key = value` for every key; tables keep their order, since that of strategies has a
    meaning."""
    lines: list[str] = []

    def nested(value: Any) -> bool:
        return isinstance(value, Mapping) or (
            isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)
        )

    def walk(path: str, value: Any) -> None:
        if isinstance(value, Mapping):
            # plain values first, as TOML has them: a document and what was read back from a file agree
            for name, inner in sorted(value.items(), key=lambda pair: nested(pair[1])):
                walk(f"{path}.{name}" if path else name, inner)
        elif nested(value):
            for number, one in enumerate(value):
                walk(f"{path}.{one.get('name', number)}", one)
        else:
            lines.append(f"{path} = {toml_value(value)}")

    walk("", document)
    return lines


def check_same_run(
    folder: RunFolder,
    recipe: Recipe,
    old: Mapping[str, Any],
    saved: Saved | None,
    stages: Sequence[Mapping[str, Any]] | None,
) -> str:
    """Refuse to go on with a run under a recipe that would have led elsewhere.

    Given: old, the document of the run folder's recipe.toml; stages, the plan that the recipe gives now, or None
    before it is known: a recipe that differs in its lengths alone then passes, to be asked about again.
    Returns: a sentence about an allowed change, or an empty string.
    Raises: KathrineError with the diff.
    """
    diff = recipe_diff(old, recipe.document)
    if not diff or saved is None:
        return "the recipe has changed, but the run had no checkpoint yet" if diff else ""
    marked = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    changed = {line[1:].split(" = ")[0] for line in marked}
    lengths = all(key in ("train.steps", "train.epochs") or key.startswith("curriculum.") for key in changed)
    if lengths and stages is None:
        return ""
    longer = lengths and stages is not None and only_longer(saved.state["stages"], stages)
    if longer and recipe.train.schedule == "constant":
        return "the run is longer now than when it began: " + ", ".join(sorted(changed))
    if longer:
        hint = (
            'only the length differs, but with train.schedule = "cosine" learning rates follow from it: '
            "more steps make another run. Take the recipe as it was, or start anew with another --folder"
        )
    else:
        again = f"{program()} run {folder.recipe} --folder {folder.path} --resume"
        hint = f"take the recipe as it was ({again}), or another --folder"
    raise KathrineError(f"the recipe has changed since {folder.path} began:\n{diff}", hint)
