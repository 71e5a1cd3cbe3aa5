"""From written text to synthesis requests: normalised as in training, cut into sentences, tokenised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kathrine.corpus.text import spoken_text
from kathrine.errors import KathrineError
from kathrine.speech.sentences import LONGEST, sentences
from kathrine.speech.takes import Part
from kathrine.speech.voices import Voice
from kathrine.types import SpeechRequest

if TYPE_CHECKING:
    from kathrine.components import Language


@dataclass(frozen=True, slots=True)
class Manner:
    """How everything is spoken. tokenise: spoken text -> token ids. language: whose rules texts go through, or None.
    tag: name of the language tag in the prompt, or None for auto. streamed: text beside the frames, or whole before."""

    tokenise: Callable[[str], tuple[int, ...]]
    voice: Voice
    language: Language | None = None
    tag: str | None = None
    streamed: bool = True
    longest: int = LONGEST


def parts_of(written: str, manner: Manner) -> list[Part]:
    """The requests that speak a text, one a sentence.

    Raises: KathrineError for a text that the language's rules refuse, with their reason.
    """
    said = spoken_text(written, "text", manner.language)
    if said.rejected or not said.text:
        raise KathrineError(f"{written!r} can not be spoken: {said.rejected or 'nothing is left of it'}")
    voice = manner.voice
    return [
        Part(
            sentence,
            SpeechRequest(
                text_ids=manner.tokenise(sentence),
                speaker_embedding_H=voice.embedding_H,
                speaker=voice.speaker,
                language=manner.tag,
                streamed=manner.streamed,
                reference_codes_RQ=voice.codes_RQ,
                reference_text_ids=voice.text_ids,
            ),
        )
        for sentence in sentences(said.text, manner.longest)
    ]
