"""The speaker file of Språkbanken's release: gender and dialect by speaker id, which joins all layouts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kathrine import KathrineError

SPEAKER_FILE = "NPSC_speaker_data.json"
"""Name of the speaker file in the release, in its folder `project_files`."""
GENDERS = {"female": "female", "f": "female", "male": "male", "m": "male"}
REMEDY = (
    f"name the speaker file of Språkbanken's release ({SPEAKER_FILE}) by speaker_data = PATH: speaker ids are the same "
    "in every layout"
)


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a speaker. gender: `female`, `male` or empty. dialect: as the file words it, or empty."""

    gender: str = ""
    dialect: str = ""

    def facts(self) -> dict[str, str]:
        """For reports: what is known."""
        return {name: value for name, value in (("gender", self.gender), ("dialect", self.dialect)) if value}


def read_speakers(path: Path) -> dict[int, Person]:
    """People by speaker id.

    Raises: KathrineError for a file that is not there, is no JSON list of speakers, or has none with an id.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as problem:
        raise KathrineError(f"speaker_data: {path} can not be read ({problem.strerror})", REMEDY) from problem
    except ValueError as problem:
        raise KathrineError(f"speaker_data: {path} is no JSON: {problem}", REMEDY) from problem
    people = {}
    for row in rows if isinstance(rows, list) else ():
        known = isinstance(row, dict) and row.get("speaker_id")
        if isinstance(known, int | str) and str(known).isdecimal():
            people[int(known)] = Person(GENDERS.get(word(row, "gender").lower(), ""), known_word(word(row, "dialect")))
    if not people:
        raise KathrineError(
            f"speaker_data: {path} is no list of speakers with speaker_id, gender and dialect",
            f"take {SPEAKER_FILE} as Språkbanken's release has it",
        )
    return people


def word(row: Mapping[str, Any], column: str) -> str:
    """A column's text, or an empty string."""
    value = row.get(column)
    return " ".join(value.split()) if isinstance(value, str) else ""


def known_word(text: str) -> str:
    """The text, or an empty string where it says that nothing is known."""
    return "" if text.lower() in ("unknown", "none", "na", "n/a") else text


def wanted_dialects(names: Sequence[str], people: Mapping[int, Person]) -> frozenset[str]:
    """Dialects as `folded` words. Raises: KathrineError that lists the dialects there are for one that nobody has."""
    there = {person.dialect.casefold(): person.dialect for person in people.values() if person.dialect}
    unknown = [name for name in names if name.casefold() not in there]
    if unknown:
        known = ", ".join(sorted(there.values())) or "none: the speaker file has no dialects"
        raise KathrineError(f"dialects: nobody speaks '{unknown[0]}'", f"there are: {known}")
    return frozenset(name.casefold() for name in names)
