"""A merged document to validated tables and components, every problem collected."""

from __future__ import annotations

import datetime
import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from kathrine.catalog import Catalog
from kathrine.components import Component, Options
from kathrine.errors import KathrineError
from kathrine.recipe.checks import check_entry, check_roots, check_variants
from kathrine.recipe.layers import TOP_LEVEL, Layer, dotted
from kathrine.recipe.messages import extra_key, validated
from kathrine.recipe.positions import KeyPath
from kathrine.recipe.tables import (
    KIND_TABLES,
    DataTable,
)
from kathrine.suggest import did_you_mean, listing

ONE_OF = ("model", "language", "curriculum")
"""Tables of which a recipe may name one component only."""

TAKEN = {"loss": ("talker", "total")}
"""Names that a component of a table may not have in a recipe: the kernel reports its own numbers under them."""

REMOTE_CODE = "kathrine never runs code that a repository brings: remove trust_remote_code"

T = TypeVar("T", bound=Options)


def clean(layer: Layer) -> None:
    """Take out, with its own sentence, what no table may hold: remote code, dates, infinities, unknown
    tables.
    """
    for path, value in list(_leaves(layer.document)):
        if path[-1] == "trust_remote_code":
            layer.report(path, REMOTE_CODE)
        elif isinstance(value, datetime.date | datetime.time):
            layer.report(path, f'dates are written as strings: "{value}"')
        elif isinstance(value, float) and not math.isfinite(value):
            layer.report(path, f"has to be a finite number, found {value}")
        else:
            continue
        _remove(layer.document, path)
    for key in [key for key in layer.document if key not in TOP_LEVEL]:
        guess = did_you_mean(key, TOP_LEVEL) or f"; tables: {listing(TOP_LEVEL)}"
        layer.problems.append(f"{layer.place((key,)).label}: unknown table '{key}'{guess}")
        del layer.document[key]
    for key in [key for key, value in layer.document.items() if not isinstance(value, dict)]:
        layer.report((key,), f"expected a table [{key}]")
        del layer.document[key]


def kernel_table(layer: Layer, name: str, model: type[T]) -> T | None:
    """One of the kernel's tables with its defaults, or None after its problems were reported."""
    return options_of(layer, (name,), model, layer.document.get(name, {}))


def options_of(
    layer: Layer, path: KeyPath, model: type[T], table: dict[str, Any], also_known: Iterable[str] = ()
) -> T | None:
    """Options from one table; its problems are reported with their places. Paths in it become absolute."""
    options, problems = validated(model, _with_paths(layer, path, model, table), also_known)
    for below, message in problems:
        key = extra_key(below, message)
        place = layer.place((*path, *below) if key is None else (*path, *below, key))
        if key is None:
            inner = [one for other, one in layer.places.items() if other[: len(path) + len(below)] == (*path, *below)]
            place = next((one for one in inner if one.label == "--set"), place)
        layer.problems.append(f"{place.label}: {dotted((*path, *below))}: {message}")
    return options  # type: ignore[return-value]


def components(layer: Layer, catalog: Catalog, table_name: str) -> list[Component]:
    """The components of one kind that the recipe names and does not switch off, in recipe order."""
    kind = KIND_TABLES[table_name]
    made: list[Component] = []
    active: list[KeyPath] = []
    for label, table in layer.document.get(table_name, {}).items():
        path: KeyPath = (table_name, label)
        if not isinstance(table, dict):
            layer.report(path, f"expected a table [{table_name}.NAME]; installed: {listing(catalog.names(kind))}")
            continue
        keys = dict(table)
        if not _enabled(layer, path, keys):
            continue
        active.append(path)
        name = keys.pop("use", label)
        component = _class(layer, catalog, (*path, "use") if "use" in table else path, kind, name)
        if component is None:
            continue
        if path[-1] in TAKEN.get(table_name, ()):
            layer.report(path, f"'{path[-1]}' is the name under which kathrine reports its own: choose another")
        options = options_of(layer, path, component.Options, keys, ("enabled", "use"))
        if options is not None:
            made += _build(layer, path, component, options)
    if table_name in ONE_OF and len(active) > 1:
        names = " and ".join(f"{dotted(path)} ({layer.place(path).label})" for path in active)
        layer.report(active[-1], f"a recipe has one {table_name}, this one has {names}: set enabled = false in one")
    return made


