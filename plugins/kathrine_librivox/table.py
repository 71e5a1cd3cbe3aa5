"""metadata.csv: which recording, what is said, who reads."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kathrine.datafiles import inside
from kathrine.errors import KathrineError

COLUMNS = ("file_name", "text", "speaker_name")


@dataclass(frozen=True, slots=True)
class Segment:
    """A row. file: name relative to the corpus' top folder. facts: the other columns that hold something."""

    id: str
    file: str
    text: str
    speaker_name: str
    facts: Mapping[str, str]

    @property
    def speaker(self) -> str:
        return f"librivox-{slug(self.speaker_name)}"


def read_table(path: Path, name: str) -> tuple[list[Segment], list[str]]:
    """The rows in the order of the file, and what is wrong with others, as `file:line: message`.

    Given: name, the file's name in the corpus; `file_name` is relative to its folder. Raises: KathrineError
    when a column is missing or the file is no text in UTF-8.
    """
    segments: list[Segment] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    folder = PurePosixPath(name).parent
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (rows.fieldnames or [])]
            if missing:
                raise KathrineError(
                    f"{name} has no column {', '.join(missing)}", f"it needs the columns {', '.join(COLUMNS)}"
                )
            for row in rows:
                problem = problem_of(row, seen)
                if problem:
                    problems.append(f"{name}:{rows.line_num}: {problem}")
                    continue
                segment = segment_of(row, folder)
                seen[segment.id] = rows.line_num
                segments.append(segment)
    except (UnicodeDecodeError, csv.Error) as problem:
        raise KathrineError(f"{name} is no CSV table in UTF-8: {problem}", "get the file again") from problem
    return segments, problems


def problem_of(row: Mapping[str | None, str | None], seen: Mapping[str, int]) -> str:
    """What is wrong with a row, or an empty string."""
    if None in row or any(value is None for value in row.values()):
        return "the row has too many or too few columns"
    file = str(row["file_name"]).strip()
    if not file:
        return "no file_name"
    if not inside(file):
        return f"file_name '{file}' points outside of the corpus"
    if not str(row["speaker_name"]).strip():
        return "no speaker_name: a voice needs an owner"
    if id_of(file) in seen:
        return f"the same clip as line {seen[id_of(file)]}"
    return ""


def segment_of(row: Mapping[str, str], folder: PurePosixPath) -> Segment:
    """One row that has no problem."""
    file = row["file_name"].strip()
    others = {key: value.strip() for key, value in row.items() if key not in COLUMNS and value.strip()}
    return Segment(
        id=id_of(file),
        file=(folder / file).as_posix(),
        text=row["text"],
        speaker_name=" ".join(row["speaker_name"].split()),
        facts=others,
    )


def id_of(file: str) -> str:
    """The clip's name without extension, folders joined by `_`: stable, and good as a file name."""
    return "_".join(PurePosixPath(file).with_suffix("").parts)


def slug(name: str) -> str:
    """A person's name as an id: `Kari Normann` -> `kari-normann`; letters such as ø stay."""
    return re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", name).casefold()).strip("-") or "unnamed"


def licence_of_card(text: str) -> str:
    """`license:` in a dataset card's front matter, or "see card"."""
    match = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:\s*['\"]?([\w.+-]+)", match[1], re.MULTILINE) if match else None
    return found[1] if found else "see card"
