"""The layers of a recipe and how they are laid over each other.

default < parent < recipe < profile < --set. Tables merge key by key; an option's value is replaced whole,
lists and inline tables too. `[[data]]` entries are merged by name. `unset = ["key"]` takes keys of lower
layers away, and of a pair such as `epochs` and `steps` the one that a higher layer sets drives out the other.
Component tables keep the order in which they first appear.
"""

from __future__ import annotations

import copy
import datetime
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kathrine.catalog import Catalog
from kathrine.errors import KathrineError, RecipeError
from kathrine.recipe.folders import find_recipe
from kathrine.recipe.positions import KeyPath, key_lines
from kathrine.recipe.tables import KERNEL_TABLES, KIND_TABLES
from kathrine.suggest import did_you_mean, listing

TOP_LEVEL = (*KERNEL_TABLES, *KIND_TABLES, "data")
_LENGTH = re.compile(r"(.*_)?(epochs|steps)")
_ENTRY_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Place:
    """Where a key was written: a label for messages, and the folder that relative paths start from."""

    label: str
    folder: Path


@dataclass
class Layer:
    """One layer; `data` is a mapping from entry name to entry here. of_run: what only training needs (recordings,
    places to upload to) is not asked for."""

    document: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    of_run: bool = False

    def place(self, path: KeyPath) -> Place:
        """Place of the longest part of `path` that has one; the empty path is the recipe itself."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return Place("recipe", Path.cwd())

    def report(self, path: KeyPath, message: str) -> None:
        self.problems.append(f"{self.place(path).label}: {dotted(path)}: {message}")


def dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def read_layers(path: Path, profile: str | None, sets: Sequence[str], catalog: Catalog) -> Layer:
    """All layers of a recipe file in one, problems collected."""
    files = read_chain(path, catalog)
    merged = Layer(places={(): Place(path.name, path.parent)})
    for document, places in files:
        plain = {key: value for key, value in document.items() if key not in ("extends", "profile")}
        merge(merged, by_name(Layer(plain, places)))
    profiles = [(document.get("profile", {}), places) for document, places in files]
    for tables, places in profiles:
        _check_profiles(merged, tables, places)
    if profile is not None:
        names = {name for tables, _ in profiles if isinstance(tables, dict) for name in tables}
        if profile not in names:
            message = f"no profile '{profile}'{did_you_mean(profile, names)}; profiles: {listing(names)}"
            merged.problems.append(f"{path.name}: {message}")
        for tables, places in profiles:
            if isinstance(tables, dict) and isinstance(tables.get(profile), dict):
                merge(merged, by_name(Layer(tables[profile], _below(places, ("profile", profile)))))
    for text in sets:
        _apply_set(merged, text)
    return merged


def read_chain(path: Path, catalog: Catalog) -> list[tuple[dict[str, Any], dict[KeyPath, Place]]]:
    """A recipe file and its ancestors, oldest first. Raises: RecipeError for a file that can not be read, or
    a circle of `extends`."""
    chain: list[tuple[dict[str, Any], dict[KeyPath, Place]]] = []
    seen: list[Path] = []
    while True:
        if path in seen:
            circle = " -> ".join(step.name for step in [*seen[seen.index(path) :], path])
            raise RecipeError([f"{seen[-1].name}: extends: the recipes extend each other in a circle: {circle}"])
        seen.append(path)
        document, places = read_file(path)
        chain.insert(0, (document, places))
        parent = document.get("extends")
        if parent is None:
            return chain
        label = places["extends",].label
        if not isinstance(parent, str):
            raise RecipeError([f'{label}: extends: expected one recipe as a string (a path, or "kathrine:base")'])
        try:
            path = find_recipe(parent, path.parent, catalog)
        except KathrineError as error:
            raise RecipeError([f"{label}: extends: {error.message}; {error.hint}"]) from error


def read_file(path: Path) -> tuple[dict[str, Any], dict[KeyPath, Place]]:
    """A TOML file and the place of each of its keys."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError([f"{path.name}: can not be read: {error}"]) from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = at.group(1) if at else str(text.count("\n") + 1)
        reason = str(error).replace(f" {at.group(0)}" if at else " (at end of document)", "")
        raise RecipeError([f"{path.name}:{line}: not valid TOML: {reason}"]) from error
    folder = path.parent
    return document, {key: Place(f"{path.name}:{line}", folder) for key, line in key_lines(text).items()}


def by_name(layer: Layer) -> Layer:
    """The layer with `[[data]]` as a mapping from name to entry; an entry without name has its source's."""
    entries = layer.document.get("data")
    if entries is None:
        return layer
    rest = {key: value for key, value in layer.document.items() if key != "data"}
    places = {path: place for path, place in layer.places.items() if path[:1] != ("data",)}
    named: dict[str, dict[str, Any]] = {}
    result = Layer({**rest, "data": named}, {**places, ("data",): layer.place(("data",))})
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        result.problems.append(f"{layer.place(('data',)).label}: data: expected entries, each below its own [[data]]")
        del result.document["data"]
        return result
    for index, entry in enumerate(entries):
        label = layer.place(("data", index)).label
        name = entry.get("name") or entry.get("source")
        if not isinstance(name, str) or not _ENTRY_NAME.fullmatch(name):
            reason = "needs a source (or the name of an inherited entry)" if name is None else "has a name of letters, "
            reason += "" if name is None else f"digits, _ and -, not {name!r}"
            result.problems.append(f"{label}: data: an entry {reason}")
            continue
        if name in named:
            first = result.places["data", name].label
            message = f"the name '{name}' is used twice (also {first}): give one of them a name of its own"
            result.problems.append(f"{label}: data.{name}: {message}")
            continue
        named[name] = {key: value for key, value in entry.items() if key != "name"}
        for path, place in _below(layer.places, ("data", index)).items():
            result.places["data", name, *path] = place
        result.places["data", name] = layer.place(("data", index))
    return result


