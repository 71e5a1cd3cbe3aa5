"""Clips on this machine: folders that are complete when they exist, each with an index of its clips.

Clips are written into a folder of another name, which is renamed when the index (`index.json`) lies in it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from kathrine.datafiles import inside
from kathrine.errors import KathrineError
from kathrine_npsc.metadata import STEM
from kathrine_npsc.sound import heard


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording on this machine. stem: its name in the corpus. sounding: it ends in the middle of the sound (None:
    could not be decoded). rate: Hz. stamp: changes when the recording may have changed."""

    path: Path
    stem: str
    sounding: bool | None
    rate: int | None
    stamp: str


def read_index(folder: Path, stamp: str) -> dict[str, Any] | None:
    """The index of a folder of clips, or None where it is not there or made from something else."""
    path = folder / "index.json"
    if not path.is_file():
        return None
    index = json.loads(path.read_text(encoding="utf-8"))
    return index if index["stamp"] == stamp else None


def write_clips(
    members: Iterable[tuple[str, BinaryIO]], name: str, folder: Path, stamp: str, say: Callable[[str], None]
) -> dict[str, Any]:
    """Write clips into a folder, named by their stem; folders and extensions of their names do not matter.

    Given: members, names and contents; name, what they come from as messages name it. Returns: the index, with
    `clips`: stem -> {file, sounding, rate}, see `heard`. Errors of `members` go through, and leave no folder.
    """
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    clips: dict[str, dict[str, Any]] = {}
    for member, content in members:
        stem = PurePosixPath(member).stem
        if not re.fullmatch(r"\w[\w.-]*", stem):
            continue
        if stem in clips:
            say(f"{name}: a second clip {member} is left out")
            continue
        target = part / f"{stem}{PurePosixPath(member).suffix.lower()}"
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
        clips[stem] = {"file": target.name, **heard(target)}
    index = {"stamp": stamp, "archive": name, "clips": clips}
    with (part / "index.json").open("w", encoding="utf-8") as file:
        json.dump(index, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    return index


def archive_members(archive: Path, name: str) -> Iterator[tuple[str, BinaryIO]]:
    """Names and contents of a tar.gz, in its order.

    Raises: KathrineError for a member that points outside or is no plain file; errors of tarfile, gzip and zlib for a
    damaged archive.
    """
    with tarfile.open(archive, mode="r|gz") as members:
        for member in members:
            refuse_unsafe(member, name)
            if member.isfile():
                content = members.extractfile(member)
                assert content is not None  # isfile() holds
                yield member.name, content  # type: ignore[misc]


def refuse_unsafe(member: tarfile.TarInfo, archive: str) -> None:
    """Refuse an archive by its first member that is not a plain file or folder inside it."""
    if not inside(member.name):
        raise KathrineError(
            f"{archive} holds '{member.name}', which points outside of the archive",
            "this archive is not what the corpus publishes: remove it and get it from the original place",
        )
    if not (member.isfile() or member.isdir()):
        raise KathrineError(
            f"{archive} holds '{member.name}', which is a link or a device and no clip",
            "this archive is not what the corpus publishes: remove it and get it from the original place",
        )


def clip_finder(index: dict[str, Any]) -> Callable[[str, int, int], str | None]:
    """A function from (stem, start ms, end ms) of a sentence to the stem of its clip in the index, or None.

    The stem decides; a row without one is found by its times, when they fit one clip only.
    """
    by_times: dict[tuple[int, int], list[str]] = {}
    for stem in index["clips"]:
        if match := STEM.fullmatch(stem):
            by_times.setdefault((int(match["start"]), int(match["end"])), []).append(stem)

    def find(stem: str, start: int, end: int) -> str | None:
        if stem:
            return stem if stem in index["clips"] else None
        fitting = by_times.get((start, end), [])
        return fitting[0] if len(fitting) == 1 else None

    return find
