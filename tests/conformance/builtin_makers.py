"""How each built-in component is made in a test, and which check it goes through.

One function a component, `@made("KIND", "NAME")`, in `made_for_training.py` or `made_for_data.py`: it makes the
component from small local data and calls the check of its kind. A built-in without one fails `test_all_builtins.py`, so
a new one needs a few lines there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kathrine import Workspace
from kathrine.components import Component

TESTS = Path(__file__).resolve().parents[1]
TINY = "qwen3_tts"


@dataclass
class Bench:
    """Where one component is tried. kind: its class, from the catalogue. folder: empty."""

    kind: type[Component]
    folder: Path
    workspace: Workspace = field(default_factory=Workspace.default)

    def make(self, **options: Any) -> Any:
        """The component with these options."""
        return self.kind(self.kind.Options.model_validate(options))

    def own_workspace(self) -> Workspace:
        return Workspace(self.folder / "workspace")


Maker = Callable[[Bench], None]
MAKERS: dict[tuple[str, str], Maker] = {}


def made(kind: str, name: str) -> Callable[[Maker], Maker]:
    """Enter a function into the table."""

    def enter(maker: Maker) -> Maker:
        assert (kind, name) not in MAKERS, f"{kind} {name} is in the table already"
        MAKERS[kind, name] = maker
        return maker

    return enter


def maker_of(kind: str, name: str) -> Maker:
    """The function of a component; fails the test where there is none."""
    maker = MAKERS.get((kind, name))
    if maker is None:
        pytest.fail(
            f"no conformance check runs over the built-in {kind} '{name}': write a function with "
            f'@made("{kind}", "{name}") in tests/conformance/made_for_*.py'
        )
    return maker
