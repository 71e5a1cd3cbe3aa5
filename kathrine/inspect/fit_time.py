"""How long a step takes: its operations by formula, against what a GPU is taken to reach. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from kathrine.inspect import fit_table as table
from kathrine.inspect.fit_layers import Setting, layers_of
from kathrine.inspect.fit_table import Gpu
from kathrine.recipe.plan import Plan
from kathrine.types import Body


@dataclass(frozen=True, slots=True)
class Duration:
    """operations: of one update. seconds: of one update, None where the GPU's rate is not known. updates: of the run,
    None where the corpus is not known. emulated: whether the GPU does not compute bf16 itself."""

    operations: float
    seconds: float | None
    updates: int | None
    emulated: bool = False

    @property
    def hours(self) -> float | None:
        """Of the run; None where either is not known."""
        if self.seconds is None or self.updates is None:
            return None
        return self.seconds * self.updates / 3600


def operations(setting: Setting) -> float:
    """Multiplications and additions of the matrix products of one forward and backward pass.

    A weight of a linear layer takes 2 for each position forward, 2 for the gradient of its input where the gradient
    passes through, and 2 for its own where it trains; checkpointing computes forward twice. Attention takes 4 x A for
    each pair of positions forward (half of the pairs are in the future, and kernels skip most of them, but not on every
    device: all are counted), and 2.5 times that backward, since a fused kernel computes the pairs again.
    """
    return sum(_body(setting, body) for body in setting.running)


def _body(setting: Setting, body: Body) -> float:
    positions = setting.positions(body)
    weights = body.hidden * (2 * body.queries + 2 * body.keys + 3 * body.inner)
    pairs = positions * (setting.load.longest if body.positions is None else body.positions)
    forward = 2.0 * weights * positions + 4.0 * body.queries * pairs
    done = 0.0
    layers = layers_of(setting, body)
    for layer in layers:
        done += forward
        if layer.kept:
            done += 2.0 * weights * positions + 10.0 * body.queries * pairs
            done += forward if setting.checkpointing else 0
        done += 2.0 * layer.trained * positions
    rows = setting.logits(body) / body.vocabulary
    heads = 2.0 * body.hidden * body.vocabulary * rows
    trains = any(spec.part == body.head_part for spec in setting.in_place)
    done += heads * (1 + bool(layers[-1].kept) + trains)
    if setting.base and body.positions is None:
        done += forward * body.layers + heads
    return done


def updates_of(plan: Plan, items: int) -> int | None:
    """Updates of the whole run. Given: items of a usual batch. None where a stage counts epochs of unknown data."""
    sizes = {size.name: size.utterances for size in plan.data}
    total = 0.0
    for stage in plan.stages:
        if stage.steps is not None:
            total += stage.steps
            continue
        drawn = [sizes.get(name) for name in stage.shares]
        if any(count is None for count in drawn):
            return None
        utterances = sum(count or 0 for count in drawn)
        total += (stage.epochs or 0) * utterances / (items * plan.recipe.train.accumulation)
    return max(1, round(total))


def duration(setting: Setting, plan: Plan, gpu: Gpu) -> Duration:
    """Given: setting with the usual batch."""
    work = operations(setting) * setting.accumulation
    emulated = setting.mixed and gpu.bf16 is None and gpu.fp32 is not None
    rate = gpu.bf16 if setting.mixed and not emulated else gpu.fp32
    seconds = None if rate is None else work / (rate * table.UTILISATION)
    return Duration(work, seconds, updates_of(plan, setting.load.items), emulated)
