"""The kinds `tracker` and `exporter`: what watches a run and what is made of it. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from kathrine.components.base import Component, Progress
from kathrine.components.data import Source
from kathrine.components.model import ModelFamily, SpeechModel
from kathrine.components.training import Strategy
from kathrine.types import AdapterFacts, Claim, ExportResult
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import torch

    from kathrine.corpus.mixture import Corpus


class Tracker(Component):
    """Watches a run by implementing event hooks of `hookspecs` (with `@kathrine.hookimpl`). `[track.NAME]`."""

    kind = "tracker"


@dataclass(frozen=True, slots=True, eq=False)
class PlannedRun:
    """What is known of a run before its first step.

    document: the resolved recipe. language: the recipe's tag, empty where it has none; codes: ISO 639 codes of that
    language. sources: by data entry. exporters: all of the recipe, in its order.
    """

    name: str
    document: Mapping[str, Any]
    workspace: Workspace
    family: ModelFamily
    language: str
    sources: Mapping[str, Source]
    exporters: Sequence[Exporter]
    codes: Sequence[str] = ()


@dataclass(slots=True, eq=False)
class FinishedRun:
    """What an exporter may use.

    folder: the run's. recipe: the resolved document. model: with strategies applied and the weights that are to
    be exported in place (`weights_from` says which). trainable: these weights by checkpoint name, float32 on the
    CPU. validation_loss: teacher-forced talker loss of a model on a fixed held-out batch, for self-checks; works
    for any model of the same family. data: one line of facts per data entry (hours, licence). plan: what was known of
    it before its first step. corpus: what was trained on.
    """

    folder: Path
    plan: PlannedRun
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
    corpus: Corpus | None = None


class Exporter(Component):
    """A finished run to something that others can load. `[export.NAME]` in a recipe."""

    kind = "exporter"
    folds: ClassVar[bool] = False
    """Whether every strategy has to be foldable: `check` then refuses one that says why it is not."""
    publishes: ClassVar[bool] = False
    """Whether it gives away what the others made: it then works after all of them."""
    holds: ClassVar[Literal["model", "dataset"]] = "model"
    """What kind of repository of the Hub its folder is one of; `kathrine.cards.missing_fields` knows what a card of
    each needs."""

    def card_metadata(self, plan: PlannedRun) -> Mapping[str, Any] | None:
        """The front matter that its card will have, known before the run; None where it writes no card."""
        return None

    def refresh_card(self, run: Path, folder: Path, location: str = "", progress: Progress | None = None) -> bool:
        """Write the card of an export anew, from files alone: after an evaluation, or for the place where it is
        published.

        Given: run, the run's folder; folder, what `export` wrote or a copy of it; location, the address that links to
        files of the folder have to begin with (`https://.../OWNER/NAME/resolve/REVISION/`), empty for relative ones;
        progress, told of a card that was edited by hand and therefore stays. Returns: whether it has a card and wrote
        it; the same twice gives the same bytes.
        """
        return False

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
