"""How much memory a step takes, by a formula: from sizes, claims and a batch alone. No torch.

A step is walked through as it is computed: body after body forward, then backward. What is kept for the backward
pass, what gradients have come so far and what a moment needs beside them are added up at each place, and the highest
sum is the peak. docs/fit.md tells the formula in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kathrine.inspect import fit_table as table
from kathrine.inspect.fit_layers import Setting, layers_of
from kathrine.types import Body


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
        counts = self._counts()
        largest = max(counts, default=0) * table.FLOAT32
        if setting.base:  # weights trained in place are swapped for copies of their first values
            swapped = sum(spec.count for spec in setting.in_place) * table.FLOAT32
            self.note("the model before training", swapped + self._base_logits())
        self.forward()
        for body in reversed(setting.running):
            self.backward(body)
        # a table that is looked up twice gets its gradient twice before both are added
        self.gradients, self.held = everything, 0.0
        self.note("the last gradients", largest if setting.in_place else 0)
        pairs = zip([0, *counts], counts, strict=False)
        step = max((before + table.CPU_STEP * count for before, count in pairs), default=0) * table.FLOAT32
        self.note("the optimizer", 0 if setting.gpu else step)

    def _counts(self) -> list[int]:
        """Of each trained tensor, in the order of the optimizer."""
        size = {spec.name: spec.count for spec in self.setting.in_place}
        claims = self.setting.claims
        return [n for one in claims for n in (*(size[name] for name in one.trains), *(new.count for new in one.adds))]

    def _base_logits(self) -> float:
        return (self.setting.width + table.FLOAT32) * self.setting.logits(self.setting.bodies[0])

    def forward(self) -> None:
        setting, outputs = self.setting, 0.0
        cast = table.FLOAT32 if setting.mixed else 0
        self.held += self._copies_in_front()
        for body in setting.running:
            hidden, positions, logits = body.hidden, setting.positions(body), setting.logits(body)
            for layer in self.layers[body.part]:
                kept = setting.width * hidden if setting.checkpointing and layer.kept else layer.kept
                self.held += kept * positions + layer.copies
                if not layer.kept:  # without a backward pass: what the MLP works with
                    working = setting.width * (2 * hidden + (table.GATED + 1) * body.inner) * positions
                    self.note(f"the layers of {body.part}, forward", outputs + working)
            self.held += self._top(body) * positions + self._head_copies(body)
            beside = outputs + (setting.width + cast + table.HEAD_KEPT) * logits + setting.width * hidden * positions
            self.note(f"the heads of {body.part}, forward", beside)
            self.held += table.HEAD_KEPT * logits if self._learns(body) else 0
            if body.positions is None:  # given to every loss
                outputs += setting.width * (logits + hidden * (setting.load.targets + setting.load.frames))
                outputs += table.FLOAT32 * logits if setting.base else 0
        if setting.base:
            logits = setting.logits(setting.bodies[0])
            self.note("the loss against the model before training", outputs + table.BASE_FORWARD * logits)
            self.held += table.BASE_KEPT * logits
        if setting.checkpointing:  # copies in bf16 end with the forward pass; each layer makes its own again
            self.held -= sum(layer.copies for layers in self.layers.values() for layer in layers)

    def backward(self, body: Body) -> None:
        setting = self.setting
        positions, logits, layers = setting.positions(body), setting.logits(body), self.layers[body.part]
        if self._learns(body):
            self.note(f"the heads of {body.part}, backward", table.HEAD_BACKWARD * logits)
            self.held -= table.HEAD_KEPT * logits
        self.held -= table.BASE_KEPT * logits if setting.base and body.positions is None else 0
        self.held -= self._head_copies(body)
        self.gradients = self._reached(body.head_part)
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
        for part in body.tables:
            self.gradients = self._reached(part)

    def _learns(self, body: Body) -> bool:
        """Whether a gradient comes to the heads of a body, or through them."""
        own = any(spec.part == body.head_part for spec in self.setting.in_place)
        return own or self.layers[body.part][-1].kept > 0

    def _plus(self, count: int) -> int:
        return min(self.setting.trained * table.FLOAT32, self.gradients + count * table.FLOAT32)

    def _reached(self, part: str) -> int:
        return self._plus(sum(spec.count for spec in self.setting.in_place if spec.part == part))

    def _copies_in_front(self) -> int:
        """In bf16, of trained weights that are multiplied in front of all layers, such as a projection."""
        setting = self.setting
        elsewhere = {part for body in setting.bodies for part in (body.part, body.head_part, *body.tables)}
        if not setting.mixed:
            return 0
        in_front = [spec for spec in setting.in_place if spec.part not in elsewhere and len(spec.shape) == 2]
        return table.BFLOAT16 * sum(spec.count for spec in in_front)

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