def merge(base: Layer, layer: Layer, deep: bool = False) -> None:
    """Lay `layer` over `base`, in place. deep: also merge inside the value of an option (`--set a.b.c=1`)."""
    base.problems += layer.problems
    _merge(base, base.document, layer, layer.document, (), deep)


def _merge(base: Layer, below: dict[str, Any], layer: Layer, above: dict[str, Any], path: KeyPath, deep: bool) -> None:
    for key in _unset(base, below, layer, above, path):
        del below[key]
        _forget(base, (*path, key))
    for key, value in above.items():
        here = (*path, key)
        if key == "unset" and path:
            continue
        twin = _twin(key)
        if twin in below and twin not in above:
            del below[twin]
            _forget(base, (*path, twin))
        if isinstance(value, dict) and (deep or _is_table(here)) and isinstance(below.get(key, {}), dict):
            base.places[here] = layer.place(here)
            _merge(base, below.setdefault(key, {}), layer, value, here, deep)
            continue
        _forget(base, here)
        below[key] = copy.deepcopy(value)
        base.places[here] = layer.place(here)
        base.places |= {other: place for other, place in layer.places.items() if other[: len(here)] == here}


def _unset(base: Layer, below: dict[str, Any], layer: Layer, above: dict[str, Any], path: KeyPath) -> Iterator[str]:
    names = above.get("unset") if path else None
    if names is None:
        return
    label = layer.place((*path, "unset")).label
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        base.problems.append(f"{label}: {dotted(path)}.unset: expected a list of keys")
        return
    for name in dict.fromkeys(names):
        if name in below:
            yield name
        else:
            message = f"no lower layer sets '{name}'{did_you_mean(name, below)}"
            base.problems.append(f"{label}: {dotted(path)}.unset: {message}")


def _is_table(path: KeyPath) -> bool:
    """Whether a table stands here, and not the value of an option."""
    return len(path) < (3 if path[0] in KIND_TABLES or path[0] == "data" else 2)


def _twin(key: str) -> str | None:
    match = _LENGTH.fullmatch(key)
    return (match.group(1) or "") + ("steps" if match.group(2) == "epochs" else "epochs") if match else None


def _forget(layer: Layer, path: KeyPath) -> None:
    for other in [other for other in layer.places if other[: len(path)] == path]:
        del layer.places[other]


def _below(places: dict[KeyPath, Place], prefix: KeyPath) -> dict[KeyPath, Place]:
    return {path[len(prefix) :]: place for path, place in places.items() if path[: len(prefix)] == prefix}


def _check_profiles(merged: Layer, tables: Any, places: dict[KeyPath, Place]) -> None:
    """A profile that is not chosen is not merged, but its tables have to exist all the same."""
    source = Layer({}, places)
    for name, table in tables.items() if isinstance(tables, dict) else [("", tables)]:
        if not isinstance(table, dict):
            path = ("profile", name) if name else ("profile",)
            merged.problems.append(f"{source.place(path).label}: {dotted(path)}: expected a table [profile.NAME]")
            continue
        for key in table:
            if key not in TOP_LEVEL:
                label = source.place(("profile", name, key)).label
                message = f"unknown table '{key}' in a profile{did_you_mean(key, TOP_LEVEL)}"
                merged.problems.append(f"{label}: profile.{name}: {message}")


def _apply_set(merged: Layer, text: str) -> None:
    """One `--set a.b=c`. A value that is not TOML is taken as a string; data entries go by name."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        merged.problems.append(f"--set {text}: expected KEY=VALUE, such as --set train.batch.examples=2")
        return
    try:
        keys = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        merged.problems.append(f"--set {text}: '{key}' is not a dotted key")
        return
    path: list[str] = []
    while isinstance(keys, dict):
        (part,) = keys
        path.append(part)
        keys = keys[part]
    if path[0] in ("extends", "profile") or len(path) < 2 or (path[0] == "data" and len(path) < 3):
        merged.problems.append(
            f"--set {text}: expected TABLE.KEY=VALUE, such as train.steps=20 or data.NAME.max_hours=2"
        )
        return
    entries = merged.document.get("data", {})
    if path[0] == "data" and path[1] not in entries:
        message = f"no data entry is named '{path[1]}'{did_you_mean(path[1], entries)}; entries: {listing(entries)}"
        merged.problems.append(f"--set {text}: {message}")
        return
    here = Place("--set", Path.cwd())
    given = set_value(value)
    document: Any = given
    for part in reversed(path):
        document = {part: document}
    places: dict[KeyPath, Place] = {tuple(path[:end]): here for end in range(1, len(path) + 1)}
    for part in range(1, len(path)):  # tables that exist keep the place where they were written
        if tuple(path[:part]) in merged.places:
            places[tuple(path[:part])] = merged.places[tuple(path[:part])]
    places[tuple(path)] = here
    if path[0] not in TOP_LEVEL:
        places[path[0],] = here
    merge(merged, Layer(document, places), deep=not isinstance(given, dict))


def set_value(text: str) -> Any:
    """The value of a `--set KEY=VALUE`: TOML where it is that, else a string."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text.strip()
    return text.strip() if isinstance(value, datetime.date | datetime.time) else value
