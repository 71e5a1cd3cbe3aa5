"""The kind `metric`: numbers about synthesised speech, each with what it is and what it is not. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from kathrine.components.base import Component, Progress
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

Better = Literal["lower", "higher", ""]


@dataclass(frozen=True, slots=True)
class MetricContext:
    """What a metric may use.

    language: name of the language that was spoken, `norwegian`; code: by which recognisers know it, `no`; both may be
    empty. foreign: it is not the recipe's language, so an option that names a language does not hold. device: cpu or
    cuda. offline: nothing may be fetched. speaker_encoder: the spoken model's own, from a wave float32 [N] at
    `sample_rate` to a vector, or None where it has none.
    """

    workspace: Workspace
    progress: Progress
    device: str = "cpu"
    offline: bool = False
    language: str = ""
    code: str = ""
    foreign: bool = False
    sample_rate: int = 24000
    speaker_encoder: Callable[[np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """What a number was made with, stored beside it. version: of the metric's own code. model, model_hash: what it
    listened with. caption: what the number is and is not (`smoke`, `proxy`, `signal quality`), shown beside it."""

    version: str
    model: str = ""
    model_hash: str = ""
    device: str = "cpu"
    caption: str = ""

    def key(self) -> str:
        """The same exactly where the same numbers would come out again."""
        return "|".join((self.version, self.model, self.model_hash))


@dataclass(frozen=True, slots=True, eq=False)
class MetricTake:
    """One take as a metric gets it. wave, reference: float32 [N] at sample_rate; reference: the recording whose voice
    was asked for, or None. heard: transcripts by the label of the metric that made them."""

    wave: np.ndarray
    sample_rate: int
    text: str
    reference: np.ndarray | None = None
    heard: Mapping[str, str] = field(default_factory=dict)


class Metric(Component):
    """A score of synthesised speech. `[evaluate.NAME]` in a recipe.

    The kernel asks `available`, then `open`, and each take of a system through `score_take`; what comes out is kept a
    line a take, and `summarise` makes the system's numbers of these lines: for all of them, and again and again for
    drawn sentences, which gives the intervals.
    """

    kind = "metric"
    version: ClassVar[str] = "1"
    """Raise it whenever the same take may get other numbers."""
    shows: ClassVar[Mapping[str, Better]] = {}
    """Keys of `summarise` that belong into the table, with which way is better (empty: neither)."""
    reads_transcripts: ClassVar[bool] = False
    """Whether it needs what another metric heard: it then runs after those that write `heard`."""

    def split(self) -> Sequence[Metric]:
        """The same metric for each of several models, so that one of them can be missing; else itself."""
        return (self,)

    def available(self) -> str:
        """Empty, or why it can not run here: it is then reported as `skipped: reason`, never as a number."""
        return ""

    def open(self, context: MetricContext) -> MetricFacts:
        """Load what it listens with, once for each language.

        Raises: KathrineError where that is not at hand; the metric is then skipped, with that sentence as the reason.
        """
        return MetricFacts(self.version)

    @abstractmethod
    def score(
        self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None
    ) -> Mapping[str, float | str]:
        """Named numbers for one utterance. wave: float32 [samples] in [-1, 1].

        Counts rather than rates, so that a system's rate is one over all its words. A text under `heard` is a
        transcript: other metrics get it.
        """

    def score_take(self, take: MetricTake) -> Mapping[str, float | str]:
        """As `score`, with everything that is known of a take: for metrics that read transcripts."""
        return self.score(take.wave, take.sample_rate, take.text, take.reference)

    def summarise(self, takes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """A system's numbers from what `score_take` gave for its takes (at least one); a key without a number is left
        out. The default: the mean of each numeric key over the takes that have it."""
        values: dict[str, list[float]] = {}
        for take in takes:
            for name, value in take.items():
                if isinstance(value, int | float):
                    values.setdefault(name, []).append(float(value))
        return {name: sum(found) / len(found) for name, found in values.items()}

    def counted(self, takes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Of how many of these takes each number of `summarise` is made: a broken take drops out of a mean, and whoever
        reads the number has to know. The default: the takes that have a key of that name, else all."""
        counts = {
            name: sum(isinstance(take.get(name), int | float) for take in takes) for name in self.summarise(takes)
        }
        return {name: count or len(takes) for name, count in counts.items()}
