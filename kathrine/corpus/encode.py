"""Encoding: recordings to codes and speaker embeddings, in batches of similar length, kept as soon as they
are made.

Shapes: N samples, F frames, Q codebooks, H width of the speaker embedding.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kathrine.corpus.audio import Conditioning
from kathrine.corpus.listening import Recording, Refused, wave_of
from kathrine.corpus.measure import chunks, refuse_absent
from kathrine.corpus.rows import Row
from kathrine.corpus.stores import Stores
from kathrine.corpus.workers import Crashed, Workers
from kathrine.errors import KathrineError
from kathrine.types import ModelFacts

if TYPE_CHECKING:
    from kathrine.components import Codec, Progress
    from kathrine.recipe.tables import PrepareTable

WINDOW_BATCHES = 32
"""Batches that are sorted by length together: near enough to the corpus' order to read files one after
another."""
AHEAD = 2
"""Batches whose recordings are read while another one is encoded: what waits is bounded by their seconds."""
FLUSH_SECONDS = 30.0
"""A killed prepare loses no more than this, and one batch."""

Encoder = Callable[[np.ndarray], np.ndarray]


@dataclass(slots=True)
class Encoders:
    """The model's two encoders, opened when they are first needed."""

    open_codec: Callable[[], Codec]
    open_speaker: Callable[[], Encoder | None]
    facts: ModelFacts
    _codec: Codec | None = None
    _speaker: Encoder | None = None

    def codes(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Codes int16 [F, Q] of conditioned waves, each padded to whole frames."""
        self._codec = self._codec or self.open_codec()
        size = self.facts.samples_per_frame
        padded = [np.pad(wave_N, (0, -len(wave_N) % size)) for wave_N in waves]
        made = self._codec.encode(padded)
        for wave_N, codes_FQ in zip(padded, made, strict=True):
            wanted = (len(wave_N) // size, self.facts.codebooks)
            if codes_FQ.shape != wanted or codes_FQ.min() < 0 or codes_FQ.max() >= self.facts.codebook_size:
                raise KathrineError(
                    f"the codec of {self.facts.family} gave codes {codes_FQ.shape} from {codes_FQ.min()} to "
                    f"{codes_FQ.max()}, not {wanted} below {self.facts.codebook_size}",
                    "the checkpoint and its configuration do not belong together",
                )
        return made

    def embedding(self, wave_N: np.ndarray) -> np.ndarray:
        """Speaker embedding float32 [H] of one whole wave: never padded, never cut."""
        self._speaker = self._speaker or self.open_speaker()
        if self._speaker is None:
            raise KathrineError(
                f"{self.facts.family} has a speaker fingerprint but no speaker encoder",
                "mend the model family",
            )
        return np.asarray(self._speaker(wave_N), dtype=np.float32)


def batches(rows: Sequence[Row], limit: int, samples: float) -> Iterator[list[Row]]:
    """Rows, longest first, in batches of at most `limit` rows and `samples` padded samples (or one row)."""
    batch: list[Row] = []
    for row in sorted(rows, key=lambda row: -_samples(row)):
        if batch and (len(batch) >= limit or (len(batch) + 1) * _samples(batch[0]) > samples):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _samples(row: Row) -> int:
    return row.sound.samples if row.sound is not None else 0


def missing(rows: Sequence[Row], stores: Stores) -> list[Row]:
    """Rows with a recording whose codes or speaker embedding are not in the stores, each recording once."""
    seen: set[str] = set()
    found = []
    for row in rows:
        if not row.audio or row.audio in seen:
            continue
        codes = not row.imported and row.codes_key not in stores.codes
        voice = bool(row.speaker_key) and row.speaker_key not in stores.speakers
        if codes or voice:
            seen.add(row.audio)
            found.append(row)
    return found


def encode(
    rows: Sequence[Row],
    stores: Stores,
    encoders: Encoders,
    settings: Conditioning,
    table: PrepareTable,
    workers: Workers,
    progress: Progress,
) -> None:
    """Fill the stores with the codes and speaker embeddings of rows. What is there already is not made
    again."""
    todo = missing(rows, stores)
    if not todo:
        return
    refuse_absent([str(row.utterance.audio) for row in todo if row.elsewhere])
    workers.expect(len(todo))
    total = sum(row.sound.seconds for row in todo if row.sound is not None)
    plan = (
        batch
        for window in chunks(todo, WINDOW_BATCHES * table.batch)
        for batch in batches(window, table.batch, table.batch_seconds * settings.sample_rate)
    )
    began = flushed = time.monotonic()
    done = 0.0
    with progress.task("encoding", total=total) as advance:
        try:
            for batch, waves in _read_ahead(plan, settings, workers):
                _encode_batch(batch, waves, stores, encoders)
                seconds = sum(map(len, waves)) / settings.sample_rate
                done += seconds
                speed = done / max(time.monotonic() - began, 1e-9)
                advance(seconds, description=f"encoding, {speed:.1f} x real time")
                if time.monotonic() - flushed > FLUSH_SECONDS:
                    stores.flush()
                    flushed = time.monotonic()
        finally:
            # Also after an error or Ctrl-C: what is made is made.
            stores.flush()


def _read_ahead(
    plan: Iterable[list[Row]], settings: Conditioning, workers: Workers
) -> Iterator[tuple[list[Row], list[np.ndarray]]]:
    """Batches with their waves, in order; the next ones are read while the caller encodes this one."""
    ahead: deque[tuple[list[Row], list[Recording], list[Future[np.ndarray | Refused | Crashed]]]] = deque()

    def first() -> tuple[list[Row], list[np.ndarray]]:
        batch, recordings, futures = ahead.popleft()
        return batch, [
            wave_or_error(recording, future.result()) for recording, future in zip(recordings, futures, strict=True)
        ]

    for batch in plan:
        recordings = [Recording.of(row.utterance) for row in batch]
        ahead.append((batch, recordings, [workers.submit(wave_of, recording, settings) for recording in recordings]))
        if len(ahead) > AHEAD:
            yield first()
    while ahead:
        yield first()


def _encode_batch(batch: Sequence[Row], waves: Sequence[np.ndarray], stores: Stores, encoders: Encoders) -> None:
    new = [place for place, row in enumerate(batch) if not row.imported and row.codes_key not in stores.codes]
    for place, codes_FQ in zip(new, encoders.codes([waves[place] for place in new]) if new else [], strict=True):
        stores.codes.add(batch[place].codes_key, codes=codes_FQ.reshape(-1), frames=len(codes_FQ))
    for row, wave_N in zip(batch, waves, strict=True):
        if row.speaker_key and row.speaker_key not in stores.speakers:
            stores.speakers.add(row.speaker_key, embedding=encoders.embedding(wave_N))


def wave_or_error(recording: Recording, heard: np.ndarray | Refused | Crashed) -> np.ndarray:
    """The wave of a recording that was measured before. Raises KathrineError where its file changed since."""
    if isinstance(heard, np.ndarray):
        return heard
    why = heard.detail or getattr(heard, "reason", "")
    what = "crashes the decoder now" if isinstance(heard, Crashed) else "changed while it was prepared"
    raise KathrineError(
        f"{recording.path} {what} ({why})",
        "leave the recordings alone and run the command again: nothing that was encoded is lost",
    )
