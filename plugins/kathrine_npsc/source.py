"""The component, and the order of work: transcripts first, then a plan, then only the clips that it needs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kathrine import KathrineError, Source, SourceContext
from kathrine.components import Progress
from kathrine.datafiles import corpus_problems, hub_datasets, open_files, still_to_fetch, voices_of
from kathrine.types import Utterance
from kathrine_npsc.finding import find_layout
from kathrine_npsc.layouts import Layout, Quiet
from kathrine_npsc.merge import Joining, Link, chains, clip_of_each, join, joined_file
from kathrine_npsc.metadata import SPLITS, Sentence
from kathrine_npsc.options import NARROWBAND, NpscOptions, problems_of
from kathrine_npsc.plan import Plan, make_plan
from kathrine_npsc.speakers import REMEDY, SPEAKER_FILE, Person, read_speakers, wanted_dialects
from kathrine_npsc.wishes import Wishes

LICENCE = "CC0-1.0"
VOICES = (
    "members of the Norwegian parliament in its open meetings, known by name; the corpus may be used freely, but "
    "nobody in it agreed to be imitated"
)
NO_CLIP = "clip missing"
UNREADABLE = "mistake in the row"
LEFT_OVER_SECONDS = 3600.0
"""Age at which a half-written file is nobody's work any more: writing one takes a second."""
HOURS = 126.0
"""Speech in the whole corpus, train, validation and test."""
BYTES_PER_HOUR = {"48K": (55e6, 55e6, 250e6), "16K": (11e6, 11e6, 85e6)}
"""Of speech, by rate: its archives, the clips unpacked from them, and the same as FLAC where clips were joined."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a context asks for: where the corpus lies, who speaks, and what is taken."""

    layout: Layout
    people: Mapping[int, Person]
    plan: Plan

    @property
    def joined(self) -> Path:
        """The folder of joined clips."""
        return self.layout.files.folder / "joined"


