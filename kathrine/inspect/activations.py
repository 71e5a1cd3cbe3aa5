"""How far training has moved what flows through a model: hidden states of the base and of the adapted weights, on the
very same batches.

For what comes out of a module, relative L2 |adapted - base| / |base| over all rows of all utterances. Linear CKA would
not see a rotation; this does, since the layers above see it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

import torch

from kathrine.components import Collated

Path = tuple[str, int | None, str]
"""Part, position and path of a module, as from `kathrine.inspect.pieces.module_paths`."""


@dataclass(frozen=True, slots=True)
class ActivationDrift:
    """What comes out of one layer, head or part. target and known: relative L2 on the two languages; None without a
    known one. rows: input rows of the target language that it was measured on."""

    name: str
    part: str
    position: int | None
    target: float
    known: float | None
    rows: int


def activation_drift(
    network: torch.nn.Module,
    paths: Mapping[str, Path],
    run: Callable[[Collated], Any],
    base: Callable[[], AbstractContextManager[Any]],
    target: Sequence[Collated],
    known: Sequence[Collated] = (),
    advance: Callable[..., None] = lambda *told: None,
) -> list[ActivationDrift]:
    """Drift of each module that gives something, in the order of `paths`.

    Given: run, which sends a batch through all of the network; base, within which the network is the base model;
    batches of one utterance each, collated beforehand, so that both see the same input rows. A module that is never
    called (a table that is only looked up in) is left out.
    """
    sums = {
        which: _compared(network, paths, run, base, batches, advance)
        for which, batches in (("target", target), ("known", known))
    }
    made = []
    for name, (part, position, _) in paths.items():
        found = sums["target"].get(name)
        if found is None:
            continue
        other = sums["known"].get(name)
        made.append(
            ActivationDrift(
                name, part, position, _ratio(found), _ratio(other) if other is not None else None, int(found[2])
            )
        )
    return made


def _ratio(sums: Sequence[float]) -> float:
    return (sums[0] / sums[1]) ** 0.5 if sums[1] else 0.0


def _compared(
    network: torch.nn.Module,
    paths: Mapping[str, Path],
    run: Callable[[Collated], Any],
    base: Callable[[], AbstractContextManager[Any]],
    batches: Sequence[Collated],
    advance: Callable[..., None],
) -> dict[str, list[float]]:
    """By name: squared length of the difference, squared length of the base's, rows."""
    sums: dict[str, list[float]] = {}
    for batch in batches:
        adapted = recorded(network, paths, run, batch)
        with base():
            before = recorded(network, paths, run, batch)
        for name, outputs in before.items():
            total = sums.setdefault(name, [0.0, 0.0, 0.0])
            for one, other in zip(outputs, adapted[name], strict=True):
                total[0] += float((other.double() - one.double()).square().sum())
                total[1] += float(one.double().square().sum())
                total[2] += one.numel() // one.shape[-1]
        advance(2)
    return sums


def recorded(
    network: torch.nn.Module, paths: Mapping[str, Path], run: Callable[[Collated], Any], batch: Collated
) -> dict[str, list[torch.Tensor]]:
    """What each module gave, one tensor a call, while a batch went through the network without gradients."""
    kept: dict[str, list[torch.Tensor]] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, given: Any, output: Any) -> None:
            kept.setdefault(name, []).append(first_tensor(output).detach())

        return hook

    modules = dict(network.named_modules())
    with ExitStack() as stack, torch.no_grad():
        for name, (_, _, path) in paths.items():
            if path in modules:
                stack.callback(modules[path].register_forward_hook(keep(name)).remove)
        run(batch)
    return kept


def first_tensor(output: Any) -> torch.Tensor:
    """The hidden states of a module's output: it, or the first thing in it."""
    while not isinstance(output, torch.Tensor):
        output = output[0]
    return output
