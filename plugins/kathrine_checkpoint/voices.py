"""Voices that an export is given: a name, and the mean of the speaker embeddings of recordings.

Legend: H width of a speaker embedding.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.errors import KathrineError
from kathrine.suggest import did_you_mean, listing

if TYPE_CHECKING:
    import numpy as np

    from kathrine.corpus.mixture import Corpus

SOUND = (".wav", ".flac", ".mp3", ".ogg")
"""Files of a folder that are taken for recordings."""
CORPUS = "data:"
"""How a reference begins that names a speaker of the prepared corpus: `data:ENTRY/SPEAKER`."""
NAME = re.compile(r"[^\W_][\w.-]*")
"""Letters and digits, then also `_`, `.` and `-`: what survives as a name of a file and in every loader's lookup."""


@dataclass(frozen=True, slots=True, eq=False)
class NewVoice:
    """A speaker to add to a model. source: where the voice comes from, without a path. count: recordings that the
    embedding is the mean of."""

    name: str
    row: int
    embedding_H: np.ndarray
    source: str
    count: int

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {"row": self.row, "source": self.source, "recordings": self.count}


def stored_name(name: str) -> str:
    """The name as it is written: loaders look a speaker up in lower case."""
    return unicodedata.normalize("NFC", name).lower()


def name_problems(names: Iterable[str]) -> Iterator[str]:
    """Sentences about names that could not be looked up, or that become the same in lower case."""
    seen: dict[str, str] = {}
    for name in names:
        stored = stored_name(name)
        if not NAME.fullmatch(stored) or stored != stored.lower() or stored == "auto":
            yield f"voices: {name!r} can not be a speaker's name: use letters, digits, '_', '-' and '.', no spaces"
        if stored in seen:
            yield f"voices: {seen[stored]!r} and {name!r} are the same name in lower case, {stored!r}"
        seen.setdefault(stored, name)


def reference_problems(voices: Mapping[str, str]) -> Iterator[str]:
    """Sentences about references that are not there, as far as files alone can tell."""
    for name, reference in voices.items():
        if reference.startswith(CORPUS):
            entry, _, speaker = reference.removeprefix(CORPUS).partition("/")
            if not entry or not speaker:
                yield f"voices: {name}: {reference!r} is not of the form {CORPUS}ENTRY/SPEAKER"
            continue
        path = Path(reference).expanduser()
        if not reference or not path.exists():
            yield f"voices: {name}: there is no recording or folder {reference!r}, nor is it {CORPUS}ENTRY/SPEAKER"
        elif not recordings(path):
            yield f"voices: {name}: the folder {reference} holds no {', '.join(SOUND)}"


def recordings(path: Path) -> list[Path]:
    """A recording itself, or those of a folder, by name."""
    if path.is_dir():
        return sorted(one for one in path.iterdir() if one.suffix.lower() in SOUND and not one.name.startswith("."))
    return [path]


def corpus_speaker(reference: str) -> tuple[str, str] | None:
    """Data entry and speaker that a reference names, or None for recordings."""
    if not reference.startswith(CORPUS):
        return None
    entry, _, speaker = reference.removeprefix(CORPUS).partition("/")
    return entry, speaker


def entry_problems(voices: Mapping[str, str], entries: Iterable[str]) -> Iterator[str]:
    """Sentences about references to data entries that a recipe has not."""
    known = list(entries)
    for name, reference in voices.items():
        named = corpus_speaker(reference)
        if named is not None and named[0] not in known:
            guess = did_you_mean(named[0], known)
            yield f"voices: {name}: the recipe has no data entry {named[0]!r}{guess}; it has {listing(known)}"


def speaker_problems(voices: Mapping[str, str], corpus: Corpus) -> Iterator[str]:
    """Sentences about references to speakers of whom a prepared corpus has no utterance."""
    for name, reference in voices.items():
        named = corpus_speaker(reference)
        if named is None or rows_of(corpus, *named):
            continue
        speakers = sorted({row.speaker for row in corpus.rows if row.entry == named[0]})
        guess = did_you_mean(named[1], speakers) or f"; some of its speakers: {listing(speakers[:8])}"
        yield f"voices: {name}: data entry {named[0]} has no speaker {named[1]!r}{guess}"


def rows_of(corpus: Corpus, entry: str, speaker: str) -> list[str]:
    """Keys of a speaker's utterances: those trained on, or where there are none all of them."""
    rows = [row for row in corpus.rows if row.entry == entry and row.speaker == speaker]
    return [row.key for row in rows if row.split == "train"] or [row.key for row in rows]


def recording_problems(voices: Mapping[str, str], read: Callable[[Path], Any]) -> Iterator[str]:
    """Sentences about recordings that can not be read. Given: read, which raises KathrineError for one that can not."""
    for name, reference in voices.items():
        path = Path(reference).expanduser()
        if corpus_speaker(reference) is not None or not path.exists():
            continue
        for recording in recordings(path):
            try:
                read(recording)
            except KathrineError as error:
                yield f"voices: {name}: {error.sentence}"


def mean_embedding(embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of speaker embeddings, float32 [H]; summed in double precision, so that their order does not matter."""
    import numpy as np

    return np.mean(np.stack(embeddings).astype(np.float64), axis=0).astype(np.float32)


def embeddings_of(
    reference: str,
    corpus: Corpus | None,
    embed: Callable[[Path], np.ndarray],
) -> list[np.ndarray]:
    """The embedding of every recording, or of every utterance of a speaker, that a reference names.

    Raises: KathrineError where there is none.
    """
    named = corpus_speaker(reference)
    if named is None:
        return [embed(path) for path in recordings(Path(reference).expanduser())]
    keys = rows_of(corpus, *named) if corpus is not None else []
    found = [corpus.example(key).speaker_embedding_H for key in keys] if corpus is not None else []
    usable = [one for one in found if one is not None]
    if not usable:
        raise KathrineError(
            f"the prepared corpus has no speaker embedding of {named[1]!r} in {named[0]}",
            "prepare it with a model that reads voices, or name a recording",
        )
    return usable
