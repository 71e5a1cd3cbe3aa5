"""Seeing what a component does to the machine: connections, written files, and modules that are not there.

Python tells an audit hook of every connection and every file that is opened, so nothing has to be replaced by a
double. A hook can not be taken away again: there is one, and it does nothing while nobody watches.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Watcher = Callable[[str, tuple[Any, ...]], None]
_watchers: list[Watcher] = []
_hooked: list[bool] = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _tell(event: str, arguments: tuple[Any, ...]) -> None:
    for watcher in _watchers:
        watcher(event, arguments)


@contextmanager
def audited(watcher: Watcher) -> Iterator[None]:
    """Within it `watcher` is told of every audit event, and may stop what is about to happen by raising."""
    if not _hooked:
        sys.addaudithook(_tell)
        _hooked.append(True)
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def no_network() -> Iterator[list[str]]:
    """Within it no connection can be made. Yields: the places that were asked for, in order."""
    asked: list[str] = []

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            asked.append(f"{arguments[0]}:{arguments[1]}")
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            asked.append(":".join(map(str, arguments[1][:2])))
        else:
            return
        raise ConnectionRefusedError(errno.ECONNREFUSED, f"no network in this test: {asked[-1]}")

    with audited(refuse):
        yield asked


@contextmanager
def counted_writes(below: Path, fail_at: int = 0) -> Iterator[list[str]]:
    """Within it files that Python opens for writing below a folder are listed, by name.

    Given: fail_at, the number (from 1) of the one that fails as on a full disk; 0 for none.
    """
    opened: list[str] = []
    root = str(below.resolve())

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str) or not arguments[2] & WRITES:
            return
        path = os.path.abspath(arguments[0])  # noqa: PTH100  Path.resolve would open nothing, but may raise here
        if not path.startswith(root + os.sep):
            return
        opened.append(path)
        if len(opened) == fail_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    with audited(watch):
        yield opened


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Within it these modules are not installed: importing them fails, and `find_spec` does not find them."""
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(before)


def written_files(*folders: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of change of every file below some folders: a file that is fetched again has another time."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                facts = path.stat()
                found[path] = (facts.st_size, facts.st_mtime_ns)
    return found
