"""The toy family is what it says, and the conformance checks let the good pass and name what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kathrine import Language, SpokenText, Workspace
from kathrine.testing import (
    ToyFamily,
    ToySource,
    TrainAll,
    check_language,
    check_source,
    check_strategy,
    prepared_toy_corpus,
)
from kathrine.toy import CODEBOOKS, CODES, ToyOptions, toy_codes
from kathrine.types import PromptedExample
from kathrine_freeze import Freeze
from kathrine_norwegian import NorwegianLanguage


def test_parameters_are_those_of_the_network(tmp_path: Path) -> None:
    family = ToyFamily()
    model = family.load(Workspace(tmp_path))
    told = {spec.name: spec.shape for spec in family.parameters(Workspace(tmp_path))}
    assert told == {name: tuple(one.shape) for name, one in model.network.named_parameters()}
    facts = family.facts(Workspace(tmp_path))
    assert {spec.part for spec in model.specs} == set(facts.parts)
    assert "text_projection" not in facts.parts


def test_hidden_states_predict_their_frame(tmp_path: Path) -> None:
    """Aligned where they are born: what predicts a frame does not know it."""
    model = ToyFamily().load(Workspace(tmp_path))
    corpus = prepared_toy_corpus()
    example = next(one for one in corpus.examples.values() if not one.cut)
    item = PromptedExample(example, example.text_ids["text"], None)
    outputs = model.forward(model.collate([item]))
    assert outputs.hidden_MH is not None
    assert len(outputs.targets_N) == example.frames + 1 and outputs.targets_N[-1] == CODES
    assert np.array_equal(outputs.codes_MQ.numpy(), example.codes_FQ)
    changed = example.codes_FQ.copy()
    changed[-1] = (changed[-1] + 1) % CODES
    import dataclasses

    other = PromptedExample(dataclasses.replace(example, codes_FQ=changed), item.text_ids, None)
    again = model.forward(model.collate([other]))
    assert torch.equal(outputs.hidden_MH, again.hidden_MH)  # type: ignore[arg-type]
    assert not torch.equal(outputs.logits_NV[-1], again.logits_NV[-1])


def test_a_family_without_hidden_states(tmp_path: Path) -> None:
    model = ToyFamily(ToyOptions(hidden=False)).load(Workspace(tmp_path))
    corpus = prepared_toy_corpus()
    example = next(iter(corpus.examples.values()))
    item = PromptedExample(example, example.text_ids["text"], None)
    assert model.forward(model.collate([item])).hidden_MH is None


def test_good_components_pass(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    found = check_source(ToySource(), workspace)
    assert len(found) == 12 and np.shape(found[0].codes)[1] == CODEBOOKS
    assert found[0].codes == tuple(map(tuple, toy_codes(found[0].text).tolist()))
    assert set(check_strategy(TrainAll(TrainAll.Options(parts=["head"])), ToyFamily(), workspace)) == {
        "head.weight",
        "head.bias",
    }
    check_strategy(Freeze(Freeze.Options(lr=1e-3, parts=["talker"])), ToyFamily(), workspace)
    check_language(NorwegianLanguage(), ["Kl. 14 kom 3 stk."])


def test_bad_components_are_told_apart(tmp_path: Path) -> None:
    class Twice(ToySource):
        def utterances(self, context: Any) -> list:
            return [*super().utterances(context)] * 2

    with pytest.raises(AssertionError, match="repeats an id"):
        check_source(Twice(), Workspace(tmp_path))

    class Sticky(TrainAll):
        @contextmanager
        def off(self) -> Iterator[None]:
            yield

    with pytest.raises(AssertionError, match=r"off\(\) leaves"):
        check_strategy(Sticky(), ToyFamily(), Workspace(tmp_path))

    class Growing(Language):
        name = "growing"

        def normalise(self, text: str, variant: str = "text") -> SpokenText:
            return SpokenText(text + "!")

        def rules_version(self) -> str:
            return "1"

        def test_sentences(self) -> tuple[str, ...]:
            return ("Hei",)

    with pytest.raises(AssertionError, match="twice changes more"):
        check_language(Growing())
