"""The kinds `tracker` and `exporter`: what watches a run and what is made of it. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from kathrine.components.base import Component, Progress
from kathrine.components.data import Source
from kathrine.components.model import ModelFamily, SpeechModel
from kathrine.components.training import Strategy
from kathrine.types import AdapterFacts, Claim, ExportResult, Spoken
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import torch

    from kathrine.corpus.mixture import Corpus


class Tracker(Component):
    """Watches a run by implementing event hooks of `hookspecs` (with `@kathrine.hookimpl`). `[track.NAME]`."""

    kind = "tracker"


@dataclass(frozen=True, slots=True, eq=False)
class PlannedRun:
    """What is known of a run before its first step.

    document: the resolved recipe. language: the recipe's tag, empty where it has none; codes: ISO 639 codes of that
    language. sources: by data entry. exporters: all of the recipe, in its order. languages: tags that strategies will
    bring, by name the row.
    """

    name: str
    document: Mapping[str, Any]
    workspace: Workspace
    family: ModelFamily
    language: str
    sources: Mapping[str, Source]
    exporters: Sequence[Exporter]
    codes: Sequence[str] = ()
    languages: Mapping[str, int] = field(default_factory=dict)


class Speaking(Protocol):
    """`FinishedRun.speak`."""

    def __call__(
        self, model: SpeechModel, family: ModelFamily, speaker: str | None = None, embedding_H: np.ndarray | None = None
    ) -> Spoken | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class RecipeAround:
    """What an exporter may know of the rest of its recipe when `check` asks.

    labels: of every exporter that is not switched off, those with mistakes too. exporters: those without. tables: the
    kernel's, by name (`run`, `train`...); one with mistakes is missing.
    """

    labels: Sequence[str]
    exporters: Sequence[Exporter]
    tables: Mapping[str, Any]


@dataclass(slots=True, eq=False)
class FinishedRun:
    """What an exporter may use.

    folder: the run's. recipe: the resolved document. model: with strategies applied and the weights that are to
    be exported in place (`weights_from` says which). trainable: these weights by checkpoint name, float32 on the
    CPU. For self-checks, of any model of the same family: validation_loss, teacher-forced talker loss on a fixed
    held-out batch; text_gain, that loss with another utterance's text less the loss with the right one, None where no
    two say different things; speak, the run's first test sentence said greedily within a short budget, decoded by the
    family that is given with the model; in the run's voice, or in that of a speaker whom the model brings, or of an
    embedding; None where there is nothing to say. data: one line of facts per data entry (hours, licence). plan: what
    was known of it before its first step. corpus: what was trained on. profile: of the recipe. versions: of Python,
    packages and plugins. drift: how far each part has moved, as in `drift.json`. at: within it the model has the
    weights of another checkpoint, by step, and what it gives is the run as of then; None where the run can not tell.
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
    text_gain: Callable[[SpeechModel], float | None]
    speak: Speaking
    language: str = ""
    data: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    corpus: Corpus | None = None
    profile: str = ""
    versions: Mapping[str, Any] = field(default_factory=dict)
    drift: Mapping[str, Any] = field(default_factory=dict)
    at: Callable[[int], AbstractContextManager[FinishedRun]] | None = None


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

    def recipe_problems(self, around: RecipeAround) -> Iterator[str]:
        """Sentences about what does not fit with the rest of the recipe; asked by `kathrine check`, without network.
        One that begins with the name of an option is shown at its place."""
        return iter(())

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

    def before_training(self, plan: PlannedRun, corpus: Corpus) -> Iterator[str]:
        """Sentences about what would fail after training, asked once the corpus is there and before the first step."""
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
