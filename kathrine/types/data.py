"""From an utterance to one row of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Part:
    """One machine's part of the work on a corpus: number `number` (from 1) of `of` parts, each a block without gaps,
    so that all of them one after another are the whole in its order."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def block(self, count: int) -> slice:
        """This part of `count` things."""
        return slice(count * (self.number - 1) // self.of, count * self.number // self.of)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One spoken sentence as a source knows it: a row of the manifest.

    `id` is unique and stable within its source (a second run gives the same ids). `audio` is a file that
    libsndfile reads; `start` and `end` (seconds) cut a part out of it. `texts` holds every written form of the
    transcript by variant name; the variant "text" always exists. `language` is a code or a name for reports; where
    the model has a language tag of that name prompts use it, else that of the recipe's language. `codes` is set
    where the row already holds encoded audio, `embedding` where it holds its speaker embedding; `codec` and
    `speaker_encoder` are then the fingerprints of what made them, where that is known: they have to be the
    recipe's model's. `cut` marks a clip whose end is not in a pause. `reference` is a recording fixed by the source
    for this row. `facts` is carried along for reports (licence, dialect, book, meeting...).
    """

    id: str
    audio: Path | None
    texts: Mapping[str, str]
    speaker: str
    language: str = ""
    split: Split | None = None
    start: float | None = None
    end: float | None = None
    seconds: float | None = None
    reference: Path | None = None
    codes: tuple[tuple[int, ...], ...] | None = None
    cut: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    embedding: tuple[float, ...] | None = None
    codec: str = ""
    speaker_encoder: str = ""

    @property
    def text(self) -> str:
        return self.texts["text"]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """An encoded utterance: a row of the prepared corpus.

    codes_FQ: int16 [F, Q], the utterance's own codes. speaker_embedding_H: float32 [H], its own, or None for a
    family without a speaker encoder. text_ids: token ids of the spoken text, by variant. spoken: the same as
    text, by variant. reference: id of the example that is fixed as this one's reference, or None.
    """

    id: str
    entry: str
    speaker: str
    language: str
    split: Split
    seconds: float
    codes_FQ: np.ndarray
    speaker_embedding_H: np.ndarray | None
    text_ids: Mapping[str, tuple[int, ...]]
    spoken: Mapping[str, str]
    cut: bool = False
    reference: str | None = None

    @property
    def key(self) -> str:
        """Unique within a prepared corpus."""
        return f"{self.entry}/{self.id}"

    @property
    def frames(self) -> int:
        return int(self.codes_FQ.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class PromptedExample:
    """An example with every choice made that turns it into one row of a batch.

    text_ids: the drawn variant (or another utterance's, when text gain is measured). speaker_embedding_H: the
    reference's, never the target's own. reference: set when the prompt is in-context: its codes and text come
    before the target. language: name for the language tag, or None for auto. streamed: text beside the frames,
    or whole in front of them. end: whether the end of speech is a target.
    """

    example: Example
    text_ids: tuple[int, ...]
    speaker_embedding_H: np.ndarray | None
    reference: Example | None = None
    reference_text_ids: tuple[int, ...] = ()
    language: str | None = None
    streamed: bool = True
    end: bool = True

    @property
    def layout(self) -> str:
        """The text layout, as reports name it: `streamed` or `whole`."""
        return "streamed" if self.streamed else "whole"
