"""The contract of an auxiliary loss, on the tiny model of any family.

Legend: B items of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kathrine.components import Collated, Loss, ModelFamily, SpeechModel, Strategy
from kathrine.testing.problems import Contract, listed
from kathrine.testing.tiny import claimed_and_applied, made_up_items, trained_a_little
from kathrine.types import LossTerm, PromptedExample, TalkerOutputs
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import torch

SEED = 3
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
    trial = _Trial(contract, loss, model, strategies, items, trained)
    owned = [name for name, value in vars(loss).items() if "torch.nn" in type(value).__module__]
    contract.holds(not owned, f"it owns parameters or modules: {listed(owned)}", Loss)
    _check_denominator(trial)
    term = _check_term(trial)
    _check_gradient(trial)
    _check_zero_weight(trial)
    _check_share(replace(trial, loss=drawing(loss)), draws)
    return term


@dataclass(frozen=True, eq=False)
class _Trial:
    """A loss, and the model that it is tried on."""

    contract: Contract
    loss: Loss
    model: SpeechModel
    strategies: Sequence[Strategy]
    items: list[PromptedExample]
    trained: Mapping[str, torch.nn.Parameter]

    def forward(self, items: Sequence[PromptedExample]) -> tuple[Collated, TalkerOutputs]:
        """One pass as a step makes it: with the logits of the model before training where the loss needs them."""
        from kathrine.train.base import BaseModel

        base = BaseModel.of(self.model, self.strategies, [self.loss])
        batch = self.model.collate(items)
        before = base.logits(base.collate(items, batch))
        with torch_seeded(SEED):
            outputs = self.model.forward(batch)
        base.add_logits(outputs, before)
        return batch, outputs

    def asked(self, items: Sequence[PromptedExample]) -> LossTerm | None:
        """Its term with nothing drawn."""
        batch, outputs = self.forward(items)
        return self.loss.term(self.model, batch, outputs, None)


@contextmanager
def torch_seeded(seed: int) -> Iterator[None]:
    """Within it torch draws from this seed; afterwards it goes on as if nothing was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def drawing(loss: Loss) -> Loss:
    """The loss itself, or, where its option `share` takes everything, another one that draws."""
    if getattr(loss.options, "share", 0.0) != 1.0:
        return loss
    return type(loss)(loss.options.model_copy(update={"share": SHARE}), loss.label)


def _check_denominator(trial: _Trial) -> None:
    def of(items: Sequence[PromptedExample]) -> float:
        return float(trial.loss.denominator(trial.model.collate(items), trial.model.facts))

    contract, whole = trial.contract, of(trial.items)
    contract.holds(math.isfinite(whole) and whole > 0, f"its denominator is {whole}", Loss.denominator)
    contract.holds(of(trial.items) == whole, "its denominator is another one the second time", Loss.denominator)
    parts = of(trial.items[:1]) + of(trial.items[1:])
    contract.holds(
        math.isclose(parts, whole, rel_tol=1e-9),
        f"denominators do not add up: two batches give {parts:g}, together they give {whole:g}",
        Loss.denominator,
    )


def _check_term(trial: _Trial) -> LossTerm:
    import torch

    contract = trial.contract
    trial.model.network.eval()
    with torch.no_grad():
        term, again = trial.asked(trial.items), trial.asked(trial.items)
    if term is None or again is None:
        contract.broken("it gives None: name a family, and strategies, that it works with", Loss.term)
    total = term.total
    contract.holds(total.ndim == 0 and total.dtype == torch.float32, "its total is no float32 scalar", LossTerm)
    contract.holds(bool(torch.isfinite(total)), f"its total is {float(total)}", Loss.term)
    contract.holds(torch.equal(again.total, total), "the second time it gives another total", Loss.term)
    contract.holds(0 <= term.covered <= term.coverable, f"it covered {term.covered} of {term.coverable}", LossTerm)
    if term.sums_B is not None:
        _check_items(trial, term, term.sums_B)
    return term


def _check_items(trial: _Trial, term: LossTerm, sums_B: torch.Tensor) -> None:
    """Sums by item: they add up, and are what each item gives when it is alone in a batch."""
    import torch

    contract, total = trial.contract, float(sums_B.sum())
    contract.holds(
        math.isclose(total, float(term.total), rel_tol=ROUNDING, abs_tol=ROUNDING),
        f"its sums by item give {total:g}, its total is {float(term.total):g}",
        LossTerm,
    )
    if term.counts_B is not None:
        counted = float(term.counts_B.sum())
        divisor = trial.loss.denominator(trial.model.collate(trial.items), trial.model.facts)
        contract.holds(
            math.isclose(counted, divisor, rel_tol=ROUNDING),
            f"its counts by item give {counted:g}, its denominator is {divisor:g}",
            LossTerm,
        )
    for number, item in enumerate(trial.items):
        with torch.no_grad():
            alone = trial.asked([item])
        assert alone is not None
        there = float(sums_B[number])
        contract.holds(
            math.isclose(float(alone.total), there, rel_tol=10 * ROUNDING, abs_tol=ROUNDING),
            f"item {number} has {float(alone.total):g} alone and {there:g} beside others",
            LossTerm,
        )


