"""Writes a document as TOML: what tomllib reads back is equal to what was given."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def toml_text(document: Mapping[str, Any]) -> str:
    """A document of strings, numbers, booleans, lists and mappings as TOML text.

    Mappings become tables, lists that hold only mappings arrays of tables, everything inside other lists
    inline. Raises: TypeError for a value that TOML has no form for, None among them.
    """
    return "\n".join(_table((), document)).strip("\n") + "\n"


def toml_value(value: Any) -> str:
    """One value as it stands on the right of an equals sign."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return repr(value)
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {toml_value(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(entry) for entry in value) + "]"
    raise TypeError(f"TOML has no form for {type(value).__name__}")


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """Plain values first: after a header they would belong to the table below."""
    nested = {key: value for key, value in table.items() if isinstance(value, Mapping) or _tables(value)}
    for key, value in table.items():
        if key not in nested:
            yield f"{_key(key)} = {toml_value(value)}"
    for key, value in nested.items():
        name = ".".join(_key(part) for part in (*path, key))
        for entry in value if _tables(value) else [value]:
            yield ""
            yield f"[[{name}]]" if _tables(value) else f"[{name}]"
            yield from _table((*path, key), entry)


def _tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    escaped = (_ESCAPES.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c) for c in text)
    return '"' + "".join(escaped) + '"'
