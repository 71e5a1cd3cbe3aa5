"""Counting a model's parameters by part, from names and shapes alone. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kathrine.types import Claim, ParameterSpec

BYTES_PER_TRAINED = 4 + 4 + 8
"""Of one trained parameter: the float32 weight, its gradient, and AdamW's two moments."""


@dataclass(frozen=True, slots=True)
class Training:
    """What one strategy does to a part: parameters trained there (in place or added) at a peak learning rate."""

    strategy: str
    parameters: int
    lr: float
    added: bool


@dataclass(frozen=True, slots=True)
class PartCount:
    """One named part of a model. share: of all parameters, 0 to 1."""

    part: str
    tensors: int
    parameters: int
    share: float
    training: tuple[Training, ...] = ()


@dataclass(frozen=True, slots=True)
class Census:
    """A whole model. optimizer_bytes: weights, gradients and moments of all that is trained, in float32."""

    tensors: int
    parameters: int
    parts: tuple[PartCount, ...]
    trained: int = 0
    optimizer_bytes: int = 0


@dataclass(slots=True)
class Branch:
    """A node of the module tree. shape is set on leaves; repeats counts siblings that are alike."""

    name: str
    parameters: int = 0
    shape: tuple[int, ...] | None = None
    repeats: int = 1
    children: dict[str, Branch] = field(default_factory=dict)


def count_parts(specs: Sequence[ParameterSpec], claims: Iterable[Claim] = ()) -> Census:
    """Count tensors and parameters by part and mark what the claims train.

    Given: every parameter of the model, in the family's order; the claims of a recipe's strategies.
    Returns: parts in the order of their first parameter; a part that only a strategy adds comes last.
    """
    total = sum(spec.count for spec in specs)
    tensors: dict[str, int] = {}
    parameters: dict[str, int] = {}
    part_of = {spec.name: spec.part for spec in specs}
    size_of = {spec.name: spec.count for spec in specs}
    for spec in specs:
        tensors[spec.part] = tensors.get(spec.part, 0) + 1
        parameters[spec.part] = parameters.get(spec.part, 0) + spec.count
    training: dict[str, list[Training]] = {}
    trained = 0
    for claim in claims:
        in_place: dict[str, int] = {}
        for name in claim.trains:
            in_place[part_of[name]] = in_place.get(part_of[name], 0) + size_of[name]
        added: dict[str, int] = {}
        for spec in claim.adds:
            added[spec.part] = added.get(spec.part, 0) + spec.count
        for counts, is_added in ((in_place, False), (added, True)):
            for part, count in counts.items():
                training.setdefault(part, []).append(Training(claim.strategy, count, claim.lr, is_added))
                trained += count
    order = [*tensors, *(part for part in training if part not in tensors)]
    parts = tuple(
        PartCount(
            part,
            tensors.get(part, 0),
            parameters.get(part, 0),
            parameters.get(part, 0) / total if total else 0.0,
            tuple(training.get(part, ())),
        )
        for part in order
    )
    return Census(len(specs), total, parts, trained, trained * BYTES_PER_TRAINED)


def module_tree(specs: Sequence[ParameterSpec]) -> Branch:
    """The tree of modules, with numbered siblings that are alike folded into one branch `0..27`."""
    root = Branch("")
    for spec in specs:
        node = root
        node.parameters += spec.count
        for piece in spec.name.split("."):
            node = node.children.setdefault(piece, Branch(piece))
            node.parameters += spec.count
        node.shape = spec.shape
    _fold(root)
    return root


def _signature(branch: Branch) -> tuple[object, ...]:
    """Equal for two branches exactly when their subtrees have the same names and shapes."""
    return (branch.shape, tuple((name, _signature(child)) for name, child in branch.children.items()))


def _fold(branch: Branch) -> None:
    """Join runs of consecutive numbered children with equal subtrees, bottom up."""
    for child in branch.children.values():
        _fold(child)
    folded: dict[str, Branch] = {}
    run: list[Branch] = []

    def close() -> None:
        if not run:
            return
        first, last = run[0], run[-1]
        if len(run) > 1:
            first.name = f"{first.name}..{last.name}"
            first.repeats = len(run)
            first.parameters = sum(one.parameters for one in run)
        folded[first.name] = first
        run.clear()

    for child in branch.children.values():
        alike = run and child.name.isdigit() and _signature(run[-1]) == _signature(child)
        if not alike:
            close()
        if child.name.isdigit():
            run.append(child)
        else:
            folded[child.name] = child
    close()
    branch.children = folded