class NpscSource(Source):
    """The Norwegian Parliamentary Speech Corpus, in any of its three layouts."""

    name = "npsc"
    Options = NpscOptions
    splits = True

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._left_out: Counter[str] = Counter()

    def variants(self) -> tuple[str, ...]:
        return tuple(self.options.fields)

    def hub_datasets(self) -> tuple[str, ...]:
        return hub_datasets(self.options.root)

    def licences(self) -> tuple[str, ...]:
        return (LICENCE,)

    def voices(self) -> str:
        return voices_of(self.options.root, VOICES)

    def problems(self) -> Iterator[str]:
        return problems_of(self.options)

    def reachable(self, context: SourceContext) -> Iterator[str]:
        return corpus_problems(self.options.root, self.options.revision, context)

    def bytes_to_fetch(self, context: SourceContext) -> int:
        options = self.options
        if options.root.startswith("kathrine:"):
            return 0
        wanted = HOURS if context.max_hours is None else context.max_hours * options.margin + 2 * options.held_out_hours
        hours = min(HOURS, wanted)
        archives, clips, joined = BYTES_PER_HOUR[options.rate]
        copies = clips + (joined if options.merge_seconds else 0)
        remote = not Path(options.root).expanduser().is_dir()
        return still_to_fetch(hours * (copies + (archives if remote else 0)), options.root, context)

    def prepare(self, context: SourceContext) -> None:
        progress = context.progress
        work = self._work(context, progress)
        clear_away(work.layout.files.folder)
        if self.options.rate == "16K":
            progress.warn(f"{self.label}: {NARROWBAND}")
        sentences = part_of(work.plan, context, self.options.balance_gender)
        work.layout.fetch(sentences, progress)
        links, missing = clip_of_each(sentences, work.layout.clip)
        for place, stems in missing.items():
            count = f"{len(stems)} clip{'s' if len(stems) > 1 else ''}"
            progress.warn(f"{self.label}: {count} missing from {place}, the first is {stems[0]}")
        made = chains(links, self._joining(context))
        long = [chain for chain in made if len(chain) > 1]
        with progress.task(f"{self.label}: joining {len(long)} utterances", len(long)) as advance:
            for chain in long:
                join(work.joined, chain)
                advance(1)
        progress.say(f"{self.label}: {told_of_cuts(links, made)}")

    def utterances(self, context: SourceContext) -> Iterator[Utterance]:
        work = self._work(context, Quiet())
        sentences = part_of(work.plan, context, self.options.balance_gender)
        links, missing = clip_of_each(sentences, work.layout.clip)
        self._left_out = left_out_of(work, missing, context, self.options.balance_gender)
        made = chains(links, self._joining(context))
        if context.part is not None and self.options.balance_gender:
            made = made[context.part.block(len(made))]
        for chain in made:
            audio = chain[0].clip.path if len(chain) == 1 else joined_file(work.joined, chain)
            yield utterance_of(chain, audio, work.people.get(chain[0].sentence.speaker_id, Person()))

    def left_out(self) -> Mapping[str, int]:
        return self._left_out

    def _work(self, context: SourceContext, progress: Progress) -> Work:
        """Layout, speakers and plan, made anew from the transcripts each time: the same inputs, the same plan."""
        for problem in self.problems():
            raise KathrineError(f"{self.label}: {problem}")
        options = self.options
        layout = find_layout(
            lambda revision: open_files(
                options.root, revision, context.workspace, context.folder, context.offline, context.progress.say
            ),
            options,
            self.label,
            progress.say,
        )
        people = self._people(layout)
        wishes = self._wishes(context, wanted_dialects(options.dialects, people))
        days = layout.read(progress)
        plan = make_plan(days, wishes, people)
        if not plan.sentences:
            reasons = ", ".join(f"{count} {reason}" for reason, count in plan.left_out.items()) or "there are none"
            raise KathrineError(
                f"{self.label}: no sentence of {layout.files.label} fits ({reasons})",
                "check speakers, dialects, config and splits",
            )
        self._tell(plan, len(days), context, progress)
        return Work(layout, people, plan)

    def _people(self, layout: Layout) -> dict[int, Person]:
        """Who speaks, by speaker id, from the named file or from the corpus' own; nobody where there is none and
        nothing depends on it."""
        options = self.options
        if options.speaker_data:
            return read_speakers(Path(options.speaker_data))
        own = [name for name in layout.files.names() if PurePosixPath(name).name == SPEAKER_FILE]
        if own:
            return read_speakers(layout.files.fetch(own[0]))
        for name, asked in (("dialects", options.dialects), ("balance_gender", options.balance_gender)):
            if asked:
                raise KathrineError(
                    f"{self.label}: {name}: {layout.files.label} says nothing of dialect and gender", REMEDY
                )
        return {}

    def _tell(self, plan: Plan, days: int, context: SourceContext, progress: Progress) -> None:
        """Say what is planned, and where the corpus has less than was asked for."""
        hours = ", ".join(
            f"{SPLITS[folder]} {seconds / 3600:.2f} h" for folder, seconds in plan.seconds.items() if seconds
        )
        left = "".join(f"; left out: {count} {reason}" for reason, count in sorted(plan.left_out.items()))
        progress.say(f"{self.label}: {len(plan.sentences)} sentences, {len(plan.days)} of {days} days ({hours}){left}")
        for note in plan.notes:
            progress.say(f"{self.label}: {note}")
        if context.max_hours is not None and sum(plan.seconds.values()) < context.max_hours * 3600:
            progress.say(
                f"{self.label}: what fits is {sum(plan.seconds.values()) / 3600:.2f} h, less than the "
                f"{context.max_hours:.2f} h of max_hours"
            )

    def _wishes(self, context: SourceContext, dialects: frozenset[str]) -> Wishes:
        options = self.options
        return Wishes(
            seed=context.seed,
            languages=options.languages,
            speakers=context.speakers,
            dialects=dialects,
            max_copies=options.max_copies,
            min_seconds=context.min_seconds,
            max_seconds=context.max_seconds,
            reject_tags=context.reject_tags,
            seconds=None if context.max_hours is None else context.max_hours * 3600,
            margin=options.margin,
            cap=None if context.speaker_cap_minutes is None else context.speaker_cap_minutes * 60,
            floor=context.speaker_floor_minutes * 60,
            held_out_seconds=options.held_out_hours * 3600,
            new_validation_speakers=options.validation_speakers == "new",
            validation_floor_seconds=options.validation_floor_minutes * 60,
            balance=options.balance_gender,
        )

    def _joining(self, context: SourceContext) -> Joining:
        """Nothing is joined to more than prepare takes."""
        options = self.options
        longest = min(options.merge_seconds, context.max_seconds)
        return Joining(longest, options.merge_gap_seconds, context.reject_tags)


