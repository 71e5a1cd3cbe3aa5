"""The built-in strategies keep the contract that `kathrine.testing` checks, on two families."""

from __future__ import annotations

import pytest
from tiny_training import tiny_family, workspace

from kathrine import KathrineError
from kathrine.testing import ToyFamily, check_strategy
from kathrine_freeze import Freeze, FreezeOptions
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions
from kathrine_text_projection import TextProjection

ALL = [
    Freeze(FreezeOptions(lr=1e-4, last_layers=1)),
    Lora(LoraOptions(lr=1e-4, mlp=True)),
    Lora(LoraOptions(lr=1e-4, dora=True)),
    TextProjection(TextProjection.Options(lr=1e-4)),
    LanguageTag(LanguageTagOptions(lr=1e-4)),
]


@pytest.mark.parametrize("strategy", ALL, ids=lambda strategy: strategy.name)
@pytest.mark.parametrize("checkpoint", ["kathrine:tiny"])
def test_on_the_tiny_model(strategy, checkpoint: str) -> None:
    assert check_strategy(strategy, tiny_family(checkpoint), workspace())


def test_freeze_works_on_a_family_of_another_architecture() -> None:
    family = ToyFamily()
    facts = family.facts(workspace())
    assert facts is not None
    strategy = Freeze(FreezeOptions(lr=1e-4, parts=[facts.parts[0]]))
    assert check_strategy(strategy, family, workspace())


@pytest.mark.parametrize("strategy", ALL[3:], ids=lambda strategy: strategy.name)
def test_a_family_without_the_part_says_so(strategy) -> None:
    family = ToyFamily()
    facts = family.facts(workspace())
    assert facts is not None
    with pytest.raises(KathrineError) as error:
        strategy.claim(family.parameters(workspace()) or (), facts)
    assert facts.parts[0] in error.value.hint
