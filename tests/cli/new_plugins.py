"""Packages that `kathrine plugins new` wrote, and their tests called without installing them."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from kathrine.cli.new_plugin import Names, write_plugin


def written(name: str, kinds: Sequence[str], folder: Path) -> Path:
    """A new package in a folder; returns its own folder."""
    names = Names(name)
    write_plugin(names, kinds, folder / names.distribution)
    return folder / names.distribution


@contextmanager
def imported(package: Path) -> Iterator[ModuleType]:
    """The import package of a new plugin, importable within it."""
    name = package.name.replace("-", "_")
    sys.path.insert(0, str(package))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(package))
        for module in [one for one in sys.modules if one.partition(".")[0] == name]:
            del sys.modules[module]


def call_tests(path: Path, folder: Path) -> int:
    """Call every test of a file, each case of a parametrised one; returns how many were called.

    Given: folder, in which each gets a `tmp_path` of its own.
    """
    module: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module)
    called = 0
    for name, test in module.items():
        if not name.startswith("test_"):
            continue
        mark = next(iter(getattr(test, "pytestmark", [])), None)
        cases: list[dict[str, Any]] = [{mark.args[0]: value} for value in mark.args[1]] if mark else [{}]
        for case in cases:
            if "tmp_path" in inspect.signature(test).parameters:
                case["tmp_path"] = folder / f"{path.stem}-{called}"
                case["tmp_path"].mkdir()
            test(**case)
            called += 1
    return called