def part_of(plan: Plan, context: SourceContext, balance: bool) -> list[Sentence]:
    """The sentences that this machine has to do with: those of a block of the plan's days, so that no chain of clips
    lies in two parts. Balance puts all days in turn, so that each part needs all of them."""
    if context.part is None or balance:
        return plan.sentences
    days = set(plan.days[context.part.block(len(plan.days))])
    return [sentence for sentence in plan.sentences if (sentence.folder, sentence.day) in days]


def left_out_of(
    work: Work, missing: Mapping[str, Sequence[str]], context: SourceContext, balance: bool
) -> Counter[str]:
    """What never becomes an utterance, by reason. Every part reads all transcripts and makes the whole plan: the first
    part counts what that leaves out, and each counts the missing clips of its own sentences."""
    first = context.part is None or context.part.number == 1
    counts = Counter(work.plan.left_out) if first else Counter()
    if first:
        counts[UNREADABLE] += work.layout.unreadable
    if first or not balance:  # with balance each part looks at all sentences
        counts[NO_CLIP] += sum(map(len, missing.values()))
    return counts


def clear_away(folder: Path) -> None:
    """Remove what killed runs left half-written; what is younger may be another machine's work on the same folder."""
    for left in folder.rglob(".*.part"):
        if left.is_file() and time.time() - left.stat().st_mtime > LEFT_OVER_SECONDS:
            left.unlink(missing_ok=True)


def told_of_cuts(links: Sequence[Link], made: Sequence[Sequence[Link]]) -> str:
    """One line: how many clips end in mid-speech, how many were joined, how many stay cut."""
    cut = sum(link.cut for link in links)
    long = [chain for chain in made if len(chain) > 1]
    left = sum(chain[-1].cut for chain in made)
    share = cut / len(links) if links else 0.0
    return (
        f"{cut} of {len(links)} clips end in mid-speech ({share:.0%}); {sum(map(len, long))} clips were joined with "
        f"their neighbours to {len(long)} utterances, {left} utterances stay cut and teach no end of speech"
    )


def utterance_of(chain: Sequence[Link], audio: Path, person: Person) -> Utterance:
    """The utterance of a chain: names and texts of its clips put together, cut where its last clip is."""
    first, last = chain[0].sentence, chain[-1].sentence
    variants = [name for name in first.texts if all(name in link.sentence.texts for link in chain)]
    joined = {"joined_clips": str(len(chain))} if len(chain) > 1 else {}
    return Utterance(
        id="+".join(link.clip.stem for link in chain),
        audio=audio,
        texts={name: " ".join(link.sentence.texts[name].strip() for link in chain) for name in variants}
        if len(chain) > 1
        else dict(first.texts),
        speaker=f"npsc-{first.speaker_id}",
        language=first.language,
        split=SPLITS[first.folder],
        seconds=(last.end - first.start) / 1000,
        cut=chain[-1].cut,
        facts={
            "speaker_name": first.speaker_name,
            "meeting_date": first.day,
            "licence": LICENCE,
            **person.facts(),
            **joined,
        },
    )
