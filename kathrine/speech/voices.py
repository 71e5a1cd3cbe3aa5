"""Whose voice: a recording, brought to what the model was trained on, as a speaker embedding or as a whole reference.

Legend: N samples, R reference frames, Q codebooks, H width of a speaker embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import ModelFamily
from kathrine.errors import KathrineError
from kathrine.recipe.tables import PrepareTable
from kathrine.suggest import did_you_mean, listing
from kathrine.types import Example, ModelFacts
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """Where a voice comes from, ready for a `SpeechRequest`. whose: as it is told. speaker: name of one that the model
    brings. codes_RQ and text_ids: set together for in-context cloning. wave: the recording as conditioned, or None."""

    whose: str
    embedding_H: np.ndarray | None = None
    speaker: str | None = None
    codes_RQ: np.ndarray | None = None
    text_ids: tuple[int, ...] = ()
    wave: np.ndarray | None = None


def speaker_voice(facts: ModelFacts, name: str) -> Voice:
    """A voice that the model brings. Raises: KathrineError for a name that is not one of them."""
    if name.casefold() not in [known.casefold() for known in facts.speakers]:
        raise KathrineError(
            f"{facts.checkpoint} has no speaker '{name}'{did_you_mean(name, facts.speakers)}",
            f"its speakers: {listing(facts.speakers)}; or --reference",
        )
    return Voice(f"speaker {name}", speaker=name)


SHORTEST, USUAL = 1.0, (3.0, 15.0)
"""Seconds: a recording under the first says nothing of a voice; one outside of the second is told."""


def conditioned(
    path: Path, table: PrepareTable, sample_rate: int, warn: Callable[[str], Any] | None = None
) -> np.ndarray:
    """A recording of any rate and format through the conditioning of `prepare`: float32 [N] at sample_rate.

    Raises: KathrineError for a recording that can not be read, is silent, or is shorter than a second.
    """
    from kathrine.corpus.audio import AudioRejected, Conditioning, condition, read_audio

    try:
        wave_NC, rate = read_audio(path)
    except AudioRejected as error:
        raise KathrineError(
            f"the reference {path} can not be used: {error.reason}" + (f" ({error.detail})" if error.detail else ""),
            "give a recording of 3 to 15 s of one person",
        ) from error
    wave, sound = condition(wave_NC, rate, Conditioning.of(table, sample_rate))
    if sound.silence >= 1.0:
        raise KathrineError(f"the reference {path} is silent", "give a recording of 3 to 15 s of one person")
    seconds = len(wave) / sample_rate
    if seconds < SHORTEST:
        raise KathrineError(
            f"the reference {path} has {seconds:.2f} s of sound", "give a recording of 3 to 15 s of one person"
        )
    if warn is not None and not USUAL[0] <= seconds <= USUAL[1]:
        warn(f"the reference {path} has {seconds:.1f} s of sound: 3 to 15 s of one person give the best voice")
    return wave


def voice_of(
    path: Path,
    *,
    family: ModelFamily,
    workspace: Workspace,
    table: PrepareTable,
    device: str,
    transcript_ids: tuple[int, ...] = (),
    whose: str = "",
    warn: Callable[[str], Any] | None = None,
) -> Voice:
    """The voice of a recording.

    Given: transcript_ids, token ids of what is said in it: the recording then stands in the prompt, codes and all, and
    is continued (in-context cloning); without it only its speaker embedding does. Raises: KathrineError for a model
    that clones no voices, or in context only and the transcript is not given, and for a recording that can not be used.
    """
    facts = family.facts(workspace)
    assert facts is not None  # the model was loaded
    wave = conditioned(path, table, facts.sample_rate, warn)
    encoder: Callable[[np.ndarray], np.ndarray] | None = family.open_speaker_encoder(workspace, device)
    if facts.clones_in_context and not transcript_ids:
        raise KathrineError(
            f"{facts.checkpoint} takes a voice from a recording together with what is said in it, and of {path} that "
            "is not known",
            "`kathrine speak` takes it with --reference-text",
        )
    if encoder is None and not facts.clones_in_context:
        names = ", ".join(facts.speakers)
        raise KathrineError(
            f"{facts.checkpoint} has no speaker encoder: it can not take a voice from a recording",
            f"name one of its own with --speaker: {names}" if names else "use a base model",
        )
    codes_RQ = family.open_codec(workspace, device).encode([wave])[0] if transcript_ids else None
    embedding_H = encoder(wave) if encoder is not None else None
    return Voice(whose or str(path), embedding_H, None, codes_RQ, transcript_ids, wave)


def voice_of_example(facts: ModelFacts, example: Example, whose: str, wave: np.ndarray | None = None) -> Voice | None:
    """The voice of a prepared utterance: its speaker embedding, or all of it, for a model that takes voices in context
    only; None where it gives neither."""
    if example.speaker_embedding_H is not None:
        return Voice(whose, example.speaker_embedding_H, wave=wave)
    if facts.clones_in_context and example.text_ids.get("text"):
        return Voice(whose, codes_RQ=example.codes_FQ, text_ids=example.text_ids["text"], wave=wave)
    return None


def best_first(seconds: Sequence[float], longest: float) -> list[int]:
    """Places of recordings, those first that can stand in a prompt of at most `longest` seconds, in their order; then
    the others, shortest first."""
    return sorted(range(len(seconds)), key=lambda place: max(seconds[place] - longest, 0.0))
