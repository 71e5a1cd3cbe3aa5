"""What a step is made of, for the estimate of its memory: its setting, and what each layer keeps for the backward pass.

Legend: H hidden width, I of the MLP, A of all queries, K of the keys; "position" is a row of a body. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from kathrine.components import Strategy
from kathrine.inspect import fit_table as table
from kathrine.types import Body, Claim, ParameterSpec


@dataclass(frozen=True, slots=True)
class Load:
    """One batch. rows: of the padded rectangle; longest: of one item; targets, frames: as in `Collated`."""

    items: int
    rows: int
    longest: int
    targets: int
    frames: int


@dataclass(frozen=True)
class Setting:
    """All that the memory of a step depends on.

    strategies: by label, asked what their adapters keep. mixed: bf16 beside float32, else float32 throughout.
    sub_share: share of target frames that go through bodies with positions of their own. base: whether a loss
    compares with the model before training. accumulation: forward passes of an update. gpu: CUDA, else the CPU.
    """

    bodies: tuple[Body, ...]
    specs: tuple[ParameterSpec, ...]
    claims: tuple[Claim, ...]
    strategies: Mapping[str, Strategy]
    load: Load
    mixed: bool
    checkpointing: bool = False
    ema: bool = False
    sub_share: float = 0.0
    base: bool = False
    accumulation: int = 1
    gpu: bool = True

    @property
    def width(self) -> int:
        """Bytes of a number that is computed with, and of a frozen weight."""
        return table.BFLOAT16 if self.mixed else table.FLOAT32

    @cached_property
    def in_place(self) -> tuple[ParameterSpec, ...]:
        names = {name for claim in self.claims for name in claim.trains}
        return tuple(spec for spec in self.specs if spec.name in names)

    @cached_property
    def trained(self) -> int:
        """Parameters."""
        added = sum(spec.count for claim in self.claims for spec in claim.adds)
        return sum(spec.count for spec in self.in_place) + added

    @cached_property
    def touched(self) -> frozenset[str]:
        """Parts in which something trains, is adapted or is added."""
        adapted = {name for claim in self.claims for name in claim.adapts}
        parts = {spec.part for spec in self.specs if spec.name in adapted}
        parts |= {spec.part for claim in self.claims for spec in claim.adds}
        return frozenset(parts | {spec.part for spec in self.in_place})

    @cached_property
    def running(self) -> tuple[Body, ...]:
        """Bodies that a step computes."""
        return tuple(body for body in self.bodies if body.positions is None or self.sub_share > 0)

    def sub_frames(self) -> int:
        """Target frames that go through bodies with positions of their own."""
        return min(self.load.frames, max(1, math.ceil(self.sub_share * self.load.frames)))

    def positions(self, body: Body) -> int:
        return self.load.rows if body.positions is None else body.positions * self.sub_frames()

    def logits(self, body: Body) -> int:
        """Numbers that the heads of a body give."""
        rows = self.load.targets if body.positions is None else body.heads * self.sub_frames()
        return rows * body.vocabulary


@dataclass(slots=True)
class Layer:
    """A layer of a body. kept: bytes of one position for its backward pass, mlp: those of its MLP. copies: of trained
    weights in bf16. trained: parameters."""

    kept: float = 0.0
    mlp: float = 0.0
    copies: int = 0
    trained: int = 0


@dataclass(slots=True)
class _Touch:
    """What of a layer trains. own: bytes of adapters for one position."""

    attention: bool = False
    mlp: bool = False
    norms: bool = False
    head_norms: bool = False
    own: float = 0.0
    mlp_own: float = 0.0
    layer: Layer = field(default_factory=Layer)


def layers_of(setting: Setting, body: Body) -> list[Layer]:
    """Every layer of a body; what no gradient reaches keeps nothing."""
    touches = [_Touch() for _ in range(body.layers)]
    whole = bool(set(body.before) & setting.touched)
    reached = [whole] * body.layers
    for number, touch in enumerate(touches):
        changed = _touch(setting, body, number, touch)
        reached[number] = whole = whole or changed
    for touch, flows in zip(touches, reached, strict=True):
        if flows:
            _keep(setting, body, touch)
    return [touch.layer for touch in touches]


def _place(spec: ParameterSpec) -> int | None:
    return spec.layer if spec.layer is not None else spec.position


def _touch(setting: Setting, body: Body, number: int, touch: _Touch) -> bool:
    """Fill in what trains in a layer; whether anything does."""
    here = {spec.name: spec for spec in setting.specs if spec.part == body.part and _place(spec) == number}
    layer = touch.layer
    for spec in setting.in_place:
        if spec.name not in here:
            continue
        layer.trained += spec.count
        matrix = len(spec.shape) > 1
        layer.copies += table.BFLOAT16 * spec.count if setting.mixed and matrix else 0
        touch.attention |= spec.piece == "attention" and matrix
        touch.head_norms |= spec.piece == "attention" and not matrix
        touch.mlp |= spec.piece == "mlp"
        touch.norms |= spec.piece == "norms"
    mask = table.GPU_MASK if setting.gpu else table.CPU_MASK
    for claim in setting.claims:
        names = [name for name in claim.adapts if name in here]
        if not names:
            continue
        for name in names:
            outputs, inputs = here[name].shape[:2]
            own, shares = setting.strategies[claim.strategy].kept_per_row(inputs, outputs, setting.mixed, mask)
            touch.own += own
            if here[name].piece == "mlp":
                touch.mlp_own += own
                touch.mlp |= shares
            else:
                touch.attention |= shares
        added = sum(spec.count for spec in claim.adds) * len(names) // len(claim.adapts)
        layer.trained += added
        layer.copies += table.BFLOAT16 * added if setting.mixed else 0
    return bool(layer.trained)


def _keep(setting: Setting, body: Body, touch: _Touch) -> None:
    """What a layer keeps of one position: see the table in docs/fit.md."""
    hidden, inner, queries, keys = body.hidden, body.inner, body.queries, body.keys
    width, statistic = setting.width, table.STATISTIC
    copied = setting.mixed and touch.norms  # a trained norm gives float32, which each linear layer casts for itself
    kept = 2.0 * (table.FLOAT32 * hidden + statistic)  # what both norms see, float32
    kept += 2 * width * hidden if touch.norms else 0
    kept += width * hidden * (3 if copied else 1) if touch.attention else 0
    if body.head_norms:  # what the norms of queries and keys see
        kept += (table.FLOAT32 + (width if touch.head_norms else 0)) * (queries + keys)
        kept += statistic * (queries + keys) / body.head
    kept += 2 * width * (queries + keys)  # attention: queries, keys, values, result
    kept += statistic * queries / body.head
    if setting.gpu and not setting.mixed and queries != keys:
        # no fused kernel computes grouped queries in float32 on CUDA: all pairs, and keys and values repeated
        kept += table.FLOAT32 * (queries / body.head * _length(setting, body) + 2 * (queries - keys))
    mlp = width * inner * (table.GATED + touch.mlp)
    mlp += width * hidden * (2 if copied else 1) if touch.mlp else 0
    touch.layer.kept = kept + mlp + touch.own
    touch.layer.mlp = mlp + touch.mlp_own


def _length(setting: Setting, body: Body) -> int:
    return setting.load.longest if body.positions is None else body.positions
