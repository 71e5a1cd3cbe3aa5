"""A finding: what was looked at, what was measured, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["green", "yellow", "red"]
ORDER: tuple[State, ...] = ("green", "yellow", "red")
"""From nothing to do, over something to know, to something that would stop the run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis. remedy: what to do; empty where nothing is to be done."""

    name: str
    state: State
    measured: str
    remedy: str = ""


def green(name: str, measured: str) -> Finding:
    """Nothing to do."""
    return Finding(name, "green", measured)


def yellow(name: str, measured: str, remedy: str) -> Finding:
    """The run goes, but somebody should know this before the night."""
    return Finding(name, "yellow", measured, remedy)


def red(name: str, measured: str, remedy: str) -> Finding:
    """The run would stop, or what it makes would be lost."""
    return Finding(name, "red", measured, remedy)


def worst(findings: Iterable[Finding]) -> State:
    """The worst state among findings; green where there are none."""
    return max((finding.state for finding in findings), key=ORDER.index, default="green")


def size(count: float) -> str:
    """Bytes for people: `512 MB`, `1.8 GB`."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.{0 if count >= 100 * scale else 1}f} {unit}"
    return f"{count:.0f} bytes"
