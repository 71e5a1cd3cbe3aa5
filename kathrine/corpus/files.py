"""Writing so that existence means complete, and the lock that keeps two prepares apart."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """`write` gets a temporary path in the same folder; what it wrote is flushed to the disk and then
    renamed."""
    temporary = path.with_name(f".{path.name}.tmp")
    write(temporary)
    sync(temporary)
    os.replace(temporary, path)  # noqa: PTH105  (the same name everywhere, so that tests can count renames)


def write_json(path: Path, content: Any) -> None:
    """JSON, atomically; keys stay in their order."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path, format: int, again: str) -> dict[str, Any]:
    """A document that kathrine wrote, with its `format`. Raises: KathrineError for one that is damaged, with `again` as
    the remedy, and for one of another format."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise KathrineError(f"{path} is not valid JSON ({error})", again) from error
    if not isinstance(document, dict) or document.get("format") != format:
        raise KathrineError(f"{path} has a format that this version does not know", "update kathrine")
    return document


def write_text(path: Path, text: str) -> None:
    """UTF-8, atomically."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_atomically(path, write)


def link_or_copy(source: Path, target: Path) -> None:
    """A file under a second name, which stays when the first one goes; copied where the disk knows no hard links. For
    files that nobody writes to again."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def locked(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock file; while another process holds it, say so once and wait. A killed process lets go of
    it."""
    import fcntl

    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            say(f"another prepare (process {holder}) uses this workspace: waiting for it")
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                raise KathrineError(f"{path} can not be locked: {error}", "use a workspace on a local disk") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
