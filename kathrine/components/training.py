"""The kinds `strategy`, `loss` and `curriculum`: what is trained, on what, in which order. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kathrine.components.base import Component, Options
from kathrine.components.model import SpeechModel
from kathrine.components.protocols import Collated
from kathrine.types import Claim, DataSize, LossTerm, ModelFacts, ParameterSpec, Stage, TalkerOutputs

if TYPE_CHECKING:
    import torch


class StrategyOptions(Options):
    """Options of every strategy."""

    lr: float = Field(gt=0)
    """Peak learning rate of this strategy's parameters."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay (AdamW) of this strategy's parameters."""


class Strategy(Component):
    """Which parameters are trained, and how. `[strategy.NAME]` in a recipe; several add up.

    The kernel freezes everything, lets every strategy claim, applies them in recipe order, and then asserts that
    exactly what was claimed is trained.
    """

    kind = "strategy"

    @abstractmethod
    def claim(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> Claim:
        """What this strategy trains, from names and shapes alone (also asked by `check`, without torch).

        Raises: KathrineError for a pattern or part that matches nothing; it lists the parts that exist.
        """

    @abstractmethod
    def apply(self, model: SpeechModel, claim: Claim, seed: int) -> dict[str, torch.nn.Parameter]:
        """Make the claimed parameters trainable, in float32, adding modules where needed.

        Returns: the trained parameters by checkpoint name, exactly `claim.trains` and the names of `claim.adds`.
        New parameters start as a function of `seed` alone.
        """

    @abstractmethod
    def off(self) -> AbstractContextManager[None]:
        """Within it this strategy has no effect on the model."""

    def scale(self, factor: float) -> AbstractContextManager[None]:
        """Within it this strategy's effect is multiplied. Raises KathrineError where that has no meaning."""
        from kathrine.errors import KathrineError

        raise KathrineError(f"strategy.{self.label} can not be scaled", "adapters and weights trained in place can be")

    def fold(self, weights: dict[str, torch.Tensor]) -> None:
        """Write this strategy's effect into a plain checkpoint: float32 tensors by official name, in place.

        Parameters trained in place are in `weights` already.
        """

    def kept_per_row(self, inputs: int, outputs: int, mixed: bool, mask: int) -> tuple[float, bool]:
        """What one adapted linear layer keeps for the backward pass, for the memory estimate of `kathrine check --fit`.

        Given: its widths; mixed, whether it computes in bf16 beside float32 weights; mask, bytes of one cell of
        dropout's mask on the device. Returns: bytes of one row that are the adapter's own; and whether it keeps the
        layer's input itself, which all adapters of that input share. By default: a copy of its input.
        """
        return (2.0 if mixed else 4.0) * inputs, False

    def fold_problem(self) -> str:
        """Why a merged export is impossible with this strategy, or an empty string; asked by `check`."""
        return ""

    def low_rank(self) -> Mapping[str, tuple[torch.Tensor, torch.Tensor]]:
        """The change of each weight that this strategy adapts as a product of two thin float32 matrices [O, R] and
        [R, I], by official name; empty where it is none. Lets `kathrine inspect` tell its rank without a large
        decomposition."""
        return {}

    def doubts(self, model: SpeechModel) -> Iterator[str]:
        """Sentences about the loaded weights that make the options doubtful; asked on the untouched model when a run
        begins, which warns with them."""
        return iter(())

    def languages(self) -> Mapping[str, int]:
        """Language tags that this strategy gives the model: name to row."""
        return {}


class LossOptions(Options):
    """Options of every auxiliary loss."""

    weight: float = Field(gt=0)
    """Factor of this loss in the total; the talker's has factor 1."""
    required: bool = False
    """Stop when the loss can not be computed, instead of warning once and reporting coverage 0."""


class Loss(Component):
    """An auxiliary loss. Owns no parameters. total = talker + sum(weight x loss)."""

    kind = "loss"
    needs_base: ClassVar[bool] = False
    """Whether it compares with the model before training: `outputs.base_logits_NV` is then set, which takes one more
    forward pass, without gradients, in each step."""

    def sub_talker_share(self) -> float:
        """Share of the target frames that this loss puts through the sub-talker in a step; 0 where it needs none. For
        the estimates of `kathrine check --fit`."""
        return 0.0

    @abstractmethod
    def denominator(self, batch: Collated, facts: ModelFacts) -> float:
        """What this batch contributes to the divisor, known before the forward pass; summed over the step."""

    @abstractmethod
    def term(
        self,
        model: SpeechModel,
        batch: Collated,
        outputs: TalkerOutputs,
        generator: torch.Generator | None,
    ) -> LossTerm | None:
        """The sum to divide, or None where the model does not give what it needs.

        generator: seeded from (run seed, step, rank); None in validation, where nothing is drawn.
        """


class Curriculum(Component):
    """Data entries to stages: a pure function of names, shares and sizes. `[curriculum.NAME]`, at most one."""

    kind = "curriculum"

    @abstractmethod
    def plan(self, data: Sequence[DataSize]) -> tuple[Stage, ...]:
        """The stages. Raises KathrineError for an entry that does not exist or that no stage uses."""
