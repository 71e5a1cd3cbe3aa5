"""Checkpoints: folders `checkpoints/STEP` that exist only when they are complete.

`trainable.safetensors` trained weights by their names before any adapter was put in; `ema.safetensors` their
running average, where there is one; `optimizer.safetensors`; `state.json`; `text_projection.bin` where it was
trained in place. No pickle but the last one, which is for other programs and never read here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.errors import KathrineError
from kathrine.recipe.tables import TrainTable
from kathrine.types import Claim, ParameterSpec

if TYPE_CHECKING:
    import torch

PARTIAL = ".partial"
LASTING = re.compile(r"epoch \d+|every")
"""Reasons that hold for good; `last` and `best` pass on to later checkpoints."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A complete checkpoint as `state.json` describes it."""

    folder: Path
    step: int
    reasons: tuple[str, ...]
    state: Mapping[str, Any]

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        """The tensors of `trainable`, `ema` or `optimizer`, on the CPU; empty where there is no such file."""
        from safetensors.torch import load_file

        path = self.folder / f"{name}.safetensors"
        return load_file(str(path)) if path.is_file() else {}


def save_checkpoint(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, torch.Tensor]],
    state: Mapping[str, Any],
    reasons: Sequence[str],
    text_projection: Mapping[str, torch.Tensor],
) -> Path:
    """Writes `folder/STEP`: under a temporary name, flushed to disk, then renamed.

    Given: tensors by file name without its ending; state, JSON. Returns: the folder.
    """
    import torch
    from safetensors.torch import save_file

    final = folder / f"{step:08d}"
    partial = folder / f"{step:08d}{PARTIAL}"
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    for name, group in tensors.items():
        plain = {key: tensor.detach().cpu().contiguous() for key, tensor in group.items()}
        save_file(plain, str(partial / f"{name}.safetensors"), metadata={"format": "pt"})
    if text_projection:
        plain = {key: tensor.detach().cpu() for key, tensor in text_projection.items()}
        torch.save(plain, partial / "text_projection.bin")
    document = {"step": step, "reasons": list(reasons), "state": dict(state)}
    (partial / "state.json").write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    for file in partial.iterdir():
        flush_to_disk(file)
    flush_to_disk(partial)
    if final.exists():  # the same step again: a run that went on after a stop and stopped at once
        shutil.rmtree(final)
    partial.rename(final)
    flush_to_disk(folder)
    return final


def flush_to_disk(path: Path) -> None:
    """fsync of a file or folder: a rename must never survive what it names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def saved_checkpoints(folder: Path) -> list[Saved]:
    """Complete checkpoints, oldest first. Half-written ones are not looked at."""
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.isdigit() and (path / "state.json").is_file():
            document = json.loads((path / "state.json").read_text(encoding="utf-8"))
            found.append(Saved(path, document["step"], tuple(document["reasons"]), document["state"]))
    return found


def remove_partial(folder: Path) -> list[str]:
    """Removes what a killed process left half-written; returns the names."""
    if not folder.is_dir():
        return []
    names = [path.name for path in sorted(folder.iterdir()) if path.name.endswith(PARTIAL)]
    for name in names:
        shutil.rmtree(folder / name)
    return names


def kept_reasons(saved: Sequence[Saved], keep_last: int) -> dict[int, tuple[str, ...]]:
    """Why each checkpoint is kept, by step; no reasons means that it may go. The newest one always has
    one."""
    newest: Mapping[str, Any] = saved[-1].state if saved else {}
    best = newest.get("best_step")
    reasons: dict[int, tuple[str, ...]] = {}
    for number, one in enumerate(saved):
        lasting = [reason for reason in one.reasons if LASTING.fullmatch(reason)]
        if one.step == best:
            lasting.append("best")
        if one.step in newest.get("before_noise", ()):
            lasting.append("before noise")
        if one.step in newest.get("spoken", ()):
            lasting.append("samples")
        if number >= len(saved) - max(1, keep_last):
            lasting.append("last")
        reasons[one.step] = tuple(lasting)
    return reasons


def prune(folder: Path, keep_last: int) -> dict[int, tuple[str, ...]]:
    """Removes checkpoints that nothing keeps; returns the others' reasons by step.

    A folder is renamed before it is emptied, so that a kill in between leaves no half checkpoint behind.
    """
    saved = saved_checkpoints(folder)
    reasons = kept_reasons(saved, keep_last)
    for one in saved:
        if not reasons[one.step]:
            doomed = one.folder.with_name(one.folder.name + PARTIAL)
            one.folder.rename(doomed)
            shutil.rmtree(doomed)
    return {step: why for step, why in reasons.items() if why}


def checkpoint_reasons(
    table: TrainTable, *, step: int, epochs_done: int | None, improved: bool, ends_stage: bool, spoken: bool = False
) -> list[str]:
    """Why a checkpoint is due after this step; none: it is not.

    epochs_done: the number of epochs finished if this step ended one, else None.
    """
    reasons = []
    if step % table.checkpoint_every == 0 or ends_stage:
        reasons.append("last")
    if improved:
        reasons.append("best")
    if spoken:
        reasons.append("samples")
    if epochs_done is not None and epochs_done in table.keep_epochs:
        reasons.append(f"epoch {epochs_done}")
    if table.keep_every and step % table.keep_every == 0:
        reasons.append("every")
    return reasons


def text_projection_part(
    claims: Sequence[Claim], specs: Sequence[ParameterSpec], weights: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The part `text_projection`, where it is trained in place, under its names inside that module."""
    parts = {spec.name: spec.part for spec in specs}
    trained = [name for claim in claims for name in claim.trains if parts.get(name) == "text_projection"]
    return {name.rpartition("text_projection.")[2]: weights[name] for name in trained}


def pick(folder: Path, which: str) -> Saved:
    """A checkpoint of a run by `best`, `last` or its step.

    Raises: KathrineError that lists what there is.
    """
    saved = saved_checkpoints(folder)
    steps = {one.step: one for one in saved}
    if saved and which == "last":
        return saved[-1]
    if saved and which == "best" and saved[-1].state.get("best_step") in steps:
        return steps[saved[-1].state["best_step"]]
    if which.isdigit() and int(which) in steps:
        return steps[int(which)]
    there = f"it has: {', '.join(map(str, steps)) or 'none'}"
    if saved and which == "best":
        raise KathrineError(
            f"{folder.parent} has no best checkpoint: none qualified by validation.best_by (console.log says why)",
            f"name another: --checkpoint last, or a step; {there}",
        )
    raise KathrineError(f"{folder.parent} has no checkpoint '{which}'", there)
