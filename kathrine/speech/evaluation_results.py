"""`results.json`: what evaluations of one folder found, each beside those before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kathrine.speech.evaluation import System


def write_results(
    path: Path, systems: Sequence[System], warn: Callable[[str], None] = lambda line: None, **more: Any
) -> dict[str, Any]:
    """`results.json`, atomically: these systems and facts, and those of earlier evaluations.

    A system is told by its name, language and set. What other metrics said of the same takes stays; what was said of
    takes that were since made otherwise is replaced, and `warn` is told. Returns: the document.
    """
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    earlier = {identity(one): one for one in before.get("systems", ())}
    documents, respoken = [], set()
    for system in systems:
        document = system.document()
        old = earlier.pop(identity(document), None)
        if old is not None and old.get("takes_digest") == document["takes_digest"]:
            document["metrics"] = merged(old.get("metrics", {}), document["metrics"])
        elif old is not None:
            respoken.add(document["language"])
            lost = [label for label in old.get("metrics", {}) if label not in document["metrics"]]
            if lost:
                warn(f"{document['name']}: its takes are others now, so the numbers of {', '.join(lost)} are left out")
        documents.append(document)
    if "retention" in more:
        more["retention"] = [*kept_retention(before.get("retention", ()), more["retention"], respoken)]
    document = {**before, "format": 1, **more, "systems": [*earlier.values(), *documents]}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
    return document


def identity(document: Mapping[str, Any]) -> tuple[str, str, str]:
    """What tells a system of `results.json` from every other: its name, its language, and the sentences it spoke."""
    spoken = document.get("set") or {}
    return document["name"], document.get("language", ""), spoken.get("digest", spoken.get("name", ""))


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics of the same takes: the new ones, those that were not asked now, and those that could not run now."""
    kept = {label: one for label, one in old.items() if label not in new or (new[label]["skipped"] and one["values"])}
    return {**new, **kept}


def kept_retention(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], respoken: set[str]
) -> list[Mapping[str, Any]]:
    """Rows of what was forgotten: the new ones, and of the old ones those of other languages and metrics. respoken:
    languages whose takes are others now."""
    made = {(row["language"], row["label"]) for row in new}
    stay = [row for row in old if row["language"] not in respoken and (row["language"], row["label"]) not in made]
    return [*stay, *new]
