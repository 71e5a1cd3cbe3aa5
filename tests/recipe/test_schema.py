"""The JSON schema: complete, self-contained, and in agreement with what recipes may hold."""

import json
from pathlib import Path

import pytest
from plugin_makers import toy_catalog

from kathrine.catalog import Catalog
from kathrine.recipe.schema import recipe_schema
from kathrine.recipe.tables import KERNEL_TABLES, KIND_TABLES


@pytest.fixture
def schema(tmp_path: Path):
    return recipe_schema(toy_catalog(tmp_path))


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


def test_every_reference_resolves(schema):
    found = set(references(schema))
    assert found
    for reference in found:
        assert reference.removeprefix("#/$defs/") in schema["$defs"], reference
    installed = recipe_schema(Catalog.load())
    assert all(reference.removeprefix("#/$defs/") in installed["$defs"] for reference in references(installed))


def test_it_knows_every_table_and_option_with_its_description(schema):
    assert set(schema["properties"]) == {"extends", "profile", "data", *KERNEL_TABLES, *KIND_TABLES}
    assert schema["properties"]["train"]["properties"]["accumulation"]["description"]
    whole = schema["$defs"]["strategy.whole"]
    assert whole["properties"]["rank"]["description"] == "Rank."
    assert {"use", "enabled", "unset"} <= set(whole["properties"])
    assert "required" not in json.dumps(whole), "a parent may say what a recipe leaves out"
    source = schema["$defs"]["source.toy_source"]["properties"]
    assert {"max_hours", "level", "enabled"} <= set(source) and source["source"] == {"const": "toy_source"}


def test_profiles_take_the_same_tables(schema):
    profile = schema["$defs"]["profile"]["properties"]
    assert set(profile) == set(schema["properties"]) - {"extends", "profile"}


def test_a_typo_is_no_property(schema):
    assert schema["additionalProperties"] is False
    assert schema["properties"]["train"]["additionalProperties"] is False
    assert schema["$defs"]["strategy.whole"]["additionalProperties"] is False
    assert schema["properties"]["evaluate"]["additionalProperties"] is False, "no metric is installed"
