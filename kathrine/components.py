"""The kinds of component: what a plugin can bring, as abstract classes with their Options.

A component is a thin class over plain functions that also work without kathrine. It is made from its options (the
recipe's table, validated) and its label (the table's name in the recipe). This module imports no torch, and a
component's module must not either: heavy imports belong inside methods, so that `kathrine check` stays quick.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from kathrine.types import (
    Claim,
    DataSize,
    ExportResult,
    Fingerprints,
    Generated,
    LossTerm,
    ModelFacts,
    ParameterSpec,
    PromptedExample,
    Sampling,
    SelfCheck,
    SpeechRequest,
    Stage,
    TalkerOutputs,
    Utterance,
)
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import torch


class Options(BaseModel):
    """Base of all options: unknown keys are errors, values are not converted, instances do not change.

    A field's docstring (the string below it) is its documentation, printed by `kathrine plugins show` and in the
    recipe reference.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Component(ABC):
    """Base of all kinds. Subclasses set `name` and, where they have options, `Options`.

    Args:
        options: validated options.
        label: the component's name in the recipe; the same as `name` unless the recipe says `use = "NAME"`.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    Options: ClassVar[type[Options]] = Options
    options: Any

    def __init__(self, options: Any = None, label: str = "") -> None:
        self.options = options if options is not None else self.Options()
        self.label = label or self.name

    def problems(self) -> Iterator[str]:
        """Sentences about options that contradict each other or a missing backend; asked by `kathrine check`."""
        return iter(())


class Progress(Protocol):
    """What long work reports to. A component never prints: it advances a task that the kernel shows."""

    def task(self, description: str, total: float | None = None) -> AbstractContextManager[Callable[..., None]]:
        """Open a task; the returned function is called as `advance(amount=1, description=None)`."""

    def say(self, message: str) -> None:
        """One line of news."""

    def warn(self, message: str) -> None:
        """One line that the user should act on."""


# --------------------------------------------------------------------------- model family


class Collated(Protocol):
    """A batch as tensors, opaque to the kernel but for its sizes.

    items: what the batch was made of. rows: input rows that mean something; padded_rows: those of the padded
    rectangle. targets: rows with a talker target (frames and ends of speech); target_frames: frames with codes as
    target.
    """

    @property
    def items(self) -> int: ...

    @property
    def rows(self) -> int: ...

    @property
    def padded_rows(self) -> int: ...

    @property
    def targets(self) -> int: ...

    @property
    def target_frames(self) -> int: ...

    def to(self, device: torch.device) -> Collated: ...


class Codec(Protocol):
    """Speech tokenizer. Waves: float32 [samples], mono, at the family's sample rate, in [-1, 1]."""

    def encode(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Codes int16 [F, Q] of each wave; the result does not depend on what else is in the list."""

    def decode(
        self, codes: Sequence[np.ndarray], progress: Callable[[int, int], None] | None = None
    ) -> list[np.ndarray]:
        """Waves of codes [T, Q]. progress is called with (chunks done, chunks in all)."""


class SpeechModel(ABC):
    """A loaded model. All trained computation goes through `forward`.

    facts: see ModelFacts. network: everything that has weights. specs: all parameters as the family knows them.
    originals: the parameter objects by official name, taken before any strategy touched the network; they stay
    valid when layers are wrapped and renamed.
    """

    facts: ModelFacts
    network: torch.nn.Module
    specs: tuple[ParameterSpec, ...]
    originals: dict[str, torch.nn.Parameter]

    @abstractmethod
    def rows(self, item: PromptedExample) -> int:
        """Input rows that this item takes: what batches are sorted and filled by."""

    @abstractmethod
    def collate(self, items: Sequence[PromptedExample]) -> Collated:
        """One batch on the CPU, right-padded with finite zeros."""

    @abstractmethod
    def forward(self, batch: Collated) -> TalkerOutputs:
        """One teacher-forced pass, outputs aligned with their targets."""

    def sub_talker_losses(self, hidden_MH: torch.Tensor, codes_MQ: torch.Tensor) -> torch.Tensor:
        """Cross entropy, float32 [M, Q-1] in nats, of codebooks 1.. of each frame, teacher-forced.

        Given: the hidden states and codes of `forward`, or the same selection of frames from both. Which head
        belongs to which codebook is known to the family alone, as all alignment is.
        Raises: KathrineError for a family without a sub-talker.
        """
        from kathrine.errors import KathrineError

        raise KathrineError(f"{self.facts.family} has no sub-talker", "leave loss.sub_talker out of the recipe")

    @abstractmethod
    def generate(
        self,
        requests: Sequence[SpeechRequest],
        sampling: Sampling,
        max_frames: int,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> list[Generated]:
        """Synthesise codes. max_frames is a hard budget for each request; progress gets the frames made so far."""

    def language_id(self, language: str) -> int | None:
        """Row of the language's tag in the table `language_table()`, or None where the model has no such tag."""
        return None

    def language_table(self) -> str:
        """Official name of the table that holds language tags. Raises KathrineError where there is none."""
        from kathrine.errors import KathrineError

        raise KathrineError(f"{self.facts.family} has no language tags", "leave strategy.language_tag out")

    def add_language(self, language: str, row: int, start_H: torch.Tensor) -> torch.nn.Parameter:
        """Give the model a tag of its own for `language`: a new float32 vector put in by the prompt layout.

        Given: row, its id, at which an export writes it; start_H, its first value. Returns the parameter.
        Raises: KathrineError where the family has no tags or the row is taken.
        """
        from kathrine.errors import KathrineError

        raise KathrineError(f"{self.facts.family} has no language tags", "leave strategy.language_tag out")

    def mute_language(self, language: str) -> AbstractContextManager[None]:
        """Within it prompts that name `language` are built as auto: what the model did before it had the tag.

        Raises: KathrineError where the model has no such tag.
        """
        from kathrine.errors import KathrineError

        raise KathrineError(f"{self.facts.family} has no language tags", "leave strategy.language_tag out")

    def gradient_checkpointing(self, on: bool) -> None:  # noqa: B027  a family without it need not say so
        """Trade time for memory: recompute layers in the backward pass (non-reentrant)."""

    def self_test(self) -> list[SelfCheck]:
        """Prove the alignment on codes that the model generates itself. Empty where a family has no such test."""
        return []


class ModelFamily(Component):
    """One architecture: everything that is known about it lives here. `[model.NAME]` in a recipe.

    Options must have `checkpoint` (a folder, a Hub id, or a name that the family embeds) and `revision`.
    """

    kind = "model"

    @abstractmethod
    def facts(self, workspace: Workspace) -> ModelFacts | None:
        """From the configuration alone, without weights, network or torch; None where it is not at hand."""

    @abstractmethod
    def parameters(self, workspace: Workspace) -> tuple[ParameterSpec, ...] | None:
        """Every parameter, in pure Python, equal to the real model's; None where the config is not at hand."""

    def at_hand(self, workspace: Workspace) -> bool:
        """Whether `fetch` would have nothing to download."""
        return True

    @abstractmethod
    def fetch(self, workspace: Workspace, progress: Progress, offline: bool = False) -> None:
        """Bring the checkpoint here and check every file before any work; twice is harmless.

        Raises: KathrineError naming the file that is missing or broken, or, where it can not be downloaded
        (offline: may not be), one sentence and the remedy.
        """

    @abstractmethod
    def fingerprints(self, workspace: Workspace) -> Fingerprints:
        """Keys of the three caches; needs the fetched files, not the loaded model."""

    @abstractmethod
    def open_codec(self, workspace: Workspace, device: str = "cpu", decode_only: bool = False) -> Codec:
        """The speech tokenizer, in float32."""

    @abstractmethod
    def open_text(self, workspace: Workspace) -> Callable[[str], tuple[int, ...]]:
        """A function from spoken text to token ids of its body."""

    def open_speaker_encoder(
        self, workspace: Workspace, device: str = "cpu"
    ) -> Callable[[np.ndarray], np.ndarray] | None:
        """A function from a wave to its speaker embedding float32 [H], or None for a family without one."""
        return None

    @abstractmethod
    def load(self, workspace: Workspace, device: str = "cpu", dtype: str = "fp32") -> SpeechModel:
        """The model with frozen weights in `dtype` ("fp32" or "bf16"), in eval mode."""

    def write_checkpoint(
        self,
        workspace: Workspace,
        folder: Path,
        weights: Mapping[str, torch.Tensor],
        dtype: str,
        languages: Mapping[str, int],
    ) -> tuple[str, ...]:
        """A complete checkpoint in the official layout, written atomically; returns its files.

        Given: weights, float32 by official name; languages, tags to add to the configuration.
        Raises: KathrineError for a family that can not.
        """
        from kathrine.errors import KathrineError

        raise KathrineError(f"model.{self.name} can not write checkpoints", "use another exporter")


# --------------------------------------------------------------------------- data


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may use: its folder in the workspace, the wishes of its data entry, and progress.

    max_hours, speaker_cap_minutes: None for no limit; the kernel enforces both on accepted audio, a source uses
    them to fetch no more than it must. speakers: names to keep (empty: all), matched as a case-insensitive part.
    offline: nothing may be fetched.
    """

    folder: Path
    workspace: Workspace
    progress: Progress
    seed: int
    max_hours: float | None = None
    speaker_cap_minutes: float | None = None
    speakers: tuple[str, ...] = ()
    min_seconds: float = 0.0
    max_seconds: float = float("inf")
    offline: bool = False


class Source(Component):
    """A corpus. `[[data]]` with `source = "NAME"` in a recipe; options stand in the same table."""

    kind = "source"

    @abstractmethod
    def prepare(self, context: SourceContext) -> None:
        """Fetch what is needed. Twice is harmless: what is complete is not fetched again."""

    @abstractmethod
    def utterances(self, context: SourceContext) -> Iterable[Utterance]:
        """The utterances, after `prepare`, in an order that is the same every time.

        A row that can not be used is yielded all the same where the kernel's gates can name the reason, so that
        it is counted; what only the source can see (a broken archive member) is said through `context.progress`.
        """


@dataclass(frozen=True, slots=True)
class SpokenText:
    """Normalised text, or the reason why there is none. rules: names of the rules that changed something."""

    text: str
    rules: tuple[str, ...] = ()
    rejected: str = ""


class Language(Component):
    """A language: `[language.NAME]`, at most one in a recipe."""

    kind = "language"

    @abstractmethod
    def normalise(self, text: str, variant: str = "text") -> SpokenText:
        """Written text to the words that are spoken. The same input gives the same output; applying it twice
        changes nothing more."""

    @abstractmethod
    def rules_version(self) -> str:
        """Changes exactly when `normalise` may answer differently: part of the text cache key."""

    @abstractmethod
    def test_sentences(self) -> tuple[str, ...]:
        """Sentences to listen to, hardest sounds first."""

    def tag(self) -> str:
        """Name of the language for a language tag."""
        return self.name


# --------------------------------------------------------------------------- what is trained


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

        raise KathrineError(f"strategy.{self.label} can not be scaled", "only adapters can be")

    def fold(self, weights: dict[str, torch.Tensor]) -> None:
        """Write this strategy's effect into a plain checkpoint: float32 tensors by official name, in place.

        Parameters trained in place are in `weights` already.
        """

    def fold_problem(self) -> str:
        """Why a merged export is impossible with this strategy, or an empty string; asked by `check`."""
        return ""

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


# --------------------------------------------------------------------------- what comes after a step


class Metric(Component):
    """A score of synthesised speech. `[evaluate.NAME]` in a recipe."""

    kind = "metric"

    def available(self) -> str:
        """Empty, or why it can not run here: it is then reported as `skipped: reason`, never as a number."""
        return ""

    @abstractmethod
    def score(self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None) -> dict[str, float]:
        """Named numbers for one utterance. wave: float32 [samples] in [-1, 1]."""


class Tracker(Component):
    """Watches a run by implementing event hooks of `hookspecs` (with `@kathrine.hookimpl`). `[track.NAME]`."""

    kind = "tracker"


@dataclass(slots=True, eq=False)
class FinishedRun:
    """What an exporter may use.

    folder: the run's. recipe: the resolved document. model: with strategies applied and the weights that are to
    be exported in place (`weights_from` says which). trainable: these weights by checkpoint name, float32 on the
    CPU. validation_loss: teacher-forced talker loss of a model on a fixed held-out batch, for self-checks; works
    for any model of the same family. data: one line of facts per data entry (hours, licence).
    """

    folder: Path
    recipe: Mapping[str, Any]
    workspace: Workspace
    family: ModelFamily
    model: SpeechModel
    strategies: Sequence[Strategy]
    claims: Sequence[Claim]
    trainable: Mapping[str, torch.Tensor]
    weights_from: str
    step: int
    validation_loss: Callable[[SpeechModel], float]
    language: str = ""
    data: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


class Exporter(Component):
    """A finished run to something that others can load. `[export.NAME]` in a recipe."""

    kind = "exporter"
    folds: ClassVar[bool] = False
    """Whether every strategy has to be foldable: `check` then refuses one that says why it is not."""

    @abstractmethod
    def export(self, run: FinishedRun, folder: Path, progress: Progress) -> ExportResult:
        """Write into `folder` (fresh, the exporter's own) and reload what was written as a self-check."""