def _check_gradient(trial: _Trial) -> None:
    """It is finite, is there, and is the slope of the value: a small step along it lowers the loss as it says."""
    import torch

    contract, parameters = trial.contract, list(trial.trained.values())
    term = trial.asked(trial.items)
    assert term is not None
    contract.holds(term.total.requires_grad, "no gradient comes out of it", Loss.term)
    found = torch.autograd.grad(term.total, parameters, allow_unused=True)
    pairs = [(one, slope) for one, slope in zip(parameters, found, strict=True) if slope is not None]
    contract.holds(all(bool(torch.isfinite(slope).all()) for _, slope in pairs), "its gradient is not finite", Loss)
    square = sum(float(slope.double().square().sum()) for _, slope in pairs)
    contract.holds(square > 0, "its gradient is zero on everything that is trained", Loss.term)
    value = float(term.total.detach())
    wish = 1e-3 * max(abs(value), 1e-3)
    before = [one.detach().clone() for one, _ in pairs]
    with torch.no_grad():
        for one, slope in pairs:
            one.sub_(slope, alpha=wish / square)
        lower = trial.asked(trial.items)
        for (one, _), kept in zip(pairs, before, strict=True):
            one.copy_(kept)
    assert lower is not None
    fell = value - float(lower.total)
    contract.holds(
        0.5 * wish < fell < 1.5 * wish,
        f"its gradient is not that of its value: a step that should lower it by {wish:.3g} lowers it by {fell:.3g}",
        Loss.term,
    )


def _check_zero_weight(trial: _Trial) -> None:
    """With weight 0 a step gets the same gradients, bit for bit, and nothing else of the model is touched."""
    import torch

    contract, model, loss, parameters = trial.contract, trial.model, trial.loss, list(trial.trained.values())
    state = {name: value.detach().clone() for name, value in model.network.state_dict().items()}

    def with_the_loss() -> tuple[Any, ...]:
        batch, outputs = trial.forward(trial.items)
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

    model.network.train()
    try:
        without = torch.autograd.grad(talker_loss(trial.forward(trial.items)[1]), parameters, allow_unused=True)
        weighted = with_the_loss()
    finally:
        model.network.eval()
    for name, one, two in zip(trial.trained, without, weighted, strict=True):
        same = (two is None or not bool(two.any())) if one is None else two is not None and torch.equal(one, two)
        contract.holds(same, f"weight 0 is not absence: the gradient of {name} is another one", Loss)
    moved = [name for name, value in model.network.state_dict().items() if not torch.equal(value, state[name])]
    contract.holds(not moved, f"weight 0 is not absence: it changes {listed(moved)} of the model", Loss.term)


def talker_loss(outputs: TalkerOutputs) -> torch.Tensor:
    """The talker's loss of one forward pass."""
    import torch.nn.functional as F

    return F.cross_entropy(outputs.logits_NV.float(), outputs.targets_N)


def _tensors(outputs: TalkerOutputs) -> dict[str, torch.Tensor]:
    names = ("logits_NV", "targets_N", "item_N", "hidden_MH", "codes_MQ", "item_M", "base_logits_NV")
    return {name: getattr(outputs, name).detach().clone() for name in names if getattr(outputs, name) is not None}


def _check_share(trial: _Trial, draws: int) -> None:
    import torch

    contract, loss, drawn = trial.contract, trial.loss, []
    with torch.no_grad():
        batch, outputs = trial.forward(trial.items)
        full = loss.term(trial.model, batch, outputs, None)
        for seed in [*range(draws), 0]:
            term = loss.term(trial.model, batch, outputs, torch.Generator().manual_seed(seed))
            assert term is not None
            drawn.append(float(term.total))
    assert full is not None
    again, whole = drawn.pop(), float(full.total)
    contract.holds(again == drawn[0], "one seed gives two different totals", Loss.term)
    mean = math.fsum(drawn) / draws
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in drawn) / (draws - 1))
    allowed = ERRORS * deviation / math.sqrt(draws) + ROUNDING * max(1.0, abs(whole))
    contract.holds(
        abs(mean - whole) <= allowed,
        f"drawn shares are biased: their mean over {draws} draws is {mean:.5g}, all of it is {whole:.5g}, "
        f"and chance explains {allowed:.3g}",
        Loss.term,
    )
