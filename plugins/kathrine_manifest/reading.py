"""A corpus opened for reading: its format, its rows as utterances, and what is wrong with it, counted and placed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kathrine.errors import KathrineError
from kathrine.types import Utterance
from kathrine_manifest.corpus import Corpus, plural, wrong_columns
from kathrine_manifest.formats import Format
from kathrine_manifest.options import ManifestOptions
from kathrine_manifest.places import Places
from kathrine_manifest.rows import ALIASES, DEFAULT_KEYS, Layout, Line, columns_of, utterance_of

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was looked at: its utterance, or why there is none. passed_over: an option that leaves it out."""

    line: Line
    utterance: Utterance | None = None
    problems: tuple[str, ...] = ()
    passed_over: str = ""


@dataclass(slots=True)
class Placed:
    """Placed sentences, the first ones kept, all counted."""

    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, place: str, sentence: str) -> None:
        self.count += 1
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(f"{place}: {sentence}")

    def lines(self) -> str:
        """The lines, and how many more there are."""
        more = [f"  and {self.count - len(self.shown)} more"] if self.count > len(self.shown) else []
        return "\n".join([*(f"  {line}" for line in self.shown), *more])


@dataclass(slots=True)
class Report:
    """What was found in a corpus.

    bad: rows that can not be read; mistakes: all that is wrong with them. missing, empty: rows that are read, and that
    prepare will count as `missing file` and `no text`. said: (field, key) -> rows.
    """

    rows: int = 0
    bad: int = 0
    utterances: int = 0
    recordings: int = 0
    mistakes: Placed = field(default_factory=Placed)
    missing: Placed = field(default_factory=Placed)
    empty: Placed = field(default_factory=Placed)
    passed_over: Counter[str] = field(default_factory=Counter)
    said: Counter[tuple[str, str]] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)

    def sentence(self) -> str:
        """Rows and problems in one line."""
        told = [plural(self.rows, "row"), plural(self.bad + self.missing.count + self.empty.count, "problem")]
        told += [f"{count:,} left out by {option}" for option, count in sorted(self.passed_over.items())]
        return ", ".join(told)

    def recognised_keys(self) -> str:
        """What was read from keys that are not called as their field is: `audio from audio_path`."""
        renamed = sorted({(name, key) for name, key in self.said if key != DEFAULT_KEYS.get(name)})
        return ", ".join(f"{name} from {key}" for name, key in renamed)


