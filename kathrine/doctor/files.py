"""Disks: room, rights, and what the file systems under the workspace and the run folder can do."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kathrine.doctor.findings import Finding, green, red, size, yellow
from kathrine.doctor.limits import read

MOUNTS = Path("/proc/self/mountinfo")
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
PASSING = ("overlay", "tmpfs", "ramfs", "aufs")
"""File systems that are gone with the container or with the machine's power."""
INODES = 20_000
"""Files that a run may make beside its recordings."""


def standing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    return path


def check_folder(name: str, folder: Path, remedy: str, replace: Callable[[Path, Path], object] = os.replace) -> Finding:
    """Whether a folder that a run writes to can be written, renames at once and keeps two processes apart.

    Given: remedy, how to name another folder; replace, how a file takes another one's place. Tried with small files
    beside those of the run, in the folder or in the nearest one above it that exists; they are removed again.
    """
    here = standing(folder)
    where = str(folder) if here == folder else f"{folder} (not made yet, below {here})"
    if not here.is_dir():
        return red(name, f"{folder}: {here} is a file", remedy)
    try:
        with tempfile.TemporaryDirectory(prefix=".kathrine-doctor-", dir=here) as tried:
            new, old = Path(tried, "new"), Path(tried, "old")
            old.write_text("old", encoding="utf-8")
            with new.open("w", encoding="utf-8") as file:
                file.write("new")
                file.flush()
                os.fsync(file.fileno())
            replace(new, old)
            if new.exists() or old.read_text(encoding="utf-8") != "new":
                return red(name, f"{where}: a rename does not replace at once", remedy)
            locks = knows_locks(Path(tried, "lock"))
    except OSError as error:
        return red(name, f"{where} can not be written: {error.strerror or error}", remedy)
    kind = file_system(here)
    told = f"{where}, {kind or 'unknown file system'}"
    if not locks:
        return yellow(name, f"{told}: it knows no locks", "never start two commands on this folder at once")
    return green(name, f"{told}: can be written, renames at once, knows locks")


def knows_locks(path: Path) -> bool:
    """Whether a lock that is held is refused to a second one."""
    try:
        with path.open("w") as first, path.open("w") as second:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except OSError:  # ENOLCK, ENOTSUP: a network file system without its lock daemon
        return False
    return False


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """The kind of file system that a path lies on (`ext4`, `overlay`, `nfs4`), or an empty string."""
    path = path.resolve()
    best, kind = "", ""
    for line in read(mounts).splitlines():
        left, _, right = line.partition(" - ")
        place = left.split()[4].replace("\\040", " ")
        if path.is_relative_to(place) and len(place) >= len(best):
            best, kind = place, right.split()[0]
    return kind


def in_container(environment: Mapping[str, str], mounts: Path = MOUNTS) -> bool:
    """Whether this process runs in a container."""
    marked = any(mark.exists() for mark in CONTAINER_MARKS)
    return marked or "KUBERNETES_SERVICE_HOST" in environment or file_system(Path("/"), mounts) in ("overlay", "aufs")


def check_lasting(workspace: Path, run: Path, environment: Mapping[str, str], mounts: Path = MOUNTS) -> list[Finding]:
    """Whether what a run makes outlives its container."""
    lost = [f"{path} ({kind})" for path in (workspace, run) if (kind := file_system(standing(path), mounts)) in PASSING]
    contained = in_container(environment, mounts)
    named = bool(environment.get("KATHRINE_WORKSPACE"))
    remedy = "mount a volume, name it in KATHRINE_WORKSPACE, and put the run below it with --folder"
    if lost:
        told = f"{' and '.join(lost)}: gone with the container or at the next start"
        return [yellow("volume", told, remedy)]
    if contained and not named:
        return [yellow("volume", "in a container, and KATHRINE_WORKSPACE is not set", remedy)]
    return [green("volume", f"lasting; {'in a container' if contained else 'no container'}")]


def check_room(needs: Sequence[tuple[Path, str, int, int]]) -> list[Finding]:
    """Free bytes and inodes of each disk against what the folders on it will need together.

    Given: (folder, what it is, bytes, files) for each folder.
    """
    disks: dict[int, list[tuple[Path, str, int, int]]] = {}
    for need in needs:
        disks.setdefault(standing(need[0]).stat().st_dev, []).append(need)
    found = []
    for on_it in disks.values():
        place = standing(on_it[0][0])
        what = " and ".join(name for _, name, _, _ in on_it)
        wanted, files = sum(need for _, _, need, _ in on_it), sum(count for _, _, _, count in on_it)
        free = shutil.disk_usage(place).free
        told = f"{what}: {size(free)} free, about {size(wanted)} to come"
        remedy = "free some room, or name a larger disk (KATHRINE_WORKSPACE, --folder)"
        if free < wanted:
            found.append(red("disk", told, remedy))
        elif free < 1.2 * wanted:
            found.append(yellow("disk", f"{told}: that is close", remedy))
        else:
            found.append(green("disk", told))
        facts = os.statvfs(place)
        if facts.f_files and facts.f_favail < files + INODES:
            told = f"{what}: room for {facts.f_favail:,} more files, about {files + INODES:,} to come"
            found.append(red("inodes", told, "remove small files, or take a file system with more inodes"))
    return found
