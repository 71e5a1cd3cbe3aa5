"""What a conformance check says: which component, what is wrong, and the sentence of the contract that it breaks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

from kathrine.components import Component


class ConformanceError(AssertionError):
    """A component that breaks the contract of its kind. The message names it, what is wrong, and the docstring that
    says what the contract is."""


class Contract:
    """The contract of one component's kind: every check speaks through it.

    Args:
        component: what is checked; messages call it `KIND.LABEL`.
    """

    def __init__(self, component: Component) -> None:
        self.what = f"{component.kind}.{component.label}"

    def holds(self, condition: Any, sentence: str, where: Callable[..., Any] | type) -> None:
        """Raise ConformanceError unless the condition is true.

        Given: sentence, what is wrong; where, the method or class whose docstring says what is right.
        """
        if not condition:
            self.broken(sentence, where)

    def broken(self, sentence: str, where: Callable[..., Any] | type) -> NoReturn:
        """Raise ConformanceError. Given: as `holds`."""
        raise ConformanceError(f"{self.what}: {sentence}\n  {contract_of(where)}")


def contract_of(where: Callable[..., Any] | type) -> str:
    """`the contract, kathrine.components.training.Strategy.off: FIRST PARAGRAPH OF ITS DOCSTRING`."""
    text = " ".join((inspect.getdoc(where) or "").split("\n\n")[0].split())
    return f"the contract, {where.__module__}.{where.__qualname__}: {text}"


def fresh(component: Any) -> Any:
    """Another instance with the same options and label: what a component keeps for itself is not in it."""
    return type(component)(component.options, component.label)


def listed(names: Any, most: int = 3) -> str:
    """The first few of some names, sorted, and how many more there are."""
    found = sorted(map(str, names))
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
