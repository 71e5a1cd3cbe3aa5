"""Which utterances are taken, which are held out, and which recording gives the voice: pure functions of the
rows.

All of it depends on the rows alone, in their order: a second prepare chooses the same.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kathrine.corpus.rows import Row
from kathrine.types import Split

if TYPE_CHECKING:
    from kathrine.recipe.tables import DataTable

ORDER: tuple[Split, ...] = ("validation", "test", "train")
"""Held-out splits take their part of max_hours first, so that training never uses all of it up."""
HELD_OUT_SHARE, HELD_OUT_SECONDS = 0.05, 30.0
GOOD_REFERENCE = (4.0, 10.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """What `choose` decided: reasons by row position for those left out, seconds taken by split."""

    left_out: dict[int, str]
    used: dict[Split, float]


@dataclass(slots=True)
class _Fill:
    seconds: dict[Split, float] = field(default_factory=lambda: dict.fromkeys(ORDER, 0.0))
    speakers: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    full: set[str] = field(default_factory=set)


def budgets(table: DataTable, rows: Iterable[Row]) -> dict[Split, float | None]:
    """Seconds allowed by split. Splits of the source's own that are held out get 5 % of max_hours each (or
    validation_share where it is more; at least 30 s, at most a quarter); what they leave belongs to
    training."""
    if table.max_hours is None:
        return dict.fromkeys(ORDER, None)
    total = table.max_hours * 3600
    held_out = min(max(total * max(HELD_OUT_SHARE, table.validation_share), HELD_OUT_SECONDS), total / 4)
    present = {row.split for row in rows}
    return {split: total if split == "train" else held_out * (split in present) for split in ORDER}


def choose(
    rows: Sequence[Row],
    table: DataTable,
    needs_other: bool,
    allowed: dict[Split, float | None] | None = None,
) -> Choice:
    """Apply max_hours, the speaker cap and floor, and the need for a reference, to rows that passed every
    gate.

    Rows are taken in order; a limit is met within one utterance and never exceeded. needs_other: an utterance
    takes its voice from another one of its speaker (training ones from the training split only). Whoever is
    left without one, or under the floor, gives its place to the next."""
    allowed = budgets(table, rows) if allowed is None else allowed
    cap = table.speaker_cap_minutes * 60 if table.speaker_cap_minutes else None
    available = Counter(voice for row in rows for voice in _voices(row))
    dropped: dict[tuple[str, Split], str] = {}
    while True:
        left_out: dict[int, str] = {}
        fill = _Fill()
        taken: list[Row] = []
        for split in ORDER:
            limit = allowed[split]
            if limit is not None and split == "train":
                limit -= fill.seconds["validation"] + fill.seconds["test"]
            over = False
            for place, row in enumerate(rows):
                if row.split != split:
                    continue
                reason = dropped.get((row.speaker, split), "")
                if (
                    not reason
                    and cap is not None
                    and (row.speaker in fill.full or fill.speakers[row.speaker] + row.seconds > cap + 1e-9)
                ):
                    fill.full.add(row.speaker)
                    reason = "speaker cap"
                if not reason and limit is not None:
                    over = over or fill.seconds[split] + row.seconds > limit + 1e-9
                    reason = "max_hours" if over else ""
                if reason:
                    left_out[place] = reason
                    continue
                fill.seconds[split] += row.seconds
                fill.speakers[row.speaker] += row.seconds
                taken.append(row)
        new = _without_voice(taken, available) if needs_other else {}
        floor = table.speaker_floor_minutes * 60
        new |= {
            (row.speaker, split): "speaker floor"
            for row in taken
            for split in ORDER
            if fill.speakers[row.speaker] < floor
        }
        new = {who: reason for who, reason in new.items() if who not in dropped}
        if not new:
            return Choice(left_out, fill.seconds)
        dropped |= new


def _voices(row: Row) -> tuple[tuple[str, str], ...]:
    """Where an utterance can lend its voice: (speaker, split), and any split to those held out."""
    return ((row.speaker, row.split), (row.speaker, "any")) if row.lends else ()


def _without_voice(taken: Sequence[Row], available: Counter[tuple[str, str]]) -> dict[tuple[str, Split], str]:
    lent = Counter(voice for row in taken for voice in _voices(row))
    missing: dict[tuple[str, Split], str] = {}
    for row in taken:
        place = (row.speaker, "train" if row.split == "train" else "any")
        if not row.own_reference and lent[place] - row.lends < 1:
            # A speaker whom max_hours left with one utterance has others: that is not the corpus' fault.
            missing[row.speaker, row.split] = "no reference" if available[place] < 2 else "max_hours"
    return missing


# --------------------------------------------------------------------------- held out


def _fraction(*parts: str) -> float:
    return int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest()[:7], "big") / 2**56


def hold_out(rows: Sequence[Row], share: float, needs_other: bool) -> None:
    """Move a share of the training rows to validation, by hash of their id, at least one of two or more.

    A row is moved only where its speaker keeps two training utterances: each still finds a reference. Where
    no speaker has three, the utterances of one whole speaker are moved."""
    train = sorted((row for row in rows if row.split == "train"), key=lambda row: _fraction("held out", row.id))
    if share <= 0 or len(train) < 2:
        return
    left = Counter(row.speaker for row in train)
    moved, most = 0, max(1, math.ceil(share * len(train)))
    for row in train:
        if moved == most or (moved and _fraction("held out", row.id) >= share):
            break
        if not needs_other or row.own_reference or left[row.speaker] > 2:
            row.split = "validation"
            left[row.speaker] -= 1
            moved += 1
    if not moved and len(left) > 1:
        for row in train:
            if row.speaker == train[0].speaker:
                row.split = "validation"


# --------------------------------------------------------------------------- references


def fixed_references(rows: Sequence[Row]) -> None:
    """Give every row without a recording of its own choice one fixed reference: the same for a whole speaker.

    Preferred: the same split, 4 to 10 s, an end in a pause; among equals, by hash. The one that is the
    reference itself takes the second choice. Rows of a speaker without another recording are left alone."""

    def rank(row: Row) -> tuple[bool, bool, float]:
        good = GOOD_REFERENCE[0] <= row.seconds <= GOOD_REFERENCE[1]
        return not good, row.cut, _fraction("reference", row.id)

    best: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=rank):
        for place in _voices(row):
            if len(best[place]) < 2:
                best[place].append(row)
    for row in rows:
        if row.own_reference:
            continue
        # Held-out recordings lend nothing to training where there is any other.
        candidates = [*best[row.speaker, row.split], *best[row.speaker, "any"]]
        row.reference = next((other.id for other in candidates if other is not row), None)


def fix_where_drawing_fails(rows: Sequence[Row], needs_other: bool) -> None:
    """References that can not be drawn per epoch are fixed now: of speakers some of whose rows bring codes
    without a recording or an embedding (which have no voice to lend), and of utterances that have to be their own."""
    if not needs_other:
        return
    voiceless = {row.speaker for row in rows if not row.lends}
    fixed_references([row for row in rows if row.speaker in voiceless])
    lent = Counter(voice for row in rows for voice in _voices(row))
    for row in rows:
        place = (row.speaker, "train" if row.split == "train" else "any")
        if row.reference is None and not row.own_reference and lent[place] - row.lends < 1:
            others = [other for other in rows if other.speaker == row.speaker and other is not row and other.lends]
            row.reference = others[0].id if others else row.id
