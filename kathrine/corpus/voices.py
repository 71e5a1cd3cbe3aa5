"""Recordings that only lend their voice: `reference_file`, and the reference that a source fixed for a
row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.corpus.measure import Sounds, Texts
from kathrine.corpus.prepared import REFERENCE_ID
from kathrine.corpus.rows import Elsewhere, Row
from kathrine.errors import KathrineError
from kathrine.types import Utterance

if TYPE_CHECKING:
    from kathrine.recipe.tables import DataTable


def hidden_row(entry: str, path: Path, name: str = REFERENCE_ID) -> Row:
    """An example that is never trained on: no text, a speaker of its own, split "test"."""
    utterance = Utterance(id=name, audio=path, texts={"text": ""}, speaker=REFERENCE_ID, split="test")
    return Row(entry, utterance, "test")


def file_reference(entry: str, table: DataTable, sounds: Sounds, texts: Texts) -> Row:
    """The hidden row of `reference_file`. Raises KathrineError where the recording can not be used."""
    row = hidden_row(entry, Path(table.reference_file).expanduser())
    _measure([row], sounds, texts)
    if not row.kept:
        why = row.detail or row.reason
        raise KathrineError(
            f"data entry {entry}: reference_file {table.reference_file} can not be used: {why}",
            "give a recording of 3 to 15 s of clean speech",
        )
    return row


def own_references(entry: str, rows: Sequence[Row], sounds: Sounds, texts: Texts) -> tuple[list[Row], list[str]]:
    """Resolve the references that a source fixed, before anything is chosen. Returns hidden rows and notes.

    A row whose reference can not be read is rejected; one that names itself goes without (the target never
    lends its own voice)."""
    by_path: dict[Path, list[Row]] = {}
    for row in rows:
        reference = row.utterance.reference if row.kept else None
        if reference is not None:
            by_path.setdefault(reference, []).append(row)
    hidden = {path: hidden_row(entry, path) for path in by_path}
    for path, users in by_path.items():
        hidden[path].elsewhere = _reference_elsewhere(users)
    _measure(list(hidden.values()), sounds, texts)
    itself = 0
    made: dict[str, Row] = {}
    for path, users in by_path.items():
        lent = hidden[path]
        for row in users:
            row.reference_content = lent.content
            if not lent.kept:
                row.reject("bad reference", lent.detail or lent.reason)
            elif _same_file(row, path, lent, sounds):
                itself += 1
            else:
                name = f"{REFERENCE_ID}.{lent.content[:12]}"
                if name not in made:
                    made[name] = hidden_row(entry, path, name)
                    made[name].elsewhere = lent.elsewhere
                row.reference, row.own_reference = name, True
    found = list(made.values())
    _measure(found, sounds, texts)
    notes = [f"{itself} rows name their own recording as reference: another one is taken"] if itself else []
    return found, notes


def _reference_elsewhere(users: Sequence[Row]) -> Elsewhere | None:
    """What another machine found of the reference of these rows."""
    contents = [row.reference_content for row in users if row.elsewhere is not None and row.reference_content]
    return Elsewhere(contents[0]) if contents else None


def _same_file(row: Row, reference: Path, lent: Row, sounds: Sounds) -> bool:
    """Whether a row's recording is the reference itself, by content: copies are common."""
    audio = row.utterance.audio
    if audio is None or audio == reference:
        return audio is not None
    if not audio.is_file():
        return row.elsewhere is not None and row.elsewhere.content == lent.content
    if reference.is_file() and audio.stat().st_size != reference.stat().st_size:
        return False
    probe = hidden_row("", audio)
    sounds.take([probe], 0)
    return probe.content == lent.content


def _measure(rows: list[Row], sounds: Sounds, texts: Texts) -> None:
    for first in range(0, len(rows), 256):
        sounds.take(rows[first : first + 256], 0)
    for row in rows:
        if row.sound is not None and row.sound.silence == 1:
            row.reject("silence", f"{row.utterance.audio} is silent")
        row.cut = False
        texts.hidden(row)


def prefer_utterances(rows: Sequence[Row], hidden: Sequence[Row]) -> list[Row]:
    """Where a fixed reference is the recording of an utterance, take that utterance: its text is known.

    rows: those that are kept. Returns the hidden rows that are still needed.
    """
    if not hidden:
        return []
    lending = {row.content for row in hidden}
    whole = {
        row.content: row
        for row in reversed(rows)
        if row.content in lending and row.utterance.start is None and row.utterance.end is None
    }
    by_name = {row.id: row for row in hidden}
    for row in rows:
        lent = by_name.get(row.reference or "")
        other = whole.get(lent.content) if lent is not None else None
        if other is not None and other.audio == row.audio:
            # The file of `reference_file` is this very utterance: it takes another one of its speaker.
            row.reference, row.own_reference = None, False
        elif other is not None and other.audio:
            row.reference = other.id
    used = {row.reference for row in rows}
    return [row for row in hidden if row.id in used]
