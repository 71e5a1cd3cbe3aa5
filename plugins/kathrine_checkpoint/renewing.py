"""Cards that are written again: what was edited by hand stays, and the lists of files of an export stay true."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kathrine.corpus.files import write_text
from kathrine_checkpoint.files import all_files
from kathrine_checkpoint.manifest import MANIFEST, file_hash

LISTS = {MANIFEST: "files", "kathrine.json": "sha256"}
"""Files of an export that list the others with their hashes, and under which key."""


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
    """Put the hashes of some files into the lists of an export anew, atomically: of those that are there now."""
    fresh = {name: folder / name for name in all_files(folder) if chosen(name)}
    for path, key, document in _lists(folder):
        kept = {name: facts for name, facts in document[key].items() if not chosen(name)}
        for name, file in fresh.items():
            digest = file_hash(file)
            kept[name] = {"sha256": digest, "bytes": file.stat().st_size} if key == "files" else digest
        document[key] = dict(sorted(kept.items()))
        write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _listed_hash(folder: Path, name: str) -> str:
    """The hash that the first list has of a file; empty where it has none."""
    for _, key, document in _lists(folder):
        facts = document[key].get(name, "")
        return str(facts.get("sha256", "") if isinstance(facts, dict) else facts)
    return ""


def _lists(folder: Path) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    for name, key in LISTS.items():
        path = folder / name
        if path.is_file():
            document = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(document.get(key), dict):
                yield path, key, document
