"""The figures of a prepared corpus: hours in and kept, reasons, distributions, pauses. Counted in one pass over its
verdicts, so that memory does not grow with the corpus; shown by its page and by `kathrine data`."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kathrine.corpus.verdicts import letters_per_second, seconds_found

if TYPE_CHECKING:
    from kathrine.recipe.quality import QualityOptions

EXAMPLES = 3
PAUSE_EXAMPLES = 2
UNUSED = ("max_hours", "speaker cap", "other speaker")
"""Reasons that say nothing about an utterance: good ones have them too."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measurement that is shown as a histogram, in bins of `step` from `low` to `high`; what lies beyond counts in
    the first and last bin. limits: thresholds of the gates, in the same unit; off: limits that are turned off."""

    name: str
    title: str
    unit: str
    low: float
    high: float
    step: float
    value: Callable[[Mapping[str, Any]], float | None]
    limits: Callable[[QualityOptions], tuple[float, ...]]

    @property
    def bins(self) -> int:
        return round((self.high - self.low) / self.step)

    def bin_of(self, value: float) -> int:
        """The bin of a value; what lies beyond belongs to the outermost."""
        # A hair above: 0.3 / 0.1 is 2.9999999999999996.
        return min(max(math.floor((value - self.low) / self.step + 1e-9), 0), self.bins - 1)

    def edges(self, number: int) -> tuple[float, float]:
        """From where to where a bin reaches."""
        return round(self.low + number * self.step, 6), round(self.low + (number + 1) * self.step, 6)


def _kilohertz(told: Mapping[str, Any]) -> float | None:
    return told["bandwidth_hz"] / 1000 if told.get("bandwidth_hz") else None


def _bandwidth_limits(table: QualityOptions) -> tuple[float, ...]:
    reject = () if table.allow_narrowband else (table.min_bandwidth_hz / 1000,)
    return tuple(limit for limit in (*reject, table.narrowband_hz / 1000) if limit)


def _loudness_limits(table: QualityOptions) -> tuple[float, ...]:
    quiet, loud = table.min_loudness_lufs, table.max_loudness_lufs
    return tuple(limit for limit in (quiet, loud) if limit and limit > -70)


MEASURES = (
    Measure(
        "duration",
        "Duration",
        "s",
        0,
        30,
        0.5,
        lambda told: told.get("conditioned_seconds"),
        lambda table: (table.min_seconds, table.max_seconds),
    ),
    Measure(
        "rate",
        "Speaking rate",
        "letters/s",
        0,
        30,
        1,
        letters_per_second,
        lambda table: (table.min_letters_per_second, table.max_letters_per_second),
    ),
    Measure("bandwidth", "Bandwidth", "kHz", 0, 24, 0.5, _kilohertz, _bandwidth_limits),
    Measure(
        "loudness", "Loudness as found", "LUFS", -70, 0, 2, lambda told: told.get("loudness_lufs"), _loudness_limits
    ),
    Measure("letters", "Text length", "letters", 0, 400, 10, lambda told: told.get("letters"), lambda table: ()),
    Measure(
        "snr",
        "Signal to noise",
        "dB",
        -10,
        80,
        2,
        lambda told: told.get("snr_db"),
        lambda table: (table.min_snr_db,) if table.min_snr_db else (),
    ),
)
PAUSES = Measure(
    "pauses",
    "Pauses inside kept utterances",
    "s",
    0.1,
    3,
    0.1,
    lambda told: None,
    lambda table: (table.max_pause_seconds,) if table.max_pause_seconds else (),
)


@dataclass(slots=True)
class Histogram:
    """Counts by bin of what was kept and of what was left out."""

    measure: Measure
    kept: Counter[int] = field(default_factory=Counter)
    left: Counter[int] = field(default_factory=Counter)

    def add(self, value: float | None, kept: bool) -> None:
        if value is not None and math.isfinite(value):
            (self.kept if kept else self.left)[self.measure.bin_of(value)] += 1

    @property
    def count(self) -> int:
        return self.kept.total() + self.left.total()

    def span(self) -> range:
        """From the first to the last bin that holds something."""
        filled = [*self.kept, *self.left]
        return range(min(filled), max(filled) + 1) if filled else range(0)


@dataclass(slots=True)
class Hours:
    """Utterances and seconds, in and kept. unknown: utterances whose length nobody told or measured."""

    seen: int = 0
    kept: int = 0
    seconds_in: float = 0.0
    seconds_kept: float = 0.0
    unknown: int = 0
    name: str = ""

    def add(self, told: Mapping[str, Any]) -> None:
        seconds = seconds_found(told)
        self.seen += 1
        self.unknown += seconds is None
        self.seconds_in += seconds or 0.0
        if told["kept"]:
            self.kept += 1
            self.seconds_kept += told.get("conditioned_seconds", 0.0)

    @classmethod
    def together(cls, several: Iterable[Hours]) -> Hours:
        """The sum, without a name."""
        made = cls()
        for one in several:
            made.seen, made.kept, made.unknown = made.seen + one.seen, made.kept + one.kept, made.unknown + one.unknown
            made.seconds_in += one.seconds_in
            made.seconds_kept += one.seconds_kept
        return made


@dataclass(slots=True)
class Entry:
    """Figures of one data entry. facts: as prepare wrote them. pause_share: of the kept utterances, those with a
    pause of 0.1 s or more. paused: kept utterances with the longest pauses, longest first."""

    facts: Mapping[str, Any]
    hours: Hours = field(default_factory=Hours)
    speakers: dict[str, Hours] = field(default_factory=dict)
    pauses: Histogram = field(default_factory=lambda: Histogram(PAUSES))
    with_pause: int = 0
    paused: list[tuple[float, str, Mapping[str, Any]]] = field(default_factory=list)


@dataclass(slots=True)
class Figures:
    """Everything that the page and the terminal show, but for sound."""

    entries: dict[str, Entry]
    histograms: dict[str, Histogram]
    reasons: Counter[str]
    examples: dict[str, list[Mapping[str, Any]]]

    @property
    def total(self) -> Hours:
        return Hours.together(entry.hours for entry in self.entries.values())

    @property
    def pauses(self) -> Histogram:
        """Pauses of all entries together."""
        made = Histogram(PAUSES)
        for entry in self.entries.values():
            made.kept.update(entry.pauses.kept)
        return made


def gather(verdicts: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> Figures:
    """Count. Given: verdicts (`read_verdicts`) and the facts of the corpus (`facts.json`)."""
    entries = {name: Entry(entry) for name, entry in facts["entries"].items()}
    histograms = {measure.name: Histogram(measure) for measure in MEASURES}
    reasons: Counter[str] = Counter()
    chosen: defaultdict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for told in verdicts:
        entry, kept = entries[told["entry"]], told["kept"]
        entry.hours.add(told)
        speaker = entry.speakers.setdefault(told["speaker"], Hours())
        speaker.name = speaker.name or str(told.get("facts", {}).get("speaker_name") or "")
        speaker.add(told)
        # What was left out for no fault of its own shows how the corpus is; it would only blur the rest.
        if kept or told.get("reason") not in UNUSED:
            for histogram in histograms.values():
                histogram.add(histogram.measure.value(told), kept)
        if kept:
            _add_pauses(entry, told)
        else:
            reasons[told["reason"]] += 1
            _keep_least(chosen[told["reason"]], (_draw(told), told), EXAMPLES)
    order = _order(reasons)
    return Figures(
        entries,
        histograms,
        Counter({reason: reasons[reason] for reason in order}),
        {reason: [told for _, told in chosen[reason]] for reason in order},
    )


def _add_pauses(entry: Entry, told: Mapping[str, Any]) -> None:
    pauses = told.get("pauses") or []
    for pause in pauses:
        entry.pauses.add(pause, True)
    if pauses:
        entry.with_pause += 1
        _keep_least(entry.paused, (-max(pauses), _draw(told), told), PAUSE_EXAMPLES)


def _order(reasons: Iterable[str]) -> list[str]:
    from kathrine.corpus.gates import EXPLANATIONS

    known = list(EXPLANATIONS)
    return sorted(reasons, key=lambda reason: (known.index(reason) if reason in known else len(known), reason))


def _draw(told: Mapping[str, Any]) -> str:
    """A number by which examples are drawn: as good as chance, and the same every time."""
    return hashlib.sha256(f"{told['entry']}\n{told['id']}".encode()).hexdigest()


def _keep_least(kept: list[Any], new: Any, count: int) -> None:
    kept.append(new)
    kept.sort(key=lambda one: one[:-1])
    del kept[count:]
