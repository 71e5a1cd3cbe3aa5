"""`kathrine run RECIPE --resume hub:OWNER/NAME`: the state of a run, brought from the Hub into an empty run folder.

What lies there is looked at first, so that another run, or a repository without a state, is refused before anything
large is fetched. Every file is compared with its SHA-256; the folder gets its name when all of it is there.
"""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kathrine.components import Progress
from kathrine.corpus.files import link_or_copy, sync
from kathrine.corpus.keys import file_digest
from kathrine.errors import KathrineError
from kathrine.hublayout import COMPLETE, STATE, parse_place
from kathrine.recipe.recipe import Recipe
from kathrine.shell import environment, same_command
from kathrine.train.checkpoint import Saved
from kathrine.train.folder import RunFolder, check_same_run, is_unused
from kathrine.train.processes import launched_rank
from kathrine.workspace import Workspace

LINKED = (".safetensors", ".bin")
"""Never written to again: they may share their bytes with the client's cache."""


@dataclass(frozen=True, slots=True)
class StateThere:
    """A state on the Hub. folder: in the repository. commit: at which it is read. sizes: bytes by name below the
    folder. hashes: SHA-256 by the same."""

    repo: str
    commit: str
    folder: str
    sizes: dict[str, int]
    hashes: dict[str, str]
    step: int


def bring_state(place: str, recipe: Recipe, folder: RunFolder, workspace: Workspace, progress: Progress) -> None:
    """Fill an empty run folder with the state of a run that lies on the Hub.

    Given: place, `hub:OWNER/NAME[@REVISION][/FOLDER]`. Processes other than the first one wait for it.
    Raises: KathrineError where the folder is not empty, nothing may be fetched, no state lies there, it is that of
    another recipe, or a file is damaged.
    """
    repo, revision, below = parse_place(place)
    if launched_rank() != 0:
        while not folder.recipe.is_file():  # a first process that fails ends this one through the launcher
            time.sleep(0.5)
        return
    left = sorted(child.name for child in folder.path.iterdir()) if folder.path.is_dir() else []
    if any(not is_unused(name) for name in left):
        raise KathrineError(
            f"the run folder {folder.path} is not empty: nothing is brought from the Hub",
            "add plain --resume to go on with that run, or give this one another --folder",
        )
    if recipe.run.offline:
        raise KathrineError(f"{place} can not be fetched with run.offline = true", "--set run.offline=false")
    partial = folder.path.with_name(f".{folder.path.name}.partial")
    there = find_state(repo, revision, below or STATE, workspace.hub)
    progress.say(f"{place}: the state of step {there.step}, commit {there.commit[:12]}")
    refuse_another_run(there, recipe, folder, workspace.hub)
    shutil.rmtree(partial, ignore_errors=True)  # of another try; what it fetched is in the client's cache
    partial.mkdir(parents=True)
    total = sum(there.sizes[name] for name in there.hashes)
    with progress.task(f"fetching the state of step {there.step} from {repo}", total=total) as advance:
        for name in sorted(there.hashes):
            put(whole_file(there, name, workspace.hub, progress.say, advance), partial / name)
    for name in left:
        if name.endswith(".log"):
            (folder.path / name).rename(partial / name)
        else:
            (folder.path / name).unlink()
    if folder.path.is_dir():
        folder.path.rmdir()
    partial.rename(folder.path)
    progress.say(f"brought into {folder.path}")


