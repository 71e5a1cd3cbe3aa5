"""Folders that appear complete or not at all, and the note `kathrine.json` that says what lies in them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError

NOTE = "kathrine.json"
FORMAT = 1


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


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def all_files(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()))


def write_note(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `kathrine.json`: the given facts, and the SHA-256 of every other file of the folder."""
    hashes = {name: file_hash(folder / name) for name in all_files(folder) if name != NOTE}
    text = json.dumps({"format": FORMAT, **facts, "sha256": hashes}, indent=2, ensure_ascii=False)
    (folder / NOTE).write_text(text + "\n", encoding="utf-8")


def read_note(folder: Path) -> dict[str, Any]:
    """The facts of a folder that kathrine wrote, after all its weight files were checked against their
    hashes.

    Raises: KathrineError for a folder without a note, of a newer format, or with a missing or altered file.
    """
    path = folder / NOTE
    if not path.is_file():
        raise KathrineError(f"{folder} holds no {NOTE}", "name a folder that the exporter `adapter` of kathrine wrote")
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise KathrineError(f"{path} is not valid JSON ({error})", "copy the folder again") from error
    if not isinstance(note, dict) or note.get("format") != FORMAT:
        raise KathrineError(f"{path} has a format that this version does not know", "update kathrine")
    for name, digest in note.get("sha256", {}).items():
        # cards and recipes may be edited; what is computed with may not
        if not name.endswith((".safetensors", ".bin", "adapter_config.json", "language_tag.json")):
            continue
        if not (folder / name).is_file() or file_hash(folder / name) != digest:
            raise KathrineError(f"{folder / name} is missing or altered", "copy or export the folder again")
    return note
