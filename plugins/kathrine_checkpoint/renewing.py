"""Cards that are written again: what was edited by hand stays, and the manifest's list of files stays true."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kathrine.corpus.files import write_text
from kathrine.errors import KathrineError
from kathrine_checkpoint.files import all_files
from kathrine_checkpoint.manifest import MANIFEST, file_facts


def may_replace(folder: Path, name: str, text: str, warn: Callable[[str], None]) -> bool:
    """Whether a text file of an export can be written again: it is gone, it is as it was written, or nothing would
    change. `warn` is told of one that was edited by hand."""
    path = folder / name
    if not path.is_file():
        return True
    before = path.read_bytes()
    known = _listed_hash(folder, name)
    if not known or hashlib.sha256(before).hexdigest() == known or before == text.encode("utf-8"):
        return True
    warn(f"{path} was edited by hand and stays as it is; remove it to have it written anew")
    return False


def renew_hashes(folder: Path, chosen: Callable[[str], bool]) -> None:
    """Put the hashes of some files into the manifest of an export anew, atomically: of those that are there now."""
    document = _manifest(folder)
    if document is None:
        return
    kept = {name: facts for name, facts in document["files"].items() if not chosen(name)}
    fresh = {name: file_facts(folder / name) for name in all_files(folder) if chosen(name)}
    document["files"] = dict(sorted((kept | fresh).items()))
    write_text(folder / MANIFEST, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _listed_hash(folder: Path, name: str) -> str:
    """The hash that the manifest has of a file; empty where it has none."""
    document = _manifest(folder)
    return "" if document is None else str(document["files"].get(name, {}).get("sha256", ""))


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of an export; None where it has none, or one of another program.

    Raises: KathrineError where it can not be read."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise KathrineError(f"{path} is not valid JSON ({error})", "export the run again") from error
    return document if isinstance(document, dict) and isinstance(document.get("files"), dict) else None
