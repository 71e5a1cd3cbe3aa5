"""docs/fit.md says what `kathrine check --json` prints: every key of the plan, and no other."""

import re
from dataclasses import fields
from pathlib import Path

from kathrine.recipe import load_recipe
from kathrine.recipe.plan import Trained, make_plan
from kathrine.types import DataSize, Stage
from kathrine.workspace import Workspace

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fit.md"


def documented() -> dict[str, str]:
    """Descriptions by key, of the table of the plan."""
    table = PAGE.read_text(encoding="utf-8").split("| key of the plan |")[1].split("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    return {key: row[1] for row in rows for key in re.findall(r"`(\w+)`", row[0])}


def test_the_page_has_the_keys_of_the_plan(tmp_path):
    plan = make_plan(load_recipe("kathrine:curriculum"), Workspace(tmp_path)).as_json()
    assert list(documented()) == list(plan)


def test_the_page_has_the_keys_of_its_lists():
    for key, kind in (("data", DataSize), ("stages", Stage), ("trained", Trained)):
        told = set(re.findall(r"`(\w+)`", documented()[key]))
        assert {field.name for field in fields(kind)} <= told, key
