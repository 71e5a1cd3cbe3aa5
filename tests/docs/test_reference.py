"""The generated reference pages are those of the code, and nothing in them is undocumented."""

import inspect
import re
from pathlib import Path

import pytest

from kathrine.catalog import KINDS, Catalog
from kathrine.recipe import reference
from kathrine.recipe.options import option_docs
from kathrine.recipe.tables import KERNEL_TABLES, DataTable

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", ["recipe.md", "components.md", "hooks.md"])
def test_pages_are_up_to_date(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert text == reference.pages()[name], "run `python -m kathrine.recipe.reference`"


@pytest.mark.parametrize("path", sorted(FOLDER.parent.rglob("*.md")), ids=lambda path: path.name)
def test_tables_render(path):
    """Every row of a table stands on its own line and has as many cells as the table's head."""
    cells, fenced = 0, False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fenced ^= line.startswith("```")
        if fenced or not line.startswith("|"):
            cells = 0
            continue
        found = len(re.findall(r"(?<!\\)\|", line)) - 1
        cells = cells or found
        assert found == cells and line.rstrip().endswith("|"), f"{path.name}:{number}"


def test_every_hook_is_documented():
    page = (FOLDER / "hooks.md").read_text(encoding="utf-8")
    functions = reference.hook_functions()
    assert len(functions) >= 17
    for name, function in functions.items():
        assert len(inspect.getdoc(function) or "") > 30, name
        assert f"### `{name}(" in page


def test_every_kernel_key_is_documented():
    page = (FOLDER / "recipe.md").read_text(encoding="utf-8")
    for table, model in {**KERNEL_TABLES, "data": DataTable}.items():
        for option in option_docs(model):
            assert option.doc, f"{table}.{option.name} has no docstring"
            assert f"| `{option.name}` |" in page, f"{table}.{option.name}"


def test_every_option_of_every_component_is_documented():
    catalog = Catalog.load()
    page = (FOLDER / "components.md").read_text(encoding="utf-8")
    for kind in KINDS:
        for name in catalog.names(kind):
            component = catalog.component(kind, name)
            assert inspect.getdoc(component) and component.__doc__, f"{kind} {name} has no docstring"
            for option in option_docs(component.Options):
                assert option.doc, f"{kind}.{name}.{option.name} has no docstring"
                if catalog.owner(kind, name).distribution == "kathrine":
                    assert f"| `{option.name}` |" in page, f"{kind}.{name}.{option.name}"


def test_writing_leaves_only_the_pages(tmp_path):
    assert {path.name for path in reference.write(tmp_path)} == {path.name for path in tmp_path.iterdir()}
