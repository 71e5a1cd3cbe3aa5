"""Which meeting days are needed: decided on transcripts and times alone, before any audio is fetched."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kathrine_npsc.metadata import Sentence

FILTER_LOSS = 1.15
"""Planned hours over wanted hours: what the gates of prepare are expected to leave out."""
HELD_OUT_SHARE = 0.25
"""A held-out split is planned with no more than this share of max_hours; prepare takes what it needs of
it."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a data entry wants. languages: empty takes all. seconds, cap: of usable speech, None for no
    limit."""

    seed: int
    languages: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    max_copies: int = 3
    min_seconds: float = 0.0
    max_seconds: float = float("inf")
    seconds: float | None = None
    cap: float | None = None
    held_out_seconds: float = 3600.0


@dataclass(slots=True)
class Plan:
    """Sentences in the order of the source, with the days (folder, day) that hold them, in the same order.

    seconds: usable speech by folder. left_out: sentences by reason.
    """

    sentences: list[Sentence] = field(default_factory=list)
    days: list[tuple[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def make_plan(days: Mapping[tuple[str, str], Sequence[Sentence]], wishes: Wishes) -> Plan:
    """The plan: held-out splits first, so that a limit on hours can not leave them out, then training.

    Given: days, sentences by (folder, day). Days come in an order drawn from the seed (one meeting is one
    evening's few speakers), sentences within a day in the order in which they were spoken. Days are added
    until their usable speech reaches `seconds` x 1.15; a held-out split ends at `held_out_seconds`, spread
    evenly.
    """
    plan = Plan()
    for folder in ("eval", "test", "train"):
        names = sorted(day for where, day in days if where == folder)
        random.Random(f"npsc {wishes.seed} {folder}").shuffle(names)
        budget = budget_of(folder, wishes)
        chosen = choose_days(folder, names, days, wishes, budget, plan)
        if folder != "train" and budget is not None:
            chosen = spread(chosen, budget)
        plan.sentences += chosen
        kept = {sentence.day for sentence in chosen}
        plan.days += [(folder, day) for day in names if day in kept]
        plan.seconds[folder] = sum(sentence.seconds for sentence in chosen)
    return plan


def budget_of(folder: str, wishes: Wishes) -> float | None:
    """Seconds of usable speech to plan for a folder, or None for all of it."""
    if folder == "train":
        return None if wishes.seconds is None else wishes.seconds * FILTER_LOSS
    if wishes.seconds is None:
        return wishes.held_out_seconds
    return min(wishes.held_out_seconds, wishes.seconds * HELD_OUT_SHARE)


def choose_days(
    folder: str,
    names: Iterable[str],
    days: Mapping[tuple[str, str], Sequence[Sentence]],
    wishes: Wishes,
    budget: float | None,
    plan: Plan,
) -> list[Sentence]:
    """Sentences of as many days as the budget needs; what is left out is counted in `plan`."""
    chosen: list[Sentence] = []
    copies: Counter[str] = Counter()
    spoken: Counter[int] = Counter()
    usable = 0.0
    for day in names:
        if budget is not None and usable >= budget:
            break
        for sentence in days[folder, day]:
            reason = unwanted(sentence, copies, wishes)
            if reason:
                plan.left_out[reason] += 1
                continue
            copies[sentence.texts["text"].casefold()] += 1
            chosen.append(sentence)
            if counts(sentence, wishes) and (
                wishes.cap is None or spoken[sentence.speaker_id] < wishes.cap * 1000 * FILTER_LOSS
            ):
                spoken[sentence.speaker_id] += sentence.end - sentence.start
                usable += sentence.seconds
    return chosen


def unwanted(sentence: Sentence, copies: Mapping[str, int], wishes: Wishes) -> str:
    """Why a sentence is no part of this data entry, or an empty string."""
    if wishes.languages and sentence.language not in wishes.languages:
        return "another language"
    if wishes.speakers and not any(
        part.casefold() in f"{sentence.speaker_name} npsc-{sentence.speaker_id}".casefold() for part in wishes.speakers
    ):
        return "another speaker"
    if copies.get(sentence.texts["text"].casefold(), 0) >= wishes.max_copies:
        return f"said more than {wishes.max_copies} times"
    return ""


def counts(sentence: Sentence, wishes: Wishes) -> bool:
    """Whether prepare can be expected to accept a sentence: what it names itself is kept, but not counted
    on."""
    return wishes.min_seconds <= sentence.seconds <= wishes.max_seconds and not sentence.inaudible


def spread(sentences: Sequence[Sentence], budget: float) -> list[Sentence]:
    """About `budget` seconds of the sentences, at even distances."""
    total = sum(sentence.seconds for sentence in sentences)
    if total <= budget:
        return list(sentences)
    kept, passed, taken = [], 0.0, 0.0
    for sentence in sentences:
        passed += sentence.seconds
        if taken < passed * budget / total:
            kept.append(sentence)
            taken += sentence.seconds
    return kept
