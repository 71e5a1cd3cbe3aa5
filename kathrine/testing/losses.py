"""The contract of an auxiliary loss, on the tiny model of any family.

Legend: B items of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kathrine.components import Collated, Loss, ModelFamily, SpeechModel, Strategy
from kathrine.testing.problems import Contract, listed
from kathrine.testing.tiny import claimed_and_applied, made_up_items, trained_a_little
from kathrine.types import LossTerm, PromptedExample, TalkerOutputs
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import torch

DRAWS = 200
"""How often a loss that draws is asked."""
ERRORS = 4.0
"""Standard errors that the mean of the draws may lie away from the full value: a loss without bias fails with a
probability of 6e-5, and the draws are seeded, so that it fails always or never."""
ROUNDING = 1e-4
"""Relative: sums of float32 in another order."""
SHARE = 0.3
"""The share that a loss with an option `share` is asked for, where its own takes everything."""


def check_loss(
    loss: Loss, family: ModelFamily, workspace: Workspace, strategies: Sequence[Strategy] = (), draws: int = DRAWS
) -> LossTerm:
    """A loss keeps its contract on a family.

    It is finite and says what it is divided by; its gradient is that of its value and reaches what is trained; a
    weight of zero is the same as no loss, so it changes nothing and draws from its own generator alone; drawn shares
    have the full value as their mean.

    Given: strategies that are applied and trained a little first, for a loss that compares with the model without
    them; without any, all weights of the model train. draws: how often a loss that draws is asked. Returns: its term
    on the made-up batch, nothing drawn. Raises: ConformanceError that says what is wrong.
    """
    contract = Contract(loss)
    model = family.load(workspace)
    language = next((name for strategy in strategies for name in strategy.languages()), None)
    items = made_up_items(family, workspace, language)
    if strategies:
        _, trained = claimed_and_applied(model, strategies)
        trained_a_little(model, items, trained)
    else:
        trained = dict(model.originals)
        model.network.requires_grad_(True)
    owned = [name for name, value in vars(loss).items() if "torch.nn" in type(value).__module__]
    contract.holds(not owned, f"it owns parameters or modules: {listed(owned)}", Loss)
    _check_denominator(contract, loss, model, items)
    term = _check_term(contract, loss, model, items)
    _check_gradient(contract, loss, model, items, trained)
    _check_zero_weight(contract, loss, model, items, trained)
    _check_share(contract, drawing(loss), model, items, draws)
    return term


def drawing(loss: Loss) -> Loss:
    """The loss itself, or, where its option `share` takes everything, another one that draws."""
    if getattr(loss.options, "share", 0.0) != 1.0:
        return loss
    return type(loss)(loss.options.model_copy(update={"share": SHARE}), loss.label)


def _asked(
    loss: Loss, model: SpeechModel, batch: Collated, generator: torch.Generator | None = None
) -> tuple[TalkerOutputs, LossTerm | None]:
    outputs = model.forward(batch)
    return outputs, loss.term(model, batch, outputs, generator)


def _check_denominator(contract: Contract, loss: Loss, model: SpeechModel, items: list[PromptedExample]) -> None:
    def of(some: list[PromptedExample]) -> float:
        return float(loss.denominator(model.collate(some), model.facts))

    whole = of(items)
    contract.holds(math.isfinite(whole) and whole > 0, f"its denominator is {whole}", Loss.denominator)
    contract.holds(of(items) == whole, "its denominator is another one the second time", Loss.denominator)
    parts = of(items[:1]) + of(items[1:])
    contract.holds(
        math.isclose(parts, whole, rel_tol=1e-9),
        f"denominators do not add up: two batches give {parts:g}, together they give {whole:g}",
        Loss.denominator,
    )


def _check_term(contract: Contract, loss: Loss, model: SpeechModel, items: list[PromptedExample]) -> LossTerm:
    import torch

    model.network.eval()
    batch = model.collate(items)
    with torch.no_grad():
        _, term = _asked(loss, model, batch)
        if term is None:
            contract.broken(f"it gives None on {model.facts.checkpoint}: name a family that it works on", Loss.term)
        _, again = _asked(loss, model, batch)
    total = term.total
    contract.holds(total.ndim == 0 and total.dtype == torch.float32, "its total is no float32 scalar", LossTerm)
    contract.holds(bool(torch.isfinite(total)), f"its total is {float(total)}", Loss.term)
    contract.holds(again and torch.equal(again.total, total), "the second time it gives another total", Loss.term)
    contract.holds(0 <= term.covered <= term.coverable, f"it covered {term.covered} of {term.coverable}", LossTerm)
    if term.sums_B is not None:
        _check_items(contract, loss, model, items, term)
    return term


def _check_items(
    contract: Contract, loss: Loss, model: SpeechModel, items: list[PromptedExample], term: LossTerm
) -> None:
    """Sums by item: they add up, and are what each item gives when it is alone in a batch."""
    import torch

    assert term.sums_B is not None
    total = float(term.sums_B.sum())
    contract.holds(
        math.isclose(total, float(term.total), rel_tol=ROUNDING, abs_tol=ROUNDING),
        f"its sums by item give {total:g}, its total is {float(term.total):g}",
        LossTerm,
    )
    if term.counts_B is not None:
        counted, divisor = float(term.counts_B.sum()), loss.denominator(model.collate(items), model.facts)
        contract.holds(
            math.isclose(counted, divisor, rel_tol=ROUNDING),
            f"its counts by item give {counted:g}, its denominator is {divisor:g}",
            LossTerm,
        )
    for number, item in enumerate(items):
        with torch.no_grad():
            _, alone = _asked(loss, model, model.collate([item]))
        assert alone is not None
        there = float(term.sums_B[number])
        contract.holds(
            math.isclose(float(alone.total), there, rel_tol=10 * ROUNDING, abs_tol=ROUNDING),
            f"item {number} has {float(alone.total):g} alone and {there:g} beside others",
            LossTerm,
        )


def _check_gradient(
    contract: Contract,
    loss: Loss,
    model: SpeechModel,
    items: list[PromptedExample],
    trained: Mapping[str, torch.nn.Parameter],
) -> None:
    """It is finite, is there, and is the slope of the value: a small step along it lowers the loss as it says."""
    import torch

    batch, parameters = model.collate(items), list(trained.values())
    _, term = _asked(loss, model, batch)
    assert term is not None
    contract.holds(term.total.requires_grad, "no gradient comes out of it", Loss.term)
    found = torch.autograd.grad(term.total, parameters, allow_unused=True)
    pairs = [(one, slope) for one, slope in zip(parameters, found, strict=True) if slope is not None]
    contract.holds(all(bool(torch.isfinite(slope).all()) for _, slope in pairs), "its gradient is not finite", Loss)
    square = sum(float(slope.double().square().sum()) for _, slope in pairs)
    contract.holds(square > 0, "its gradient is zero on everything that is trained", Loss.term)
    wish = 1e-3 * max(abs(float(term.total.detach())), 1e-3)
    before = [one.detach().clone() for one, _ in pairs]
    with torch.no_grad():
        for one, slope in pairs:
            one.sub_(slope, alpha=wish / square)
        _, lower = _asked(loss, model, batch)
        for (one, _), value in zip(pairs, before, strict=True):
            one.copy_(value)
    assert lower is not None
    fell = float(term.total.detach().double() - lower.total.double())
    contract.holds(
        0.5 * wish < fell < 1.5 * wish,
        f"its gradient is not that of its value: a step that should lower it by {wish:.3g} lowers it by {fell:.3g}",
        Loss.term,
    )


def _check_zero_weight(
    contract: Contract,
    loss: Loss,
    model: SpeechModel,
    items: list[PromptedExample],
    trained: Mapping[str, torch.nn.Parameter],
) -> None:
    """With weight 0 a step gets the same gradients, bit for bit, and nothing else of the model is touched."""
    import torch

    batch, parameters = model.collate(items), list(trained.values())
    state = {name: value.detach().clone() for name, value in model.network.state_dict().items()}
    model.network.train()

    def gradients(weighted: bool) -> tuple[Any, ...]:
        torch.manual_seed(3)
        outputs = model.forward(batch)
        total: Any = None if weighted else talker_loss(outputs)
        if weighted:
            kept, drawn = _tensors(outputs), torch.get_rng_state()
            term = loss.term(model, batch, outputs, torch.Generator().manual_seed(4))
            contract.holds(
                torch.equal(torch.get_rng_state(), drawn),
                "it draws from torch's own generator instead of the one that it is given",
                Loss.term,
            )
            changed = [name for name, value in _tensors(outputs).items() if not torch.equal(value, kept[name])]
            contract.holds(not changed, f"it changes the outputs of the model: {listed(changed)}", Loss.term)
            assert term is not None
            total = talker_loss(outputs) + 0.0 * term.total / loss.denominator(batch, model.facts)
        return torch.autograd.grad(total, parameters, allow_unused=True)

    try:
        with torch.random.fork_rng(devices=[]):
            without, weighted = gradients(False), gradients(True)
    finally:
        model.network.eval()
    for name, one, two in zip(trained, without, weighted, strict=True):
        same = not bool(two.any()) if one is None and two is not None else one is two or torch.equal(one, two)
        contract.holds(same, f"weight 0 is not absence: the gradient of {name} is another one", Loss)
    moved = [name for name, value in model.network.state_dict().items() if not torch.equal(value, state[name])]
    contract.holds(not moved, f"it changes weights of the model: {listed(moved)}", Loss.term)


def talker_loss(outputs: TalkerOutputs) -> torch.Tensor:
    """The talker's loss of one forward pass."""
    import torch.nn.functional as F

    return F.cross_entropy(outputs.logits_NV.float(), outputs.targets_N)


