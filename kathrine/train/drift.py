"""How far training has moved each named part of a model from what it was: relative L2, written to `drift.json`.

Legend: for the weights w of a part before and v after, |v - w| / |w| over all of them together. Adapters count with
what they add to the weights that they adapt (LoRA: scaling x B A), a language tag with its row of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import SpeechModel, Strategy
from kathrine.corpus.files import write_json
from kathrine.types import Claim

if TYPE_CHECKING:
    import torch

NAME = "drift.json"


class _Touched(dict[str, Any]):
    """Weights that are brought here, float32 on the CPU, when a strategy first asks for them: a whole model in float32
    need not fit."""

    def __init__(self, bring: Callable[[str], torch.Tensor]) -> None:
        super().__init__()
        self._bring = bring

    def __missing__(self, name: str) -> torch.Tensor:
        self[name] = self._bring(name)
        return self[name]


def drift_of(model: SpeechModel, strategies: Sequence[Strategy], claims: Sequence[Claim]) -> dict[str, Any]:
    """Drift by part, with the weights and adapters that the model has now.

    Given: strategies that were applied, with their claims. Returns: `parts`, by name in the model's order:
    `relative_l2`, `change` and `base` (the two lengths), `parameters`, `changed` (parameters of the tensors that
    differ); `not_measured`, why by strategy: those whose effect can not be written as weights.
    """

    def bring(name: str) -> torch.Tensor:
        return model.originals[name].detach().float().cpu().clone()

    not_measured = {one.label: one.fold_problem() for one in strategies if one.fold_problem()}
    after = _Touched(bring)
    for claim in claims:
        for name in (*claim.trains, *claim.adapts):
            after[name]  # brought here
    for strategy in strategies:
        if strategy.label not in not_measured:
            strategy.fold(after)
    parts: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        for strategy in strategies:
            stack.enter_context(strategy.off())
        for spec in model.specs:
            part = parts.setdefault(spec.part, {"change": 0.0, "base": 0.0, "parameters": 0, "changed": 0})
            weight = model.originals[spec.name].detach()
            part["base"] += _square(weight)
            part["parameters"] += weight.numel()
            moved = _square(after[spec.name] - weight.float().cpu()) if spec.name in after else 0.0
            part["change"] += moved
            part["changed"] += weight.numel() if moved else 0
    made = {}
    for name, sums in parts.items():
        change, base = sums["change"] ** 0.5, sums["base"] ** 0.5
        relative = change / base if base else 0.0
        counts = {"parameters": sums["parameters"], "changed": sums["changed"]}
        made[name] = {"relative_l2": relative, "change": change, "base": base, **counts}
    return {"parts": made, "not_measured": not_measured}


def _square(weight: torch.Tensor) -> float:
    """Sum of squares, in double precision without a copy of that size."""
    import torch

    return float(torch.linalg.vector_norm(weight, dtype=torch.float64)) ** 2


def write_drift(folder: Path, step: int, weights_from: str, found: Mapping[str, Any]) -> Path:
    """`drift.json` in a run folder. Given: weights_from, a sentence about the weights; found, as from `drift_of`."""
    write_json(folder / NAME, {"step": step, "weights_from": weights_from, **found})
    return folder / NAME
