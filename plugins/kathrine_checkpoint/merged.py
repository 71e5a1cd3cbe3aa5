"""The merged checkpoint: every strategy's effect written into plain weights, in float32, then stored.

bf16 keeps 8 bits: an update of 1e-5 on a weight of 0.02 rounds away. `stored_cosines` says per part how
much of the intended update is in the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from kathrine.components import FinishedRun, SpeechModel
from kathrine.errors import KathrineError

if TYPE_CHECKING:
    import torch

GOOD_COSINE = 0.98


def folded_weights(run: FinishedRun) -> dict[str, torch.Tensor]:
    """All weights with every strategy's effect, float32 on the CPU, by official name.

    Raises: KathrineError for a strategy that can not be merged.
    """
    for strategy in run.strategies:
        problem = strategy.fold_problem()
        if problem:
            raise KathrineError(f"strategy.{strategy.label} can not be merged: {problem}", "use export.adapter")
    weights = {name: parameter.detach().float().cpu() for name, parameter in run.model.originals.items()}
    for strategy in run.strategies:
        strategy.fold(weights)
    return weights


def first_weights(run: FinishedRun, names: Sequence[str]) -> dict[str, torch.Tensor]:
    """The base model's own values of some weights, float32 copies on the CPU."""
    with ExitStack() as stack:
        for strategy in run.strategies:
            stack.enter_context(strategy.off())
        return {name: run.model.originals[name].detach().float().cpu().clone() for name in names}


def stored_cosines(
    first: Mapping[str, torch.Tensor], intended: Mapping[str, torch.Tensor], stored: SpeechModel
) -> dict[str, float]:
    """Per part, the cosine between the intended update and the one found in the reloaded checkpoint.

    1 where nothing was lost; 0 where a part was to change and nothing of it arrived.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    part_of = {spec.name: spec.part for spec in stored.specs}
    for name, before in first.items():
        wish = (intended[name] - before).double().flatten()
        found = (stored.originals[name].detach().float().cpu() - before).double().flatten()
        part = sums[part_of[name]]
        part[0] += float(wish @ found)
        part[1] += float(wish @ wish)
        part[2] += float(found @ found)
    return {
        part: dot / (wish * found) ** 0.5 if found else 0.0 for part, (dot, wish, found) in sums.items() if wish > 0
    }
