"""Every built-in component of every kind keeps the contract that `kathrine.testing` checks: the catalogue is walked."""

from __future__ import annotations

from pathlib import Path

import made_for_data
import made_for_training
import pytest
from builtin_makers import MAKERS, Bench, maker_of

from kathrine.catalog import Catalog
from kathrine.kinds import KINDS

FILLED_BY = (made_for_data, made_for_training)
CATALOG = Catalog.load()
BUILT_IN = [
    (kind, name)
    for kind in KINDS
    for name in CATALOG.names(kind)
    if CATALOG.owner(kind, name).distribution == "kathrine"
]


@pytest.mark.parametrize(("kind", "name"), BUILT_IN, ids=[f"{kind}.{name}" for kind, name in BUILT_IN])
def test_it_keeps_its_contract(kind: str, name: str, tmp_path: Path) -> None:
    maker_of(kind, name)(Bench(CATALOG.component(kind, name), tmp_path))


def test_the_walk_meets_every_kind_and_the_table_nothing_else() -> None:
    assert {kind for kind, _ in BUILT_IN} == set(KINDS)
    assert set(MAKERS) <= set(BUILT_IN), "a component of the table is no longer built in"


def test_a_built_in_can_not_escape() -> None:
    with pytest.raises(pytest.fail.Exception, match="no conformance check runs over the built-in loss 'new_one'"):
        maker_of("loss", "new_one")
