"""Every file of a checkpoint looked at before any work: presence, size, header, hash, tensors. No torch."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.config import SPEECH_TOKENIZER, parameter_census, read_config

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SMALL_FILES = (
    "generation_config.json",
    "merges.txt",
    "vocab.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
)
CODEC_FILES = tuple(
    f"{SPEECH_TOKENIZER}/{name}" for name in ("config.json", "configuration.json", "preprocessor_config.json", WEIGHTS)
)
OPTIONAL = {"preprocessor_config.json", f"{SPEECH_TOKENIZER}/configuration.json"}
PUBLISHED = ("config.json", *SMALL_FILES, WEIGHTS, *CODEC_FILES)
"""The 11 published files. All but OPTIONAL are required; tokenizer_config.json too, since without it special
tokens fall apart without any error."""

_ITEM_BYTES = {
    **{"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2},
    **{"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8},
}


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A file of a checkpoint that can not be used, relative to its folder, and why."""

    file: str
    reason: str


def read_header(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The header of a safetensors file as name -> (dtype, shape), checked against the file's length.

    Raises:
        ValueError: what is wrong with the file, in words.
    """
    size = path.stat().st_size
    if size < 8:
        raise ValueError("is empty" if size == 0 else f"is truncated ({size} bytes)")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > size - 8:
            raise ValueError(f"is truncated within its header, or no safetensors file ({size} bytes)")
        try:
            table = json.loads(file.read(length))
        except (ValueError, UnicodeDecodeError):
            raise ValueError("has a damaged header, or is no safetensors file") from None
    header, end = {}, 0
    try:
        for name, entry in table.items():
            if name == "__metadata__":
                continue
            start, stop = entry["data_offsets"]
            items = 1
            for dim in entry["shape"]:
                items *= dim
            if stop - start != items * _ITEM_BYTES[entry["dtype"]]:
                raise ValueError(f"has a damaged header (tensor {name})")
            header[name] = (entry["dtype"], tuple(entry["shape"]))
            end = max(end, stop)
    except (KeyError, TypeError, AttributeError):
        raise ValueError("has a damaged header") from None
    if 8 + length + end != size:
        verb = "is truncated" if size < 8 + length + end else "is too long"
        raise ValueError(f"{verb}: {size} bytes instead of {8 + length + end}")
    return header


def stored_bytes(folder: Path | str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every weight whose name begins with `prefix`, as stored, sorted by name."""
    places: dict[str, tuple[Path, int, int]] = {}
    for file_name in weight_files(folder):
        path = Path(folder) / file_name
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            table = json.loads(file.read(length))
        for name, entry in table.items():
            if name.startswith(prefix) and name != "__metadata__":
                start, stop = entry["data_offsets"]
                places[name] = path, 8 + length + start, stop - start
    for name, (path, start, size) in sorted(places.items()):
        with path.open("rb") as file:
            file.seek(start)
            yield name, file.read(size)


def weight_files(folder: Path | str) -> list[str]:
    """Names of the files that hold the model's weights: one file, or the shards that the index lists."""
    index = Path(folder) / INDEX
    if (Path(folder) / WEIGHTS).exists() or not index.exists():
        return [WEIGHTS]
    return sorted(set(weight_map(folder).values()))


def weight_map(folder: Path | str) -> dict[str, str]:
    """The index of a checkpoint whose weights lie in several files: the file of each tensor.

    Raises: ValueError, KeyError, TypeError or AttributeError for what is no such index.
    """
    found = json.loads((Path(folder) / INDEX).read_text(encoding="utf-8"))["weight_map"]
    if any(Path(file).name != file for file in found.values()):
        raise ValueError("names files outside of its folder")
    return dict(found)


def find_problems(
    folder: Path | str, hashes: Mapping[str, str] | None = None, marks: Path | None = None
) -> list[FileProblem]:
    """Every file of a checkpoint that is missing, empty, truncated, altered, or holds the wrong tensors.

    Args:
        hashes: SHA-256 by file name where known; files in a Hub cache carry theirs in their name as well.
        marks: folder for small marks of files whose hash was found right, so that it is computed once.
    """
    folder = Path(folder)
    problems: list[FileProblem] = []
    try:
        weights = weight_files(folder)
        index = weight_map(folder) if weights != [WEIGHTS] else {}
    except (ValueError, KeyError, AttributeError, TypeError):
        return [FileProblem(INDEX, "is no index of weight files")]
    tensors: dict[str, tuple[int, ...]] = {}
    for name in [*(name for name in PUBLISHED if name != WEIGHTS), *weights]:
        path = folder / name
        if not path.is_file():
            if name not in OPTIONAL:
                problems.append(FileProblem(name, "is missing"))
            continue
        reason = _problem_of(path, (hashes or {}).get(name), marks, tensors if name in weights else None)
        if reason:
            problems.append(FileProblem(name, reason))
        elif name in weights and len(weights) > 1:
            stray = sorted(tensor for tensor in read_header(path) if index.get(tensor) != name)
            problems += [FileProblem(INDEX, f"does not say that {_some(stray)} lies in {name}")] if stray else []
    if not problems:
        problems += _tensor_problems(folder, tensors, weights)
    return problems


def _problem_of(
    path: Path, expected: str | None, marks: Path | None, tensors: dict[str, tuple[int, ...]] | None
) -> str:
    if path.stat().st_size == 0:
        return "is empty"
    if path.suffix == ".json":
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, UnicodeDecodeError):
            return "is not valid JSON"
    if path.suffix == ".safetensors":
        try:
            header = read_header(path)
        except ValueError as error:
            return str(error)
        if tensors is not None:
            tensors.update({name: shape for name, (_, shape) in header.items()})
    expected = expected or hub_hash(path)
    if expected and not _marked(path, expected, marks):
        if file_hash(path) != expected:
            return "is altered or damaged (its SHA-256 is not the Hub's)"
        _mark(path, expected, marks)
    return ""