def data_entries(layer: Layer, catalog: Catalog) -> list[tuple[str, DataTable, Component]]:
    """The data entries that are not switched off: name, the kernel's part of the table, the source."""
    made = []
    for name, table in layer.document.get("data", {}).items():
        path: KeyPath = ("data", name)
        keys = dict(table)
        if not _enabled(layer, path, keys):
            continue
        if "source" not in keys:
            layer.report(path, "'source' is required: no lower layer has an entry of this name")
            continue
        component = _class(layer, catalog, (*path, "source"), "source", keys["source"])
        own = set(component.Options.model_fields) if component else set()
        kernel = {key: value for key, value in keys.items() if key in DataTable.model_fields}
        entry = options_of(layer, path, DataTable, kernel | {"name": name})
        if component is None:
            continue
        rest = {key: value for key, value in keys.items() if key not in kernel}
        options = options_of(layer, path, component.Options, rest, {*DataTable.model_fields, "enabled"} | own)
        if entry is not None:
            check_entry(layer, path, entry)
        if entry is not None and options is not None:
            check_roots(layer, path, options)
            built = _build(layer, path, component, options)
            for source in built:
                check_variants(layer, path, entry, source)
            made += [(name, entry, source) for source in built]
    return made


def _enabled(layer: Layer, path: KeyPath, keys: dict[str, Any]) -> bool:
    enabled = keys.pop("enabled", True)
    if not isinstance(enabled, bool):
        layer.report((*path, "enabled"), "expected true or false")
    return enabled is not False


def _class(layer: Layer, catalog: Catalog, path: KeyPath, kind: str, name: Any) -> type[Component] | None:
    if not isinstance(name, str):
        layer.report(path, f"expected the name of a {kind}; installed: {listing(catalog.names(kind))}")
        return None
    problem = catalog.problem(kind, name, with_failures=False)
    if not problem:
        return catalog.component(kind, name)
    if problem.startswith("unknown"):
        if kind != "source" and path[-1] != "use" and "did you mean" not in problem:
            problem += '; a table with a name of its own says use = "NAME"'
        layer.problems += [str(failure) for failure in catalog.failures]  # once, however many names are missing
    layer.report(path, problem)
    return None


FOR_TRAINING = ("source", "exporter", "tracker")
"""Kinds whose own problems say nothing about a run that has been made: its recordings may have moved since."""


def _build(layer: Layer, path: KeyPath, component: type[Component], options: Options) -> list[Any]:
    """The component, unless its own checks find something."""
    try:
        made = component(options, str(path[-1]))
        problems = [] if layer.of_run and component.kind in FOR_TRAINING else list(made.problems())
    except KathrineError as error:
        problems = [error.sentence]
    for problem in problems:
        report_option(layer, path, component.Options, problem)
    return [] if problems else [made]


def report_option(layer: Layer, path: KeyPath, model: type[Options], sentence: str) -> None:
    """Report a component's own sentence, at the place of the option that it begins with where it does."""
    word = sentence.split(" ", 1)[0].rstrip(":,")
    label = layer.place((*path, word)).label if word in model.model_fields else layer.place(path).label
    layer.problems.append(f"{label}: {dotted(path)}: {sentence}")


def _with_paths(layer: Layer, path: KeyPath, model: type[Options], table: dict[str, Any]) -> dict[str, Any]:
    """Options marked as paths, made absolute from the folder of the file in which they were written.

    A field is marked with `json_schema_extra={"path": True}`; with `{"path": "or_id"}` it may also be a name
    on the Hub, and is taken for a path when it begins with `.`, `/` or `~`, or when it exists from that
    folder; with `{"path": "or_url"}` it may also be an address such as `https://...`. In a list or a table every value
    is one.
    """
    result = dict(table)
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        mark = extra.get("path") if isinstance(extra, dict) else None
        if not mark or name not in table:
            continue
        folder = layer.place((*path, name)).folder
        value = table[name]
        if isinstance(value, str):
            result[name] = _absolute(value, folder, mark)
        elif isinstance(value, list):
            result[name] = [_absolute(v, folder, mark) if isinstance(v, str) else v for v in value]
        elif isinstance(value, dict):
            result[name] = {key: _absolute(v, folder, mark) if isinstance(v, str) else v for key, v in value.items()}
    return result


def _absolute(text: str, folder: Path, mark: Any) -> str:
    path = folder / Path(text).expanduser()
    if mark == "or_url" and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        return text
    if not text or (mark == "or_id" and not text.startswith((".", "/", "~")) and not path.exists()):
        return text
    return os.path.normpath(path)


def _leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        if isinstance(child, dict | list) and key != "trust_remote_code":
            yield from _leaves(child, (*path, key))
        else:
            yield (*path, key), child


def _remove(document: Any, path: KeyPath) -> None:
    for part in path[:-1]:
        document = document[part]
    if isinstance(document, dict):
        document.pop(path[-1])
    else:
        document[path[-1]] = ""  # the list keeps its length: later paths stay valid
