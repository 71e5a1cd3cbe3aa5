"""The options of a table as documentation: name, type, default and docstring, in words."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kathrine.recipe.tomlwriter import toml_value

_WORDS = {"str": "string", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}


@dataclass(frozen=True)
class OptionDoc:
    """One option. name: dotted for an option inside another. default: as TOML, or `none`."""

    name: str
    type: str
    required: bool
    default: str
    doc: str


def option_docs(model: type[BaseModel], prefix: str = "") -> list[OptionDoc]:
    """Every option of a table, those of tables inside it after their parent."""
    docs: list[OptionDoc] = []
    for name, field in model.model_fields.items():
        full = f"{prefix}{name}"
        doc = " ".join((field.description or "").split())
        docs.append(OptionDoc(full, _type(field), field.is_required(), _default(field), doc))
        for inner, is_list in _inner_tables(field.annotation):
            docs += option_docs(inner, f"{full}[]." if is_list else f"{full}.")
    return docs


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_none=True)
    if value is None:
        return "none"
    return toml_value(str(value) if not isinstance(value, str | int | float | bool | list | tuple | dict) else value)


def _type(field: FieldInfo) -> str:
    """The type in words, with its bounds."""
    bounds = []
    for entry in field.metadata:
        for key, words in (("gt", "above"), ("ge", "from"), ("lt", "below"), ("le", "up to")):
            value = getattr(entry, key, None)
            if value is not None:
                bounds.append(f"{words} {value:g}" if isinstance(value, int | float) else f"{words} {value}")
    return " ".join([_words(field.annotation), *([", ".join(bounds)] if bounds else [])])


def _words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _words(arguments[0])
    if origin is Literal:
        return " or ".join(toml_value(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(part) for part in arguments if part is not type(None))
    if origin in (list, tuple, set, frozenset):
        return f"list of {_words(arguments[0])}" if arguments else "list"
    if origin is dict:
        return f"table of {_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    name = getattr(annotation, "__name__", str(annotation))
    return _WORDS.get(name, name)


def _inner_tables(annotation: Any, in_list: bool = False) -> list[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, in_list)]
    is_list = in_list or get_origin(annotation) in (list, tuple)
    return [found for part in get_args(annotation) for found in _inner_tables(part, is_list)]
