"""Texts and recordings of rows: normalised and measured once, remembered in the stores by key."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.corpus import keys
from kathrine.corpus.audio import Conditioning
from kathrine.corpus.gates import audio_gates, duration_gate, rate_gate, rate_outliers, tags_gate, text_gate
from kathrine.corpus.listening import Recording, listen
from kathrine.corpus.model_gates import Judge, judge
from kathrine.corpus.rows import Row
from kathrine.corpus.select import ORDER, budgets, choose
from kathrine.corpus.sound import Sound
from kathrine.corpus.stores import Stores
from kathrine.corpus.text import clean, letters, rules_key, spoken_text, without_added_stop
from kathrine.corpus.workers import Crashed, Workers
from kathrine.errors import KathrineError

if TYPE_CHECKING:
    from kathrine.components import Language, Progress
    from kathrine.recipe.tables import DataTable, PrepareTable

CHUNK = 256
LONGEST_SURPLUS = 30.0
"""Seconds beyond max_seconds that trimming could still take away; longer recordings are not even decoded."""


def chunks(rows: Sequence[Row], size: int = CHUNK) -> Iterator[Sequence[Row]]:
    """Rows in portions, so that what is held at once does not grow with the corpus."""
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


# --------------------------------------------------------------------------- texts


@dataclass(slots=True)
class Texts:
    """Spoken texts and token ids by key. open_text is called when the first text has to be tokenised."""

    stores: Stores
    language: Language | None
    tokenizer: str
    open_text: Callable[[], Callable[[str], tuple[int, ...]]]
    _tokenise: Callable[[str], tuple[int, ...]] | None = None

    def take(self, rows: Sequence[Row], variants: Iterable[str], table: PrepareTable) -> None:
        """Set texts, tokens and letters of rows, and reject those whose main text fails its gates.

        A variant other than "text" that fails is left out of its utterance.
        """
        rules = rules_key(self.language)
        said = [row.utterance.texts for row in rows]
        wanted = {
            keys.text_key(texts[variant], variant, rules, self.tokenizer, row.cut): (
                texts[variant],
                variant,
                row.cut,
            )
            for row, texts in zip(rows, said, strict=True)
            for variant in variants
            if variant in texts
        }
        for key, written_as in wanted.items():
            if key not in self.stores.texts:
                self._make(key, *written_as)
        made = self.stores.texts.many(wanted)
        for row, texts in zip(rows, said, strict=True):
            row.texts, row.tokens = {}, {}
            for variant in variants:
                written = texts.get(variant)
                if written is None:
                    continue
                key = keys.text_key(written, variant, rules, self.tokenizer, row.cut)
                spoken, refused = made[key]["spoken"], made[key]["rejected"]
                refusal = "text refused" if refused and letters(clean(written)) else ""  # else there is no text
                reason = tags_gate(written, table) or refusal or text_gate(spoken, table)
                if not reason:
                    row.texts[variant] = key
                    row.tokens[variant] = len(made[key]["ids"])
                elif variant == "text":
                    row.reject(reason, refused)
                if variant == "text":
                    row.letters = letters(spoken)

    def hidden(self, row: Row) -> None:
        """A hidden reference: its text is not known."""
        row.texts = {"text": keys.text_key("", "hidden", "", self.tokenizer, False)}
        row.tokens = {"text": 0}
        self.stores.texts.add(row.texts["text"], spoken="", ids=[], rejected="")

    def _make(self, key: str, written: str, variant: str, cut: bool) -> None:
        answer = spoken_text(written, variant, self.language)
        spoken = without_added_stop(written, answer.text, answer.rules) if cut else answer.text
        ids: tuple[int, ...] = ()
        if not answer.rejected and spoken:
            self._tokenise = self._tokenise or self.open_text()
            ids = self._tokenise(spoken)
        self.stores.texts.add(key, spoken=spoken, ids=list(ids), rejected=answer.rejected)


# --------------------------------------------------------------------------- recordings


@dataclass(slots=True)
class Sounds:
    """Content hashes and measurements of recordings. find_noise: measure the signal-to-noise ratio too."""

    stores: Stores
    settings: Conditioning
    workers: Workers
    find_noise: bool = False

    def take(self, rows: Sequence[Row], limit: float) -> float:
        """Set content, audio, sound and seconds of rows that have a recording; reject what can not be read.

        limit: seconds beyond which nothing is decoded; 0: none. Returns the seconds that had to be listened
        to."""
        found = [(row, row.utterance) for row in rows if row.kept]
        found = [(row, utterance) for row, utterance in found if utterance.audio is not None]
        self._hash([(row, utterance.audio) for row, utterance in found if utterance.audio is not None])
        by_key: dict[str, list[Row]] = {}
        recordings: dict[str, Recording] = {}
        for row, utterance in found:
            if not row.kept:
                continue
            row.audio = keys.audio_key(row.content, utterance.start, utterance.end, self.settings.key())
            key = keys.sound_key(row.audio, utterance.seconds, self.find_noise)
            by_key.setdefault(key, []).append(row)
            recordings.setdefault(key, Recording.of(utterance))
        new = [key for key in by_key if key not in self.stores.sounds]
        refuse_absent([recordings[key].path for key in new if by_key[key][0].elsewhere])
        listened = 0.0
        jobs = [(recordings[key], self.settings, limit, self.find_noise) for key in new]
        for key, heard in zip(new, self.workers.map(listen, jobs), strict=True):
            if isinstance(heard, Sound):
                listened += heard.seconds
                self.stores.sounds.add(key, sound=json.dumps(asdict(heard)), rejected="", detail="")
            elif isinstance(heard, Crashed):
                # Not kept: another machine, or another version of the decoder, may well read it.
                for row in by_key[key]:
                    row.reject("crashed the decoder", f"{Path(recordings[key].path).name}: {heard.detail}")
            elif heard.reason == "too long":
                # Depends on an option that is no part of the key, and costs nothing to find out again.
                for row in by_key[key]:
                    row.reject(heard.reason, heard.detail)
            else:
                self.stores.sounds.add(key, sound="", rejected=heard.reason, detail=heard.detail)
        for key, values in self.stores.sounds.many(by_key).items():
            for row in by_key[key]:
                self._tell(row, values)
        return listened

    def _tell(self, row: Row, values: dict[str, str]) -> None:
        if values["rejected"]:
            row.reject(values["rejected"], values["detail"])
            return
        row.sound = Sound.of(json.loads(values["sound"]))
        row.cut = row.cut or row.sound.open_end
        if not row.imported:
            row.seconds = row.sound.seconds

    def _hash(self, rows: Sequence[tuple[Row, Path]]) -> None:
        paths: dict[Path, list[Row]] = {}
        for row, path in rows:
            paths.setdefault(path, []).append(row)
        stats: dict[str, Path] = {}
        for path, users in paths.items():
            if path.is_file():
                stats[keys.stat_key(path)] = path
            else:
                for row in users:
                    take_from_elsewhere(row, path)
        new = [stat for stat in stats if stat not in self.stores.files]
        digests = self.workers.threads.map(lambda stat: keys.file_digest(stats[stat]), new)
        for stat, content in zip(new, digests, strict=True):
            self.stores.files.add(stat, content=content)
        for stat, values in self.stores.files.many(stats).items():
            for row in paths[stats[stat]]:
                row.content = values["content"]


def take_from_elsewhere(row: Row, path: Path) -> None:
    """What another machine found of a recording that is not here; without that, the row is rejected."""
    if row.elsewhere is None:
        row.reject("missing file", str(path))
    elif row.elsewhere.reason:
        row.reject(row.elsewhere.reason, row.elsewhere.detail)
    elif row.elsewhere.content:
        row.content = row.elsewhere.content
    else:
        refuse_absent([str(path)])


def refuse_absent(paths: Sequence[str]) -> None:
    """Raise KathrineError where recordings that no shard has listened to are not here either."""
    absent = [path for path in paths if not Path(path).is_file()]
    if absent:
        raise KathrineError(
            f"{len(absent)} recordings are needed that no shard has listened to and that are not here, the first is "
            f"{absent[0]}",
            "prepare the shards again with this recipe, or prepare without --merge where the recordings can be fetched",
        )


def gate(row: Row, table: PrepareTable) -> None:
    """All gates that need the recording, or the codes in its place."""
    if not row.kept:
        return
    if row.sound is not None and not row.imported:
        row.reject(audio_gates(row.sound, row.letters, table))
    else:
        row.reject(duration_gate(row.seconds, table) or rate_gate(row.letters, row.seconds, table))


def split_outliers(rows: Sequence[Row], table: PrepareTable) -> tuple[list[Row], list[Row]]:
    """Rows that are left, and those whose speaking rate is far from that of their speaker's others."""
    odd = rate_outliers(((row.speaker, row.letters / row.seconds) for row in rows), table)
    return [row for place, row in enumerate(rows) if place not in odd], [rows[place] for place in sorted(odd)]


