"""Optional gates that need a model of their own, asked last: of what passed every other gate, in batches.

What they find is kept in the stores by recording and model, so that a changed threshold asks nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kathrine.corpus import keys
from kathrine.corpus.listening import Recording, wave_of
from kathrine.corpus.transcripts import error_rate, plain_letters
from kathrine.errors import KathrineError

if TYPE_CHECKING:
    from kathrine.components import Language, Progress
    from kathrine.corpus.measure import Sounds
    from kathrine.corpus.recognise import Recogniser
    from kathrine.corpus.rows import Row
    from kathrine.recipe.recipe import Recipe
    from kathrine.workspace import Workspace

JUDGED_RATE = 16000
"""Sampling rate (Hz) of every model here."""
DNSMOS_BATCH = 8


class Judge(Protocol):
    """An optional gate. name: in progress, as `doing something`; batch: rows that it takes at once."""

    name: str
    batch: int

    def take(self, rows: Sequence[Row]) -> None:
        """Set the score of rows, and reject those beyond the threshold."""


def judge(rows: Sequence[Row], judges: Sequence[Judge], advance: Callable[..., Any], description: str) -> float:
    """Ask each judge of the rows that are still kept. Returns how much of the bar was advanced: one a row in all,
    so that the time that is left stays true while a slow judge works; 0 without judges."""
    told = 0.0
    for one in judges:
        left = [row for row in rows if row.kept and row.audio]
        for first in range(0, len(left), one.batch):
            batch = left[first : first + one.batch]
            one.take(batch)
            step = len(batch) / len(left) * len(rows) / len(judges)
            advance(step, description=f"{description}: {one.name}")
            told += step
    return told


def open_judges(recipe: Recipe, workspace: Workspace, sounds: Sounds, device: str, progress: Progress) -> list[Judge]:
    """The judges that `[prepare]` asks for; a recogniser is fetched now and loaded when it is first needed.

    Raises:
        KathrineError: a package or model is missing, with the remedy.
    """
    table = recipe.prepare
    made: list[Judge] = []
    if table.min_dnsmos:
        from kathrine.corpus.dnsmos import missing_packages

        if missing := missing_packages():
            raise KathrineError(f"prepare.min_dnsmos needs {missing[0]}", missing[1])
        made.append(DnsmosJudge(sounds, table.min_dnsmos))
    if table.asr_model:
        from kathrine.corpus.recognise import Recogniser, fetch_recogniser

        folder, mark = fetch_recogniser(
            table.asr_model, table.asr_revision, workspace, progress, recipe.run.offline, table.max_seconds
        )
        heard = Recogniser(folder, table.asr_language, device)
        made.append(AsrJudge(sounds, heard, mark, recipe.language, table.max_cer, table.asr_batch))
    return made


def heard_waves(rows: Sequence[Row], sounds: Sounds) -> Iterator[np.ndarray]:
    """The conditioned waves of rows at 16 kHz, float32 [N], in order. Raises KathrineError where a recording is not
    here, or changed since it was measured."""
    import soxr

    from kathrine.corpus.encode import wave_or_error
    from kathrine.corpus.measure import refuse_absent

    recordings = [Recording.of(row.utterance) for row in rows]
    refuse_absent([one.path for one, row in zip(recordings, rows, strict=True) if row.elsewhere])
    jobs = [(one, sounds.settings) for one in recordings]
    for recording, heard in zip(recordings, sounds.workers.map(wave_of, jobs), strict=True):
        wave_N = wave_or_error(recording, heard)
        rate = sounds.settings.sample_rate
        yield soxr.resample(wave_N, rate, JUDGED_RATE, quality="HQ").astype(np.float32, copy=False)


@dataclass(slots=True)
class DnsmosJudge:
    """Overall DNSMOS P.835 of the conditioned wave."""

    sounds: Sounds
    least: float
    name: str = "judging quality"
    batch: int = DNSMOS_BATCH
    _score: Callable[[np.ndarray], float] | None = None

    def take(self, rows: Sequence[Row]) -> None:
        stores = self.sounds.stores
        named = [(row, keys.score_key(row.audio, "dnsmos-p835")) for row in rows]
        wanted = {key: row for row, key in named}
        new = [key for key in wanted if key not in stores.scores]
        if new and self._score is None:
            from kathrine.corpus.dnsmos import open_dnsmos

            self._score = open_dnsmos()
        for key, wave_N in zip(new, heard_waves([wanted[key] for key in new], self.sounds), strict=True):
            assert self._score is not None
            stores.scores.add(key, score=self._score(wave_N))
        found = stores.scores.many(wanted)
        for row, key in named:
            score = row.scores["dnsmos"] = found[key]["score"]
            row.reject("low DNSMOS" if score < self.least else "", f"{score:.2f}")


@dataclass(slots=True)
class AsrJudge:
    """Letters in which a recogniser's transcript differs from the spoken text, as a share of the text's."""

    sounds: Sounds
    recogniser: Recogniser
    mark: str
    language: Language | None
    most: float
    batch: int
    name: str = "recognising"

    def take(self, rows: Sequence[Row]) -> None:
        stores = self.sounds.stores
        named = [(row, keys.score_key(row.audio, f"asr {self.mark} {self.recogniser.language}")) for row in rows]
        by_key = {key: row for row, key in named}
        new = [key for key in by_key if key not in stores.transcripts]
        if new:
            waves = list(heard_waves([by_key[key] for key in new], self.sounds))
            for key, text in zip(new, self.recogniser.transcribe(waves), strict=True):
                stores.transcripts.add(key, text=text)
        texts = stores.texts.many({row.texts["text"] for row in rows}, ["spoken"])
        found = stores.transcripts.many(by_key)
        for row, key in named:
            self._compare(row, texts[row.texts["text"]]["spoken"], found[key]["text"])

    def _compare(self, row: Row, given: str, heard: str) -> None:
        # A recogniser writes 40 where the text to be spoken says forty: the language's rules make them alike.
        said = self.language.normalise(heard) if self.language is not None else None
        spoken = said.text if said is not None and not said.rejected else heard
        rate = min(error_rate(plain_letters(given), plain_letters(written)) for written in {heard, spoken})
        row.scores["cer"] = round(rate, 4)
        row.reject("ASR differs" if rate > self.most else "", f"CER {rate:.2f}, heard: {heard[:100]}")
