from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from tiny_training import claim_and_apply, prompted, snapshot, tiny_model, train

from kathrine_freeze import Freeze, FreezeOptions
from kathrine_sub_talker import SubTalker, SubTalkerOptions, drawn_frames


def loss(**options: object) -> SubTalker:
    return SubTalker(SubTalkerOptions(weight=0.2, **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def batch(model):
    return model.collate(prompted(model))


@pytest.mark.parametrize(("frames", "share", "count"), [(40, 0.25, 10), (41, 0.25, 11), (3, 0.01, 1), (1, 0.5, 1)])
def test_so_many_frames_are_drawn_without_replacement(frames: int, share: float, count: int) -> None:
    chosen = drawn_frames(frames, share, torch.Generator().manual_seed(3))
    numbers = list(range(frames)) if chosen is None else chosen.tolist()
    assert len(numbers) == len(set(numbers)) == count and numbers == sorted(numbers)
    again = drawn_frames(frames, share, torch.Generator().manual_seed(3))
    assert chosen is None or torch.equal(chosen, again)


def test_all_frames_without_a_generator_or_with_share_one() -> None:
    assert drawn_frames(9, 0.3, None) is None
    assert drawn_frames(9, 1.0, torch.Generator()) is None


def test_every_frame_is_drawn_equally_often() -> None:
    generator, counts = torch.Generator().manual_seed(0), Counter()
    for _ in range(2000):
        counts.update(drawn_frames(8, 0.25, generator).tolist())
    assert all(abs(count - 500) < 90 for count in counts.values()) and len(counts) == 8


def test_the_whole_sum_is_cross_entropy_over_all_pairs(model, batch) -> None:
    with torch.no_grad():
        outputs = model.forward(batch)
        term = loss().term(model, batch, outputs, torch.Generator())
        logits = model.network.sub_talker_logits(outputs.hidden_MH, outputs.codes_MQ)
        expected = F.cross_entropy(logits.flatten(0, 1), outputs.codes_MQ[:, 1:].flatten(), reduction="sum")
    assert float(term.total) == pytest.approx(float(expected), rel=1e-6)
    assert (term.covered, term.coverable) == (27, 27)
    denominator = loss().denominator(batch, model.facts)
    assert denominator == 27 * 15 == float(term.counts_B.sum())
    assert term.counts_B.tolist() == [135.0, 90.0, 105.0, 75.0]
    assert float(term.sums_B.sum()) == pytest.approx(float(term.total), rel=1e-6)
    assert term.total.dtype == term.sums_B.dtype == torch.float32 and not term.sums_B.requires_grad
    by_hand = F.cross_entropy(logits.transpose(1, 2), outputs.codes_MQ[:, 1:], reduction="none")
    assert float(term.sums_B[1]) == pytest.approx(float(by_hand[outputs.item_M == 1].sum()), rel=1e-5)


def test_a_share_has_the_whole_as_its_mean(model, batch) -> None:
    part = loss(share=0.25)
    with torch.no_grad():
        outputs = model.forward(batch)
        whole = float(loss().term(model, batch, outputs, None).total)
        assert float(part.term(model, batch, outputs, None).total) == pytest.approx(whole, rel=1e-6)
        terms = [part.term(model, batch, outputs, torch.Generator().manual_seed(seed)) for seed in range(150)]
    assert {term.covered for term in terms} == {7} and terms[0].coverable == 27
    assert sum(float(term.total) for term in terms) / 150 == pytest.approx(whole, rel=0.02)
    assert len({float(term.total) for term in terms}) > 100
    again = part.term(model, batch, outputs, torch.Generator().manual_seed(0))
    assert float(again.total) == float(terms[0].total)


def test_no_hidden_states_no_term(model, batch) -> None:
    with torch.no_grad():
        outputs = dataclasses.replace(model.forward(batch), hidden_MH=None)
    assert loss().term(model, batch, outputs, None) is None


def test_a_batch_without_frames_gives_a_zero_that_can_be_differentiated(model) -> None:
    outputs = model.forward(model.collate(prompted(model)))
    hidden_MH = outputs.hidden_MH.detach().requires_grad_(True)
    empty = dataclasses.replace(
        outputs, hidden_MH=hidden_MH[:0], codes_MQ=outputs.codes_MQ[:0], item_M=outputs.item_M[:0]
    )
    term = loss(share=0.5).term(model, model.collate(prompted(model)), empty, torch.Generator())
    assert (float(term.total.detach()), term.covered, term.coverable) == (0.0, 0, 0)
    term.total.backward()
    assert hidden_MH.grad is not None and not hidden_MH.grad.any()


def test_the_loss_falls_where_the_sub_talker_is_trained() -> None:
    model = tiny_model()
    strategy = Freeze(FreezeOptions(lr=2e-3, parts=["sub_talker", "sub_talker_head"]))
    claims, trained = claim_and_apply(model, [strategy])
    before = snapshot(model)
    batch = model.collate(prompted(model))

    def value() -> float:
        with torch.no_grad():
            term = loss().term(model, batch, model.forward(batch), None)
        return float(term.total) / loss().denominator(batch, model.facts)

    first = value()
    train(model, claims, trained, losses=[loss(share=0.5)])
    assert value() < first - 0.5
    moved = {name for name in before if not torch.equal(before[name], model.originals[name].detach())}
    assert moved == set(claims[0].trains)


def test_bf16_sums_are_float32() -> None:
    model = tiny_model("bf16")
    batch = model.collate(prompted(model))
    term = loss().term(model, batch, model.forward(batch), None)
    assert term.total.dtype == torch.float32


def test_options() -> None:
    assert (loss().options.share, loss().options.required, loss(required=True).options.required) == (
        1.0,
        False,
        True,
    )
