"""`[evaluate.articulation]`: which letters of a text a recogniser heard, by class of sound.

Weak consonants as numbers: letters of the text are aligned with letters of the transcript, and a place counts as an
error where one of its letters was replaced or is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kathrine import KathrineError, Metric, MetricContext, MetricFacts, MetricTake, Options
from kathrine_metrics import normalising
from kathrine_metrics.aligning import align
from kathrine_metrics.normalising import normalise
from kathrine_metrics.whisper_models import code_of

if TYPE_CHECKING:
    import numpy as np

CONSONANTS = "bcdfghjklmnpqrstvwxz"
VOWELS = "aeiouyæøåäöüéèêóòôàáâ"
CLASSES: dict[str, str] = {
    "plosives": r"[ptkbdg]",
    "fricatives": r"[fvsh]",
    "kj": r"(?<!s)kj|(?<!s)tj|(?<![a-zæøå])k(?=i|y|ei|øy)",
    "skj": r"skj|stj|sj|(?<![a-zæøå])sk(?=i|y|ei|øy)",
    "retroflexes": r"r[tdnls]",
    "final_consonants": rf"[{CONSONANTS}](?= |$)",
    "vowels": rf"[{VOWELS}]",
    "æøå": r"[æøåäö]",
}
"""Class -> where it stands in normalised text. kj and skj: as Norwegian is spelled, with k and sk before i and y at
the beginning of a word; the rest holds for all languages that are written with these letters. A letter may belong to
several classes."""
PATTERNS = {name: re.compile(pattern) for name, pattern in CLASSES.items()}


class ArticulationOptions(Options):
    asr: str = ""
    """Label of the asr metric whose transcripts are read, such as "asr:nb-whisper-large"; empty: the first one."""
    language: str = ""
    """ISO 639 code for the text rules; empty: of the language that is spoken."""


class Articulation(Metric):
    """Error rate of letters by class: plosives, fricatives, kj and skj, retroflexes, final consonants, vowels, æøå."""

    name = "articulation"
    version = f"1-{normalising.VERSION}"
    reads_transcripts = True
    shows = dict.fromkeys([*CLASSES, "inserted"], "lower")
    Options = ArticulationOptions
    options: ArticulationOptions
    _code = ""

    def open(self, context: MetricContext) -> MetricFacts:
        self._code = code_of(context, self.options.language)
        return MetricFacts(f"{self.version}-{self._code}", self.options.asr, caption="proxy: as a recogniser spells it")

    def score(
        self, wave: np.ndarray, sample_rate: int, text: str, reference: np.ndarray | None
    ) -> Mapping[str, float | str]:
        raise KathrineError("articulation reads transcripts, not waves", "score takes together with asr")

    def score_take(self, take: MetricTake) -> Mapping[str, float | str]:
        return score_letters(take.text, transcript(take, self.options.asr), self._code)

    def summarise(self, takes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        return class_rates(takes)


def transcript(take: MetricTake, label: str) -> str:
    """What was heard by the recogniser of that label, or by the first. Raises: KathrineError for none."""
    if label and label not in take.heard:
        raise KathrineError(f"there are no transcripts of '{label}'", f"there are of: {', '.join(take.heard)}")
    return take.heard[label] if label else next(iter(take.heard.values()))


def places(text: str) -> Iterator[tuple[str, int, int]]:
    """Class, first letter and end of each place of a class in normalised text."""
    for name, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            yield name, match.start(), match.end()


def score_letters(text: str, heard: str, code: str) -> dict[str, float]:
    """Counts of one take: `CLASS` places of a class, `CLASS.wrong` of these with a letter that was not heard; `letters`
    and `inserted`, letters that nobody wrote."""
    wanted, said = normalise(text, code), normalise(heard, code)
    unspaced = [place for place, letter in enumerate(wanted) if letter != " "]
    steps = align([wanted[place] for place in unspaced], said.replace(" ", ""))
    wrong = {unspaced[step.i] for step in steps if step.change in ("substitute", "delete")}
    found: dict[str, float] = {"letters": len(unspaced), "inserted": sum(step.change == "insert" for step in steps)}
    for name, first, end in places(wanted):
        found[name] = found.get(name, 0) + 1
        found[f"{name}.wrong"] = found.get(f"{name}.wrong", 0) + any(place in wrong for place in range(first, end))
    return found


def class_rates(takes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Share of a class's places that were not heard, for each class that occurs; `inserted`: letters that nobody
    wrote, a written letter."""
    rates = {}
    for name in CLASSES:
        occurs = sum(take.get(name, 0) for take in takes)
        if occurs:
            rates[name] = sum(take.get(f"{name}.wrong", 0) for take in takes) / occurs
    letters = sum(take["letters"] for take in takes)
    return {**rates, "inserted": sum(take["inserted"] for take in takes) / letters} if letters else rates
