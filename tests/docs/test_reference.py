"""The generated reference pages are those of the code, and nothing in them is undocumented."""

import inspect
import re
from pathlib import Path

import pytest

from kathrine.catalog import KINDS, Catalog
from kathrine.recipe import reference, reference_hooks
from kathrine.recipe.options import option_docs
from kathrine.recipe.tables import KERNEL_TABLES, DataTable

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", ["recipe.md", "components.md", "hooks.md", "types.md"])
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


def test_every_hook_says_when_given_returns_answers_and_who_implements_it():
    page = (FOLDER / "hooks.md").read_text(encoding="utf-8")
    sections = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    assert len(sections) == len(reference.hook_functions())
    for section in sections:
        said = re.findall(r"^- \*\*(\w[\w ]*)\*\*: (.+)$", section, re.MULTILINE)
        assert [name for name, _ in said] == ["When", "Given", "Returns", "Answers", "Implemented by"], section
        assert all(len(text) > 6 for _, text in said), section
    run_end = next(one for one in sections if one.startswith("`kathrine_run_end("))
    for implementer in ("`MetricsWriter` (built in)", "`track.tensorboard`"):
        assert implementer in run_end


def test_watchers_of_the_page_are_those_of_a_run():
    """Their names are read from the source, so that the page loads nothing of training: they are the same ones."""
    from kathrine.train import reporting, watchers

    named = reference_hooks.watchers()
    assert set(named) == {"MetricsWriter", "ConsoleWatcher", "ReportWatcher"}
    for name, hooks in named.items():
        owner = getattr(watchers, name, None) or getattr(reporting, name)
        assert set(hooks) == {one for one in dir(owner) if one.startswith("kathrine_")}


def test_every_kind_has_its_contract():
    page = (FOLDER / "components.md").read_text(encoding="utf-8")
    for kind, (base, _, hook) in KINDS.items():
        section = page.split(f"## Kind: {kind}\n", 1)[1].split("\n## ", 1)[0]
        assert f"`kathrine.{base.__name__}`, brought by the hook [`{hook}`]" in section
        methods = [name for name, value in vars(base).items() if inspect.isfunction(value) and name[0] != "_"]
        for name in methods:
            assert f"- `{name}(" in section, f"{kind}.{name} has no docstring"
        required = re.findall(r"^- `(\w+)\(.*\*\*Required\.\*\*", section, re.MULTILINE)
        assert set(required) == set(base.__abstractmethods__)
        if base.__name__ == "Source":  # class attributes with their docstrings, and defaults as they are written
            assert "- `splits = False`: Whether" in section


def test_links_between_the_pages_lead_somewhere():
    for path in FOLDER.glob("*.md"):
        text = path.read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", text):
            file = (path.parent / target).resolve() if target else path
            assert file.exists(), f"{path.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
                assert anchor in slugs, f"{path.name}: {target}#{anchor}"


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
