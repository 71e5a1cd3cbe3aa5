"""The pieces of a model that are looked at one by one: parts, and within them layers, heads and tables. No torch.

A piece is what its family's specs tell apart: a part, which of its like pieces (a talker layer, a layer of the
sub-talker, a head), and attention, mlp or norms within a layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kathrine.types import Claim, ParameterSpec


@dataclass(frozen=True, slots=True)
class Piece:
    """position: index of the layer, head or table, or None for the only one. names: of its parameters."""

    part: str
    position: int | None
    piece: str
    parameters: int
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """Such as `talker 3 attention`."""
        return piece_name(self.part, self.position, self.piece)


def piece_name(part: str, position: int | None, piece: str = "") -> str:
    return " ".join([part, *([] if position is None else [str(position)]), *([piece] if piece else [])])


def position_of(spec: ParameterSpec) -> int | None:
    return spec.layer if spec.layer is not None else spec.position


def pieces_of(specs: Iterable[ParameterSpec]) -> tuple[Piece, ...]:
    """The pieces in the order of their first parameter, each parameter in exactly one."""
    found: dict[tuple[str, int | None, str], list[ParameterSpec]] = {}
    for spec in specs:
        found.setdefault((spec.part, position_of(spec), spec.piece), []).append(spec)
    return tuple(
        Piece(*key, sum(spec.count for spec in group), tuple(spec.name for spec in group))
        for key, group in found.items()
    )


def own_additions(claims: Iterable[Claim]) -> tuple[ParameterSpec, ...]:
    """Parameters that strategies added and that stand for themselves, such as a language tag. Adapters do not: they are
    seen through the weights that they adapt."""
    return tuple(spec for claim in claims if not claim.adapts for spec in claim.adds)


def module_paths(specs: Sequence[ParameterSpec]) -> dict[str, tuple[str, int | None, str]]:
    """Paths of the modules whose output is a hidden state of interest: part and position, and the path that all of its
    parameters have in common. Such as `talker.model.layers.3` for (talker, 3).

    Returns: by name, such as `talker 3`, the part, the position and the path; in the model's order.
    """
    found: dict[tuple[str, int | None], list[list[str]]] = {}
    for spec in specs:
        found.setdefault((spec.part, position_of(spec)), []).append(spec.name.split(".")[:-1])
    paths = {key: ".".join(_common(modules)) for key, modules in found.items()}
    return {piece_name(*key): (*key, path) for key, path in paths.items() if path}


def _common(paths: Sequence[Sequence[str]]) -> list[str]:
    """What all paths begin with."""
    begun = []
    for names in zip(*paths, strict=False):  # as long as the shortest
        if len(set(names)) > 1:
            break
        begun.append(names[0])
    return begun
