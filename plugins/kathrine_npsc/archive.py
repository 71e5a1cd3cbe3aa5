"""Day archives: one tar.gz of clips a day, unpacked once into a folder of the workspace.

A folder under its final name is complete: members are written into a folder of another name, which is renamed
when the index (`index.json`) lies in it. Waves: float32 [samples], mono.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kathrine.datafiles import inside
from kathrine.errors import KathrineError
from kathrine_npsc.metadata import STEM

if TYPE_CHECKING:
    import numpy as np

TAIL_SECONDS = 0.05
"""How much of a clip's end must be quiet for it to end in a pause."""


def read_index(folder: Path, stamp: str) -> dict[str, Any] | None:
    """The index of an unpacked day, or None where it is not there or made from another archive."""
    path = folder / "index.json"
    if not path.is_file():
        return None
    index = json.loads(path.read_text(encoding="utf-8"))
    return index if index["stamp"] == stamp else None


def unpack(archive: Path, name: str, folder: Path, stamp: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Unpack a day's clips, named by their stem; folders and extensions of members do not matter.

    Given: name, the archive as messages name it; folder, where the clips go. Returns: the index, with
    `clips`: stem -> {file, sounding}, where `sounding` says that the clip ends in the middle of the sound
    (None: could not be decoded). Raises: KathrineError for a member that points outside the folder or is no
    plain file; errors of tarfile, gzip and zlib for a damaged archive.
    """
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    clips: dict[str, dict[str, Any]] = {}
    with tarfile.open(archive, mode="r|gz") as members:
        for member in members:
            refuse_unsafe(member, name)
            stem = PurePosixPath(member.name).stem
            if not member.isfile() or not re.fullmatch(r"\w[\w.-]*", stem):
                continue
            if stem in clips:
                say(f"{name}: a second clip {member.name} is left out")
                continue
            content = members.extractfile(member)
            assert content is not None  # isfile() holds
            target = part / f"{stem}{PurePosixPath(member.name).suffix.lower()}"
            with target.open("wb") as file:
                shutil.copyfileobj(content, file)
            clips[stem] = {"file": target.name, "sounding": file_ends_in_sound(target)}
    index = {"stamp": stamp, "archive": name, "clips": clips}
    with (part / "index.json").open("w", encoding="utf-8") as file:
        json.dump(index, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    return index


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
    """A function from (stem, start ms, end ms) of a sentence to the stem of its clip in the archive, or None.

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


def file_ends_in_sound(path: Path) -> bool | None:
    """`ends_in_sound` of a file, or None where it can not be decoded (prepare then rejects it by name)."""
    import soundfile

    try:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError:
        return None
    return ends_in_sound(wave.mean(axis=1), rate)


def ends_in_sound(wave: np.ndarray, rate: int) -> bool:
    """Whether the last 50 ms lie above the noise floor.

    The floor is the 5th percentile of the levels of 50 ms pieces, the speech level their 95th. The end counts
    as sound when it is 10 dB above the floor and less than 30 dB below speech; both limits are ours.
    """
    import numpy as np

    size = int(TAIL_SECONDS * rate)
    count = len(wave) // size
    if count < 2:
        return False
    pieces = wave[len(wave) - count * size :].reshape(count, size)
    levels = 10 * np.log10(np.square(pieces, dtype=np.float64).mean(axis=1) + 1e-12)
    floor, speech = np.percentile(levels, [5, 95])
    return bool(levels[-1] > floor + 10 and levels[-1] > speech - 30)
