"""A checkpoint in transformers' layout: find it, check it, read it, write it. No torch until tensors are read."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.errors import KathrineError
from kathrine.sharding import INDEX, WEIGHTS
from kathrine_csm.config import CODEC_PREFIX, RELEASED, SUB_TABLE, TABLE, model_specs, read_config, sizes

if TYPE_CHECKING:
    import torch

TINY = "kathrine:tiny-csm"
TOKENIZER = "tokenizer.json"
NAMES = f"name an existing folder, a Hub id such as {RELEASED}, or {TINY}"
COPIED = ("*.json", "*.jinja", "*.model", "*.txt", "LICENSE*")
"""Small files that a written checkpoint takes over from its base."""
DTYPES = ("bf16", "fp32")


@dataclass(frozen=True, slots=True)
class ResolvedCheckpoint:
    """Where a checkpoint lies. id: its complete name; revision: the Hub's commit, `local`, or the build."""

    path: Path
    id: str
    revision: str


def is_hub_id(text: str) -> bool:
    """Whether a name has the form `owner/name`."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", text) is not None and not text.startswith(".")


def name_problem(checkpoint: str) -> str:
    """What is wrong with a checkpoint's name as far as can be told without a network, or an empty string."""
    if checkpoint == TINY:
        return ""
    folder = Path(checkpoint).expanduser()
    if checkpoint and folder.is_dir():
        try:
            read_config(folder)
        except KathrineError as error:
            return error.sentence
        return ""
    if checkpoint.startswith(("/", "~", ".")):
        return f"there is no folder {checkpoint}; {NAMES}"
    return "" if is_hub_id(checkpoint) else f"{checkpoint!r} is neither a folder nor a Hub id; {NAMES}"


def weight_files(folder: Path | str) -> list[str]:
    """Names of the weight files, from the index where there is one. Raises: KathrineError for one that is missing."""
    folder = Path(folder)
    names = [WEIGHTS]
    if (folder / INDEX).is_file() and not (folder / WEIGHTS).is_file():
        try:
            listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
        except (ValueError, KeyError) as error:
            raise KathrineError(f"{folder / INDEX} lists no weights ({error})", "fetch the checkpoint again") from error
        names = sorted(set(listed.values()))
    for name in names:
        if not (folder / name).is_file():
            raise KathrineError(f"{folder / name} is missing", "fetch the checkpoint again")
    return names


def stored_shapes(folder: Path | str) -> dict[str, tuple[int, ...]]:
    """Shape of every stored tensor, from the headers alone. Raises: KathrineError for a file that is cut short or no
    safetensors file."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name in weight_files(folder):
        path = Path(folder) / name
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(length)) if length < path.stat().st_size else None
        except ValueError as error:
            raise KathrineError(f"{path} is damaged ({error})", "fetch the checkpoint again") from error
        if not isinstance(header, dict):
            raise KathrineError(f"{path} is damaged: its header is cut short", "fetch the checkpoint again")
        header.pop("__metadata__", None)
        ends = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        if path.stat().st_size != 8 + length + ends:
            raise KathrineError(
                f"{path} is damaged: it has {path.stat().st_size:,} bytes, its header asks for {8 + length + ends:,}",
                "fetch the checkpoint again",
            )
        shapes |= {key: tuple(entry["shape"]) for key, entry in header.items()}
    return shapes


def verify(folder: Path | str) -> None:
    """Refuse a folder whose files are not all there, whole and of one model.

    Raises: KathrineError that names the file or the tensor.
    """
    folder = Path(folder)
    config = read_config(folder)
    if not (folder / TOKENIZER).is_file():
        raise KathrineError(f"{folder / TOKENIZER} is missing", "fetch the checkpoint again")
    problem = mismatch(config, stored_shapes(folder))
    if problem:
        raise KathrineError(f"the weights in {folder} {problem}", "fetch the checkpoint again")


def mismatch(config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> str:
    """How stored tensors differ from what a configuration asks for, as the end of a sentence; empty where they fit.
    The codec's are only looked for."""
    own = {name: shape for name, shape in shapes.items() if not name.startswith(CODEC_PREFIX)}
    if sizes(config)[0]["tie_codebooks_embeddings"] and SUB_TABLE in own:
        shared = own.pop(SUB_TABLE)
        own.setdefault(TABLE, shared)
    wanted = {spec.name: spec.shape for spec in model_specs(config)}
    for name in sorted(wanted.keys() - own.keys()):
        return f"lack {name}"
    for name in sorted(own.keys() - wanted.keys()):
        return f"hold {name}, which config.json does not ask for"
    for name, shape in wanted.items():
        if own[name] != shape:
            return f"hold {name} with shape {list(own[name])}, config.json asks for {list(shape)}"
    if len(own) == len(shapes):
        return "lack the codec (codec_model.*)"
    return ""


