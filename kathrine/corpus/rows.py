"""An utterance on its way through prepare: what is known of it so far, and whether it is still wanted."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kathrine.corpus import keys
from kathrine.corpus.gates import characters_gate
from kathrine.corpus.manifest import check_utterances
from kathrine.errors import KathrineError
from kathrine.types import Fingerprints, ModelFacts, Split, Utterance

if TYPE_CHECKING:
    from kathrine.corpus.sound import Sound
    from kathrine.corpus.spool import Spool
    from kathrine.corpus.stores import Stores
    from kathrine.recipe.tables import DataTable


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What another machine found of a row's recording: digest of its file, and the reason why it can not be used where
    that stands in no store."""

    content: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(slots=True, eq=False)
class Row:
    """One utterance. reason: why it is left out, or empty. texts: text keys, tokens: their lengths, by
    variant.

    audio: key of the conditioned wave, empty without a recording. content: digest of the recording's whole
    file, reference_content: of the reference that the source fixed. own_reference: the voice comes from a recording of
    its own choice, not from the speaker's other utterances. scores: what optional gates found (`dnsmos`, `cer`). There
    is a row for every utterance of the corpus at once, so what is long (texts, facts) rests on the disk: `listed` is
    then its place in the spool."""

    entry: str
    listed: Utterance | int
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
    reference_content: str = ""
    elsewhere: Elsewhere | None = None
    spool: Spool | None = None
    id: str = field(init=False)
    speaker: str = field(init=False)
    language: str = field(init=False)

    def __post_init__(self) -> None:
        utterance = self.utterance
        self.id = utterance.id
        self.speaker, self.language = sys.intern(utterance.speaker), sys.intern(utterance.language)

    @property
    def utterance(self) -> Utterance:
        """The utterance, without codes and embedding; read from the disk each time once it rests there."""
        if isinstance(self.listed, Utterance):
            return self.listed
        assert self.spool is not None
        return self.spool.read(self.listed)

    def rest(self, spool: Spool) -> None:
        """Put the utterance on the disk."""
        self.listed, self.spool = spool.add(self.utterance), spool

    @property
    def kept(self) -> bool:
        return not self.reason

    @property
    def lends(self) -> bool:
        """Whether it has a voice to lend: a recording, or a speaker embedding that came along."""
        return bool(self.audio or self.speaker_key)

    def reject(self, reason: str, detail: str = "") -> None:
        """Leave it out; the first reason stays."""
        if reason and not self.reason:
            self.reason, self.detail = reason, detail


def matches_speaker(utterance: Utterance, wanted: Sequence[str]) -> bool:
    """Whether the speaker's id or name contains one of the wanted names, upper and lower case alike."""
    names = f"{utterance.speaker}\n{utterance.facts.get('speaker_name', '')}".casefold()
    return not wanted or any(name.casefold() in names for name in wanted)


def list_rows(
    entry: str,
    table: DataTable,
    utterances: Iterable[Utterance],
    facts: ModelFacts,
    prints: Fingerprints,
    stores: Stores,
    spool: Spool | None = None,
) -> tuple[list[Row], list[str]]:
    """Rows of a data entry, in the source's order, and notes for the user.

    Codes and speaker embeddings that came along are checked, put into the stores at once, and dropped from memory;
    with a spool everything else that is long goes there.
    Raises: KathrineError for utterances that break the contract of sources, and for codes of another codec.
    """
    rows: list[Row] = []
    flat = 0
    for given in check_utterances(utterances, table.source):
        utterance = writable(given)
        codes, embedding = utterance.codes, utterance.embedding
        row = Row(entry, replace(utterance, codes=None, embedding=None), utterance.split or "train", cut=utterance.cut)
        strange = characters_gate(utterance.texts)
        if not matches_speaker(utterance, table.speakers):
            row.reject("other speaker")
        elif strange:
            row.reject("control characters", strange)
        elif codes is not None:
            refuse_other_codec(entry, utterance, table, prints)
            shaped, problem = shaped_codes(codes, facts)
            flat += len(codes) == 1 and len(shaped) > 1
            row.reject("bad codes" if problem else "", problem)
            if row.kept:
                take_codes(row, shaped, facts, prints.codec, stores)
            if row.kept and embedding is not None and utterance.speaker_encoder == prints.speaker != "":
                take_embedding(row, embedding, prints.speaker, stores)
        if spool is not None:
            row.rest(spool)
        rows.append(row)
    notes = [f"{flat} rows held their codes as one flat list: cut into frames of {facts.codebooks}"] if flat else []
    return rows, notes


def writable(utterance: Utterance) -> Utterance:
    """The utterance with the sign for what can not be decoded in place of halves of surrogate pairs, which no file can
    hold; a gate then rejects it."""
    texts = {
        variant: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for variant, text in utterance.texts.items()
    }
    return utterance if texts == dict(utterance.texts) else replace(utterance, texts=texts)


def refuse_other_codec(entry: str, utterance: Utterance, table: DataTable, prints: Fingerprints) -> None:
    """Codes mean nothing to another codec, and a speaker embedding nothing to another encoder: KathrineError."""
    if utterance.codec and utterance.codec != prints.codec:
        raise KathrineError(
            f"data entry {entry}: its codes were made by another codec than the recipe's model has "
            f"({utterance.codec[:12]}, not {prints.codec[:12]})",
            "take the model that it was prepared for, or prepare its recordings again",
        )
    other = utterance.embedding is not None and utterance.speaker_encoder not in ("", prints.speaker)
    if other and prints.speaker and utterance.audio is None and table.reference != "file":
        raise KathrineError(
            f"data entry {entry}: its speaker embeddings were made by another encoder than the recipe's model has "
            f"({utterance.speaker_encoder[:12]}, not {prints.speaker[:12]})",
            'give the voice by a recording (reference = "file"), or prepare its recordings again',
        )


def take_codes(row: Row, codes: tuple[tuple[int, ...], ...], facts: ModelFacts, codec: str, stores: Stores) -> None:
    """Put codes that came with the row into the store. Its length is the one that it says, where that is as many
    frames: the last one is seldom full."""
    import numpy as np

    row.imported = True
    row.codes_key = keys.imported_key(codes, codec)
    row.frames = len(codes)
    row.seconds = row.frames / facts.frames_per_second
    said = row.utterance.seconds if row.utterance.audio is None else None
    if said is not None and math.ceil(round(said * facts.frames_per_second, 6)) == row.frames:
        row.seconds = said
    stores.codes.add(row.codes_key, codes=np.asarray(codes, dtype=np.int16).reshape(-1), frames=row.frames)


def take_embedding(row: Row, embedding: tuple[float, ...], encoder: str, stores: Stores) -> None:
    """Put a speaker embedding that came with the row into the store."""
    import numpy as np

    if not all(map(math.isfinite, embedding)):
        row.reject("bad codes", "the speaker embedding holds numbers that are not finite")
        return
    row.speaker_key = keys.imported_voice_key(embedding, encoder)
    stores.speakers.add(row.speaker_key, embedding=np.asarray(embedding, dtype=np.float32))


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
