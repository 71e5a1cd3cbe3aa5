"""The page about tools for plugin authors says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kathrine.cli.main import run
from kathrine.cli.new_plugin import MODULES, Names, next_commands
from kathrine.hooktrace import HookCall

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "plugin-tools.md").read_text(encoding="utf-8")


def test_its_first_command_writes_what_the_page_shows(tmp_path, monkeypatch, capsys) -> None:
    blocks = re.findall(r"```\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    assert run(blocks[0].split()[1:]) == 0
    shown = re.findall(r"^  ((?:\S+  )?\S+)", blocks[1], re.MULTILINE)
    for name in " ".join(shown).split():
        if name != "...":
            assert (tmp_path / "kathrine-danish" / name).exists(), name
    commands = [" ".join(line.split()[1:]) for line in blocks[2].splitlines()]
    printed = next_commands(Names("danish"), Path("kathrine-danish"))
    assert all(line.endswith(command) for line, command in zip(printed, commands, strict=True))


def test_it_names_every_kind_and_every_key_of_the_trace() -> None:
    assert [kind for kind in MODULES if f"| `{kind}` |" not in TEXT] == []
    assert [name for name in HookCall.__dataclass_fields__ if f"`{name}`" not in TEXT] == []


@pytest.mark.parametrize("page", ["writing-a-plugin.md", "testing-a-plugin.md"])
def test_other_pages_lead_to_it(page: str) -> None:
    assert "(plugin-tools.md" in (DOCS / page).read_text(encoding="utf-8")
