"""The reference pages of components and types: the contract of each kind, what brings it, and what flows between."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from kathrine import components, types
from kathrine.catalog import Catalog
from kathrine.components import Component, Options
from kathrine.components.finish import Speaking
from kathrine.kinds import KINDS
from kathrine.recipe.options import option_docs
from kathrine.recipe.reference_words import GENERATED, attribute_docs, doc_of, indented, options_table, signature
from kathrine.recipe.tables import KIND_TABLES
from kathrine.workspace import Workspace

_HEAD = """# Components

The kinds of component, in the order in which a recipe is worked through. Of each kind: its contract (what a plugin
writes, when it is called, what it must give back), and the components that the built-in plugins bring, with every
option. `kathrine plugins show NAME` prints the options of what is installed; every table also takes `enabled`, `use`
and `unset` ([recipe reference](recipe.md)). How a plugin gets there: [hooks](hooks.md),
[writing a plugin](../writing-a-plugin.md). How its contract is tested: [testing a plugin](../testing-a-plugin.md).

Kinds: {kinds}.

## Every component

{every}

{methods}"""

_TYPES_HEAD = """# Types

What components and hooks are given and return: frozen dataclasses for the most part, imported from where each says.
Names of arrays and tensors end in their shape.

{legend}

{words}
"""

OTHERS: tuple[type, ...] = (
    components.SourceContext,
    components.SpokenText,
    components.Step,
    components.MetricContext,
    components.MetricFacts,
    components.MetricTake,
    components.PlannedRun,
    components.RecipeAround,
    components.FinishedRun,
    Speaking,
    components.Progress,
    components.Collated,
    components.Codec,
    components.SpeechModel,
    Workspace,
)
"""What is given and returned beside `kathrine.types`."""


def components_page(catalog: Catalog, distribution: str = "kathrine") -> str:
    """Markdown of `docs/reference/components.md`: contracts of all kinds, options of all that a distribution brings."""
    kinds = ", ".join(f"[{kind}](#kind-{kind})" for kind in KINDS)
    head = _HEAD.format(kinds=kinds, every=doc_of(Component), methods=_methods(Component))
    parts = [GENERATED, head]
    for kind, (base, options, hook) in KINDS.items():
        parts.append(contract(kind, base, options, hook))
        for name in catalog.names(kind):
            plugin = catalog.owner(kind, name)
            if plugin.distribution != distribution:
                continue
            component = catalog.component(kind, name)
            table = next((table for table, other in KIND_TABLES.items() if other == kind), "")
            heading = f"[{table}.{name}]" if table else f'[[data]] source = "{name}"'
            about = doc_of(component)
            body = options_table(component.Options) if option_docs(component.Options) else "No options.\n"
            origin = f"[`{plugin.module.__name__}`](../../plugins/{plugin.module.__name__})"
            parts.append(f"### `{heading}`\n\n*{kind}, plugin {origin}.* {about}\n\n{body}")
    return "\n".join(parts)


def contract(kind: str, base: type[Component], options: type[Options], hook: str) -> str:
    """What a plugin writes that brings a component of this kind."""
    told = [
        f"## Kind: {kind}\n\n`kathrine.{base.__name__}`, brought by the hook [`{hook}`](hooks.md). {doc_of(base)}\n"
    ]
    told.append(_methods(base))
    if options is not Options:
        told.append(f"Its `Options` are a subclass of `kathrine.{options.__name__}`:\n\n{options_table(options)}")
    named = sorted(_names_of(base))
    if named:
        told.append(f"Types: {', '.join(f'[`{name}`](types.md#{name.lower()})' for name in named)}.\n")
    return "\n".join(told)


def types_page() -> str:
    """Markdown of `docs/reference/types.md`: everything that components and hooks are given and return."""
    legend = doc_of(types).partition("\n\n")[2].replace("This module imports", "`kathrine.types` imports")
    words = [f"`{name}` is {_choice(value)}." for name, value in vars(types).items() if get_origin(value) is Literal]
    parts = [GENERATED, _TYPES_HEAD.format(legend=legend, words=" ".join(words))]
    for one in documented_types():
        fields = "".join(f"- `{name}: {kind}`{default}\n" for name, kind, default in _fields(one))
        body = f"{fields}{_methods(one)}"
        parts.append(f"## {one.__name__}\n\n`{_importable(one)}`. {doc_of(one)}\n\n{body}".rstrip() + "\n")
    return "\n".join(parts)


def _choice(literal: Any) -> str:
    return " or ".join(f'`"{word}"`' for word in get_args(literal))


def documented_types() -> list[type]:
    """Every class of `kathrine.types`, in the order of its files, and those beside it."""
    mine = [value for value in vars(types).values() if inspect.isclass(value)]
    return [*mine, *OTHERS]


def _importable(one: type) -> str:
    if one.__module__.startswith("kathrine.types"):
        return f"kathrine.types.{one.__name__}"
    if one is Speaking or not hasattr(components, one.__name__):
        return f"{one.__module__}.{one.__name__}"
    return f"kathrine.components.{one.__name__}"


def _fields(one: type) -> Iterable[tuple[str, str, str]]:
    """Name, type and default of each field of a dataclass."""
    if not dataclasses.is_dataclass(one):
        return
    for field in dataclasses.fields(one):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        default = "" if required else " = empty" if field.default is dataclasses.MISSING else f" = `{field.default!r}`"
        yield field.name, str(field.type), default


def _methods(owner: type) -> str:
    """The documented attributes and methods that a class itself declares, in their order."""
    lines = []
    attributes = attribute_docs(owner)
    for name, doc in attributes.items():
        default = vars(owner).get(name)
        lines.append(f"- `{name} = {default!r}`: {indented(doc)}")
    for name, value in vars(owner).items():
        if isinstance(value, property) and name[0] != "_":
            told = f": {indented(doc_of(value))}" if value.__doc__ else ""
            lines.append(f"- `{name}: {inspect.signature(value.fget).return_annotation}`{told}")  # type: ignore[arg-type]
        function = inspect.unwrap(value.__func__) if isinstance(value, classmethod) else value
        if name == "__call__" and not inspect.isabstract(owner):
            lines.append(f"- `{signature(function)}`")
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        must = " **Required.**" if getattr(function, "__isabstractmethod__", False) else ""
        of = " Called on the class." if isinstance(value, classmethod) else ""
        lines.append(f"- `{signature(function)}`:{must}{of} {indented(doc_of(function))}")
    return "\n".join(lines) + "\n" if lines else ""


def _names_of(base: type[Component]) -> set[str]:
    """The documented types that the signatures of a kind name."""
    known = {one.__name__ for one in documented_types()}
    functions: list[Any] = [getattr(value, "__func__", value) for value in vars(base).values()]
    said = " ".join(str(inspect.signature(one)) for one in functions if inspect.isfunction(one))
    return known & set(re.findall(r"\w+", said))
