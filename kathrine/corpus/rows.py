"""An utterance on its way through prepare: what is known of it so far, and whether it is still wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kathrine.corpus import keys
from kathrine.corpus.gates import characters_gate
from kathrine.corpus.manifest import check_utterances
from kathrine.corpus.stores import Store
from kathrine.types import ModelFacts, Split, Utterance

if TYPE_CHECKING:
    from kathrine.corpus.sound import Sound
    from kathrine.recipe.tables import DataTable


@dataclass(slots=True, eq=False)
class Row:
    """One utterance. reason: why it is left out, or empty. texts: text keys, tokens: their lengths, by
    variant.

    audio: key of the conditioned wave, empty without a recording. content: digest of the recording's whole
    file. own_reference: the voice comes from a recording of its own choice, not from the speaker's other
    utterances. scores: what optional gates found (`dnsmos`, `cer`)."""

    entry: str
    utterance: Utterance
    split: Split
    reason: str = ""
    detail: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    letters: int = 0
    content: str = ""
    audio: str = ""
    sound: Sound | None = None
    codes_key: str = ""
    speaker_key: str = ""
    imported: bool = False
    seconds: float = 0.0
    frames: int = 0
    cut: bool = False
    own_reference: bool = False
    reference: str | None = None
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.utterance.id

    @property
    def speaker(self) -> str:
        return self.utterance.speaker

    @property
    def kept(self) -> bool:
        return not self.reason

    def reject(self, reason: str, detail: str = "") -> None:
        """Leave it out; the first reason stays."""
        if reason and not self.reason:
            self.reason, self.detail = reason, detail


def matches_speaker(utterance: Utterance, wanted: Sequence[str]) -> bool:
    """Whether the speaker's id or name contains one of the wanted names, upper and lower case alike."""
    names = f"{utterance.speaker}\n{utterance.facts.get('speaker_name', '')}".casefold()
    return not wanted or any(name.casefold() in names for name in wanted)


def list_rows(
    entry: str, table: DataTable, utterances: Iterable[Utterance], facts: ModelFacts, codec: str, store: Store
) -> tuple[list[Row], list[str]]:
    """Rows of a data entry, in the source's order, and notes for the user.

    Codes that came along are checked, put into the store at once, and dropped from memory.
    Raises: KathrineError for utterances that break the contract of sources.
    """
    rows: list[Row] = []
    flat = 0
    for utterance in check_utterances(utterances, table.source):
        codes = utterance.codes
        row = Row(entry, replace(utterance, codes=None), utterance.split or "train", cut=utterance.cut)
        strange = characters_gate(utterance.texts)
        if strange:
            row.utterance = replace(row.utterance, texts=_shown(utterance.texts))
        if not matches_speaker(utterance, table.speakers):
            row.reject("other speaker")
        elif strange:
            row.reject("control characters", strange)
        elif codes is not None:
            shaped, problem = shaped_codes(codes, facts)
            flat += len(codes) == 1 and len(shaped) > 1
            row.reject("bad codes" if problem else "", problem)
            if row.kept:
                take_codes(row, shaped, facts, codec, store)
        rows.append(row)
    notes = [f"{flat} rows held their codes as one flat list: cut into frames of {facts.codebooks}"] if flat else []
    return rows, notes


def _shown(texts: Mapping[str, str]) -> dict[str, str]:
    """Texts in which characters that can not be written stand as escapes."""
    return {variant: text.encode("utf-8", "backslashreplace").decode() for variant, text in texts.items()}


def take_codes(row: Row, codes: tuple[tuple[int, ...], ...], facts: ModelFacts, codec: str, store: Store) -> None:
    """Put codes that came with the row into the store."""
    import numpy as np

    row.imported = True
    row.codes_key = keys.imported_key(codes, codec)
    row.frames = len(codes)
    row.seconds = row.frames / facts.frames_per_second
    store.add(row.codes_key, codes=np.asarray(codes, dtype=np.int16).reshape(-1), frames=row.frames)


def shaped_codes(codes: Sequence[Sequence[int]], facts: ModelFacts) -> tuple[tuple[tuple[int, ...], ...], str]:
    """Codes as frames of Q, and what is wrong with them, or an empty string. One flat list is cut into
    frames."""
    width = facts.codebooks
    if len(codes) == 1 and len(codes[0]) > width and len(codes[0]) % width == 0:
        flat = codes[0]
        codes = tuple(tuple(flat[at : at + width]) for at in range(0, len(flat), width))
    widths = {len(frame) for frame in codes}
    if widths != {width}:
        hint = " (rows and columns changed places?)" if len(codes) == width else ""
        return (), f"{len(codes)} x {sorted(widths)} instead of frames of {width} codes{hint}"
    if not all(isinstance(code, int) and not isinstance(code, bool) for frame in codes for code in frame):
        return (), "a code is not an integer"
    low, high = min(map(min, codes)), max(map(max, codes))
    if low < 0 or high >= facts.codebook_size:
        return (), f"codes from {low} to {high}, the codebook holds 0 to {facts.codebook_size - 1}"
    return tuple(map(tuple, codes)), ""
