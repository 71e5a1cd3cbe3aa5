"""A hook or option that is not documented and tested does not exist: each is named in some test.

The documentation half stands in test_reference.py.
"""

import re
from pathlib import Path

from kathrine.catalog import KINDS, Catalog
from kathrine.recipe.options import option_docs
from kathrine.recipe.reference import hook_functions
from kathrine.recipe.tables import KERNEL_TABLES, DataTable

TESTS = Path(__file__).resolve().parents[1]


def words() -> set[str]:
    """Every word of every test but those that only list what exists."""
    texts = [path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py")]
    return {word for text in texts for word in re.findall(r"\w+", text)}


def test_every_hook_is_named_in_a_test():
    known = words()
    assert not [name for name in hook_functions() if name not in known]


def test_every_option_is_named_in_a_test():
    known = words()
    tables = {**KERNEL_TABLES, "data": DataTable}
    catalog = Catalog.load()
    for kind in KINDS:
        for name in catalog.names(kind):
            if catalog.owner(kind, name).distribution == "kathrine":
                tables[f"{kind}.{name}"] = catalog.component(kind, name).Options
    missing = [
        f"{table}.{option.name}"
        for table, model in tables.items()
        for option in option_docs(model)
        if option.name.split(".")[-1] not in known
    ]
    assert not missing, missing
