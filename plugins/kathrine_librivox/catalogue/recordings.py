"""A section's recording: fetched to a `.part` file, checked, then renamed. A file under its own name is complete.

Size and md5 tell whether all of it came. They do not tell whether it can be read: libsndfile decodes the first half
of a file without a word, and stops early in a file of variable rate without a table of its length. So the decoded
length is compared with what the catalogue and the archive say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kathrine.datafiles import write_atomically
from kathrine_librivox.catalogue.archive import ArchiveFile, Item, download_url
from kathrine_librivox.catalogue.web import NotThere, Web, length

LENGTH_SHARE, LENGTH_SECONDS = 0.01, 2.0
"""A decoded length may differ from a promised one by 1 % and 2 s: lengths are rounded, and coders add some silence."""
BLOCK = 1 << 20


class SectionRejected(Exception):
    """A section that can not be used. reason: the name under which it is counted; detail: one line."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Recording:
    """A checked file. md5: of what lies on the disk. seconds: decoded. rate in Hz."""

    path: Path
    md5: str
    seconds: float
    rate: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking a file found, kept beside it. expected: the md5 that it was checked against. reason: empty for
    a good one."""

    expected: str
    md5: str
    seconds: float
    rate: int
    reason: str = ""
    detail: str = ""


def fetch_recording(
    web: Web,
    url: str,
    item: Item,
    file: ArchiveFile,
    promised: Sequence[float | None],
    folder: Path,
    warn: Callable[[str], Any],
    advance: Callable[[float], Any],
    retry: bool = False,
) -> Recording:
    """The recording, from the disk or from archive.org.

    Given: promised, lengths in seconds as catalogue and archive say (None: not said); folder, the item's own.
    advance: told of bytes. A file that came damaged is fetched once more. What was found wrong is kept: a later run
    does not fetch it again unless the archive has another file, or `retry` is set.

    Raises: SectionRejected, and what `Web.download` raises.
    """
    path = folder.joinpath(*file.name.split("/"))
    kept, part = path.with_name(f"{path.name}.json"), path.with_name(f"{path.name}.part")
    verdict = read_verdict(kept)
    if verdict is not None and verdict.expected == file.md5:
        if verdict.reason and not retry:
            raise SectionRejected(verdict.reason, verdict.detail)
        if not verdict.reason and path.is_file():
            advance(length(path))
            return Recording(path, verdict.md5, verdict.seconds, verdict.rate)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        verdict = fetch_and_check(web, download_url(url, item, file), part, file, promised, warn, advance)
    except NotThere as problem:
        verdict = Verdict(file.md5, "", 0.0, 0, "no recording", problem.message)
    write_atomically(kept, json.dumps(asdict(verdict), ensure_ascii=False).encode())
    if verdict.reason:
        part.unlink(missing_ok=True)
        raise SectionRejected(verdict.reason, verdict.detail)
    part.replace(path)
    return Recording(path, verdict.md5, verdict.seconds, verdict.rate)


def read_verdict(path: Path) -> Verdict | None:
    """A verdict that was kept, or None."""
    return Verdict(**json.loads(path.read_text("utf-8"))) if path.is_file() else None


def fetch_and_check(
    web: Web,
    address: str,
    part: Path,
    file: ArchiveFile,
    promised: Sequence[float | None],
    warn: Callable[[str], Any],
    advance: Callable[[float], Any],
) -> Verdict:
    """Fetch what is missing of `part` and check it; a damaged one is fetched anew, once."""
    for again in (False, True):
        web.download(address, part, file.size, advance)
        verdict = check(part, file, promised)
        # The right bytes that can not be used would only come again.
        if not verdict.reason or (file.md5 and verdict.md5 == file.md5):
            return verdict
        part.unlink()
        if not again:
            warn(f"{file.name}: {verdict.detail}; it is fetched once more")
    return verdict


def check(path: Path, file: ArchiveFile, promised: Sequence[float | None]) -> Verdict:
    """What is wrong with a file, or a good verdict.

    It has to agree with one of the promised lengths: the catalogue keeps the length of an older upload at times.
    """
    with path.open("rb") as content:
        md5 = hashlib.file_digest(content, "md5").hexdigest()

    def bad(reason: str, detail: str, seconds: float = 0.0, rate: int = 0) -> Verdict:
        return Verdict(file.md5, md5, seconds, rate, reason, detail)

    size = length(path)
    if file.size is not None and size != file.size:
        return bad("damaged download", f"{size} bytes came instead of {file.size}")
    if file.md5 and md5 != file.md5:
        return bad("damaged download", "its md5 is not the one that the archive names")
    try:
        seconds, rate = decoded_length(path)
    except DecodingError as problem:
        return bad("unreadable recording", f"it can not be decoded ({problem})")
    known = [one for one in promised if one]
    if known and not any(agree(seconds, one) for one in known):
        told = " and ".join(f"{one:.0f} s" for one in known)
        return bad("length differs", f"{seconds:.0f} s can be decoded where {told} are promised", seconds, rate)
    return Verdict(file.md5, md5, seconds, rate)


def agree(seconds: float, promised: float) -> bool:
    """Whether a decoded length is the promised one."""
    return abs(seconds - promised) <= LENGTH_SHARE * promised + LENGTH_SECONDS


class DecodingError(Exception):
    """libsndfile can not read a file."""


def decoded_length(path: Path) -> tuple[float, int]:
    """Seconds that are really in a file, by decoding all of it block by block, and its rate in Hz."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as sound:
            frames = 0
            while block := len(sound.read(BLOCK, dtype="int16", always_2d=True)):
                frames += block
            return frames / sound.samplerate, sound.samplerate
    except (soundfile.SoundFileError, RuntimeError) as problem:
        raise DecodingError(str(problem).splitlines()[0][:120]) from problem
