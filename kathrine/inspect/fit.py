"""How much memory a step takes, by a formula: from sizes, claims and a batch alone. No torch.

A step is walked through as it is computed: body after body forward, then backward. What is kept for the backward pass, what
gradients have come so far and what a moment needs beside them are added up at each place, and the highest sum is the peak.
docs/fit.md tells the formula in words.

Legend: H hidden width, I of the MLP, A of all queries, K of the keys; "position" is a row of a body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    strategies: by label, asked what their adapters keep. mixed: bf16 beside float32, else float32 throughout. sub_share:
    share of target frames that go through bodies with positions of their own. base: whether a loss compares with the
    model before training. accumulation: forward passes of an update. gpu: CUDA, else the CPU.
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
        return min(self.load.frames, max(1, -int(-self.sub_share * self.load.frames // 1)))

    def positions(self, body: Body) -> int:
        return self.load.rows if body.positions is None else body.positions * self.sub_frames()

    def logits(self, body: Body) -> int:
        """Numbers that the heads of a body give."""
        rows = self.load.targets if body.positions is None else body.heads * self.sub_frames()
        return rows * body.vocabulary


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that a step's peak is made of. where: the place in the step, in words."""

    weights: int
    trained: int
    optimizer: int
    gradients: int
    activations: int
    where: str

    @property
    def total(self) -> int:
        return self.weights + self.trained + self.optimizer + self.gradients + self.activations


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
    kept += table.FLOAT32 * (queries + keys)  # what the norms of queries and keys see
    kept += width * (queries + keys) if touch.head_norms else 0
    kept += 2 * width * (queries + keys)  # attention: queries, keys, values, result
    kept += statistic * (2 * queries + keys) / body.head
    if setting.gpu and not setting.mixed and queries != keys:
        # no fused kernel computes grouped queries in float32 on CUDA: all pairs, and keys and values repeated
        kept += table.FLOAT32 * (queries / body.head * _length(setting, body) + 2 * (queries - keys))
    mlp = width * inner * (table.GATED + touch.mlp)
    mlp += width * hidden * (2 if copied else 1) if touch.mlp else 0
    touch.layer.kept = kept + mlp + touch.own
    touch.layer.mlp = mlp + touch.mlp_own


def _length(setting: Setting, body: Body) -> int:
    return setting.load.longest if body.positions is None else body.positions


def static_bytes(setting: Setting) -> tuple[int, int, int]:
    """What lies on the device in every moment: frozen weights; trained ones with their first values and their average;
    the optimizer's moments."""
    replaced = sum(spec.count for spec in setting.in_place)
    frozen = (sum(spec.count for spec in setting.specs) - replaced) * setting.width
    own = setting.trained * table.FLOAT32 * (2 if setting.ema else 1) + replaced * setting.width
    return frozen, own, setting.trained * table.MOMENTS


def peak(setting: Setting) -> Held:
    """The highest point of an update in the middle of a run."""
    return max(moments(setting), key=lambda one: one.total)


def moments(setting: Setting) -> Sequence[Held]:
    """Every point of an update that may be the highest one, in order."""
    walk = _Walk(setting)
    walk.run()
    return walk.found