def find_state(repo: str, revision: str, folder: str, cache: Path) -> StateThere:
    """The state that lies in a repository. Raises: KathrineError that says what lies there instead."""
    from huggingface_hub import HfApi, hf_hub_download

    from kathrine.hubfiles import bar_for, client_is_offline, hub_errors

    what = f"{repo}@{revision}" if revision else repo
    if client_is_offline():
        raise KathrineError(f"{what} can not be fetched: the Hub's client is offline", "unset HF_HUB_OFFLINE")
    with hub_errors(what):
        api = HfApi()
        commit = api.repo_info(repo, revision=revision or None).sha or ""
        tree = list(api.list_repo_tree(repo, recursive=True, revision=commit))
    every = {entry.path: entry.size for entry in tree if hasattr(entry, "size")}
    sizes = {name.removeprefix(f"{folder}/"): size for name, size in every.items() if name.startswith(f"{folder}/")}
    if COMPLETE not in sizes:
        held = ", ".join(sorted({name.partition("/")[0] for name in every if "/" in name})) or "no folders"
        raise KathrineError(
            f"{what} holds no state of a run in {folder}/",
            f'it has {held}; a run uploads its state with what = [..., "{STATE}"] in [export.hub], or later with '
            f"`kathrine push RUN --what {STATE}`",
        )
    with hub_errors(what):
        path = hf_hub_download(repo, f"{folder}/{COMPLETE}", revision=commit, cache_dir=cache, tqdm_class=bar_for(None))
    told = json.loads(Path(path).read_text(encoding="utf-8"))
    hashes = dict(told["files"])
    wrong = [name for name in hashes if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts]
    lacking = [name for name in hashes if name not in sizes]
    if wrong or lacking:
        raise KathrineError(
            f"the state in {what} is not whole: {', '.join([*wrong, *lacking][:3])}", "name another revision"
        )
    return StateThere(repo, commit, folder, sizes, hashes, int(told["step"]))


def refuse_another_run(there: StateThere, recipe: Recipe, folder: RunFolder, cache: Path) -> None:
    """Raises: KathrineError, as `check_same_run`, before anything large is fetched."""
    text = whole_file(there, "recipe.toml", cache).read_text(encoding="utf-8")
    name = f"checkpoints/{there.step:08d}/state.json"
    if name not in there.hashes:
        raise KathrineError(
            f"the state in {there.repo} has no checkpoint of step {there.step}", "name another revision"
        )
    document: dict[str, Any] = json.loads(whole_file(there, name, cache).read_text(encoding="utf-8"))
    saved = Saved(folder.checkpoints, document["step"], tuple(document["reasons"]), document["state"])
    try:
        check_same_run(folder, recipe, tomllib.loads(text), saved, None)
    except KathrineError as error:
        message = error.message.replace(f"{folder.path} began", f"the run in {there.repo} began")
        raise KathrineError(message, "take the recipe as it was (it lies there as state/recipe.toml)") from error


def whole_file(
    there: StateThere,
    name: str,
    cache: Path,
    say: Callable[[str], Any] | None = None,
    advance: Callable[..., Any] | None = None,
) -> Path:
    """A file of a state in the client's cache, proven to be the one that was uploaded; fetched once more where what
    came is damaged."""
    from huggingface_hub import hf_hub_download

    from kathrine.hubfiles import bar_for, hub_errors, patiently

    def download(force: bool) -> Path:
        def ask() -> str:
            return hf_hub_download(
                there.repo,
                f"{there.folder}/{name}",
                revision=there.commit,
                cache_dir=cache,
                force_download=force,
                tqdm_class=bar_for(None),
            )

        with hub_errors(f"{there.repo}: {name}"):
            return Path(patiently(ask, lambda wait: say(f"the Hub is busy, again in {wait} s") if say else None))

    for force in (False, True):
        path = download(force)
        if file_digest(path) == there.hashes[name]:
            if advance is not None:
                advance(there.sizes[name])
            return path
        if say is not None:
            say(f"{name}: came damaged, fetching it again")
    raise KathrineError(
        f"{there.repo}: {name} is damaged: its SHA-256 is not that of the upload",
        f"try again later: {environment()}{same_command()}",
    )


def put(source: Path, target: Path) -> None:
    """A file of the cache under its name in the run folder, flushed to the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if target.name.endswith(LINKED):
        link_or_copy(source.resolve(), target)
    else:
        shutil.copyfile(source, target)
    sync(target)
