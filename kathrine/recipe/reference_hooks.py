"""The reference page of hooks: each with when, given, returns, answers, and who implements it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import kathrine
from kathrine import hookspecs
from kathrine.catalog import KINDS, Catalog
from kathrine.kinds import EVENT_HOOKS
from kathrine.recipe.reference_words import GENERATED, doc_of, sections, signature
from kathrine.recipe.tables import KIND_TABLES

PARTS = ("When", "Given", "Returns", "Answers")
"""What the docstring of every hook says."""
EXAMPLE = "[kathrine-danish](../examples/kathrine-danish)"

_MORE = (
    "See also: [the kinds and their contracts](components.md), [the types that are given and returned](types.md),"
    " [writing a plugin](../writing-a-plugin.md). `KATHRINE_TRACE_PLUGINS=1` in the environment writes every call to"
    " standard error.\n"
)


def hooks_page(catalog: Catalog, distribution: str = "kathrine") -> str:
    """Markdown of `docs/reference/hooks.md`: every hook, in the order of a run."""
    parts = [GENERATED, f"# Hooks\n\n{inspect.cleandoc(hookspecs.__doc__ or '')}\n", _MORE]
    headings = {False: "## What exists\n", True: "## What happened\n"}
    for name, function in hook_functions().items():
        is_event = name in EVENT_HOOKS
        if is_event in headings:
            parts.append(headings.pop(is_event))
        about, said = sections(doc_of(function))
        lines = [f"- **{part}**: {said[part]}" for part in PARTS if part in said]
        lines.append(f"- **Implemented by**: {', '.join(implementers(name, catalog, distribution))}.")
        parts.append(f"### `{signature(function)}`\n\n{about}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def hook_functions() -> dict[str, Callable[..., Any]]:
    """Every hook specification by name, in the order of the file."""
    return {name: value for name, value in vars(hookspecs).items() if name.startswith("kathrine_")}


def implementers(hook: str, catalog: Catalog, distribution: str) -> list[str]:
    """Who implements a hook, as links: built-in watchers and components for an event, else plugins."""
    if hook in EVENT_HOOKS:
        found = [f"`{name}` (built in)" for name, hooks in watchers().items() if hook in hooks]
        for kind in KINDS:
            for name in catalog.names(kind):
                plugin = catalog.owner(kind, name)
                if plugin.distribution == distribution and hasattr(catalog.component(kind, name), hook):
                    table = next(table for table, other in KIND_TABLES.items() if other == kind)
                    found.append(f"[`{table}.{name}`]({folder_of(plugin.module)})")
        return found
    mine = [plugin.module for plugin in catalog.plugins if plugin.distribution == distribution]
    found = [f"[`{module.__name__}`]({folder_of(module)})" for module in mine if hasattr(module, hook)]
    return found or [f"no built-in plugin; {EXAMPLE} does" if hook == "kathrine_recipes" else "no built-in plugin"]


def folder_of(module: Any) -> str:
    """Where a built-in plugin lies, from the folder of the reference pages."""
    return f"../../plugins/{module.__name__}"


@cache
def watchers() -> dict[str, tuple[str, ...]]:
    """The event hooks of the kernel's own watchers, by class. Read from their source: training is not imported here."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((Path(kathrine.__file__).parent / "train").glob("*.py")):
        for owner in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(owner, ast.ClassDef):
                hooks = [one.name for one in owner.body if isinstance(one, ast.FunctionDef) and one.name in EVENT_HOOKS]
                found |= {owner.name: tuple(hooks)} if hooks else {}
    return found
