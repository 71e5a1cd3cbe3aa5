"""What every component is: options, a name, and progress to report to. Imports no torch."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Base of all options: unknown keys are errors, values are not converted, instances do not change.

    A field's docstring (the string below it) is its documentation, printed by `kathrine plugins show` and in the
    recipe reference.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Component(ABC):
    """Base of all kinds. Subclasses set `name` and, where they have options, `Options`.

    Args:
        options: validated options.
        label: the component's name in the recipe; the same as `name` unless the recipe says `use = "NAME"`.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    Options: ClassVar[type[Options]] = Options
    options: Any

    def __init__(self, options: Any = None, label: str = "") -> None:
        self.options = options if options is not None else self.Options()
        self.label = label or self.name

    def problems(self) -> Iterator[str]:
        """Sentences about options that contradict each other or a missing backend; asked by `kathrine check`."""
        return iter(())


class Progress(Protocol):
    """What long work reports to. A component never prints: it advances a task that the kernel shows."""

    def task(self, description: str, total: float | None = None) -> AbstractContextManager[Callable[..., None]]:
        """Open a task; the returned function is called as `advance(amount=1, description=None)`."""

    def say(self, message: str) -> None:
        """One line of news."""

    def warn(self, message: str) -> None:
        """One line that the user should act on."""