class _Walk:
    """A step as it is computed. held: bytes kept for the backward pass; gradients: bytes of those that are there."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.static = static_bytes(setting)
        self.found: list[Held] = []
        self.held = 0.0
        # gradients of the first pass of an update are still there in the next one
        self.gradients = setting.trained * table.FLOAT32 if setting.accumulation > 1 else 0
        self.layers = {body.part: layers_of(setting, body) for body in setting.running}

    def note(self, where: str, beside: float) -> None:
        workspace = table.GPU_WORKSPACE if self.setting.gpu else 0
        activations = round(self.held + beside) + workspace
        self.found.append(Held(*self.static, self.gradients, activations, where))

    def run(self) -> None:
        setting = self.setting
        everything = setting.trained * table.FLOAT32
        largest = max((spec.count for spec in (*setting.in_place, *self._added())), default=0) * table.FLOAT32
        if setting.base:  # weights trained in place are swapped for copies of their first values
            swapped = sum(spec.count for spec in setting.in_place) * table.FLOAT32
            self.note("the model before training", swapped + self._base_logits())
        self.forward()
        for body in reversed(setting.running):
            self.backward(body)
        # a table that is looked up twice gets its gradient twice before both are added
        self.gradients, self.held = everything, 0.0
        self.note("the last gradients", largest if setting.in_place else 0)
        self.note("the optimizer", 0 if setting.gpu else table.CPU_STEP * largest)

    def _added(self) -> list[ParameterSpec]:
        return [spec for claim in self.setting.claims for spec in claim.adds]

    def _base_logits(self) -> float:
        return (self.setting.width + table.FLOAT32) * self.setting.logits(self.setting.bodies[0])

    def forward(self) -> None:
        setting, outputs = self.setting, 0.0
        cast = table.FLOAT32 if setting.mixed else 0
        for body in setting.running:
            hidden, positions, logits = body.hidden, setting.positions(body), setting.logits(body)
            for layer in self.layers[body.part]:
                kept = setting.width * hidden if setting.checkpointing and layer.kept else layer.kept
                self.held += kept * positions + layer.copies
            self.held += self._top(body) * positions + self._head_copies(body)
            self.note(f"the heads of {body.part}, forward", outputs + (setting.width + cast + table.HEAD_KEPT) * logits)
            self.held += table.HEAD_KEPT * logits
            if body.positions is None:  # given to every loss
                self.held += table.BASE_KEPT * logits if setting.base else 0
                outputs += setting.width * (logits + hidden * (setting.load.targets + setting.load.frames))
        if setting.checkpointing:  # copies in bf16 end with the forward pass; each layer makes its own again
            self.held -= sum(layer.copies for layers in self.layers.values() for layer in layers)

    def backward(self, body: Body) -> None:
        setting = self.setting
        positions, logits, layers = setting.positions(body), setting.logits(body), self.layers[body.part]
        self.note(f"the heads of {body.part}, backward", table.HEAD_BACKWARD * logits)
        self.held -= (table.HEAD_KEPT + (table.BASE_KEPT if setting.base and body.positions is None else 0)) * logits
        self.held -= self._head_copies(body)
        self.gradients = max(self.gradients, self._reached(body.head_part))
        norm = table.NORM_BACKWARD * body.hidden
        self.note(f"the last norm of {body.part}, backward", norm * positions)
        self.held -= self._top(body) * positions
        gated = table.GATED * setting.width * body.inner
        for number in reversed(range(body.layers)):
            layer = layers[number]
            where = f"layer {number} of {body.part}, backward"
            again = 0.0
            if setting.checkpointing and layer.kept:
                # the layer's input is the first thing that it keeps, where no copy in float32 is made of it
                again = (layer.kept - (0 if setting.mixed else setting.width * body.hidden)) * positions + layer.copies
            gradient = setting.width * body.hidden
            self.note(where, again + (gated + gradient) * positions if layer.kept else 0)
            self.note(where, again + (norm - layer.mlp) * positions if layer.kept else 0)
            kept = setting.width * body.hidden if setting.checkpointing and layer.kept else layer.kept
            self.held -= kept * positions + (0 if setting.checkpointing else layer.copies)
            self.gradients = self._plus(layer.trained)

    def _plus(self, count: int) -> int:
        return min(self.setting.trained * table.FLOAT32, self.gradients + count * table.FLOAT32)

    def _reached(self, part: str) -> int:
        return self._plus(sum(spec.count for spec in self.setting.in_place if spec.part == part))

    def _head_copies(self, body: Body) -> int:
        if not self.setting.mixed:
            return 0
        heads = sum(spec.count for spec in self.setting.in_place if spec.part == body.head_part)
        return table.BFLOAT16 * heads

    def _top(self, body: Body) -> float:
        """Of one position above the last layer: what the last norm sees, and what trained heads keep."""
        if not self.layers[body.part][-1].kept:
            return 0.0
        trains = {spec.part for spec in self.setting.in_place}
        kept = float(table.FLOAT32 * body.hidden)
        kept += self.setting.width * body.hidden if body.part in trains else 0
        return kept + (self.setting.width * body.hidden if body.head_part in trains else 0)
