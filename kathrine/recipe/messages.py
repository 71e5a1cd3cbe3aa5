"""pydantic's errors in the words of a recipe: what was expected, what was found, did you mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from kathrine.components import Options
from kathrine.recipe.positions import KeyPath
from kathrine.suggest import did_you_mean, listing

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "path_type": "a string",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def validated(
    model: type[Options], table: Mapping[str, Any], also_known: Iterable[str] = ()
) -> tuple[Options | None, list[tuple[KeyPath, str]]]:
    """Options made from a recipe's table, or every problem with the path below the table.

    Validated in JSON mode: strict mode refuses what TOML can not write otherwise (paths, tuples, enums).
    also_known: keys that something else reads, for the suggestions.
    """
    try:
        return model.model_validate_json(json.dumps(table)), []
    except ValidationError as error:
        return None, _problems(error, model, table, also_known)


def _problems(
    error: ValidationError, model: type[Options], table: Mapping[str, Any], also_known: Iterable[str]
) -> list[tuple[KeyPath, str]]:
    problems: list[tuple[KeyPath, str]] = []
    expected: dict[KeyPath, list[str]] = {}  # branches of a union speak about the same value: said together
    for entry in error.errors(include_url=False):
        kind, context = entry["type"], entry.get("ctx", {})
        path, value = _walk(table, entry["loc"][:-1] if kind == "missing" else entry["loc"])
        if kind == "extra_forbidden":
            known = {*_model_at(model, path[:-1]).model_fields, *(also_known if len(path) == 1 else ())}
            name = str(path[-1])
            guess = did_you_mean(name, known) or f"; options: {listing(known)}"
            problems.append((path[:-1], f"unknown option '{name}'{guess}"))
        elif kind == "missing":
            problems.append((path, f"'{entry['loc'][-1]}' is required"))
        elif kind in _EXPECTED:
            expected.setdefault(path, []).append(_EXPECTED[kind])
        elif kind in ("literal_error", "enum"):
            expected.setdefault(path, []).append(context["expected"])
        elif kind in _BOUNDS:
            key, words = _BOUNDS[kind]
            problems.append((path, f"has to be {words} {context[key]:g}, found {value}"))
        else:
            message = re.sub(r"^(Value error, |Assertion failed, )", "", entry["msg"])
            message = message.replace("Input should be", "has to be").replace("Input should", "has to")
            problems.append((path, message[:1].lower() + message[1:]))
    for path, branches in expected.items():
        _, value = _walk(table, path)
        choices = re.findall(r"'([^']*)'", " ".join(branches))
        guess = did_you_mean(value, choices) if isinstance(value, str) else ""
        problems.append((path, f"expected {' or '.join(dict.fromkeys(branches))}, found {found(value)}{guess}"))
    return problems


def extra_key(path: KeyPath, message: str) -> str | None:
    """The key that a message of an unknown option is about: its line is the one to point at."""
    match = re.match(r"unknown option '([^']*)'", message)
    return match.group(1) if match else None


def found(value: Any) -> str:
    """A value as a sentence names it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the string "{value if len(value) <= 40 else value[:37] + "..."}"'
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a table" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else str(value)


def _walk(table: Any, location: Iterable[str | int]) -> tuple[KeyPath, Any]:
    """As far as a location can be followed in the table: the rest are pydantic's names of union branches."""
    path: KeyPath = ()
    for part in location:
        inside = isinstance(table, Mapping) and part in table
        inside = inside or (isinstance(table, list) and isinstance(part, int) and part < len(table))
        if inside:
            table = table[part]
            path = (*path, part)
    return path, table


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    """The options class that describes the table at `path`."""
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            inner = _models_in(model.model_fields[part].annotation)
            model = inner[0] if inner else model
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
