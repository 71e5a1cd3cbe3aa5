"""`kathrine prepare --shard I/N`: the work on a corpus divided over machines.

A shard listens to and encodes its part, without choosing: what is chosen depends on all recordings. It leaves a folder,
`corpus/shards/I-of-N`, with stores like those of a workspace, the listing of its part, and a marker that is written
last. `merging.py` joins shards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.corpus import sourcing
from kathrine.corpus.audio import Conditioning
from kathrine.corpus.encode import encode
from kathrine.corpus.files import locked, write_json
from kathrine.corpus.gates import gates_of
from kathrine.corpus.listing import line_of
from kathrine.corpus.manifest import write_lines
from kathrine.corpus.measure import LONGEST_SURPLUS, chunks, gate
from kathrine.corpus.model_gates import judge
from kathrine.corpus.prepare import (
    Bench,
    encoders_of,
    make_bench,
    model_facts,
    set_keys,
    source_context,
    voices_of,
    wanted_variants,
)
from kathrine.corpus.rows import Row, list_rows, writable
from kathrine.corpus.select import choose
from kathrine.corpus.spool import Spool
from kathrine.corpus.text import rules_key
from kathrine.corpus.workers import Workers
from kathrine.errors import KathrineError
from kathrine.types import Fingerprints, ModelFacts, Part, Utterance

if TYPE_CHECKING:
    from kathrine.components import Progress
    from kathrine.recipe.recipe import DataEntry, Recipe
    from kathrine.workspace import Workspace

FORMAT = 2
MARKER, ROWS = "shard.json", "rows.jsonl"
SURPLUS, SURPLUS_SECONDS = 1.15, 60.0
"""A shard takes so much more than `max_hours` and the speaker cap allow: what gates can be expected to leave out."""


def parse_part(text: str) -> Part:
    """`2/3` as a part. Raises KathrineError for anything else."""
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise KathrineError(f"--shard {text}: that is no part of a whole", "write I/N, I from 1 to N: --shard 2/3")
    return Part(int(match[1]), int(match[2]))


def shard_folder(workspace: Workspace, part: Part) -> Path:
    """Where a shard is made."""
    return workspace.folder("corpus", "shards", f"{part.number}-of-{part.of}")


def settings_of(recipe: Recipe, facts: ModelFacts, prints: Fingerprints) -> dict[str, Any]:
    """What shards have to agree on to be merged, by the name under which a difference is told."""
    return {
        "codec": prints.codec,
        "speaker encoder": prints.speaker,
        "text tokenizer": prints.text,
        "conditioning": Conditioning.of(recipe.prepare, facts.sample_rate).key(),
        "text rules": rules_key(recipe.language),
        "max_seconds": recipe.prepare.max_seconds,
        "seed": recipe.run.seed,
        "data": [[entry.name, entry.source.name] for entry in recipe.data],
    }


def prepare_shard(recipe: Recipe, workspace: Workspace, progress: Progress, part: Part) -> dict[str, Any]:
    """Fetch, listen to and encode one part of a recipe's data. Twice is harmless, and a killed one goes on.

    Returns: what the marker says. Raises: KathrineError as prepare does."""
    facts, prints = model_facts(recipe, workspace, progress)
    folder = shard_folder(workspace, part)
    with locked(folder / "lock", progress.say), Workers(recipe.prepare.workers) as workers:
        (folder / MARKER).unlink(missing_ok=True)
        bench = make_bench(recipe, workspace, progress, facts, prints, folder, workers, part)
        # Shards may run side by side in one workspace; sources fetch one after another.
        with locked(workspace.corpus / "lock", progress.say):
            for entry in recipe.data:
                sourcing.fetch(entry, source_context(entry, bench))
        lines: list[Callable[[], Iterator[dict[str, Any]]]] = []
        entries: dict[str, Any] = {}
        seconds = 0.0
        for entry in recipe.data:
            own, examples, block, left_out = _listed(entry, bench, part)
            lines.append(own)
            for row in examples:
                set_keys(row, prints, facts)
            encode(examples, bench.stores, encoders_of(bench), bench.sounds.settings, recipe.prepare, workers, progress)
            entries[entry.name] = {"block": block, "encoded": len(examples), "left_out_by_source": left_out}
            seconds += sum(row.seconds for row in examples)
        bench.stores.flush()
        write_lines(folder / ROWS, (line for own in lines for line in own()))
        marker = {
            "format": FORMAT,
            "part": str(part),
            "settings": settings_of(recipe, facts, prints),
            "entries": entries,
            "seconds": round(seconds, 3),
        }
        write_json(folder / MARKER, marker)
    count = sum(entry["encoded"] for entry in entries.values())
    progress.say(f"shard {part}: {count} utterances, {seconds / 3600:.2f} h, ready to be merged")
    return marker


def _listed(
    entry: DataEntry, bench: Bench, part: Part
) -> tuple[Callable[[], Iterator[dict[str, Any]]], list[Row], list[int] | None, dict[str, int]]:
    """List an entry and listen to this part of it. Returns the lines of its listing, what is to be encoded, from
    where to where the part goes with how many utterances there are in all (None where the source splits), and what
    the source left out, by reason."""
    prepare = bench.recipe.prepare
    raw = Spool(bench.stores.codes.folder)
    places: list[int] = []
    gates = gates_of(entry, prepare)

    def noted(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
        for utterance in utterances:
            places.append(raw.add(writable(utterance)))
            yield utterance

    given = noted(sourcing.listed(entry, source_context(entry, bench)))
    rows, _ = list_rows(entry.name, entry.table, given, bench.facts, bench.fingerprints, bench.stores, bench.spool)
    left_out = sourcing.left_out(entry)
    variants = wanted_variants(entry, rows)
    wanted = wanted_rows(rows, entry, bench)
    block = None
    if not entry.source.splits:
        where = split_evenly(wanted, part)
        block = [where.start, where.stop, len(rows)]
        rows, wanted, places = rows[where], wanted[where], places[where]
    for portion in chunks([row for row in rows if row.kept]):
        bench.texts.take(portion, variants, prepare)
    hidden, _ = voices_of(entry, bench, rows)
    heard = [row for row, take in zip(rows, wanted, strict=True) if take and row.kept]
    doing = f"listening to {entry.name}, part {part}"
    with bench.progress.task(doing, total=len(heard)) as advance:
        for portion in chunks(heard):
            bench.sounds.take(portion, prepare.max_seconds + LONGEST_SURPLUS)
            for row in portion:
                gate(row, gates)
            judged = judge(portion, bench.judges, advance, doing)
            bench.texts.take([row for row in portion if row.kept and row.cut], variants, prepare)
            bench.stores.flush()
            advance(len(portion) - judged)

    def lines() -> Iterator[dict[str, Any]]:
        for row, place in zip(rows, places, strict=True):
            yield line_of(entry.name, raw.read_row(place), row)

    return lines, [row for row in heard if row.kept] + hidden, block, left_out


def wanted_rows(rows: Sequence[Row], entry: DataEntry, bench: Bench) -> list[bool]:
    """Which rows may be chosen in the end, judged by the lengths that the source or the files' headers say; every
    shard judges alike. Without a limit all of them may."""
    table = entry.table
    if entry.source.splits or (table.max_hours is None and table.speaker_cap_minutes is None):
        return [row.kept for row in rows]
    limited = table.model_copy(
        update={
            "max_hours": table.max_hours and table.max_hours * SURPLUS + SURPLUS_SECONDS / 3600,
            "speaker_cap_minutes": table.speaker_cap_minutes
            and table.speaker_cap_minutes * SURPLUS + SURPLUS_SECONDS / 60,
            "speaker_floor_minutes": 0.0,
        }
    )
    longest = bench.recipe.prepare.max_seconds
    likely = [row for row in rows if row.kept]
    said = [row.seconds for row in likely]
    for row in likely:
        row.seconds = row.seconds or _length(row.utterance, longest)
    likely_fit = [row for row in likely if row.seconds <= longest + LONGEST_SURPLUS]
    left_out = choose(likely_fit, limited, False).left_out
    taken = {id(row) for place, row in enumerate(likely_fit) if place not in left_out}
    for row, seconds in zip(likely, said, strict=True):
        row.seconds = seconds
    return [id(row) in taken for row in rows]


def _length(utterance: Utterance, longest: float) -> float:
    """Seconds that an utterance most likely has."""
    import soundfile

    if utterance.end is not None:
        return utterance.end - (utterance.start or 0.0)
    if utterance.seconds is not None or utterance.audio is None:
        return utterance.seconds or longest
    try:
        return float(soundfile.info(utterance.audio).duration)
    except (soundfile.SoundFileError, RuntimeError, OSError):
        return longest


def split_evenly(wanted: Sequence[bool], part: Part) -> slice:
    """The block of rows that makes up a part: as many wanted ones in each, and no row between two blocks."""
    places = [place for place, take in enumerate(wanted) if take]
    inner = part.block(len(places))
    first = places[inner.start] if part.number > 1 and inner.start < len(places) else 0
    if part.number > 1 and inner.start >= len(places):
        first = len(wanted)
    last = places[inner.stop] if part.number < part.of and inner.stop < len(places) else len(wanted)
    return slice(first, last)
