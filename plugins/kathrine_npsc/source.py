"""The component: options, and the order of work. Transcripts first, then a plan, then only the days it
needs."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from gzip import BadGzipFile
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kathrine import KathrineError, Options, Source, SourceContext
from kathrine.datafiles import DataFiles, open_files
from kathrine.types import Split, Utterance
from kathrine_npsc.archive import clip_finder, read_index, unpack
from kathrine_npsc.metadata import DAY_FILE, SPLITS, Sentence, read_day
from kathrine_npsc.plan import Plan, Wishes, make_plan

LANGUAGES: dict[str, tuple[str, ...]] = {"bokmaal": ("nb",), "nynorsk": ("nn",), "": ()}
NARROWBAND = (
    "16K clips are mp3 at about 24 kbit/s and end near 5.8 kHz: a model trained on them learns dull s, f and kj"
)
DEFAULT_SPLITS: tuple[Split, ...] = ("train", "validation")
DAMAGE = (tarfile.TarError, EOFError, zlib.error, BadGzipFile)


class NpscOptions(Options):
    """Options of `source = "npsc"`."""

    root: str = Field(default="NbAiLab/NPSC", json_schema_extra={"path": "or_id"})
    """Dataset id on the Hub, a local folder in the same layout, or `kathrine:npsc` for the bundled sample."""
    revision: str = "main"
    """Branch, tag or commit of the Hub repository."""
    config: Literal[
        "48K_mp3_bokmaal", "48K_mp3_nynorsk", "48K_mp3", "16K_mp3_bokmaal", "16K_mp3_nynorsk", "16K_mp3"
    ] = "48K_mp3_bokmaal"
    """Rate and language, named as the corpus names them; without a language all are taken."""
    allow_narrowband: bool = False
    """Allow the 16K clips. They end near 5.8 kHz, and a model trained on them learns dull consonants."""
    splits: list[Split] = Field(default_factory=lambda: list(DEFAULT_SPLITS), min_length=1)
    """Splits of the corpus to take; meeting days of other splits are not fetched."""
    days: list[str] = Field(default_factory=list)
    """Meeting days to take, as yyyymmdd; empty lets the plan choose."""
    held_out_hours: float = Field(default=1.0, gt=0)
    """Speech planned for validation and for test each, and never more than a quarter of max_hours."""
    max_copies: int = Field(default=3, ge=1)
    """How often the same sentence is taken: every meeting is opened with the same words."""
    fields: dict[str, str] = Field(
        default_factory=lambda: {"text": "sentence_text", "normsentence_text": "normsentence_text"}
    )
    """Variant of the transcript -> column. `text` has numbers as words, `normsentence_text` has digits and
    abbreviations."""


class NpscSource(Source):
    """The Norwegian Parliamentary Speech Corpus from its day files (JSON Lines and one tar.gz a day)."""

    name = "npsc"
    Options = NpscOptions
    splits = True

    def variants(self) -> tuple[str, ...]:
        return tuple(self.options.fields)

    def problems(self) -> Iterator[str]:
        if self.options.config.startswith("16K") and not self.options.allow_narrowband:
            yield f"config '{self.options.config}': {NARROWBAND}; take 48K, or set allow_narrowband = true"
        if "text" not in self.options.fields:
            yield "fields needs a variant 'text'"
        for day in self.options.days:
            if not re.fullmatch(r"\d{8}", day):
                yield f"days: '{day}' is not of the form yyyymmdd"

    def prepare(self, context: SourceContext) -> None:
        files, plan = self._plan(context, loud=True)
        days = part_of(plan.days, context)
        total = sum(files.size(self._archive(*day)) or 0 for day in days) / 1e6
        with context.progress.task(f"{self.label}: {len(days)} meeting days (MB)", total) as advance:
            for folder, day in days:
                size = (files.size(self._archive(folder, day)) or 0) / 1e6
                told = self._unpacked(files, folder, day, context, lambda megabytes: advance(megabytes))
                advance(max(0.0, size - told))

    def utterances(self, context: SourceContext) -> Iterator[Utterance]:
        files, plan = self._plan(context, loud=False)
        by_day: dict[tuple[str, str], list[Sentence]] = {day: [] for day in part_of(plan.days, context)}
        for sentence in plan.sentences:
            if (sentence.folder, sentence.day) in by_day:
                by_day[sentence.folder, sentence.day].append(sentence)
        for (folder, day), sentences in by_day.items():
            archive = self._archive(folder, day)
            where = self._clips(files, folder, day)
            index = read_index(where, files.stamp(archive))
            if index is None:
                raise KathrineError(
                    f"{self.label}: meeting day {day} is not unpacked",
                    "run `kathrine prepare` for this recipe again",
                )
            find = clip_finder(index)
            missing = []
            for sentence in sentences:
                stem = find(sentence.stem, sentence.start, sentence.end)
                if stem is None:
                    missing.append(sentence.stem or f"{sentence.start}_{sentence.end}")
                    continue
                yield utterance_of(sentence, stem, where, index["clips"][stem])
            if missing:
                count = f"{len(missing)} clip{'s' if len(missing) > 1 else ''}"
                context.progress.warn(f"{self.label}: {count} missing from {archive}, the first is {missing[0]}")

    def _plan(self, context: SourceContext, loud: bool) -> tuple[DataFiles, Plan]:
        """The files and the plan, made anew from the transcripts each time: the same inputs, the same
        plan."""
        for problem in self.problems():
            raise KathrineError(f"{self.label}: {problem}")
        say = context.progress.say if loud else lambda message: None
        warn = context.progress.warn if loud else lambda message: None
        options = self.options
        files = open_files(
            options.root,
            options.revision,
            context.workspace,
            context.folder,
            context.offline,
            context.progress.say,
        )
        names = self._day_files(files, warn)
        days: dict[tuple[str, str], list[Sentence]] = {}
        problems: list[str] = []
        told = f"{self.label}: transcripts of {len(names)} days"
        with context.progress.task(told, len(names)) if loud else nullcontext(int) as advance:
            for (folder, day), name in names.items():
                sentences, wrong = read_day(files.fetch(name), name, folder, day, options.fields)
                days[folder, day] = sentences
                problems += wrong
                advance(1)
        if problems:
            shown = "".join(f"\n  {problem}" for problem in problems[:5])
            more = f"\n  and {len(problems) - 5} more" if len(problems) > 5 else ""
            rows = "1 row of the day files is" if len(problems) == 1 else f"{len(problems)} rows of the day files are"
            warn(f"{self.label}: {rows} left out:{shown}{more}")
        plan = make_plan(days, self._wishes(context))
        if not plan.sentences:
            reasons = ", ".join(f"{count} {reason}" for reason, count in plan.left_out.items()) or "there are none"
            raise KathrineError(
                f"{self.label}: no sentence of {files.label} fits ({reasons})",
                "check speakers, config and splits",
            )
        hours = ", ".join(
            f"{SPLITS[folder]} {seconds / 3600:.2f} h" for folder, seconds in plan.seconds.items() if seconds
        )
        left = "".join(f"; left out: {count} {reason}" for reason, count in sorted(plan.left_out.items()))
        say(f"{self.label}: {len(plan.sentences)} sentences, {len(plan.days)} of {len(days)} days ({hours}){left}")
        return files, plan

    def _day_files(self, files: DataFiles, warn: Any) -> dict[tuple[str, str], str]:
        """(folder, day) -> name of its transcripts, for the splits and days wanted that also have an
        archive."""
        options = self.options
        present = set(files.names())
        known = {(match[1], match[2]): match[0] for match in map(DAY_FILE.fullmatch, sorted(present)) if match}
        if not known:
            raise KathrineError(
                f"{files.label} has no day files (data/train/yyyymmdd.json)",
                "set root to the corpus itself or to a folder in its layout; loading scripts are never run",
            )
        wanted = {
            key: name
            for key, name in known.items()
            if SPLITS[key[0]] in options.splits and (not options.days or key[1] in options.days)
        }
        unknown = sorted(set(options.days) - {day for _, day in wanted})
        if unknown:
            raise KathrineError(
                f"{self.label}: {files.label} has no meeting day {', '.join(unknown)} in {', '.join(options.splits)}",
                f"there are: {', '.join(sorted(day for key, day in known if SPLITS[key] in options.splits))}",
            )
        without = sorted(day for (folder, day) in wanted if self._archive(folder, day) not in present)
        if without:
            warn(f"{self.label}: no {self._rate} archive for {', '.join(without)}: left out")
        kept = {key: name for key, name in wanted.items() if key[1] not in without}
        if not kept:
            raise KathrineError(
                f"{self.label}: {files.label} has no {self._rate} archives",
                "set another config, or complete the folder",
            )
        return kept

    @property
    def _rate(self) -> str:
        return self.options.config.split("_")[0]

    def _archive(self, folder: str, day: str) -> str:
        return f"data/{folder}/{day}_{self._rate}_mp3.tar.gz"

    def _clips(self, files: DataFiles, folder: str, day: str) -> Path:
        return files.folder / self._rate / folder / day

    def _wishes(self, context: SourceContext) -> Wishes:
        return Wishes(
            seed=context.seed,
            languages=LANGUAGES[self.options.config[8:]],
            speakers=context.speakers,
            max_copies=self.options.max_copies,
            min_seconds=context.min_seconds,
            max_seconds=context.max_seconds,
            seconds=None if context.max_hours is None else context.max_hours * 3600,
            cap=None if context.speaker_cap_minutes is None else context.speaker_cap_minutes * 60,
            held_out_seconds=self.options.held_out_hours * 3600,
        )

    def _unpacked(self, files: DataFiles, folder: str, day: str, context: SourceContext, advance: Any) -> float:
        """Fetch and unpack a day where that was not done before; returns the megabytes that `advance` was
        told.

        A damaged archive of the Hub is fetched once more; one that stays damaged is refused by name.
        """
        archive = self._archive(folder, day)
        where = self._clips(files, folder, day)
        if read_index(where, files.stamp(archive)) is not None:
            return 0.0
        told = 0.0

        def count(amount: float) -> None:
            nonlocal told
            told += amount / 1e6
            advance(amount / 1e6)

        path: Path | None = files.fetch(archive, count)
        for again in (False, True):
            if again:
                context.progress.warn(f"{self.label}: {archive} is damaged and is fetched again")
                path = files.fetch_again(archive)
            if path is None:
                break
            try:
                unpack(path, archive, where, files.stamp(archive), context.progress.warn)
                return told
            except DAMAGE as problem:
                reason = problem
        raise KathrineError(
            f"{self.label}: {archive} of {files.label} is damaged ({reason})",
            "get the file again; everything that is unpacked already is kept",
        ) from reason


def part_of(days: list[tuple[str, str]], context: SourceContext) -> list[tuple[str, str]]:
    """The days of this machine's part; all of them without one."""
    return days if context.part is None else days[context.part.block(len(days))]


def utterance_of(sentence: Sentence, stem: str, folder: Path, clip: dict[str, Any]) -> Utterance:
    """A sentence with its clip. `cut`: the next sentence begins where this ends, and the sound goes on."""
    return Utterance(
        id=stem,
        audio=folder / clip["file"],
        texts=dict(sentence.texts),
        speaker=f"npsc-{sentence.speaker_id}",
        language=sentence.language,
        split=SPLITS[sentence.folder],
        seconds=sentence.seconds,
        cut=sentence.contiguous and clip["sounding"] is True,
        facts={
            "speaker_name": sentence.speaker_name,
            "meeting_date": sentence.day,
            "licence": "CC0-1.0",
        },
    )
