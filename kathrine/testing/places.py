"""A workspace and a catalogue for a while: where tests of plugins happen."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kathrine.catalog import Catalog, registered_by_hand
from kathrine.testing.problems import ConformanceError
from kathrine.testing.toys import ToyPlugin
from kathrine.workspace import Workspace

TOYS = "toys"
"""The name of the plugin that brings the toy family and what goes with it."""


@contextmanager
def workspace() -> Iterator[Workspace]:
    """A workspace in a temporary folder, removed at the end; within it also the one of `Workspace.default()`."""
    before = os.environ.get("KATHRINE_WORKSPACE")
    with tempfile.TemporaryDirectory(prefix="kathrine-workspace-", ignore_cleanup_errors=True) as folder:
        made = Workspace(Path(folder).resolve())
        os.environ["KATHRINE_WORKSPACE"] = str(made.root)
        try:
            yield made
        finally:
            if before is None:
                del os.environ["KATHRINE_WORKSPACE"]
            else:
                os.environ["KATHRINE_WORKSPACE"] = before


@contextmanager
def registered(*plugins: Any) -> Iterator[Catalog]:
    """A catalogue in which modules or objects with hooks are plugins, without being installed.

    Within it every `Catalog.load()` has them too, so that recipes and commands of this process find them; so does the
    plugin of toys. A module that is installed already is not added twice. Raises: ConformanceError for one that the
    catalogue refuses, with the reason.
    """
    with _also([*plugins, ToyPlugin()]) as catalog:
        yield catalog


@contextmanager
def _also(plugins: list[Any]) -> Iterator[Catalog]:
    installed = Catalog.load()
    known = {id(plugin.module) for plugin in installed.plugins}
    taken = {plugin.name for plugin in installed.plugins} | {failure.name for failure in installed.failures}
    named: dict[str, Any] = {}
    for plugin in plugins:
        if id(plugin) in known or (isinstance(plugin, ToyPlugin) and TOYS in taken):
            continue
        name = TOYS if isinstance(plugin, ToyPlugin) else getattr(plugin, "__name__", type(plugin).__name__)
        while name in taken or name in named:
            name += "_"
        named[name] = plugin
    with registered_by_hand(named):
        catalog = Catalog.load()
        for failure in catalog.failures:
            if failure.name in named:
                raise ConformanceError(f"{failure.name} is no plugin: {failure.reason}")
        yield catalog


def catalog_with_toys() -> Catalog:
    """What is installed or registered, and the toys."""
    with _also([ToyPlugin()]) as catalog:
        return catalog
