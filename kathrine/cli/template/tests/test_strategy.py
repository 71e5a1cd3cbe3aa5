"""The strategy keeps the contract of its kind, and trains what it says."""

import kathrine
import pytest
from kathrine.testing import ToyFamily, check_strategy, tiny_family

from kathrine_newname.strategy import NewNameStrategy

PLACE = kathrine.Workspace.default()


def strategy(**options: object) -> NewNameStrategy:
    return NewNameStrategy(NewNameStrategy.Options.model_validate({"lr": 1e-4, **options}))


def test_it_keeps_the_contract_of_a_strategy() -> None:
    trained = check_strategy(strategy(weights=["talker.*", "head.bias"]), ToyFamily(), PLACE)
    assert "head.bias" in trained and "head.weight" not in trained


def test_it_trains_the_norms_unless_it_is_told_otherwise() -> None:
    family = tiny_family("qwen3_tts")
    parameters, facts = family.parameters(PLACE), family.facts(PLACE)
    assert parameters is not None and facts is not None
    names = strategy().claim(parameters, facts).trains
    assert names and all(name.endswith("norm.weight") for name in names)


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(kathrine.KathrineError, match="no weight 'nothing"):
        check_strategy(strategy(weights=["nothing.*"]), ToyFamily(), PLACE)
