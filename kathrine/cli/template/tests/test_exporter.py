"""The exporter keeps the contract of its kind, and writes what was trained."""

import kathrine
from kathrine.testing import ToyFamily, TrainAll, check_exporter

from kathrine_newname.exporter import NewNameExporter


def test_it_keeps_the_contract_of_an_exporter() -> None:
    strategy = TrainAll(TrainAll.Options(parts=["head"]))
    result = check_exporter(NewNameExporter(), ToyFamily(), kathrine.Workspace.default(), [strategy])
    assert result.checks == {"rows read back": 2, "parameters": 33 * 24 + 33}
