"""What is needed: decided on transcripts, times and speakers alone, before any audio is fetched."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kathrine import KathrineError
from kathrine_npsc.balance import balanced
from kathrine_npsc.metadata import SPLITS, Sentence
from kathrine_npsc.speakers import Person
from kathrine_npsc.wishes import Usable, Wishes, counts, unwanted

HELD_OUT_SHARE = 0.25
"""A held-out split is planned with no more than this share of max_hours; prepare takes what it needs of
it."""


@dataclass(slots=True)
class Plan:
    """Sentences in the order of the source, with the days (folder, day) that hold them, in the same order.

    seconds: speech that prepare can be expected to accept, by folder. left_out: sentences by reason. notes: what else
    should be said.
    """

    sentences: list[Sentence] = field(default_factory=list)
    days: list[tuple[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def make_plan(
    days: Mapping[tuple[str, str], Sequence[Sentence]],
    wishes: Wishes,
    people: Mapping[int, Person] | None = None,
) -> Plan:
    """The plan. Held-out splits come first, so that a limit on hours can not leave them out, then training.

    Given: days, sentences by (folder, day); people, by speaker id. Days come in an order drawn from the seed (one
    meeting is one evening's few speakers), sentences within a day in the order in which they were spoken. Training
    days are added until their usable speech reaches `seconds` x `margin`; a held-out split ends at
    `held_out_seconds`, spread evenly. Raises: KathrineError where too little validation speech is left without the
    speakers of training.
    """
    plan = Plan()
    people = people or {}
    chosen: dict[str, list[Sentence]] = {}
    order: dict[str, list[str]] = {}
    seen: frozenset[int] = frozenset()
    for folder in ("train", "eval", "test"):
        order[folder] = sorted(day for where, day in days if where == folder)
        random.Random(f"npsc {wishes.seed} {folder}").shuffle(order[folder])
        speakers = seen if folder == "eval" and wishes.new_validation_speakers else frozenset()
        chosen[folder] = choose(folder, order[folder], days, wishes, people, speakers, plan)
        if folder == "train":
            seen = frozenset(sentence.speaker_id for sentence in chosen[folder])
    for folder in ("eval", "test", "train"):
        plan.sentences += chosen[folder]
        kept = {sentence.day for sentence in chosen[folder]}
        plan.days += [(folder, day) for day in order[folder] if day in kept]
        plan.seconds[folder] = sum(sentence.seconds for sentence in chosen[folder] if counts(sentence, wishes))
    return plan


def choose(
    folder: str,
    names: Sequence[str],
    days: Mapping[tuple[str, str], Sequence[Sentence]],
    wishes: Wishes,
    people: Mapping[int, Person],
    seen: frozenset[int],
    plan: Plan,
) -> list[Sentence]:
    """The sentences of one folder. seen: speakers of training, who have no place here."""
    budget = budget_of(folder, wishes)
    balance = wishes.balance and folder == "train"
    usable = Usable(wishes, people)
    chosen = choose_days(folder, names, days, wishes, people, seen, usable, budget, balance, plan)
    if balance:
        chosen, told = balanced(chosen, wishes, people, plan.left_out)
        plan.notes.append(told)
    if folder == "train" or budget is None:
        return chosen
    if folder == "eval":
        refuse_too_little(usable.seconds(), wishes, budget, plan)
    return spread(chosen, budget)


def budget_of(folder: str, wishes: Wishes) -> float | None:
    """Seconds of usable speech to plan for a folder, or None for all of it."""
    if folder == "train":
        return None if wishes.seconds is None else wishes.seconds * wishes.margin
    if wishes.seconds is None:
        return wishes.held_out_seconds
    return min(wishes.held_out_seconds, wishes.seconds * HELD_OUT_SHARE)


def choose_days(
    folder: str,
    names: Iterable[str],
    days: Mapping[tuple[str, str], Sequence[Sentence]],
    wishes: Wishes,
    people: Mapping[int, Person],
    seen: frozenset[int],
    usable: Usable,
    budget: float | None,
    balance: bool,
    plan: Plan,
) -> list[Sentence]:
    """Sentences of as many days as the budget needs; what is left out is counted in `plan`, what counts in `usable`."""
    chosen: list[Sentence] = []
    copies: Counter[str] = Counter()
    for day in names:
        if budget is not None and usable.reaches(budget, balance):
            break
        for sentence in days[folder, day]:
            reason = unwanted(sentence, copies, wishes, people, balance)
            if not reason and sentence.speaker_id in seen:
                reason = SEEN
            if reason:
                plan.left_out[reason] += 1
                continue
            chosen.append(sentence)
            if counts(sentence, wishes):
                # What prepare leaves out does not use up the copies of a sentence.
                copies[sentence.texts["text"].casefold()] += 1
                usable.add(sentence)
    return chosen


SEEN = "of validation said by speakers of training"


def refuse_too_little(left: float, wishes: Wishes, budget: float, plan: Plan) -> None:
    """Refuse a validation split that dropping the speakers of training has left with too little speech."""
    wanted = min(wishes.validation_floor_seconds, budget)
    if plan.left_out[SEEN] and left < wanted:
        raise KathrineError(
            f"{left / 60:.1f} minutes of {SPLITS['eval']} are left without the speakers of training "
            f"({plan.left_out[SEEN]} sentences are dropped), fewer than {wanted / 60:.1f}",
            'allow known voices by validation_speakers = "any", accept less by validation_floor_minutes, take fewer '
            'hours of training, or hold out a share of it by splits = ["train"]',
        )
    if plan.left_out[SEEN] and not left:
        plan.notes.append(
            f"nobody speaks in {SPLITS['eval']} who does not speak in training: prepare holds out a share of training "
            "(validation_share), with voices that are trained on"
        )


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