def _tensors(outputs: TalkerOutputs) -> dict[str, torch.Tensor]:
    names = ("logits_NV", "targets_N", "item_N", "hidden_MH", "codes_MQ", "item_M")
    return {name: getattr(outputs, name).detach().clone() for name in names if getattr(outputs, name) is not None}


def _check_share(contract: Contract, loss: Loss, model: SpeechModel, items: list[PromptedExample], draws: int) -> None:
    import torch

    batch, drawn = model.collate(items), []
    with torch.no_grad():
        outputs = model.forward(batch)
        full = loss.term(model, batch, outputs, None)
        for seed in range(draws):
            term = loss.term(model, batch, outputs, torch.Generator().manual_seed(seed))
            assert term is not None
            drawn.append(float(term.total))
        again = loss.term(model, batch, outputs, torch.Generator().manual_seed(0))
    assert full is not None and again is not None
    contract.holds(float(again.total) == drawn[0], "one seed gives two different totals", Loss.term)
    mean = math.fsum(drawn) / draws
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in drawn) / (draws - 1))
    allowed = ERRORS * deviation / math.sqrt(draws) + ROUNDING * max(1.0, abs(float(full.total)))
    contract.holds(
        abs(mean - float(full.total)) <= allowed,
        f"drawn shares are biased: their mean over {draws} draws is {mean:.5g}, all of it is {float(full.total):.5g}, "
        f"and chance explains {allowed:.3g}",
        Loss.term,
    )
