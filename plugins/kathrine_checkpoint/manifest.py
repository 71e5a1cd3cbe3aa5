"""`manifest.json`: what lies in an export, of what it was made, and what was measured on it. It is written last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kathrine.components import FinishedRun
from kathrine_checkpoint.files import all_files, file_hash, without_paths

__all__ = ["MANIFEST", "file_facts", "file_hash", "write_manifest"]

MANIFEST = "manifest.json"
FORMAT = 1


def file_facts(folder: Path) -> dict[str, dict[str, Any]]:
    """SHA-256 and size in bytes of every file of a folder but its manifest."""
    names = [name for name in all_files(folder) if name != MANIFEST]
    return {name: {"sha256": file_hash(folder / name), "bytes": (folder / name).stat().st_size} for name in names}


def write_manifest(folder: Path, run: FinishedRun, facts: Mapping[str, Any]) -> None:
    """Write `manifest.json`. Given: facts of this export, such as its `kind` and its `checks`."""
    from kathrine.train.folder import versions

    document = {
        "format": FORMAT,
        "run": {"name": run.folder.name, "step": run.step, "weights": run.weights_from},
        "family": run.family.name,
        "base": {
            "checkpoint": without_paths(run.model.facts.checkpoint),
            "revision": run.model.facts.revision,
        },
        "versions": versions(),
        "corpus": {
            "fingerprint": run.corpus.fingerprint if run.corpus is not None else "",
            "data": without_paths(list(run.data)),
        },
        "recipe": "recipe.toml",
        **facts,
        "files": file_facts(folder),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