def measure_and_choose(
    rows: Sequence[Row],
    table: DataTable,
    prepare: PrepareTable,
    sounds: Sounds,
    needs_other: bool,
    progress: Progress,
    description: str,
    judges: Sequence[Judge] = (),
) -> None:
    """Measure rows until max_hours is met, or all of them; reject what fails a gate or is not wanted.

    Split by split, in order: how far it has to listen depends on the recordings alone.
    """
    waiting = {split: deque(row for row in rows if row.kept and row.split == split) for split in ORDER}
    allowed = budgets(table, [row for row in rows if row.kept])
    heard: set[int] = set()
    recordings: set[str] = set()
    began, listened = time.monotonic(), 0.0
    with progress.task(description, total=sum(map(len, waiting.values()))) as advance:
        while True:
            passed, outliers = split_outliers([row for row in rows if row.kept and id(row) in heard], prepare)
            choice = choose(passed, table, needs_other, allowed)
            missing = _missing(choice.used, allowed, waiting)
            if not missing:
                break
            split, seconds = missing
            while waiting[split] and seconds > 0:
                portion = [waiting[split].popleft() for _ in range(min(CHUNK, len(waiting[split])))]
                listened += sounds.take(portion, prepare.max_seconds + LONGEST_SURPLUS)
                for row in portion:
                    # Two utterances of one recording would lend each other their own voice.
                    row.reject("duplicate" if row.kept and row.audio in recordings else "")
                    gate(row, prepare)
                    heard.add(id(row))
                    if row.kept and row.audio:
                        recordings.add(row.audio)
                judged = judge(portion, judges, advance, description)
                sounds.stores.flush()
                seconds -= sum(row.seconds for row in portion if row.kept)
                speed = listened / max(time.monotonic() - began, 1e-9)
                # Nothing to listen to: all of it was measured before.
                told = f"{description}, {speed:.0f} x real time" if listened else None
                advance(len(portion) - judged, description=told)
    for place, reason in choice.left_out.items():
        passed[place].reject(reason)
    for row in outliers:
        row.reject("rate outlier")
    for rest in waiting.values():
        for row in rest:
            row.reject("max_hours")


def _missing(used: dict, allowed: dict, waiting: dict) -> tuple | None:
    """The first split that has room and rows left: (split, seconds of room)."""
    for split in ORDER:
        if not waiting[split]:
            continue
        if allowed[split] is None:
            return split, math.inf
        room = allowed[split] - used[split]
        if split == "train":
            room -= used["validation"] + used["test"]
        if room > 0:
            return split, room
    return None
