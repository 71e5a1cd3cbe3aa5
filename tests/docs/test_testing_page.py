"""The page about testing a plugin does what it says: its code is run, in order, and its tests are called."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from page_runner import blocks

import kathrine.testing
from kathrine.testing import fixtures

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing-a-plugin.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("my_order")
    monkeypatch.setitem(sys.modules, "my_order", module)
    for block in blocks(PAGE, "python"):
        exec(compile(block.text, str(PAGE), "exec"), module.__dict__)
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    assert len(tests) == TEXT.count("\ndef test_") == 5
    for test in tests:
        test()


def test_the_page_names_every_check_and_fixture() -> None:
    checks = [name for name in kathrine.testing.__all__ if name.startswith("check_")]
    assert len(checks) == 9
    assert not [name for name in checks if f"| `{name}(" not in TEXT]
    assert not [name for name in fixtures.__all__ if f"`{name}`" not in TEXT]
