"""Which hook was called on whom, with what, and what came back: a record of all managers that are made meanwhile.

Made of pluggy's own monitoring of calls. Nothing is watched outside of `recorded`.
"""

from __future__ import annotations

import dataclasses
import inspect
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

WIDTH = 90
"""Letters that a value is shortened to."""
_records: list[Record] = []


@dataclass(frozen=True)
class HookCall:
    """One call. at: seconds since the record began; seconds: how long it took. by: names of the plugins or components
    that were called, empty where nobody listens. arguments, result: shortened to what can be read; error: what was
    raised, and where, or empty."""

    at: float
    seconds: float
    hook: str
    by: tuple[str, ...]
    arguments: Mapping[str, str]
    result: str
    error: str = ""


@dataclass
class Record:
    """All calls, in the order in which they began. told: called with each when it has ended."""

    told: Callable[[HookCall], None] | None = None
    calls: list[HookCall] = field(default_factory=list)
    managers: list[pluggy.PluginManager] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _open: list[float] = field(default_factory=list)

    def watch(self, manager: pluggy.PluginManager) -> None:
        """Keep the calls of this manager too."""
        self.managers.append(manager)
        manager.add_hookcall_monitoring(self._before, self._after)

    def _before(self, hook: str, listeners: Sequence[Any], arguments: Mapping[str, Any]) -> None:
        self._open.append(time.monotonic())

    def _after(self, outcome: Any, hook: str, listeners: Sequence[Any], arguments: Mapping[str, Any]) -> None:
        start = self._open.pop()
        error = outcome.exception
        call = HookCall(
            at=start - self.began,
            seconds=time.monotonic() - start,
            hook=hook,
            by=tuple(one.plugin_name for one in reversed(listeners)),
            arguments={name: shortened(value) for name, value in arguments.items()},
            result="" if error is not None else returned(outcome.get_result()),
            error="" if error is None else raised(error),
        )
        self.calls.append(call)
        if self.told is not None:
            self.told(call)

    def listeners(self, hook: str) -> list[str]:
        """Names of all plugins and components that implement a hook, in the order in which they came."""
        found: dict[str, None] = {}
        for manager in self.managers:
            for one in getattr(manager.hook, hook).get_hookimpls():
                found[one.plugin_name] = None
        return list(found)


@contextmanager
def recorded(told: Callable[[HookCall], None] | None = None) -> Iterator[Record]:
    """Within it the calls of every manager that is made are kept. Given: told, called with each call."""
    record = Record(told)
    _records.append(record)
    try:
        yield record
    finally:
        _records.remove(record)


def attach(manager: pluggy.PluginManager) -> None:
    """Let the records that are open watch a new manager."""
    for record in _records:
        record.watch(manager)


def returned(results: Sequence[Any]) -> str:
    """What a call gave: `nothing`, or its answers."""
    shown = [shortened(list(one) if isinstance(one, tuple) else one) for one in results]
    return _cut(", ".join(shown)) if shown else "nothing"


def raised(error: BaseException) -> str:
    """`TYPE: message (FILE:LINE)` of the innermost line."""
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{message} ({frames[-1].filename}:{frames[-1].lineno})" if frames else message


def shortened(value: Any) -> str:
    """A value in a few words: classes and components by name, the plain fields of a dataclass, the rest cut off."""
    if inspect.isclass(value):
        return value.__name__
    if isinstance(value, Path):
        return _cut(f".../{'/'.join(value.parts[-2:])}" if len(value.parts) > 3 else str(value))
    if dataclasses.is_dataclass(value):
        fields = ((one.name, getattr(value, one.name)) for one in dataclasses.fields(value))
        plain = [f"{name}={shortened(part)}" for name, part in fields if _is_plain(part)]
        return _cut(f"{type(value).__name__}({', '.join(plain)})")
    if isinstance(value, list):
        return _cut(f"[{', '.join(map(shortened, value))}]")
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None or isinstance(value, str | int):
        return _cut(repr(value))
    return _cut(f"<{type(value).__name__}>")


def _is_plain(value: Any) -> bool:
    return value not in ("", None) if isinstance(value, str | int | float | Path | None) else False


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