def _tensor_problems(folder: Path, tensors: dict[str, tuple[int, ...]], weights: list[str]) -> list[FileProblem]:
    reason = tensor_mismatch(read_config(folder), tensors)
    return [FileProblem(weights[0] if len(weights) == 1 else INDEX, reason)] if reason else []


def tensor_mismatch(config: dict[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> str:
    """How a set of tensors differs from what the configuration asks for, in words; empty if it does not."""
    expected = {name: shape for name, shape, _ in parameter_census(config)}
    if missing := sorted(expected.keys() - shapes.keys()):
        return f"lacks {_some(missing)}"
    if surplus := sorted(shapes.keys() - expected.keys()):
        return f"holds {_some(surplus)}, which config.json knows nothing of"
    for name, shape in expected.items():
        if shapes[name] != shape:
            return f"holds {name} as {list(shapes[name])}, config.json says {list(shape)}"
    return ""


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return names[0] + rest


def verify(folder: Path | str, hashes: Mapping[str, str] | None = None, marks: Path | None = None) -> None:
    """Refuse a checkpoint folder with a damaged or missing file, before any work. Arguments: `find_problems`.

    Raises:
        KathrineError: names every problem file.
    """
    problems = find_problems(folder, hashes, marks)
    if not problems:
        return
    if not (Path(folder) / "config.json").is_file():
        raise KathrineError(
            f"{folder} is no Qwen3-TTS checkpoint: config.json is missing",
            "name a folder in the official layout (config.json, model.safetensors, speech_tokenizer/, ...)",
        )
    raise KathrineError(f"the checkpoint {folder} can not be used: {sentence(problems)}", "fetch these files again")


def sentence(problems: list[FileProblem]) -> str:
    """Problems as part of a sentence."""
    return "; ".join(f"{problem.file} {problem.reason}" for problem in problems)


def file_hash(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hub_hash(path: Path) -> str | None:
    """The SHA-256 that the Hub published for a large file, as its cache or a local download kept it."""
    target = path.resolve()
    if target.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", target.name):
        return target.name
    for root in path.parents[:2]:
        note = root / ".cache" / "huggingface" / "download" / f"{path.relative_to(root)}.metadata"
        if note.is_file():
            lines = note.read_text(encoding="utf-8").split()
            return lines[1] if len(lines) > 1 and re.fullmatch(r"[0-9a-f]{64}", lines[1]) else None
    return None


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"


def _marked(path: Path, digest: str, marks: Path | None) -> bool:
    mark = marks / digest if marks else None
    return bool(mark and mark.is_file() and mark.read_text(encoding="utf-8") == _stamp(path))


def _mark(path: Path, digest: str, marks: Path | None) -> None:
    if marks is None:
        return
    marks.mkdir(parents=True, exist_ok=True)
    temporary = marks / f"{digest}.{os.getpid()}.tmp"
    temporary.write_text(_stamp(path), encoding="utf-8")
    temporary.replace(marks / digest)
