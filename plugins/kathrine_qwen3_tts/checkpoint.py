"""A checkpoint in the official directory layout: find it, check every file of it, read it, write it.

Nothing here needs torch until tensors are read or written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.config import HUB_OWNER, SPEECH_TOKENIZER, check_config, known_config, read_config
from kathrine_qwen3_tts.integrity import (
    CODEC_FILES,
    SMALL_FILES,
    tensor_mismatch,
    verify,
    weight_files,
)

if TYPE_CHECKING:
    import torch

TINY = "kathrine:tiny"
NAMES = f"name an existing folder, a Hub id such as {HUB_OWNER}/Qwen3-TTS-12Hz-0.6B-Base, or {TINY}"
LAYOUT_VERSION = "4.57.0"
"""Written as transformers_version: without it official loaders swap the tokenizer's splitting pattern."""


@dataclass(frozen=True, slots=True)
class ResolvedCheckpoint:
    """Where a checkpoint lies. id: its complete name; revision: the Hub's commit, `local`, or the build."""

    path: Path
    id: str
    revision: str


def hub_id(checkpoint: str) -> str:
    """A released name without its owner, such as Qwen3-TTS-12Hz-0.6B-Base, as a Hub id; others as they are."""
    return f"{HUB_OWNER}/{checkpoint}" if "/" not in checkpoint and known_config(checkpoint) else checkpoint


def complete_name(checkpoint: str) -> str:
    """What a recipe calls a checkpoint, as it is called elsewhere: a released name as its Hub id, a folder as it is."""
    return checkpoint if checkpoint == TINY or Path(checkpoint).expanduser().is_dir() else hub_id(checkpoint)


def resolve(
    checkpoint: str, workspace: Path, revision: str | None = None, offline: bool | None = None
) -> ResolvedCheckpoint:
    """Turn a recipe's checkpoint name into a folder whose every file has been checked.

    Args:
        checkpoint: a local folder, `kathrine:tiny`, a released name, or a Hub id (`owner/name`).
        workspace: downloads and the embedded model are cached below it.
        revision: branch, tag or commit on the Hub.
        offline: True never asks the network; None asks unless HF_HUB_OFFLINE is set.

    Raises:
        KathrineError: nothing by that name, no network and nothing cached, or a damaged file.
    """
    if checkpoint == TINY:
        from kathrine_qwen3_tts.tiny import tiny_checkpoint

        folder = tiny_checkpoint(Path(workspace))
        verify(folder)
        return ResolvedCheckpoint(folder, TINY, folder.name)
    folder = Path(checkpoint).expanduser()
    if checkpoint and folder.is_dir():
        verify(folder, marks=Path(workspace) / "verified")
        return ResolvedCheckpoint(folder.resolve(), checkpoint, "local")
    checkpoint = hub_id(checkpoint)
    if not is_hub_id(checkpoint):
        raise KathrineError(f"checkpoint {checkpoint!r} is neither a folder nor a Hub id", NAMES)
    from kathrine_qwen3_tts.download import fetch

    folder, commit = fetch(checkpoint, Path(workspace), revision, offline)
    return ResolvedCheckpoint(folder, checkpoint, commit)


def is_hub_id(text: str) -> bool:
    """Whether a name has the form `owner/name`."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", text) is not None and not text.startswith(".")


def name_problem(checkpoint: str) -> str:
    """What is wrong with a checkpoint's name as far as can be told without a network, or an empty string."""
    from kathrine_qwen3_tts.config import codec_config

    folder = Path(checkpoint).expanduser()
    if checkpoint == TINY:
        return ""
    if checkpoint and folder.is_dir():
        try:
            read_config(folder)
            codec_config(folder)
        except KathrineError as error:
            return error.sentence
        return ""
    if checkpoint.startswith(("/", "~", ".")):
        return f"there is no folder {checkpoint}; {NAMES}"
    return "" if is_hub_id(hub_id(checkpoint)) else f"{checkpoint!r} is neither a folder nor a Hub id; {NAMES}"


# --------------------------------------------------------------------------- reading and writing


def read_tensors(folder: Path | str, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors of the model's weights by official name, as stored (bf16 in published files), one at a time.

    Raises:
        KathrineError: a weight file is missing or unreadable.
    """
    from safetensors import SafetensorError, safe_open

    for name in weight_files(folder):
        path = Path(folder) / name
        try:
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118
                    if key.startswith(prefix):
                        yield key, file.get_tensor(key)
        except (OSError, SafetensorError) as error:
            raise KathrineError(f"{path} can not be read ({error})", "fetch the checkpoint again") from error


def write_checkpoint(
    folder_out: Path | str,
    base_folder: Path | str,
    tensors: Mapping[str, torch.Tensor] | Iterable[tuple[str, torch.Tensor]],
    config_patch: Mapping[str, Any] | None = None,
    dtype: str | torch.dtype = "bf16",
    max_shard_bytes: int = 0,
) -> Path:
    """Write a complete checkpoint in the official layout, all or nothing.

    Args:
        folder_out: must not exist, or be empty.
        base_folder: gives config.json, tokenizer, codec and the other small files.
        tensors: every tensor that the patched configuration asks for, by official name.
        config_patch: laid over config.json, nested tables merged (`{"talker_config": {"spk_id": {...}}}`).
        dtype: "bf16" (as published), "fp32", or a torch dtype; for floating-point tensors.
        max_shard_bytes: weights above this size are divided into several files; 0: never.

    Raises:
        KathrineError: the folder is taken, or tensors are missing, surplus or of another shape.
    """
    import torch

    from kathrine.sharding import save_weights

    out, base = Path(folder_out), Path(base_folder)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise KathrineError(f"{out} already exists", "choose another folder, or remove it first")
    kinds = {"bf16": torch.bfloat16, "fp32": torch.float32}
    kind = kinds.get(dtype) if isinstance(dtype, str) else dtype
    if kind is None:
        raise KathrineError(f"dtype {dtype!r} is not known", f"use one of {', '.join(kinds)}")
    config = merged_tables(read_config(base), config_patch or {})
    config["transformers_version"] = LAYOUT_VERSION
    check_config(config, str(out / "config.json"))

    pairs = tensors.items() if isinstance(tensors, Mapping) else tensors
    state = {}
    for name, value in pairs:
        value = value.detach().to("cpu", kind if value.is_floating_point() else value.dtype)
        state[name] = value.contiguous().clone() if value.storage_offset() or not value.is_contiguous() else value
    mismatch = tensor_mismatch(config, {name: tuple(value.shape) for name, value in state.items()})
    if mismatch:
        raise KathrineError(f"the set of weights for {out} {mismatch}", "export from a complete model of this size")

    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        (temporary / SPEECH_TOKENIZER).mkdir(parents=True)
        for name in (*SMALL_FILES, *CODEC_FILES):
            if (base / name).is_file():
                shutil.copyfile(base / name, temporary / name)
        text = json.dumps(config, indent=2, ensure_ascii=False)
        (temporary / "config.json").write_text(text + "\n", encoding="utf-8")
        save_weights(state, temporary, max_shard_bytes)
        verify(temporary)
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def merged_tables(table: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """One table laid over another; tables inside of both are laid over each other too."""
    result = dict(table)
    for key, value in patch.items():
        inner = result.get(key)
        result[key] = merged_tables(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return result
