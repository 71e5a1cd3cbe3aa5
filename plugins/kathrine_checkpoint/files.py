"""Folders that appear complete or not at all, and what of a document may be shown to the world."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError

SECRET = re.compile(r"(^|[_-])(token|secret|password|passwd|api_?key|credentials?)$", re.IGNORECASE)
"""Names of keys whose values stay out of what is shown."""
TOKEN = re.compile(r"\b(hf_[A-Za-z0-9]{8,}|gh[pousr]_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9-]{16,})")
"""What access tokens of the Hub and of other services look like."""
LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
"""Name and password inside an address."""


@contextmanager
def complete_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its name when the block ends without an error.

    Raises: KathrineError where `folder` already holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise KathrineError(f"{folder} already exists", "remove it, or export from another run")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        readable = temporary.stat().st_mode & 0o666  # safetensors writes files that only their owner may read
        for path in temporary.rglob("*"):
            if path.is_file():
                path.chmod(readable)
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def without_paths(value: Any) -> Any:
    """The same document with absolute paths cut to their last name: an export may be shown to the world."""
    if isinstance(value, Mapping):
        return {key: without_paths(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(inner) for inner in value]
    if isinstance(value, str) and Path(value).expanduser().is_absolute():
        return Path(value).name
    return value


def without_secrets(value: Any) -> Any:
    """The same document without keys that are named like a password, and without logins inside addresses."""
    if isinstance(value, Mapping):
        return {key: without_secrets(inner) for key, inner in value.items() if not SECRET.search(str(key))}
    if isinstance(value, list | tuple):
        return [without_secrets(inner) for inner in value]
    if isinstance(value, str):
        return TOKEN.sub("REMOVED", LOGIN.sub("", value))
    return value


def all_files(folder: Path) -> tuple[str, ...]:
    """Every file below a folder, by name, sorted."""
    return tuple(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()))
