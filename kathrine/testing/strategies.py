"""The contract of a strategy, on the tiny model of any family."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import ModelFamily, SpeechModel, Strategy
from kathrine.errors import KathrineError
from kathrine.testing.problems import Contract, fresh, listed
from kathrine.testing.tiny import computed, different, made_up_items, trained_a_little
from kathrine.types import Claim, PromptedExample
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import torch

SEED = 1
LEAST_LR = 1e-2
"""Steps are made at least so large, whatever the options say: what moves has to be seen in float32."""
RELOADED, SCALED, FOLDED = 1e-5, 1e-4, 1e-4
"""How far outputs may be away, relative to the largest one: the same weights in another model of this process; an
effect that is scaled and not switched; the same effect computed in another order."""


def check_strategy(strategy: Strategy, family: ModelFamily, workspace: Workspace) -> dict[str, torch.nn.Parameter]:
    """A strategy keeps its contract on a family.

    It claims by names and shapes alone; something trains, all that is claimed, in float32, and nothing else moves;
    what is stored under checkpoint names gives the same model back; `off()` leaves no trace; `scale` and `fold` do
    what they say, where it can.

    Given: a strategy that was not applied yet; a family set to a small checkpoint, such as `tiny_family(NAME)`.
    Returns: the trained parameters by checkpoint name. Raises: ConformanceError that says what is wrong.
    """
    contract = Contract(strategy)
    model = family.load(workspace)
    claim = _check_claim(contract, strategy, model)
    language = next(iter(strategy.languages()), None)
    items = made_up_items(family, workspace, language)
    untouched = computed(model, made_up_items(family, workspace))
    before = _copies(model.originals)
    trained = strategy.apply(model, claim, SEED)
    _check_applied(contract, model, claim, trained, before)
    starts = _copies(trained)
    _check_off(contract, strategy, model, items, untouched, "before the first step")
    _check_training(contract, strategy, model, items, trained, claim, before)
    _check_off(contract, strategy, model, items, untouched, "after training")
    contract.holds(
        language is not None or different(untouched, computed(model, items)),
        "what it trains has no effect on the model",
        Strategy.apply,
    )
    _check_reload(contract, strategy, family, workspace, model, items, trained, starts)
    _check_scale(contract, strategy, model, items, untouched)
    if not strategy.fold_problem():
        _check_fold(contract, strategy, family, workspace, model, items, claim)
    _check_half_precision(contract, strategy, family, workspace)
    return trained


def _copies(parameters: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in parameters.items()}


def _check_claim(contract: Contract, strategy: Strategy, model: SpeechModel) -> Claim:
    claim = strategy.claim(model.specs, model.facts)
    again = fresh(strategy).claim(model.specs, model.facts)
    contract.holds(claim == again, "claim is not a function of names and shapes", Strategy.claim)
    contract.holds(claim.strategy == strategy.label, f"its claim is that of {claim.strategy!r}", Strategy.claim)
    contract.holds(claim.trains or claim.adds, "it claims nothing to train", Strategy.claim)
    known = {spec.name for spec in model.specs}
    unknown = {*claim.trains, *claim.adapts} - known
    contract.holds(not unknown, f"it claims weights that the model has not: {listed(unknown)}", Strategy.claim)
    names = [*claim.trains, *(spec.name for spec in claim.adds)]
    contract.holds(len(set(names)) == len(names), "it claims a name twice", Claim)
    taken = known & {spec.name for spec in claim.adds}
    contract.holds(not taken, f"it adds weights under names that are taken: {listed(taken)}", Claim)
    return claim


def _check_applied(
    contract: Contract,
    model: SpeechModel,
    claim: Claim,
    trained: Mapping[str, torch.nn.Parameter],
    before: Mapping[str, torch.Tensor],
) -> None:
    import torch

    odd = {*claim.trains, *(spec.name for spec in claim.adds)} ^ set(trained)
    contract.holds(not odd, f"apply does not give what was claimed: {listed(odd)}", Strategy.apply)
    for spec in claim.adds:
        shape = tuple(trained[spec.name].shape)
        contract.holds(shape == spec.shape, f"{spec.name} has shape {shape}, claimed was {spec.shape}", Claim)
    present = {id(parameter) for parameter in model.network.parameters()}
    for name, parameter in trained.items():
        contract.holds(parameter.dtype == torch.float32, f"{name} is not float32", Strategy.apply)
        contract.holds(id(parameter) in present, f"{name} is not a parameter of the network", Strategy.apply)
    _check_unmoved(contract, model, claim, before, "apply")


def _check_unmoved(
    contract: Contract, model: SpeechModel, claim: Claim, before: Mapping[str, torch.Tensor], when: str
) -> None:
    import torch

    moved = [
        name
        for name, parameter in model.originals.items()
        if name not in claim.trains and not torch.equal(parameter.detach(), before[name])
    ]
    contract.holds(not moved, f"{when} changed frozen weights without a claim: {listed(moved)}", Strategy)


def _check_training(
    contract: Contract,
    strategy: Strategy,
    model: SpeechModel,
    items: list[PromptedExample],
    trained: Mapping[str, torch.nn.Parameter],
    claim: Claim,
    before: Mapping[str, torch.Tensor],
) -> None:
    """Real steps move all that is claimed and nothing else, buffers included."""
    import torch

    model.network.requires_grad_(False)
    for parameter in trained.values():
        parameter.requires_grad_(True)
    own = {id(parameter) for parameter in trained.values()}
    state = [*model.network.named_parameters(), *model.network.named_buffers()]
    rest = {name: tensor for name, tensor in state if id(tensor) not in own}
    first, frozen = _copies(trained), _copies(rest)
    try:
        trained_a_little(model, items, trained, lr=max(claim.lr, LEAST_LR))
    except RuntimeError as error:  # torch: nothing in the loss asks for a gradient
        contract.broken(f"it trains nothing: no gradient reaches it ({error})", Strategy.apply)
    still = [name for name, parameter in trained.items() if torch.equal(parameter.detach(), first[name])]
    contract.holds(len(still) < len(trained), "it trains nothing: a step changes none of its weights", Strategy.apply)
    contract.holds(not still, f"it claims weights that no step changes: {listed(still)}", Strategy.claim)
    moved = [name for name, tensor in rest.items() if not torch.equal(tensor.detach(), frozen[name])]
    contract.holds(not moved, f"a step moves weights that are frozen: {listed(moved)}", Strategy)
    _check_unmoved(contract, model, claim, before, "a step")


def _check_off(
    contract: Contract,
    strategy: Strategy,
    model: SpeechModel,
    items: list[PromptedExample],
    untouched: Mapping[str, torch.Tensor],
    when: str,
) -> None:
    on = computed(model, items)
    with strategy.off():
        trace = different(untouched, computed(model, items))
    contract.holds(not trace, f"off() leaves a trace {when}: {trace}", Strategy.off)
    back = different(on, computed(model, items))
    contract.holds(not back, f"after off() the model is another one: {back}", Strategy.off)
    try:
        with strategy.off():
            raise _Planned
    except _Planned:
        back = different(on, computed(model, items))
    contract.holds(not back, f"after an error within off() the model is another one: {back}", Strategy.off)


class _Planned(Exception):
    """Raised by the check, to see what is left after it."""


def _check_reload(
    contract: Contract,
    strategy: Strategy,
    family: ModelFamily,
    workspace: Workspace,
    model: SpeechModel,
    items: list[PromptedExample],
    trained: Mapping[str, torch.nn.Parameter],
    starts: Mapping[str, torch.Tensor],
) -> None:
    """As a resumed run: another model and instance, the same seed, and weights by name from a file."""
    import torch
    from safetensors.torch import load_file, save_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trainable.safetensors"
        save_file({name: one.detach().cpu().contiguous().clone() for name, one in trained.items()}, str(path))
        stored = load_file(str(path))
    second, again = family.load(workspace), fresh(strategy)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12345)  # whatever was drawn before, new parameters follow from their own seed
        parameters = again.apply(second, again.claim(second.specs, second.facts), SEED)
    other = [name for name, parameter in parameters.items() if not torch.equal(parameter.detach(), starts[name])]
    contract.holds(not other, f"first values are not a function of the seed: {listed(other)}", Strategy.apply)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(stored[name])
    lost = different(computed(model, items), computed(second, items), RELOADED)
    contract.holds(not lost, f"saved and loaded it gives another model: {lost}", Strategy.apply)


def _check_scale(
    contract: Contract,
    strategy: Strategy,
    model: SpeechModel,
    items: list[PromptedExample],
    untouched: Mapping[str, torch.Tensor],
) -> None:
    on = computed(model, items)
    found: dict[float, Any] = {}
    try:
        for factor in (1.0, 0.0):
            with strategy.scale(factor):
                found[factor] = computed(model, items)
    except KathrineError:
        return  # it says that it can not, and why
    for factor, wanted in ((1.0, on), (0.0, untouched)):
        wrong = different(wanted, found[factor], SCALED)
        contract.holds(not wrong, f"scale({factor:g}) is not {factor:g} of its effect: {wrong}", Strategy.scale)
    back = different(on, computed(model, items))
    contract.holds(not back, f"after scale() the model is another one: {back}", Strategy.scale)


def _check_fold(
    contract: Contract,
    strategy: Strategy,
    family: ModelFamily,
    workspace: Workspace,
    model: SpeechModel,
    items: list[PromptedExample],
    claim: Claim,
) -> None:
    """The plain weights that `fold` writes, in a model without the strategy, give the same outputs."""
    import torch

    weights = {name: one.detach().float().cpu().clone() for name, one in model.originals.items()}
    before = dict(weights)
    strategy.fold(weights)
    contract.holds(weights.keys() == before.keys(), "fold adds or removes weights", Strategy.fold)
    allowed, languages = {*claim.trains, *claim.adapts}, strategy.languages()
    if languages:
        allowed.add(model.language_table())
    changed = {name for name, one in weights.items() if not torch.equal(one, before[name])}
    contract.holds(changed <= allowed, f"fold changes weights without a claim: {listed(changed - allowed)}", Claim)
    plain = family.load(workspace)
    with torch.no_grad():
        for name, parameter in plain.originals.items():
            parameter.copy_(weights[name])
    for language, row in languages.items():
        plain.add_language(language, row, plain.originals[plain.language_table()][row].detach())
    wrong = different(computed(model, items), computed(plain, items), FOLDED)
    contract.holds(not wrong, f"folded it gives another model: {wrong}", Strategy.fold)


def _check_half_precision(contract: Contract, strategy: Strategy, family: ModelFamily, workspace: Workspace) -> None:
    import torch

    half, again = family.load(workspace, dtype="bf16"), fresh(strategy)
    trained = again.apply(half, again.claim(half.specs, half.facts), SEED)
    low = [name for name, parameter in trained.items() if parameter.dtype != torch.float32]
    contract.holds(not low, f"on a model in bf16 it does not train in float32: {listed(low)}", Strategy.apply)
