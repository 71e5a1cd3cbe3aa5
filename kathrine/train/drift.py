"""How far training has moved a model from what it was, by named part and by piece: relative L2, written to
`drift.json`, and the spectrum of each change, which `kathrine inspect RUN` shows.

Legend: for the weights w of a part before and v after, |v - w| / |w| over all of them together. Adapters count with
what they add to the weights that they adapt (LoRA: scaling x B A), a language tag with its row of the table. The
spectral norm of a change is its largest singular value: the most that it can stretch an input; its effective rank is
exp of the entropy of its singular values divided by their sum (Roy & Vetterli 2007): 1 for one direction, R for R equal
ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import SpeechModel, Strategy
from kathrine.corpus.files import write_json
from kathrine.inspect.pieces import pieces_of
from kathrine.types import Claim

if TYPE_CHECKING:
    import torch

NAME = "drift.json"
STRETCH = 8192
"""Columns of a change in double precision at once."""


class _Touched(dict[str, Any]):
    """Weights that are brought here, float32 on the CPU, when a strategy first asks for them: a whole model in float32
    need not fit."""

    def __init__(self, bring: Callable[[str], torch.Tensor]) -> None:
        super().__init__()
        self._bring = bring

    def __missing__(self, name: str) -> torch.Tensor:
        self[name] = self._bring(name)
        return self[name]


def drift_of(
    model: SpeechModel,
    strategies: Sequence[Strategy],
    claims: Sequence[Claim],
    spectra: bool = False,
    advance: Callable[..., None] = lambda *told: None,
) -> dict[str, Any]:
    """Drift with the weights and adapters that the model has now.

    Given: strategies that were applied, with their claims; spectra, also decompose each change, which takes seconds for
    a large matrix that was trained in place; advance, called once a parameter. Returns: `parts`, by name in the model's
    order: `relative_l2`, `change` and `base` (the two lengths), `parameters`, `changed` (parameters of the tensors that
    differ); `pieces`, the same of each piece that a strategy touched, with `strategies` and, with spectra,
    `spectral_norm` (the greatest of its weights) and `effective_rank` (the mean over its matrices that changed);
    `touched`, what each strategy did; `not_measured`, why by strategy: those whose effect can not be written as
    weights.
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
    thin = thin_changes(strategies, claims)
    moved: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        for strategy in strategies:
            stack.enter_context(strategy.off())
        for spec in model.specs:
            weight = model.originals[spec.name].detach()
            facts: dict[str, Any] = {"parameters": weight.numel(), "base": _square(weight), "change": 0.0}
            if spec.name in after:
                change = after[spec.name] - weight.float().cpu()
                facts["change"] = _square(change)
                if spectra and facts["change"]:
                    facts["spectrum"] = thin_spectrum(thin[spec.name]) if spec.name in thin else spectrum(change)
                    facts["matrix"] = change.dim() > 1
            moved[spec.name] = facts
            advance(1)
    parts: dict[str, list[str]] = {}
    for spec in model.specs:
        parts.setdefault(spec.part, []).append(spec.name)
    tag_table = model.language_table() if any(strategy.languages() for strategy in strategies) else ""
    by_strategy = {claim.strategy: {*claim.trains, *claim.adapts} for claim in claims}
    for strategy in strategies:
        if strategy.languages():
            by_strategy.setdefault(strategy.label, set()).add(tag_table)
    pieces = []
    for piece in pieces_of(model.specs):
        names = [label for label, touched in by_strategy.items() if touched & set(piece.names)]
        if names:
            facts = _summed([moved[name] for name in piece.names])
            if spectra:
                facts |= _spectra([moved[name] for name in piece.names])
            where = {"name": piece.name, "part": piece.part, "position": piece.position, "piece": piece.piece}
            pieces.append({**where, "strategies": names, **facts})
    return {
        "parts": {part: _summed([moved[name] for name in names]) for part, names in parts.items()},
        "pieces": pieces,
        "touched": [_touched(claim, by_strategy[claim.strategy], model) for claim in claims],
        "not_measured": not_measured,
    }


