"""What a data entry wants of the corpus, and which speech can be counted on: pure functions of sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from kathrine_npsc.metadata import Sentence
from kathrine_npsc.speakers import Person

MARGIN = 1.15
"""Planned hours over wanted hours: what the gates of prepare are expected to leave out. The default of `margin`."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a data entry wants. languages, dialects (case-folded): empty takes all. seconds, cap: of usable speech,
    None for no limit. floor: seconds that a speaker has to have. reject_tags: prepare leaves tagged sentences out.
    balance: as much of women as of men in training."""

    seed: int
    languages: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    dialects: frozenset[str] = frozenset()
    max_copies: int = 3
    min_seconds: float = 0.0
    max_seconds: float = float("inf")
    reject_tags: bool = False
    seconds: float | None = None
    margin: float = MARGIN
    cap: float | None = None
    floor: float = 0.0
    held_out_seconds: float = 3600.0
    new_validation_speakers: bool = False
    validation_floor_seconds: float = 600.0
    balance: bool = False


def unwanted(
    sentence: Sentence, copies: Mapping[str, int], wishes: Wishes, people: Mapping[int, Person], balance: bool
) -> str:
    """Why a sentence is no part of this data entry, or an empty string."""
    if wishes.languages and sentence.language not in wishes.languages:
        return "another language"
    if wishes.speakers and not any(
        part.casefold() in f"{sentence.speaker_name} npsc-{sentence.speaker_id}".casefold() for part in wishes.speakers
    ):
        return "another speaker"
    person = people.get(sentence.speaker_id, Person())
    if wishes.dialects and person.dialect.casefold() not in wishes.dialects:
        return "another dialect" if person.dialect else "dialect not known"
    if balance and not person.gender:
        return "gender not known"
    if copies.get(sentence.texts["text"].casefold(), 0) >= wishes.max_copies:
        return f"said more than {wishes.max_copies} times"
    return ""


def counts(sentence: Sentence, wishes: Wishes) -> bool:
    """Whether prepare can be expected to accept a sentence: what it names itself is kept, but not counted
    on."""
    return (
        wishes.min_seconds <= sentence.seconds <= wishes.max_seconds
        and not sentence.inaudible
        and not (wishes.reject_tags and sentence.tagged)
    )


@dataclass(slots=True)
class Usable:
    """Speech that can be counted on: nobody beyond the cap of a speaker (with its margin), nobody under the floor."""

    wishes: Wishes
    people: Mapping[int, Person]
    spoken: Counter[int] = field(default_factory=Counter)
    """Milliseconds by speaker."""

    def add(self, sentence: Sentence) -> None:
        """Count a sentence that `counts`."""
        self.spoken[sentence.speaker_id] += sentence.end - sentence.start

    def seconds(self, gender: str = "") -> float:
        """Seconds in all, or of one gender."""
        cap = float("inf") if self.wishes.cap is None else self.wishes.cap * self.wishes.margin
        return sum(
            min(milliseconds / 1000, cap)
            for speaker, milliseconds in self.spoken.items()
            if milliseconds / 1000 >= self.wishes.floor
            and (not gender or self.people.get(speaker, Person()).gender == gender)
        )

    def reaches(self, budget: float, balance: bool) -> bool:
        """Whether there is enough; with `balance` each gender has to bring half."""
        if balance:
            return min(self.seconds("female"), self.seconds("male")) >= budget / 2
        return self.seconds() >= budget
