"""The model family keeps the contract of its kind."""

import kathrine
from kathrine.testing import check_model_family

from kathrine_newname.model import NewNameFamily


def test_it_keeps_the_contract_of_a_model_family() -> None:
    model = check_model_family(NewNameFamily(), kathrine.Workspace.default())
    assert "text_projection" in model.facts.parts
