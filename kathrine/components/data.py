"""The kinds `source` and `language`: where utterances come from, and how they are spoken. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from kathrine.components.base import Component, Progress
from kathrine.types import Part, Utterance
from kathrine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may use: its folder in the workspace, the wishes of its data entry, and progress.

    max_hours, speaker_cap_minutes: None for no limit; the kernel enforces both on accepted audio, a source uses
    them to fetch no more than it must. speakers: names to keep (empty: all), matched as a case-insensitive part.
    offline: nothing may be fetched. part: this machine does one part of the work (`--shard`), None for all of it; only
    a source that `splits` looks at it. speaker_floor_minutes, reject_tags: the kernel leaves out speakers with less
    accepted audio than this, and transcripts with `<...>` tags; a source should not count on them.
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
    part: Part | None = None
    speaker_floor_minutes: float = 0.0
    reject_tags: bool = False


class Source(Component):
    """A corpus. `[[data]]` with `source = "NAME"` in a recipe; options stand in the same table."""

    kind = "source"
    splits: ClassVar[bool] = False
    """Whether `prepare` fetches, and `utterances` yields, only `context.part` of the corpus: a block (`Part.block`)
    of units that are fetched whole, in the order in which `utterances` yields them, so that the parts one after
    another are what it yields without a part. A source that does not split fetches everything on each machine; the
    kernel then divides its utterances."""

    def variants(self) -> Collection[str] | None:
        """Text variants that utterances may have, as far as the options tell; None where only the data can say.

        A recipe that asks for another one is then refused before anything is fetched.
        """
        return None

    def hub_datasets(self) -> Collection[str]:
        """Ids of the Hub's datasets that the utterances come from, as far as the options tell: for cards."""
        return ()

    def licences(self) -> Collection[str] | None:
        """Licences of the recordings, as far as the options tell; empty where nobody names one, None where only the
        data can say. `facts["licence"]` of an utterance says it for each."""
        return None

    def voices(self) -> str:
        """A sentence for cards: who speaks, and what they agreed to; empty where nobody knows."""
        return ""

    def reachable(self, context: SourceContext) -> Iterable[str] | None:
        """Sentences about why `prepare` could not get at this corpus, asked by `kathrine doctor`; empty where it can.

        Quick: a look at the root, or one or two short requests; nothing is fetched. Where `context.offline`, what is at
        hand has to do. None where a source does not say. Raises: KathrineError, which counts as such a sentence.
        """
        return None

    def bytes_to_fetch(self, context: SourceContext) -> int | None:
        """About how many bytes `prepare` would still bring into the workspace, recordings made there included.

        Told without a network, from the options and from what lies in the workspace already. None where nobody knows.
        """
        return None

    @abstractmethod
    def prepare(self, context: SourceContext) -> None:
        """Fetch what is needed. Twice is harmless: what is complete is not fetched again."""

    @abstractmethod
    def utterances(self, context: SourceContext) -> Iterable[Utterance]:
        """The utterances, after `prepare`, in an order that is the same every time.

        A row that can not be used is yielded all the same where the kernel's gates can name the reason, so that
        it is counted; what only the source can see (a broken archive member) is said through `context.progress`,
        and counted by `left_out`.
        """

    def left_out(self) -> Mapping[str, int]:
        """Counts by reason of what the source itself left out, asked after `utterances` was walked to its end.

        Given: nothing; it speaks of that walk. Returns: reasons, short and without names of files, so that the same
        thing has the same reason every time; a count of 0 is not shown. What `utterances` yields does not belong
        here: the kernel's gates count that. A source that `splits` counts so that the sum over all parts is what it
        counts without a part: what every part sees alike belongs to the first one. Empty unless a source says
        otherwise.
        """
        return {}


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that changed a text."""

    rule: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SpokenText:
    """Normalised text, or the reason why there is none.

    rules: names of the rules that changed something. steps: what each did, in order, where the language tells;
    `kathrine text --explain` prints them.
    """

    text: str
    rules: tuple[str, ...] = ()
    rejected: str = ""
    steps: tuple[Step, ...] = field(default=(), compare=False)


class Language(Component):
    """A language: `[language.NAME]`, at most one in a recipe; without one the recipe uses `generic`.

    The same object serves training, synthesis and evaluation. A language that needs little starts from
    `kathrine.GenericLanguage` and writes only what differs.
    """

    kind = "language"

    @abstractmethod
    def normalise(self, text: str, variant: str = "text") -> SpokenText:
        """Written text to the words that are spoken.

        Given: variant, the name of the written form (a source may bring several: numbers as words, digits).
        Returns: text, or the reason of a rejection: a sign without a rule is rejected, never left out. The same
        input gives the same output; applying it twice changes nothing more. A rule named `full_stop` says that
        the last character was added.
        """

    @abstractmethod
    def rules_version(self) -> str:
        """Changes exactly when `normalise` may answer differently: part of the text cache key."""

    @abstractmethod
    def test_sentences(self) -> tuple[str, ...]:
        """Sentences to listen to, hardest sounds first, written as they are spoken: `normalise` changes nothing."""

    def evaluation_sentences(self) -> tuple[str, ...]:
        """The fixed set that `kathrine evaluate` measures on, as it is written; empty: it has to be given one.

        It should hold a hundred sentences or more that no corpus has, so that intervals are narrow and nothing was
        learnt by heart.
        """
        return ()

    def code(self) -> str:
        """ISO 639 code by which recognisers know the language (`no`, `de`); empty where nobody says so."""
        return ""

    def codes(self) -> Sequence[str]:
        """ISO 639 codes that a card files the language under, the most general first; its `code` alone unless a
        language says more."""
        return (self.code(),) if self.code() else ()

    def tag(self) -> str:
        """Name of the language for a language tag."""
        return self.name
