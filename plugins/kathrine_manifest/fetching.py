"""What a run can use of a corpus: shards and archives are unpacked, recordings of the Hub fetched, until it is enough.

A second call finds everything there and gives the same answer.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

from kathrine.components import SourceContext
from kathrine.errors import KathrineError
from kathrine.types import Utterance
from kathrine_manifest.archives import shelve, unpack_archive
from kathrine_manifest.budget import Budget
from kathrine_manifest.corpus import held_out_first
from kathrine_manifest.formats.parquet import rows_of, shards
from kathrine_manifest.reading import Reading
from kathrine_manifest.rows import utterance_of
from kathrine_manifest.shards import seconds_of, unpack_shard

AHEAD = 16
"""Recordings of the Hub that are fetched at once."""


def unpack(reading: Reading, context: SourceContext, label: str) -> None:
    """Unpack shards or archives, as far as they are needed; nothing for a corpus that has neither."""
    if reading.format.name == "parquet":
        unpack_shards(reading, context, label)
    if reading.places.shelf is not None:
        unpack_archives(reading, context, label)


def megabytes(reading: Reading, names: list[str]) -> float:
    """Size of files, as far as it is known."""
    return sum(reading.corpus.files.size(name) or 0 for name in names) / 1e6


def unpack_shards(reading: Reading, context: SourceContext, label: str) -> None:
    """Unpack shards, held-out ones first, until their usable speech is enough."""
    corpus, budget = reading.corpus, Budget(context)
    found = shards(corpus)
    with context.progress.task(f"{label}: shards", megabytes(reading, [name for name, _ in found])) as advance:
        for name, split in found:
            if budget.wants(split):
                unpack_shard(corpus, name, lambda size: advance(size / 1e6))
                if context.max_hours is not None:
                    lines = rows_of(corpus, name, split)
                    for line, seconds in zip(lines, seconds_of(corpus, name), strict=True):
                        utterance, _ = utterance_of(line, reading.layout, reading.places.find)
                        if utterance is not None:
                            budget.count(utterance, utterance.seconds or seconds)


def unpack_archives(reading: Reading, context: SourceContext, label: str) -> None:
    """Unpack the archives that the recipe names, held-out ones first, until the recordings that rows ask for are
    enough, and put them onto the shelf.

    Raises: KathrineError where no archive has one of the names.
    """
    corpus, shelf = reading.corpus, reading.places.shelf
    assert shelf is not None
    patterns = reading.options.archives
    names = [name for name in corpus.files.names() if any(fnmatch.fnmatchcase(name, one) for one in patterns)]
    if not names:
        raise KathrineError(
            f"{corpus.files.label} has no archive {' or '.join(patterns)}", "look at the option archives"
        )
    waiting = held_out_first(corpus.by_split(names))
    left = []
    with context.progress.task(f"{label}: archives", megabytes(reading, names)) as advance:
        for name, split in waiting:
            if context.max_hours is not None and not counted(reading, context).wants(split):
                left.append(name)
                continue
            folder = unpack_archive(corpus, name, lambda size: advance(size / 1e6), context.progress.warn)
            shelve(folder, shelf)
    reading.partly = bool(left)
    if left:
        context.progress.say(f"{label}: {len(left)} of {len(waiting)} archives are not needed for max_hours")


def counted(reading: Reading, context: SourceContext) -> Budget:
    """The speech that is on the shelf, as far as rows ask for it."""
    budget = Budget(context)
    for row in reading.rows():
        utterance = row.utterance
        if utterance is not None and utterance.audio is not None and utterance.audio.is_file():
            budget.count(utterance, utterance.seconds or length_of(utterance.audio))
    return budget


def readable(reading: Reading, left_out: Counter[str]) -> Iterator[Utterance]:
    """The rows that are utterances; the others are counted by reason."""
    for row in reading.rows():
        if row.utterance is not None:
            yield row.utterance
        else:
            left_out[f"by {row.passed_over}" if row.passed_over else "mistake in the row"] += 1


def length_of(path: Path) -> float:
    """Seconds of a recording, from its header; 0 for one that can not be read (prepare rejects it by name)."""
    import soundfile

    try:
        return float(soundfile.info(path).duration)
    except (soundfile.SoundFileError, RuntimeError):
        return 0.0


def taken(
    reading: Reading,
    context: SourceContext,
    advance: Callable[..., None] | None,
    left_out: Counter[str] | None = None,
) -> Iterator[Utterance]:
    """The utterances, recordings of the Hub fetched, until there are enough of each split.

    Given: advance, told of each utterance; None where everything was fetched before. A row with a problem is left out
    (`prepare` stopped, or said so) and counted in `left_out`, as is what an option passes over.
    """
    utterances = readable(reading, Counter() if left_out is None else left_out)
    if reading.places.top is not None or reading.places.shelf is not None or reading.format.name == "parquet":
        yield from utterances
        return
    files, budget = reading.corpus.files, Budget(context)

    def local(path: Path | None) -> Path | None:
        return files.fetch(path.as_posix()) if path is not None and files.size(path.as_posix()) is not None else path

    def fetched(utterance: Utterance) -> Utterance:
        return replace(utterance, audio=local(utterance.audio), reference=local(utterance.reference))

    with ThreadPoolExecutor(AHEAD) as pool:
        while batch := list(islice(utterances, AHEAD)):
            wanted = [one for one in batch if budget.wants(one.split)]
            # What is fetched ahead in vain is at most one batch; the second walk fetches one by one, and no more.
            arrived = (
                pool.map(fetched, wanted) if advance else (fetched(one) for one in wanted if budget.wants(one.split))
            )
            for utterance in arrived:
                if budget.wants(utterance.split):
                    seconds = utterance.seconds
                    if seconds is None and context.max_hours is not None and utterance.audio is not None:
                        seconds = length_of(utterance.audio)
                    budget.count(utterance, seconds or 0.0)
                    yield utterance
            if advance:
                advance(len(batch))
