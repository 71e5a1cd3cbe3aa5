"""The JSON schema (draft 2020-12) of recipes with the installed plugins.

It serves editors: names, types, bounds and docstrings. A recipe may leave out what its parent says, so no key
is required here; what needs several keys to be seen together is left to `kathrine check`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from kathrine.catalog import Catalog
from kathrine.components import Component
from kathrine.recipe.tables import KERNEL_TABLES, KIND_TABLES, DataTable

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_UNSET = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Keys of lower layers to take away, so that their defaults hold again.",
}
_ENABLED = {"type": "boolean", "default": True, "description": "false switches an inherited table off."}


def recipe_schema(catalog: Catalog) -> dict[str, Any]:
    """The schema of a recipe file."""
    definitions: dict[str, Any] = {}
    tables = {name: _table(model, f"kernel.{name}", definitions) for name, model in KERNEL_TABLES.items()}
    tables |= {name: _kind(catalog, name, kind, definitions) for name, kind in KIND_TABLES.items()}
    tables["data"] = _data(catalog, definitions)
    definitions["profile"] = {"type": "object", "properties": tables, "additionalProperties": False}
    extends = {
        "type": "string",
        "description": 'The recipe that this one changes: a path, "kathrine:base", or "PLUGIN:NAME".',
    }
    profiles = {
        "type": "object",
        "description": "Overlays, chosen with --profile NAME.",
        "additionalProperties": {"$ref": "#/$defs/profile"},
    }
    return {
        "$schema": DIALECT,
        "title": "kathrine recipe",
        "type": "object",
        "properties": {"extends": extends, **tables, "profile": profiles},
        "additionalProperties": False,
        "$defs": definitions,
    }


def _table(model: type[BaseModel], prefix: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Schema of one options class, its inner definitions hoisted under names of their own."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    for name, inner in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = _open(inner)
    schema.setdefault("properties", {})["unset"] = _UNSET
    return _open(schema)


def _open(schema: dict[str, Any]) -> dict[str, Any]:
    """Without `required` (a parent may say it) and without the class name, which means nothing to a user."""
    return {key: value for key, value in schema.items() if key not in ("required", "title")}


def _kind(catalog: Catalog, table: str, kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    renamed: list[dict[str, Any]] = []
    for name, component in _classes(catalog, kind):
        schema = _table(component.Options, f"{kind}.{name}", definitions)
        schema["description"] = " ".join((component.__doc__ or "").split("\n\n")[0].split())
        schema["properties"]["enabled"] = _ENABLED
        use = {"const": name, "description": f"The {kind} that this table configures."}
        schema["properties"]["use"] = use
        key = f"{kind}.{name}"
        definitions[key] = schema
        known[name] = {"$ref": f"#/$defs/{key}"}
        renamed.append({"allOf": [{"$ref": f"#/$defs/{key}"}], "required": ["use"]})
    fallback: Any = {"anyOf": renamed} if renamed else False
    if renamed:  # a table that only changes an inherited one of its own name may leave `use` out
        fallback["anyOf"].append({"type": "object", "not": {"required": ["use"]}})
    return {"type": "object", "properties": known, "additionalProperties": fallback}


def _data(catalog: Catalog, definitions: dict[str, Any]) -> dict[str, Any]:
    kernel = _table(DataTable, "kernel.data", definitions)
    kernel["properties"]["enabled"] = _ENABLED
    entries = []
    for name, component in _classes(catalog, "source"):
        own = _table(component.Options, f"source.{name}", definitions)
        properties = own["properties"] | kernel["properties"] | {"source": {"const": name}}
        doc = " ".join((component.__doc__ or "").split("\n\n")[0].split())
        definitions[f"source.{name}"] = {
            "type": "object",
            "description": doc,
            "properties": properties,
            "additionalProperties": False,
        }
        entries.append({"$ref": f"#/$defs/source.{name}"})
    return {
        "type": "array",
        "description": "Uses of sources; entries are merged by name with those of a parent.",
        "items": {"anyOf": entries} if entries else {"type": "object"},
    }


def _classes(catalog: Catalog, kind: str) -> list[tuple[str, type[Component]]]:
    return [(name, catalog.component(kind, name)) for name in catalog.names(kind) if not catalog.problem(kind, name)]
