"""A folder on disk to a repository of the Hub, in one commit: what is there already is not sent, and before the commit
nobody sees any of it.

`upload_folder` of the client makes several commits where Xet is at hand, so it is not used: half an upload could be
taken for a whole one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import Progress
from kathrine.corpus.keys import file_digest
from kathrine.errors import KathrineError
from kathrine.hublayout import FORMAT, INDEX, read_index
from kathrine_hub.cards import refused

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from kathrine_hub.staging import Layout

CARD = "README.md"
ALONE = 2**18
"""Bytes from which a file is sent by itself, so that progress is seen and Ctrl-C waits for no other one."""


@dataclass(frozen=True)
class There:
    """A branch of a repository as it is. files: name -> (bytes, SHA-256 of what is kept in LFS or else empty, git's
    SHA-1). index: what kathrine wrote about it, empty where it did not."""

    commit: str
    files: Mapping[str, tuple[int, str, str]]
    index: Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """A branch of a repository. kind: model or dataset."""

    repo: str
    kind: str
    revision: str

    @property
    def location(self) -> str:
        """Where its files are fetched from, with a slash at the end."""
        from huggingface_hub import constants

        folder = "datasets/" if self.kind == "dataset" else ""
        return f"{constants.ENDPOINT}/{folder}{self.repo}/resolve/{self.revision}/"

    @property
    def address(self) -> str:
        """Where people look at it."""
        from huggingface_hub import constants

        folder = "datasets/" if self.kind == "dataset" else ""
        tree = "" if self.revision == "main" else f"/tree/{self.revision}"
        return f"{constants.ENDPOINT}/{folder}{self.repo}{tree}"


def look(api: HfApi, target: Target, cache: Path) -> There:
    """What lies on a branch."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.hf_api import RepoFile

    commit = api.repo_info(target.repo, repo_type=target.kind, revision=target.revision).sha or ""
    files = {}
    for entry in api.list_repo_tree(target.repo, recursive=True, revision=commit, repo_type=target.kind):
        if isinstance(entry, RepoFile):
            files[entry.path] = (entry.size, entry.lfs.sha256 if entry.lfs is not None else "", entry.blob_id)
    index: Mapping[str, Any] = {}
    if INDEX in files:
        path = hf_hub_download(target.repo, INDEX, repo_type=target.kind, revision=commit, cache_dir=cache)
        index = read_index(Path(path))
    return There(commit, files, index)


def git_sha1(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_same(path: Path, there: tuple[int, str, str] | None) -> bool:
    """Whether a local file has the bytes that a repository has."""
    if there is None or there[0] != path.stat().st_size:
        return False
    return file_digest(path) == there[1] if there[1] else git_sha1(path) == there[2]


def new_index(layout: Layout, there: There, run: str, root_files: Iterable[str], complete: bool) -> dict[str, Any]:
    """The index after an upload. complete: everything that the run wants there is in it; else what lies there besides
    stays known."""
    old = {} if complete else there.index
    files = list(root_files) if layout.root or complete else [name for name in old.get("files", ()) if name != INDEX]
    return {
        "format": FORMAT,
        "run": run,
        "root": layout.root or old.get("root", ""),
        "folders": dict(sorted({**old.get("folders", {}), **layout.folders}.items())),
        "files": sorted({*files, INDEX}),
    }


def stale_files(layout: Layout, there: There, local: Iterable[str], complete: bool) -> list[str]:
    """Files of the repository that are kathrine's and are no longer wanted. What others put there is left alone."""
    folders = {*layout.folders, *(there.index.get("folders", {}) if complete else ())}
    root = set(there.index.get("files", ())) if complete or layout.root else set()
    keep = set(local)

    def ours(name: str) -> bool:
        return name in root or ("/" in name and name.partition("/")[0] in folders)

    return sorted(name for name in there.files if name not in keep and ours(name))


def upload(
    api: HfApi,
    target: Target,
    there: There,
    tree: Path,
    layout: Layout,
    run: str,
    complete: bool,
    message: str,
    progress: Progress,
) -> tuple[str, int]:
    """Make a branch hold what lies in `tree`. Returns: the commit, and how many files were sent or removed; 0 where
    everything was there and nothing was written."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    below = [path for path in sorted(tree.rglob("*")) if path.is_file()]
    local = {path.relative_to(tree).as_posix(): path for path in below}
    roots = [name for name in local if name.partition("/")[0] not in layout.folders]
    index = new_index(layout, there, run, roots, complete)
    local[INDEX] = tree / INDEX
    local[INDEX].write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    stale = stale_files(layout, there, local, complete)
    with progress.task(f"comparing {len(local)} files with {target.repo}"):
        changed = {name: path for name, path in local.items() if not is_same(path, there.files.get(name))}
    if not changed and not stale:
        return there.commit, 0
    if CARD in changed:
        refuse_card(changed[CARD], target)
    additions = {name: CommitOperationAdd(name, path) for name, path in changed.items()}
    send(api, target, additions, progress)
    done = api.create_commit(
        target.repo,
        [*(CommitOperationDelete(name, is_folder=False) for name in stale), *additions.values()],
        repo_type=target.kind,
        revision=target.revision,
        commit_message=message,
        parent_commit=there.commit,
    )
    return done.oid, len(changed) + len(stale)


def refuse_card(path: Path, target: Target) -> None:
    """Raises: KathrineError where the Hub would not take the card at the root, before anything is sent."""
    problems = refused(path.read_text(encoding="utf-8"), target.kind)
    if problems:
        raise KathrineError(
            f"the Hub does not take the card for {target.repo}: {'; '.join(problems)}",
            "set what it lacks in the table of the exporter that writes it, or in README.md of the export",
        )


def send(api: HfApi, target: Target, additions: Mapping[str, Any], progress: Progress) -> None:
    """Send the contents of large files, which no commit shows yet; those that are stored already are not sent."""
    sizes = {name: one.upload_info.size for name, one in additions.items()}
    total, done, began = sum(sizes.values()), 0, time.monotonic()
    what = f"uploading {len(additions)} files to {target.repo}"
    with progress.task(f"{what} ({total / 1e6:.1f} MB)", total=total) as advance:
        for name, size in sorted(sizes.items(), key=lambda pair: pair[1]):
            if size >= ALONE or name.endswith((".safetensors", ".bin", ".parquet", ".wav", ".gz")):
                api.preupload_lfs_files(
                    target.repo,
                    [additions[name]],
                    repo_type=target.kind,
                    revision=target.revision,
                    free_memory=False,
                )
            done += size
            rate = done / 1e6 / max(1e-3, time.monotonic() - began)
            advance(size, description=f"{what} ({done / 1e6:.1f} of {total / 1e6:.1f} MB, {rate:.1f} MB/s)")
