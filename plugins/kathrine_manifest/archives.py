"""Recordings that lie in tar archives beside the tables: unpacked once, found by path, by name or by stem.

A folder under its final name is complete: members are written into a folder of another name, which is renamed when
the index lies in it.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from kathrine.datafiles import DataFiles, inside, safe_name
from kathrine.errors import KathrineError
from kathrine_manifest.corpus import Corpus, is_audio

DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)
AMBIGUOUS = Path()


@dataclass(slots=True)
class Shelf:
    """Recordings of unpacked archives by every name under which a row may ask for them. A name that several recordings
    share finds none of them."""

    by_path: dict[str, Path] = field(default_factory=dict)
    by_name: dict[str, Path] = field(default_factory=dict)
    by_stem: dict[str, Path] = field(default_factory=dict)

    def add(self, member: str, path: Path) -> None:
        self.by_path.setdefault(member, path)
        name = PurePosixPath(member)
        for known, key in ((self.by_name, name.name), (self.by_stem, name.stem)):
            known[key] = path if key not in known else AMBIGUOUS

    def find(self, written: str) -> Path | None:
        """The recording: by its path in the archive, else by its file name, else by that without ending."""
        name = PurePosixPath(written.removeprefix("./"))
        found = self.by_path.get(name.as_posix())
        found = found or self.by_name.get(name.name, AMBIGUOUS)
        found = self.by_stem.get(name.stem, AMBIGUOUS) if found == AMBIGUOUS else found
        return None if found == AMBIGUOUS else found


def folder_of_archive(files: DataFiles, name: str) -> Path:
    """Where an archive's recordings lie."""
    return files.folder / "archives" / f"{safe_name(name)}@{files.stamp(name)[:16]}"


def unpack_archive(corpus: Corpus, name: str, advance: Callable[[float], Any], warn: Callable[[str], Any]) -> Path:
    """The folder of an archive's recordings, unpacked where that was not done before.

    A damaged archive of the Hub is fetched once more. Raises: KathrineError for one that stays damaged, or one that
    holds a member outside itself, a link or a device.
    """
    files = corpus.files
    folder = folder_of_archive(files, name)
    if (folder / "index.json").is_file():
        return folder
    path: Path | None = corpus.fetch(name, advance)
    for again in (False, True):
        if again:
            warn(f"{name} is damaged and is fetched again")
            path = files.fetch_again(name)
        if path is None:
            break
        try:
            _unpack(path, name, folder)
            return folder
        except DAMAGE as problem:
            reason = problem
    raise KathrineError(
        f"{name} of {files.label} is damaged ({reason})", "get the file again; what is unpacked already is kept"
    ) from reason


def _unpack(archive: Path, name: str, folder: Path) -> None:
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    clips: dict[str, str] = {}
    with tarfile.open(archive, mode="r|*") as members:
        for member in members:
            if not inside(member.name):
                raise KathrineError(f"{name} holds '{member.name}', which points outside of the archive", UNSAFE)
            if not (member.isfile() or member.isdir()):
                raise KathrineError(f"{name} holds '{member.name}', which is a link or a device", UNSAFE)
            if not member.isfile() or not is_audio(member.name):
                continue
            content = members.extractfile(member)
            assert content is not None  # isfile() holds
            # Numbered: names of members may be anything, and two may differ in capitals only.
            target = part / f"{len(clips):06d}{PurePosixPath(member.name).suffix.lower()}"
            with target.open("wb") as file:
                shutil.copyfileobj(content, file)
            clips[PurePosixPath(member.name).as_posix()] = target.name
    with (part / "index.json").open("w", encoding="utf-8") as file:
        json.dump(clips, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.sync()
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)


UNSAFE = "this archive is not to be trusted: remove it, and get it from where the corpus is published"


def shelve(folder: Path, shelf: Shelf) -> None:
    """Put the recordings of an unpacked archive onto a shelf."""
    for member, clip in json.loads((folder / "index.json").read_text(encoding="utf-8")).items():
        shelf.add(member, folder / clip)
