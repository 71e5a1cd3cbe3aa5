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


def test_every_option_is_used_in_a_test_of_its_owner():
    """By name, as an argument, a key or an attribute, in a file that also names the component or its table, or that
    lies in its plugin's folder. A word that happens to occur somewhere proves nothing."""
    tables = {
        name: (model, {name, model.__name__}, "corpus" if name == "prepare" else "")
        for name, model in {**KERNEL_TABLES, "data": DataTable}.items()
    }
    catalog = Catalog.load()
    for kind in KINDS:
        for name in catalog.names(kind):
            if catalog.owner(kind, name).distribution == "kathrine":
                made = catalog.component(kind, name)
                folder = made.__module__.split(".")[0]
                tables[f"{kind}.{name}"] = (made.Options, {name, made.__name__, made.Options.__name__}, folder)
    files = {path: path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py")}
    missing = [
        f"{table}.{option.name}"
        for table, (model, names, folder) in tables.items()
        for option in option_docs(model)
        if not used(option.name.split(".")[-1], names, folder, files)
    ]
    assert not missing, missing


def used(option: str, names: set[str], folder: str, files: dict[Path, str]) -> bool:
    """Whether a file of the owner uses an option."""
    uses = re.compile(rf"\b{option}\s*=|[\"']{option}[\"']|\.{option}\b|\.{option}=")
    owner = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names))
    return any(
        uses.search(text) and ((folder and folder in path.parts) or owner.search(text)) for path, text in files.items()
    )
