"""`kathrine prepare --merge`: shards joined, as if all had been prepared on one machine.

Their stores are copied together and their listings joined; then the ordinary prepare finds everything computed, and
chooses. It needs neither the recordings nor the source."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.corpus.files import locked
from kathrine.corpus.listing import Listing
from kathrine.corpus.prepare import model_facts
from kathrine.corpus.shards import FORMAT, MARKER, ROWS, parse_part, prepare_shard, settings_of, shard_folder
from kathrine.corpus.stores import Stores
from kathrine.errors import KathrineError
from kathrine.types import Part

if TYPE_CHECKING:
    from kathrine.components import Progress
    from kathrine.recipe.recipe import Recipe
    from kathrine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard that was found."""

    folder: Path
    part: Part
    marker: dict[str, Any]


def find_shards(folders: Sequence[Path]) -> list[Shard]:
    """Finished shards: each folder is one, or holds some. Raises KathrineError for a folder without any."""
    found: list[Shard] = []
    for folder in folders:
        markers = [folder / MARKER] if (folder / MARKER).is_file() else sorted(folder.glob(f"*/{MARKER}"))
        if not markers:
            raise KathrineError(
                f"{folder} holds no finished shard", "`kathrine prepare RECIPE --shard I/N` makes corpus/shards/I-of-N"
            )
        for path in markers:
            marker = json.loads(path.read_text(encoding="utf-8"))
            if marker.get("format") != FORMAT:
                raise KathrineError(f"{path.parent} was made by another kathrine", "prepare this shard again")
            found.append(Shard(path.parent, parse_part(marker["part"]), marker))
    return sorted(found, key=lambda shard: (shard.part.of, shard.part.number))


def merge(
    recipe: Recipe,
    workspace: Workspace,
    progress: Progress,
    folders: Sequence[Path] = (),
    allow_missing: bool = False,
) -> None:
    """Join the shards of a recipe in this workspace, so that `prepare` finds everything computed.

    Given: folders of shards; without any, those that were made in this workspace. allow_missing: parts that are not
    there are prepared here. Raises: KathrineError for shards that do not belong together or to the recipe, and for
    missing ones."""
    facts, prints = model_facts(recipe, workspace, progress)
    wanted = settings_of(recipe, facts, prints)
    shards = find_shards(list(folders) or [workspace.folder("corpus", "shards")])
    refuse_mixed(shards, wanted)
    of = shards[0].part.of
    for number in missing_parts(shards, allow_missing):
        progress.say(f"shard {number}/{of} is missing: it is prepared here")
        part = Part(number, of)
        marker = prepare_shard(recipe, workspace, progress, part)
        shards.append(Shard(shard_folder(workspace, part), part, marker))
    by_number = {shard.part.number: shard for shard in shards}
    shards = [by_number[number] for number in range(1, of + 1)]
    refuse_gaps(shards)
    with locked(workspace.corpus / "lock", progress.say):
        stores = Stores.open(workspace.corpus)
        with progress.task("merging shards", total=of) as advance:
            for shard in shards:
                taken = stores.absorb(shard.folder)
                advance(1)
                progress.say(f"shard {shard.part}: {taken} recordings taken over")
        Listing.place(recipe, workspace).join((shard.folder / ROWS for shard in shards), left_out_by_sources(shards))


def left_out_by_sources(shards: Sequence[Shard]) -> dict[str, dict[str, int]]:
    """What the sources of all shards left out, by data entry and reason, as one machine would count it."""
    told = {}
    for name, entry in shards[0].marker["entries"].items():
        # A source that does not split lists everything in each part: the first part has counted it all, and a sum
        # would count it again for every part.
        counting = shards if entry["block"] is None else shards[:1]
        counts: Counter[str] = Counter()
        for shard in counting:
            counts.update(shard.marker["entries"][name]["left_out_by_source"])
        told[name] = dict(sorted(counts.items()))
    return told


def refuse_mixed(shards: Sequence[Shard], wanted: dict[str, Any]) -> None:
    """Shards of different divisions, or made with other settings than the recipe's."""
    divisions = sorted({shard.part.of for shard in shards})
    if len(divisions) > 1:
        raise KathrineError(
            f"these shards belong to different divisions (into {' and '.join(map(str, divisions))} parts)",
            "name the folders of one division: --merge DIR DIR ...",
        )
    for shard in shards:
        differs = [name for name, value in wanted.items() if shard.marker["settings"].get(name) != value]
        if differs:
            raise KathrineError(
                f"shard {shard.part} ({shard.folder}) was made with another {' and another '.join(differs)} than this "
                "recipe has",
                "prepare it again with this recipe and the same profile and --set",
            )


def missing_parts(shards: Sequence[Shard], allow_missing: bool) -> list[int]:
    """Numbers of parts that are not there. Raises KathrineError where there are any and none may be missing."""
    of = shards[0].part.of
    missing = sorted(set(range(1, of + 1)) - {shard.part.number for shard in shards})
    if missing and not allow_missing:
        present = {shard.part.number: shard.marker["seconds"] for shard in shards}
        each = sum(present.values()) / len(present) / 3600
        names = ", ".join(f"{number}/{of}" for number in missing)
        raise KathrineError(
            f"shard {names} is missing, about {each * len(missing):.2f} h of speech",
            f"run `kathrine prepare RECIPE --shard {missing[0]}/{of}`, or prepare it here with --allow-missing",
        )
    return missing


def refuse_gaps(shards: Sequence[Shard]) -> None:
    """Blocks of the same corpus lie one after another; where they do not, machines saw different recordings."""
    for name in shards[0].marker["entries"]:
        end = 0
        totals = set()
        for shard in shards:
            block = shard.marker["entries"][name]["block"]
            if block is None:
                continue
            first, last, total = block
            totals.add(total)
            if first != end or len(totals) > 1:
                raise KathrineError(
                    f"data entry {name}: shard {shard.part} was divided from other recordings than those before it",
                    "prepare all shards from the same corpus, complete on every machine",
                )
            end = last
