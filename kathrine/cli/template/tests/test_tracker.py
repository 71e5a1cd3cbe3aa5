"""The tracker keeps the contract of its kind, and writes what it is told."""

import csv
from pathlib import Path

from kathrine.testing import check_tracker

from kathrine_newname.tracker import NewNameTracker


def test_it_keeps_the_contract_of_a_tracker(tmp_path: Path) -> None:
    check_tracker(NewNameTracker(), tmp_path)
    with (tmp_path / "run finished" / "steps.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["loss"] == "5.0" and rows[0]["seconds"] == "0.5"
