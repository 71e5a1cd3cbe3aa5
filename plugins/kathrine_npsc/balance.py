"""As much speech of women as of men, at every point of the plan: prepare stops at max_hours, wherever that is."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence

from kathrine_npsc.metadata import Sentence
from kathrine_npsc.speakers import Person
from kathrine_npsc.wishes import Wishes, counts

WORDS = {"female": "women", "male": "men"}


def balanced(
    sentences: Sequence[Sentence], wishes: Wishes, people: Mapping[int, Person], left_out: Counter[str]
) -> tuple[list[Sentence], str]:
    """Sentences of both in turn, so that what both have said differs by one utterance at most, and a line that says
    how much that is. It ends where one of them has nothing more; the rest is counted in `left_out`.

    Given: sentences whose speakers' gender is known. What prepare will leave out comes along and is not counted, nor
    is what a speaker says beyond the cap or one who stays under the floor.
    """
    total: Counter[int] = Counter()
    for sentence in sentences:
        total[sentence.speaker_id] += (sentence.end - sentence.start) * counts(sentence, wishes)
    waiting: dict[str, deque[Sentence]] = {gender: deque() for gender in WORDS}
    for sentence in sentences:
        waiting[people[sentence.speaker_id].gender].append(sentence)
    cap = float("inf") if wishes.cap is None else wishes.cap * 1000
    said = dict.fromkeys(WORDS, 0)
    spoken: Counter[int] = Counter()
    taken: list[Sentence] = []
    while waiting[gender := min(said, key=lambda name: said[name])]:
        sentence = waiting[gender].popleft()
        taken.append(sentence)
        length, speaker = sentence.end - sentence.start, sentence.speaker_id
        if counts(sentence, wishes) and spoken[speaker] + length <= cap and total[speaker] >= wishes.floor * 1000:
            spoken[speaker] += length
            said[gender] += length
    told = " and ".join(f"{said[gender] / 3600_000:.2f} h of {word}" for gender, word in WORDS.items())
    for gender, rest in waiting.items():
        if rest:
            left_out[f"more speech of {WORDS[gender]} than balance allows"] += len(rest)
    return taken, f"balanced: {told}"
