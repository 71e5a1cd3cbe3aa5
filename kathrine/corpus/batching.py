"""The global batch plan: which draws form which batch of which step.

The plan is made once per epoch, when the epoch is reached, the same on every process; a process takes its
slice of each batch. Batch k is a pure function of plan, seed and k, so that a resumed run goes on in the
middle of an epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kathrine.corpus.mixture import Draw, derived_seed, epoch_draws, stage_draws
from kathrine.errors import KathrineError
from kathrine.recipe.tables import BatchTable
from kathrine.types import Stage

POOL = 100
"""Batches sorted by length together. Large enough that a batch of 4 out of speech of 1.5 to 15 s pads by less
than 1 %, small enough that neighbours change from epoch to epoch."""

Batch = tuple[Draw, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands: stage, epoch of the stage, step of the epoch that comes next, steps made in the
    stage."""

    stage: int = 0
    epoch: int = 0
    index: int = 0
    made: int = 0


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One optimizer update to be made. batches: global ones, one a forward pass. after: the position behind
    it.

    onward: the same, had the stage not ended there. epoch_fraction: how much of the epoch is done, in (0, 1].
    """

    position: Position
    after: Position
    onward: Position
    batches: tuple[Batch, ...]
    epoch_fraction: float
    ends_epoch: bool
    ends_stage: bool


def pack(draws: Sequence[Draw], rows: Sequence[int], batch: BatchTable, seed: int, *parts: object) -> list[Batch]:
    """Draws into batches of similar length, batches in random order; every draw is in exactly one batch.

    Given: draws in random order and the input rows of each. With `examples`, every batch but one has that
    many draws; with `frames`, draws x longest stays within it. Within a batch the longest comes first.
    Raises: KathrineError for a draw that is longer than `frames`.
    """
    if batch.frames is not None and rows and max(rows) > batch.frames:
        raise KathrineError(
            f"an utterance takes {max(rows)} input rows, but train.batch.frames is {batch.frames}",
            "raise train.batch.frames, or lower prepare.max_seconds or prompt.max_reference_seconds",
        )
    if batch.examples is not None:
        per_pool = POOL * batch.examples
    else:
        per_pool = max(1, POOL * (batch.frames or 1) * len(rows) // max(1, sum(rows)))
    batches: list[Batch] = []
    for first in range(0, len(draws), per_pool):
        # stable: draws of the same length stay in their random order
        pool = sorted(range(first, min(first + per_pool, len(draws))), key=lambda at: -rows[at])
        current: list[int] = []
        for at in pool:
            full = (
                len(current) == batch.examples
                if batch.examples is not None
                else bool(current) and rows[current[0]] * (len(current) + 1) > (batch.frames or 0)
            )
            if full:
                batches.append(tuple(draws[one] for one in current))
                current = []
            current.append(at)
        if current:
            batches.append(tuple(draws[one] for one in current))
    order = sorted(range(len(batches)), key=lambda at: (derived_seed(seed, "batches", *parts, at), at))
    return [batches[at] for at in order]


def padding_share(batches: Sequence[Sequence[int]]) -> float:
    """Share of the padded rectangles that is padding, from the rows of each item of each batch."""
    padded = sum(max(rows) * len(rows) for rows in batches if rows)
    return 1 - sum(map(sum, batches)) / padded if padded else 0.0


@dataclass(eq=False)
class Plan:
    """All steps of a run, made epoch by epoch.

    Given: stages; keys, training utterances by entry; rows, the input rows of a draw.
    """

    stages: Sequence[Stage]
    keys: Mapping[str, Sequence[str]]
    batch: BatchTable
    accumulation: int
    seed: int
    rows: Callable[[Draw], int]
    _made: dict[tuple[int, int], list[tuple[Batch, ...]]] = field(default_factory=dict, init=False)

    def epoch(self, stage: int, epoch: int) -> list[tuple[Batch, ...]]:
        """The steps of one epoch, each with its batches. The last step may be smaller; nothing is left
        out."""
        if (stage, epoch) not in self._made:
            draws = epoch_draws(self.stages[stage], stage, epoch, self.keys, self.seed)
            epochs = self.stages[stage].epochs
            if epochs is not None and epoch + 1 > epochs:  # the last part of, say, 1.5 epochs
                draws = draws[: max(1, round(len(draws) * (epochs - epoch)))]
            rows = [self.rows(draw) for draw in draws]
            batches = pack(draws, rows, self.batch, self.seed, stage, epoch)
            steps = [tuple(batches[at : at + self.accumulation]) for at in range(0, len(batches), self.accumulation)]
            self._made = {key: made for key, made in self._made.items() if key[1] == 0}
            self._made[stage, epoch] = steps
        return self._made[stage, epoch]

    def length(self, stage: int) -> int:
        """Steps of a stage, for schedules and for telling how long a run takes.

        Exact for `steps` and for batches of examples; with batches of frames, later epochs are taken to be as
        long as the first one (they differ a little, since prompt forms are drawn anew).
        """
        wanted = self.stages[stage]
        if wanted.steps is not None:
            return wanted.steps
        epochs = wanted.epochs or 0.0
        whole, rest = int(epochs), epochs - int(epochs)
        if self.batch.examples is not None:
            draws = stage_draws(wanted, self.keys)
            return whole * self._steps_of(draws) + (self._steps_of(max(1, round(draws * rest))) if rest else 0)
        return math.ceil(len(self.epoch(stage, 0)) * max(1.0, epochs))

    def _steps_of(self, draws: int) -> int:
        return math.ceil(math.ceil(draws / (self.batch.examples or 1)) / self.accumulation)

    def lengths(self) -> list[int]:
        return [self.length(stage) for stage in range(len(self.stages))]

    def walk(self, start: Position) -> Iterator[PlannedStep]:
        """The steps from a position to the end of the last stage."""
        position = start
        while position.stage < len(self.stages):
            stage = self.stages[position.stage]
            steps = self.epoch(position.stage, position.epoch)
            for index in range(position.index, len(steps)):
                made = position.made + 1
                ends_epoch = index + 1 == len(steps)
                if stage.steps is not None:
                    ends_stage = made >= stage.steps
                else:
                    ends_stage = ends_epoch and position.epoch + 1 >= math.ceil(stage.epochs or 0)
                if ends_epoch:
                    onward = Position(position.stage, position.epoch + 1, 0, made)
                else:
                    onward = Position(position.stage, position.epoch, index + 1, made)
                after = Position(stage=position.stage + 1) if ends_stage else onward
                fraction = (index + 1) / len(steps)
                yield PlannedStep(position, after, onward, steps[index], fraction, ends_epoch, ends_stage)
                position = after
                if ends_stage or ends_epoch:
                    break