def resolve(checkpoint: str, workspace: Path, revision: str, offline: bool, say: Any) -> ResolvedCheckpoint:
    """Turn a recipe's checkpoint name into a folder whose files have been checked.

    Raises: KathrineError: nothing by that name, no network and nothing cached, or a damaged file.
    """
    if checkpoint == TINY:
        from kathrine_csm.tiny import tiny_checkpoint

        folder = tiny_checkpoint(workspace)
        verify(folder)
        return ResolvedCheckpoint(folder, TINY, folder.name)
    folder = Path(checkpoint).expanduser()
    if checkpoint and folder.is_dir():
        verify(folder)
        return ResolvedCheckpoint(folder.resolve(), checkpoint, "local")
    if not is_hub_id(checkpoint):
        raise KathrineError(f"checkpoint {checkpoint!r} is neither a folder nor a Hub id", NAMES)
    from kathrine.hubfiles import fetch_model_folder

    # its configuration first: a model of another family is refused before gigabytes of it are fetched
    folder = fetch_model_folder(checkpoint, revision, "", workspace / "hub", say, offline, only=("config.json",))
    read_config(folder)
    wanted = (*COPIED, WEIGHTS, "model-*-of-*.safetensors")
    folder = fetch_model_folder(checkpoint, revision, "", workspace / "hub", say, offline, only=wanted)
    verify(folder)
    return ResolvedCheckpoint(folder, checkpoint, folder.name)


def cached_snapshot(checkpoint: str, cache: Path, revision: str) -> Path | None:
    """The folder of a checkpoint in the Hub client's cache, perhaps incomplete, or None."""
    home = cache / f"models--{checkpoint.replace('/', '--')}"
    reference = home / "refs" / (revision or "main")
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
    folder = home / "snapshots" / commit
    return folder if commit and (folder / "config.json").is_file() else None


# --------------------------------------------------------------------------- reading and writing


def read_tensors(folder: Path | str, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Stored tensors by official name, one at a time; only those whose name begins with the prefix.

    Raises: KathrineError: a weight file is missing or unreadable.
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
    tensors: Mapping[str, torch.Tensor],
    dtype: str = "bf16",
    max_shard_bytes: int = 0,
) -> Path:
    """Write a complete checkpoint in transformers' layout, all or nothing; the codec is taken over as it is.

    Given: base_folder, which gives configuration, tokenizer and codec; tensors, every parameter by official name;
    dtype, "bf16" or "fp32"; max_shard_bytes, above which weights are divided into files (0: never). A shared table is
    stored under the names that the base stores it under.

    Raises: KathrineError: the folder is taken, or tensors are missing, surplus or of another shape.
    """
    import torch

    from kathrine.sharding import save_weights

    out, base = Path(folder_out), Path(base_folder)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise KathrineError(f"{out} already exists", "choose another folder, or remove it first")
    if dtype not in DTYPES:
        raise KathrineError(f"dtype {dtype!r} is not known", f"use one of {', '.join(DTYPES)}")
    kind = torch.bfloat16 if dtype == "bf16" else torch.float32
    config = read_config(base)
    config["dtype"] = str(kind).removeprefix("torch.")
    state = {name: value.detach().to("cpu", kind).contiguous().clone() for name, value in tensors.items()}
    state |= dict(read_tensors(base, CODEC_PREFIX))
    problem = mismatch(config, {name: tuple(value.shape) for name, value in state.items()})
    if problem:
        raise KathrineError(f"the weights for {out} {problem}", "export from a complete model of this size")
    if sizes(config)[0]["tie_codebooks_embeddings"] and TABLE not in stored_shapes(base):
        state[SUB_TABLE] = state.pop(TABLE)

    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        for path in (path for pattern in COPIED for path in base.glob(pattern)):
            if path.name not in ("config.json", INDEX):
                shutil.copyfile(path, temporary / path.name)
        (temporary / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        save_weights(state, temporary, max_shard_bytes)
        verify(temporary)
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out