@dataclass(slots=True)
class Reading:
    """One corpus in one format. partly: some archives were not needed, so that recordings may be in those."""

    corpus: Corpus
    format: Format
    evidence: str
    options: ManifestOptions
    layout: Layout
    places: Places
    partly: bool = False

    def rows(self) -> Iterator[Row]:
        """Every row, in the order of the tables; the same every time."""
        first: dict[str, str] = {}
        skipped = [re.compile(pattern) for pattern in self.options.skip_texts]
        for line in self.format.read(self.corpus):
            if isinstance(line.row, dict) and not line.problem:
                reason = self._passed_over(line.row, skipped)
                if reason:
                    yield Row(line, passed_over=reason)
                    continue
            utterance, problems = utterance_of(line, self.layout, self.places.find)
            if utterance is not None:
                if self.options.splits and (utterance.split or "train") not in self.options.splits:
                    yield Row(line, passed_over="splits")
                    continue
                before = first.setdefault(utterance.id, line.place)
                if before != line.place:
                    same = before.rpartition(":")[0] == line.place.rpartition(":")[0]
                    where = f"line {before.rpartition(':')[2]}" if same else before
                    problems = [f"the id '{utterance.id}' stands in {where} already"]
                    utterance = None
                elif self.partly and utterance.audio is not None and not self.places.exists(utterance.audio):
                    yield Row(line, passed_over="max_hours")
                    continue
            yield Row(line, utterance, tuple(problems))

    def _passed_over(self, row: Mapping[str, Any], skipped: list[re.Pattern[str]]) -> str:
        """The option that leaves a row out, or an empty string."""
        options = self.options
        for key, values in options.only.items():
            value = row.get(key)
            if (str(value).lower() if isinstance(value, bool) else str(value)) not in values:
                return "only"
        text = row.get(self.layout.key("text", row))
        if isinstance(text, str) and any(pattern.search(text) for pattern in skipped):
            return "skip_texts"
        if options.min_up_votes and votes(row, "up_votes") < options.min_up_votes:
            return "min_up_votes"
        if options.max_down_votes is not None and votes(row, "down_votes") > options.max_down_votes:
            return "max_down_votes"
        return ""

    def check_columns(self) -> None:
        """Look for the columns of recordings and texts in every table with a header.

        Raises: KathrineError that names the columns that there are.
        """
        if self.format.columns is None:
            return
        wrong = {}
        for name, columns, implied in self.format.columns(self.corpus):
            known = {*columns, *implied}
            missing = {}
            for what in ("audio", "text"):
                explicit = self.layout.keys.get(what)
                absent = [column for column in columns_of(explicit) if column not in known] if explicit else []
                if absent:
                    missing[what] = absent[0]
                elif not explicit and not known & set(ALIASES[what]):
                    missing[what] = DEFAULT_KEYS[what]
            if "audio" in missing and known & set(ALIASES["codes"]):
                del missing["audio"]
            if missing:
                wrong[name] = columns, missing
        if wrong:
            raise wrong_columns(wrong)

    def check(self) -> Report:
        """Look at every row."""
        report = Report()
        variants = {column for key in self.layout.texts.values() for column in columns_of(key)}
        for row in self.rows():
            report.rows += 1
            place = row.line.place
            if isinstance(row.line.row, dict):
                report.keys.update(row.line.row.keys())
            if row.passed_over:
                report.passed_over[row.passed_over] += 1
                continue
            if row.utterance is None:
                report.bad += 1
                for problem in row.problems:
                    report.mistakes.add(place, problem)
                continue
            self._note(row, row.utterance, report, variants)
        return report

    def _note(self, row: Row, utterance: Utterance, report: Report, variants: set[str]) -> None:
        """Count a row that is read."""
        report.utterances += 1
        if not utterance.text.strip():
            report.empty.add(row.line.place, "the text is empty")
        if utterance.audio is not None:
            report.recordings += 1
            if not self.places.exists(utterance.audio):
                report.missing.add(row.line.place, f"there is no recording {utterance.audio}")
        chosen = self.layout.read_keys(row.line.row)
        report.said.update(chosen.items())
        read = {column for key in chosen.values() for column in columns_of(key)} | variants | self.options.only.keys()
        report.unread.update(key for key in row.line.row if key not in read)

    def refuse_or_tell(self, report: Report, warn: Any, label: str) -> None:
        """Stop with every mistake, or say which rows are left out, as `on_problem` says.

        Raises: KathrineError, also where more than half of the rows can not be read.
        """
        looked_at = report.bad + report.utterances
        keys = ", ".join(key for key, _ in report.keys.most_common(12))
        if not looked_at:
            told = f"{label}: no row is left: {report.sentence()}"
            raise KathrineError(
                told, f"look at those options; the rows have the keys {keys}" if keys else "look at path and files"
            )
        if not report.mistakes.count:
            return
        if self.options.on_problem == "refuse" or report.bad * 2 > looked_at:
            most = self.options.on_problem != "refuse"
            told = f"{report.bad} of {plural(looked_at, 'row')} can not be read: " if most else ""
            hint = 'correct them, or say on_problem = "leave_out"' if not most else "look at format, keys and root"
            if keys and any(
                line.rpartition(": ")[2].startswith(("no '", "neither '")) for line in report.mistakes.shown
            ):
                hint += f'; the rows have the keys {keys}: name what they mean by keys = {{ text = "..." }}'
            many = plural(report.mistakes.count, "mistake")
            others = [found for found in (report.missing, report.empty) if found.count]
            counted = "".join(f"\n{found.lines()}" for found in others)
            later = f"\nand what would be left out and counted:{counted}" if others else ""
            raise KathrineError(f"{told}{many} in the manifest:\n{report.mistakes.lines()}{later}", hint)
        warn(f"{label}: {report.bad} of {plural(looked_at, 'row')} are left out:\n{report.mistakes.lines()}")


def votes(row: Mapping[str, Any], key: str) -> int:
    """A number of votes; 0 where there is none."""
    value = str(row.get(key) or "0")
    return int(value) if value.isdigit() else 0
