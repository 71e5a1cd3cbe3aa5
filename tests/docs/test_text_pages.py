"""What the pages about text say is so: the printed commands give the printed words, the example language works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from page_runner import blocks

from kathrine.catalog import Catalog
from kathrine.cli.text import command
from kathrine.testing import check_language
from kathrine_norwegian.language import NorwegianOptions
from kathrine_norwegian.rules import FIRST, LAST, NUMBERS

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "plugins" / "kathrine_norwegian" / "README.md"


@pytest.mark.parametrize("page", [README, ROOT / "docs" / "data.md"], ids=lambda page: page.name)
def test_printed_commands_give_the_printed_words(page):
    shown = re.findall(r"^\$ kathrine text (.+)\n([^$`\n].*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert shown
    for line, words in shown:
        result = CliRunner().invoke(command, shlex.split(line), standalone_mode=False)
        assert result.output == words + "\n", line


def test_the_readme_lists_every_rule_in_order_and_every_option():
    text = README.read_text(encoding="utf-8")
    table = text[text.index("| rule | what it does |") : text.index("**Nothing is left out")]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.split("\n")[2:] if line.startswith("|")]
    names = [name for row in rows for name in row]
    actual = [name for name, _ in (*FIRST, *NUMBERS, *LAST)]
    assert sorted(names) == sorted(actual)
    numbers = [name for name in names if name in dict(NUMBERS)]
    assert numbers == [name for name, _ in NUMBERS]
    assert all(f"| `{option}` |" in text for option in NorwegianOptions.model_fields)


def test_the_first_language_of_the_tutorial_works():
    """The whole page is run by test_tutorial.py; this is the language that it begins with, put through its contract."""
    code = next(
        block.text for block in blocks(ROOT / "docs" / "writing-a-plugin.md", "python") if "NotSpoken" in block.text
    )
    module = ModuleType("danish_example")
    exec(code, module.__dict__)
    catalog = Catalog()
    catalog.add(module, "danish")
    assert not catalog.failures
    language = catalog.component("language", "danish")()
    check_language(language, ["f.eks. nu"], own_sentences=False)
    assert language.normalise("f.eks.  nu").text == "for eksempel nu"
    assert language.normalise("7 søer").rejected == "no rule reads digits"
