"""Where a model's levers are: for each piece, what its gradient is like and what a small step on it alone gains.

The loss L is the plain mean over utterances of each utterance's own loss, so that every utterance counts the same. With
g the gradient of L in a piece of P parameters w: gradient norm |g|, gradient per parameter |g| / sqrt(P) (root mean
square), cosine between g on the target and on the known language, empirical Fisher information: the sum over the
parameters of the mean over utterances of the squared gradient of each utterance's loss (Kunstner et al. 2019 say what
it is and is not), and gain L(w) - L(w - s |w| g / |g|) of a step of the relative length s on this piece alone.

Memory: the weights, and for one group of pieces at a time (at most `GROUP` parameters, or one larger piece) one
utterance's gradient, the mean over each language and a stepped copy of one piece, all float32. Groups are freed before
the next one; each costs a forward and backward pass over every utterance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from kathrine.components import Collated
from kathrine.errors import KathrineError
from kathrine.inspect.pieces import Piece

GROUP = 400_000_000
"""Parameters whose gradients are held at once: 1.6 GB each of one utterance's gradient and of every mean."""
STEP = 1e-3
"""Length of the step relative to the length of the piece's weights."""

LossOf = Callable[[Collated], torch.Tensor]
"""The loss of a batch of one utterance: a differentiable scalar."""
Gradients = dict[str, torch.Tensor]
STRETCH = 1 << 24


@dataclass(frozen=True, slots=True)
class Lever:
    """What was measured of one piece. reached: whether the loss of any of the target's utterances
    depends on it; where not, its gradient is 0 and
    no step was tried. gain: how much the loss falls by the step, None where there is no step to make (no gradient, or
    weights of length 0). cosine and known_gradient_norm: None without a known language; cosine also where one of the
    gradients is 0."""

    name: str
    part: str
    position: int | None
    piece: str
    parameters: int
    reached: bool
    weight_norm: float
    gradient_norm: float
    gradient_per_parameter: float
    known_gradient_norm: float | None
    cosine: float | None
    fisher: float
    fisher_per_parameter: float
    gain: float | None
    gain_per_parameter: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """loss and known_loss: on the weights as they are."""

    loss: float
    known_loss: float | None
    levers: tuple[Lever, ...]


def measure_levers(
    pieces: Sequence[Piece],
    parameters: Mapping[str, torch.nn.Parameter],
    loss_of: LossOf,
    target: Sequence[Collated],
    known: Sequence[Collated] = (),
    step: float = STEP,
    group: int = GROUP,
    advance: Callable[..., None] = lambda *told: None,
) -> Measured:
    """Every piece's lever, in the order of gain per parameter, greatest first; pieces without a step come last.

    Given: parameters by name, float32, of a network in eval mode; target and known, batches of one utterance each on
    its device; advance, called with a number of passes as `passes` counts them. Returns with every weight and
    requires_grad bit for bit as it was. Raises: KathrineError for a loss that is not finite.
    """
    with _remembered(parameters):
        loss = mean_loss(loss_of, target, advance=advance)
        known_loss = mean_loss(loss_of, known, "of the known language", advance=advance) if known else None
        found: list[Lever] = []
        for members in groups(pieces, group):
            wanted = {name: parameters[name] for piece in members for name in piece.names}
            mean, fisher = mean_gradients(members, wanted, loss_of, target, advance)
            known_mean = mean_gradients(members, wanted, loss_of, known, advance)[0] if known else None
            for piece in members:
                weights = {name: wanted[name] for name in piece.names}
                after = None
                with stepped(weights, mean, step) as moved:
                    if moved:
                        where = f"after a step on {piece.name}"
                        after = mean_loss(loss_of, target, where, "take a smaller --step", advance)
                    else:
                        advance(len(target))
                gain = None if after is None else loss - after
                found.append(_lever(piece, weights, mean, known_mean, fisher[piece.name], gain))
            del mean, known_mean, wanted, weights
    found.sort(key=lambda lever: -math.inf if lever.gain_per_parameter is None else lever.gain_per_parameter)
    return Measured(loss, known_loss, tuple(reversed(found)))


def passes(pieces: Sequence[Piece], target: int, known: int, group: int = GROUP) -> float:
    """How many forward passes `measure_levers` makes at most; a forward and backward pass counts as 3."""
    backward = 3 * (target + known) * len(list(groups(pieces, group)))
    return target + known + backward + target * len(pieces)


def groups(pieces: Sequence[Piece], most: int) -> Iterator[list[Piece]]:
    """Pieces in order, in groups of at most `most` parameters; a piece that is larger is a group of its own."""
    members: list[Piece] = []
    for piece in pieces:
        if members and sum(one.parameters for one in members) + piece.parameters > most:
            yield members
            members = []
        members.append(piece)
    if members:
        yield members


