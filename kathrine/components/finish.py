"""The kinds `tracker` and `exporter`: what watches a run and what is made of it. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kathrine.components.base import Component, Progress
from kathrine.components.data import Source
from kathrine.components.model import ModelFamily, SpeechModel
from kathrine.components.training import Strategy
from kathrine.types import AdapterFacts, Claim, ExportResult
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import torch


class Tracker(Component):
    """Watches a run by implementing event hooks of `hookspecs` (with `@kathrine.hookimpl`). `[track.NAME]`."""

    kind = "tracker"


@dataclass(frozen=True, slots=True, eq=False)
class PlannedRun:
    """What is known of a run before its first step.

    document: the resolved recipe. language: the recipe's tag, empty where it has none. sources: by data entry.
    exporters: all of the recipe, in its order.
    """

    name: str
    document: Mapping[str, Any]
    workspace: Workspace
    family: ModelFamily
    language: str
    sources: Mapping[str, Source]
    exporters: Sequence[Exporter]


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
    publishes: ClassVar[bool] = False
    """Whether it gives away what the others made: it then works after all of them."""

    def card_metadata(self, plan: PlannedRun) -> Mapping[str, Any] | None:
        """The front matter that its model card will have, known before the run; None where it writes no card."""
        return None

    def before_run(self, plan: PlannedRun, progress: Progress) -> Iterator[str]:
        """Sentences about what would fail after training, asked once before anything is fetched; may use the network.

        Raises: KathrineError where not even that can be found out.
        """
        return iter(())

    @classmethod
    def recognise(cls, folder: Path) -> AdapterFacts | None:
        """What an adapter folder says, where this exporter can put it back onto a model; None for any other folder.

        Raises: KathrineError for an adapter of its kind that is damaged or lacks a part.
        """
        return None

    @classmethod
    def put_on(
        cls, model: SpeechModel, adapter: AdapterFacts, without: Collection[str] = (), scale: float = 1.0
    ) -> None:
        """Put an adapter that `recognise` described onto a freshly loaded model of its base.

        Given: without, parts to leave out; scale, a factor on the effect of its low-rank adapters. Raises:
        KathrineError for another base model, for a part that it has not, and for a scale where there is none.
        """
        raise NotImplementedError(f"export.{cls.name} recognises no adapters")

    @abstractmethod
    def export(self, run: FinishedRun, folder: Path, progress: Progress) -> ExportResult:
        """Write into `folder` (fresh, the exporter's own) and reload what was written as a self-check."""
