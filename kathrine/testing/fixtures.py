"""Fixtures for pytest: `from kathrine.testing.fixtures import *` in a `conftest.py`. Only this module imports it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kathrine.testing.places import workspace
from kathrine.workspace import Workspace

__all__ = ["kathrine_workspace", "shared_workspace"]


@pytest.fixture
def kathrine_workspace() -> Iterator[Workspace]:
    """A workspace of this test's own; within it also the default one."""
    with workspace() as made:
        yield made


@pytest.fixture(scope="session")
def shared_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One workspace for all tests: the tiny model is built in it once."""
    return Workspace(tmp_path_factory.mktemp("kathrine-workspace"))
