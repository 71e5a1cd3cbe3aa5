"""`manifest.json`: what lies in an export, of what it was made, and what was measured on it.

docs/exports.md has the table of its keys. It is written last: a folder with a manifest is a complete one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import FinishedRun, SpeechModel
from kathrine.corpus.files import read_json
from kathrine.errors import KathrineError
from kathrine_checkpoint.files import all_files, without_paths, without_secrets

if TYPE_CHECKING:
    import torch

MANIFEST = "manifest.json"
FORMAT = 1
RECIPE = "recipe.toml"
WEIGHTS = (".safetensors", ".bin", "adapter_config.json", "language_tag.json")
"""How names of files end that are computed with: they may not differ. Cards and recipes may be edited."""
SAMPLED = 64
"""Numbers of each frozen weight that the base fingerprint looks at."""
PARTS = {
    "text_projection": "the text projection was trained with this adapter: without it the accent stays the base "
    "model's",
    "language_tag": "the language tag was trained with this adapter: without it the model takes the new language for "
    "one that it knew before, and speaks it with that one's accent",
    "trained": "these weights were trained in place: without them the rest was made for another model",
    "adapter_model": "this is the LoRA itself: without it the model speaks as it did before",
    "adapter_config": "without it nothing says where the LoRA belongs",
}
"""What the lack of a file means, by what its name begins with."""


def now() -> datetime:
    """The time in UTC, or that of SOURCE_DATE_EPOCH where it is set: then the same run gives the same bytes."""
    set_to = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(set_to), UTC) if set_to else datetime.now(UTC)


def base_fingerprint(weights: Mapping[str, torch.Tensor], trained: Sequence[str]) -> str:
    """Hash of a few numbers of every weight that was not trained in place: tells base models apart.

    Rounded to bf16 first, so that a model gives the same in whatever precision it was loaded.
    """
    import torch

    digest, changed = hashlib.sha256(), set(trained)
    for name in sorted(weights.keys() - changed):
        values = weights[name].detach().reshape(-1)[:SAMPLED].to(torch.bfloat16)
        digest.update(name.encode())
        digest.update(values.cpu().contiguous().view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:32]


def run_facts(run: FinishedRun) -> dict[str, Any]:
    """What every manifest says of the run, without paths of this machine and without secrets."""
    trained = [name for claim in run.claims for name in claim.trains]
    document = {
        "run": {"name": run.folder.name, "profile": run.profile, "step": run.step, "weights": run.weights_from},
        "family": run.family.name,
        "base": {
            "checkpoint": run.model.facts.checkpoint,
            "revision": run.model.facts.revision,
            "fingerprint": base_fingerprint(run.model.originals, trained),
        },
        "trained": trained,
        "strategies": [claim.strategy for claim in run.claims],
        "languages": {name: row for strategy in run.strategies for name, row in strategy.languages().items()},
        "versions": dict(run.versions),
        "corpus": {"fingerprint": run.corpus.fingerprint if run.corpus is not None else "", "data": list(run.data)},
        "drift": dict(run.drift),
    }
    return without_secrets(without_paths(document))


def file_facts(path: Path) -> dict[str, Any]:
    """SHA-256 and size of a file."""
    return {"sha256": file_hash(path), "bytes": path.stat().st_size}


def file_list(folder: Path) -> dict[str, dict[str, Any]]:
    """SHA-256 and size in bytes of every file of a folder but its manifest."""
    names = [name for name in all_files(folder) if name != MANIFEST]
    return {name: file_facts(folder / name) for name in names}


def file_hash(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, run: FinishedRun, facts: Mapping[str, Any]) -> None:
    """Write `manifest.json`. Given: facts of this export, such as its `kind` and its `checks`."""
    files = file_list(folder)
    recipe = {"file": RECIPE, "sha256": files[RECIPE]["sha256"]} if RECIPE in files else None
    created = now().isoformat(timespec="seconds")
    document = {"format": FORMAT, "created": created, **run_facts(run), "recipe": recipe, **facts, "files": files}
    text = json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """The same document with None for numbers that JSON has no form for."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def is_manifest_of(folder: Path, kind: str) -> bool:
    """Whether kathrine wrote this folder as an export of a kind."""
    if not (folder / MANIFEST).is_file():
        return False
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except ValueError:
        return False  # reading it says what is wrong, to whoever asks for it
    return isinstance(manifest, dict) and manifest.get("kind") == kind


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the manifest of an export says, after all its weight files were compared with their hashes.

    Raises: KathrineError for a folder without a manifest, of a newer format, or with missing or altered files: all of
    them at once, and what their lack means.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise KathrineError(
            f"{folder} holds no {MANIFEST}", "name a folder that the exporter `adapter` of kathrine wrote"
        )
    manifest = read_json(path, FORMAT, "copy the folder again")
    listed = manifest.get("files", {})
    wrong = {}
    for name in dict.fromkeys([*needed_files(manifest), *(name for name in listed if name.endswith(WEIGHTS))]):
        if not (folder / name).is_file():
            wrong[name] = "missing"
        elif name not in listed or file_hash(folder / name) != listed[name]["sha256"]:
            wrong[name] = "altered"
    if wrong:
        told = ", ".join(f"{name} is {what}" for name, what in wrong.items())
        meanings = dict.fromkeys(meaning for name in wrong for meaning in [meaning_of(name)] if meaning)
        raise KathrineError(
            f"{folder}: {told}" + "".join(f"; {meaning}" for meaning in meanings),
            "copy or export the whole folder again",
        )
    return manifest


def needed_files(manifest: Mapping[str, Any]) -> list[str]:
    """Files that an adapter needs by what was trained, whether or not its list of files has them."""
    if manifest.get("kind") != "adapter":
        return []
    projection, trained = set(manifest["text_projection"]), set(manifest["trained"])
    names = [
        str(Path(place) / name)
        for place in manifest["adapters"].values()
        for name in ("adapter_config.json", "adapter_model.safetensors")
    ]
    if projection:
        names += ["text_projection.safetensors", "text_projection.bin"]
    if trained - projection:
        names.append("trained.safetensors")
    if manifest["languages"]:
        names += ["language_tag.safetensors", "language_tag.json"]
    return names


def meaning_of(name: str) -> str:
    """What the lack of a file means, or an empty string."""
    return next((text for part, text in PARTS.items() if Path(name).name.startswith(part)), "")


def base_of(model: SpeechModel) -> str:
    """How a loaded base model is named in a sentence."""
    return f"{model.facts.checkpoint} ({model.facts.revision or 'no revision'})"
