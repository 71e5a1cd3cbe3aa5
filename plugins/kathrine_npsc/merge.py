"""Neighbouring clips put together: the corpus is cut without regard to pauses, and what one clip begins the next ends.

A clip that ends in the middle of the sound is joined with the sentence that follows, from left to right, up to a
length. The audio of such a chain is one FLAC file, written once under a name that follows from its parts.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine import KathrineError
from kathrine.datafiles import write_atomically
from kathrine_npsc.clips import Clip
from kathrine_npsc.metadata import Sentence

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
"""Raise it when the joined audio changes: part of the name of its file."""
OVERLAP_MS = 10
"""Clips may overlap by this much and still be neighbours."""
FADE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Link:
    """A sentence with its clip."""

    sentence: Sentence
    clip: Clip

    @property
    def cut(self) -> bool:
        """It ends in the middle of the sound."""
        return self.clip.sounding is True


@dataclass(frozen=True, slots=True)
class Joining:
    """When neighbours are joined. seconds: longest result, 0 joins nothing. gap: seconds that may lie between them.
    reject_tags: prepare leaves tagged sentences out, so they are not joined with others."""

    seconds: float
    gap: float
    reject_tags: bool = False


def chains(links: Sequence[Link], joining: Joining) -> list[list[Link]]:
    """All sentences, in their order, as chains of one or more that belong together.

    A chain stands where its first sentence stood. The same links give the same chains.
    """
    place = {id(link): at for at, link in enumerate(links)}
    spoken = sorted(
        links, key=lambda link: (link.sentence.folder, link.sentence.day, link.sentence.meeting, link.sentence.order)
    )
    made: list[list[Link]] = []
    for link in spoken:
        if made and joins(made[-1], link, joining):
            made[-1].append(link)
        else:
            made.append([link])
    return sorted(made, key=lambda chain: place[id(chain[0])])


def joins(chain: Sequence[Link], link: Link, joining: Joining) -> bool:
    """Whether a sentence goes on where a chain stops in the middle of the sound."""
    last, here = chain[-1].sentence, link.sentence
    neighbours = (
        (last.folder, last.day, last.meeting, last.speaker_id, last.language)
        == (here.folder, here.day, here.meeting, here.speaker_id, here.language)
        and here.order == last.order + 1
        and -OVERLAP_MS <= here.start - last.end < joining.gap * 1000
    )
    return (
        neighbours
        and chain[-1].cut
        and link.clip.sounding is not None
        and link.clip.rate == chain[-1].clip.rate
        and (here.end - chain[0].sentence.start) / 1000 <= joining.seconds
        and not any(part.inaudible or (joining.reject_tags and part.tagged) for part in (last, here))
    )


def gaps(chain: Sequence[Link]) -> list[int]:
    """Milliseconds between the clips of a chain, none below 0."""
    return [max(0, after.sentence.start - before.sentence.end) for before, after in pairwise(chain)]


def joined_file(folder: Path, chain: Sequence[Link]) -> Path:
    """The file of a chain's audio; its name changes with any of its clips."""
    parts: list[Any] = [VERSION, gaps(chain), [[link.clip.stem, link.clip.stamp] for link in chain]]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return folder / f"{chain[0].clip.stem}+{len(chain) - 1}-{digest}.flac"


def join(folder: Path, chain: Sequence[Link]) -> Path:
    """Write a chain's audio where that was not done before. Raises: KathrineError for a clip that does not decode."""
    path = joined_file(folder, chain)
    if not path.is_file():
        write_joined(path, [link.clip.path for link in chain], gaps(chain))
    return path


def write_joined(path: Path, clips: Sequence[Path], gaps_ms: Sequence[int]) -> None:
    """Write clips after another as one FLAC file (16 bit, mono), with silence of `gaps_ms` between them."""
    import numpy as np
    import soundfile

    from kathrine.corpus.audio import to_mono

    waves: list[np.ndarray] = []
    rate = 0
    for clip, silence in zip(clips, [0, *gaps_ms], strict=True):
        try:
            wave_NC, rate = soundfile.read(clip, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError) as problem:
            raise KathrineError(
                f"{clip} can not be read any more ({problem})", "remove its folder, and it is made anew"
            ) from problem
        wave = to_mono(wave_NC)
        if silence > OVERLAP_MS:
            waves[-1] = faded(waves[-1], rate, slice(None, None, -1))
            waves.append(np.zeros(silence * rate // 1000, np.float32))
            wave = faded(wave, rate, slice(None))
        waves.append(wave)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(np.concatenate(waves), -1, 1), rate, format="FLAC", subtype="PCM_16")
    write_atomically(path, buffer.getvalue())


def faded(wave: np.ndarray, rate: int, order: slice) -> np.ndarray:
    """A wave that rises from silence in 5 ms, or, with `order` backwards, falls to it."""
    import numpy as np

    count = min(int(FADE_SECONDS * rate), len(wave))
    wave = wave[order].copy()
    wave[:count] *= np.linspace(0, 1, count, dtype=np.float32)
    return wave[order]


def clip_of_each(
    sentences: Sequence[Sentence], clip: Callable[[Sentence], Clip | None]
) -> tuple[list[Link], dict[str, list[str]]]:
    """Sentences with their clips; and the names of those whose place has none, by place."""
    links: list[Link] = []
    missing: dict[str, list[str]] = {}
    for sentence in sentences:
        found = clip(sentence)
        if found is None:
            missing.setdefault(sentence.place, []).append(sentence.stem or f"{sentence.start}_{sentence.end}")
        else:
            links.append(Link(sentence, found))
    return links, missing