def _summed(facts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    facts = list(facts)
    change, base = (sum(one[name] for one in facts) ** 0.5 for name in ("change", "base"))
    return {
        "relative_l2": change / base if base else 0.0,
        "change": change,
        "base": base,
        "parameters": sum(one["parameters"] for one in facts),
        "changed": sum(one["parameters"] for one in facts if one["change"]),
    }


def _spectra(facts: Iterable[Mapping[str, Any]]) -> dict[str, float | None]:
    known = [one for one in facts if "spectrum" in one]
    ranks = [effective_rank(one["spectrum"]) for one in known if one["matrix"]]
    return {
        "spectral_norm": max((float(one["spectrum"][0]) for one in known), default=None),
        "effective_rank": sum(ranks) / len(ranks) if ranks else None,
    }


def _touched(claim: Claim, names: set[str], model: SpeechModel) -> dict[str, Any]:
    """What one strategy trained: parameters in place and added, adapted weights, and the parts that they lie in."""
    sizes = {spec.name: spec.count for spec in model.specs}
    return {
        "strategy": claim.strategy,
        "parts": list(dict.fromkeys(spec.part for spec in model.specs if spec.name in names)),
        "trained": sum(sizes[name] for name in claim.trains),
        "added": sum(spec.count for spec in claim.adds),
        "adapted": len(claim.adapts),
    }


def thin_changes(
    strategies: Sequence[Strategy], claims: Sequence[Claim]
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The changes that are products of two thin matrices whoever made them, on the CPU: those of several adapters on
    one weight stand side by side. A weight that is also trained in place, or adapted in another way, is missing."""
    import torch

    offered = {strategy.label: strategy.low_rank() for strategy in strategies}
    others = {name for claim in claims for name in claim.trains}
    others |= {name for claim in claims for name in claim.adapts if name not in offered[claim.strategy]}
    factors: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for found in offered.values():
        for name, pair in found.items():
            if name not in others:
                factors.setdefault(name, []).append(pair)
    return {
        name: (
            torch.cat([up_OR.cpu() for up_OR, _ in pairs], dim=1),
            torch.cat([down_RI.cpu() for _, down_RI in pairs], dim=0),
        )
        for name, pairs in factors.items()
    }


def thin_spectrum(pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Singular values [R] of a product [O, R] x [R, I], greatest first, in double precision: those of the small matrix
    that is left between the orthogonal factors of both."""
    import torch

    up_OR, down_RI = (one.double() for one in pair)
    left_RR, right_RR = torch.linalg.qr(up_OR).R, torch.linalg.qr(down_RI.T).R
    return torch.linalg.svdvals(left_RR @ right_RR.T)


def spectrum(change: torch.Tensor) -> torch.Tensor:
    """Singular values of a change of any shape, read as a matrix of its first axis by all others, greatest first, in
    double precision: the roots of the eigenvalues of its smaller Gram matrix, exact to about 1e-8 of the greatest."""
    import torch

    matrix = change.reshape(change.shape[0], -1) if change.dim() > 1 else change.reshape(1, -1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    gram = torch.zeros(matrix.shape[0], matrix.shape[0], dtype=torch.float64)
    for stretch in matrix.split(STRETCH, dim=1):
        wide = stretch.double()
        gram += wide @ wide.T
    return torch.linalg.eigvalsh(gram).clamp(min=0).sqrt().flip(0)


def effective_rank(values: torch.Tensor) -> float:
    """exp of the entropy of singular values as shares of their sum; 0 for a change of zeros."""
    import torch

    total = values.sum()
    if total <= 0:
        return 0.0
    shares = values / total
    return float(torch.exp(-torch.xlogy(shares, shares).sum()))


def _square(weight: torch.Tensor) -> float:
    """Sum of squares, in double precision without a copy of that size."""
    import torch

    return float(torch.linalg.vector_norm(weight, dtype=torch.float64)) ** 2


def write_drift(folder: Path, step: int, weights_from: str, found: Mapping[str, Any]) -> Path:
    """`drift.json` in a run folder. Given: weights_from, a sentence about the weights; found, as from `drift_of`."""
    write_json(folder / NAME, {"step": step, "weights_from": weights_from, **found})
    return folder / NAME
