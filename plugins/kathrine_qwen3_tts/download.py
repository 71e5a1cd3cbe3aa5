"""Checkpoints from the Hub: the published files only, checked; damaged ones are fetched again once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.integrity import INDEX, PUBLISHED, FileProblem, find_problems, sentence

PATTERNS = (*PUBLISHED, INDEX, "model-*-of-*.safetensors")
TIMEOUT_SECONDS = 10
REMEDY = (
    "run with --profile smoke (it uses the embedded model kathrine:tiny), or name a local folder that holds the files"
)


def fetch(checkpoint: str, workspace: Path, revision: str | None, offline: bool | None) -> tuple[Path, str]:
    """Download a checkpoint, or find it in the cache below the workspace.

    Returns:
        Its folder, with every file checked, and the commit.

    Raises:
        KathrineError: unknown or closed to this account; no network and nothing cached; or a file that is
            still damaged after it was fetched a second time.
    """
    from huggingface_hub import constants

    cache, marks = workspace / "hub", workspace / "verified"
    offline = constants.HF_HUB_OFFLINE if offline is None else offline
    why_not = "the network is switched off" if offline else _reach(checkpoint, revision)
    folder = _download(checkpoint, cache, revision, why_not)
    problems = find_problems(folder, marks=marks)
    if problems and not why_not:
        for problem in problems:
            _remove(folder / problem.file)
        folder = _download(checkpoint, cache, revision, why_not)
        problems = find_problems(folder, marks=marks)
    if problems:
        raise KathrineError(f"{checkpoint}: {sentence(problems)}", _remedy(problems, reached=not why_not))
    return folder, folder.name


def _reach(checkpoint: str, revision: str | None) -> str:
    """Ask the Hub for a repository, with a time limit (the client's own download has none).

    Returns:
        An empty string where it answered, else why it could not be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        HfApi().model_info(checkpoint, revision=revision, timeout=TIMEOUT_SECONDS)
    except GatedRepoError as error:
        raise KathrineError(
            f"the Hub does not let this account read {checkpoint}",
            "accept its terms on its page, then log in with `hf auth login`",
        ) from error
    except RevisionNotFoundError as error:
        raise KathrineError(f"{checkpoint} has no revision {revision!r}", "leave the revision out") from error
    except RepositoryNotFoundError as error:
        raise KathrineError(
            f"there is no folder {checkpoint!r}, and the Hub knows no model by that name",
            "check the spelling; a private model needs `hf auth login` first",
        ) from error
    except Exception as error:  # noqa: BLE001 - any network trouble: what is cached may do; else this is reported
        return _first_line(error)
    return ""


def _download(checkpoint: str, cache: Path, revision: str | None, why_not: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            checkpoint,
            revision=revision,
            cache_dir=cache,
            allow_patterns=list(PATTERNS),
            local_files_only=bool(why_not),
        )
    except Exception as error:  # the client raises many kinds for one matter; all are passed on
        if not why_not:
            raise KathrineError(
                f"fetching {checkpoint} from the Hub failed ({_first_line(error)})",
                "try again; it goes on where it was",
            ) from error
        cached = cached_snapshot(checkpoint, cache, revision)
        if cached is None:
            raise KathrineError(
                f"{checkpoint} is not cached, and the Hub can not be reached ({why_not})", REMEDY
            ) from error
        return cached
    return Path(folder)


def cached_snapshot(checkpoint: str, cache: Path, revision: str | None) -> Path | None:
    """An incomplete snapshot, so that its missing files can be named."""
    home = cache / f"models--{checkpoint.replace('/', '--')}"
    reference = home / "refs" / (revision or "main")
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision or ""
    folder = home / "snapshots" / commit
    return folder if commit and folder.is_dir() else None


def _remove(path: Path) -> None:
    """Remove a damaged file with the blob that its link points to, so that the client fetches it again."""
    target = path.resolve()
    path.unlink(missing_ok=True)
    if target.parent.name == "blobs":
        target.unlink(missing_ok=True)
    for directory in (path.parent, target.parent):
        if directory.is_dir() and hasattr(os, "O_DIRECTORY"):
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(handle)
            os.close(handle)


def _remedy(problems: list[FileProblem], reached: bool) -> str:
    if reached:
        return "it stayed so after a second download: name another revision, the repository may be damaged"
    return f"connect to the network and run again to fetch {problems[0].file}; or {REMEDY}"


def _first_line(error: Any) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