def mean_loss(
    loss_of: LossOf,
    batches: Sequence[Collated],
    where: str = "of the target language",
    hint: str = "these weights are broken: try an earlier checkpoint",
    advance: Callable[..., None] = lambda *told: None,
) -> float:
    """L, summed in double precision. Raises: KathrineError that says where, with the hint, for one that is not
    finite."""
    total = 0.0
    with torch.no_grad():
        for batch in batches:
            total += float(loss_of(batch).double())
            advance(1)
    if not math.isfinite(total):
        raise KathrineError(f"the loss {where} is not finite", hint)
    return total / len(batches)


def mean_gradients(
    pieces: Sequence[Piece],
    wanted: Mapping[str, torch.nn.Parameter],
    loss_of: LossOf,
    batches: Sequence[Collated],
    advance: Callable[..., None] = lambda *told: None,
) -> tuple[Gradients, dict[str, float]]:
    """The gradient of L by parameter, and by piece the mean over utterances of the squared length of their gradients.

    A parameter that the loss does not depend on is missing from the first.
    """
    mean: Gradients = {}
    squares = {piece.name: 0.0 for piece in pieces}
    for parameter in wanted.values():
        parameter.requires_grad_(True)
    for batch in batches:
        loss = loss_of(batch)
        gradients: Sequence[torch.Tensor | None] = [None] * len(wanted)
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
        by_name = dict(zip(wanted, gradients, strict=True))
        for piece in pieces:
            for name in piece.names:
                gradient = by_name.pop(name)
                if gradient is not None:
                    squares[piece.name] += _square(gradient)
                    mean[name] = gradient.clone() if name not in mean else mean[name].add_(gradient)
        advance(3)
    for parameter in wanted.values():
        parameter.requires_grad_(False)
    for total in mean.values():
        total.div_(len(batches))
    return mean, {name: total / len(batches) for name, total in squares.items()}


def _lever(
    piece: Piece,
    weights: Mapping[str, torch.nn.Parameter],
    mean: Gradients,
    known_mean: Gradients | None,
    fisher: float,
    gain: float | None,
) -> Lever:
    norm, known_norm, cosine = _length(mean, piece), None, None
    if known_mean is not None:
        known_norm = _length(known_mean, piece)
        if norm and known_norm:
            shared = [name for name in piece.names if name in mean and name in known_mean]
            cosine = sum(_inner(mean[name], known_mean[name]) for name in shared) / (norm * known_norm)
    return Lever(
        name=piece.name,
        part=piece.part,
        position=piece.position,
        piece=piece.piece,
        parameters=piece.parameters,
        reached=fisher > 0,
        weight_norm=_length(weights, piece),
        gradient_norm=norm,
        gradient_per_parameter=norm / piece.parameters**0.5,
        known_gradient_norm=known_norm,
        cosine=cosine,
        fisher=fisher,
        fisher_per_parameter=fisher / piece.parameters,
        gain=gain,
        gain_per_parameter=None if gain is None else gain / piece.parameters,
    )


@contextmanager
def stepped(weights: Mapping[str, torch.nn.Parameter], gradient: Gradients, step: float) -> Iterator[bool]:
    """Within it the weights stand one step against their gradient away, of `step` times their length together;
    afterwards they are the very tensors that they were. Gives whether there was a step to make."""
    before: dict[str, Any] = {name: weight.data for name, weight in weights.items()}
    length = sum(_square(weight) for weight in before.values()) ** 0.5
    slope = sum(_square(gradient[name]) for name in weights if name in gradient) ** 0.5
    moves = length > 0 and slope > 0
    try:
        for name, weight in weights.items():
            if moves and name in gradient:
                weight.data = torch.sub(before[name], gradient[name], alpha=step * length / slope)
        yield moves
    finally:
        for name, weight in weights.items():
            weight.data = before[name]


@contextmanager
def _remembered(parameters: Mapping[str, torch.nn.Parameter]) -> Iterator[None]:
    """Within it nothing asks for a gradient; afterwards what did before does again."""
    asked = {name: parameter.requires_grad for name, parameter in parameters.items()}
    try:
        for parameter in parameters.values():
            parameter.requires_grad_(False)
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.requires_grad_(asked[name])


def _length(tensors: Mapping[str, torch.Tensor], piece: Piece) -> float:
    return sum(_square(tensors[name].detach()) for name in piece.names if name in tensors) ** 0.5


def _square(tensor: torch.Tensor) -> float:
    """Sum of squares, in double precision without a copy of that size."""
    return float(torch.linalg.vector_norm(tensor, dtype=torch.float64)) ** 2


def _inner(one: torch.Tensor, two: torch.Tensor) -> float:
    """Inner product in double precision, a stretch at a time."""
    stretches = zip(one.flatten().split(STRETCH), two.flatten().split(STRETCH), strict=True)
    return sum(float(torch.dot(left.double(), right.double())) for left, right in stretches)
