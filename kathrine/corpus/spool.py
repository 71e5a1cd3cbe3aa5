"""Utterances on the disk instead of in memory: texts and facts of all rows are read again where they are needed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from kathrine.corpus.manifest import from_row, to_row
from kathrine.types import Utterance


class Spool:
    """A file without a name, gone when the process ends, however it ends.

    Args:
        folder: on whose disk it lies.
    """

    def __init__(self, folder: Path) -> None:
        # Closed with the process: rows ask for their utterance as long as they live.
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._end = 0

    def add(self, utterance: Utterance) -> int:
        """Keep an utterance; where it lies."""
        place = self._end
        self._file.seek(place)
        self._end += self._file.write(json.dumps(to_row(utterance), ensure_ascii=False).encode() + b"\n")
        return place

    def read(self, place: int) -> Utterance:
        """The utterance that lies there."""
        return from_row(self.read_row(place), Path())

    def read_row(self, place: int) -> dict[str, Any]:
        """The same, as a row of a manifest."""
        self._file.seek(place)
        row: dict[str, Any] = json.loads(self._file.readline())
        return row
