"""What lies where in a repository that kathrine uploads to: one table for those who write it and those who read it.

The first export lies at the root, so that `from_pretrained(REPO)` works; every other one in a folder of its label.
`state/` is a run folder to go on from, `logs/` what a run wrote down, `checkpoints/` earlier weights. The index at the
root says so, and which files at the root belong to kathrine.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kathrine.corpus.files import read_json
from kathrine.errors import KathrineError

PLACE = re.compile(r"hub:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<folder>.+))?")
"""How a user names something on the Hub."""
FORM = "hub:OWNER/NAME[@REVISION][/FOLDER]"
INDEX = "kathrine_hub.json"
"""At the root: format, run, root, folders (name -> what it is), files (at the root, of kathrine)."""
FORMAT = 1
STATE, LOGS, CHECKPOINTS = "state", "logs", "checkpoints"
COMPLETE = "complete.json"
"""In `state/`: the SHA-256 of every other file there, and the step of the newest checkpoint."""


def parse_place(name: str) -> tuple[str, str, str]:
    """Repository, revision and folder of a `hub:` place; empty strings for what it does not name.

    Raises: KathrineError for another form."""
    match = PLACE.fullmatch(name)
    if match is None:
        raise KathrineError(f"'{name}' is not of the form {FORM}")
    return match["repo"], match["revision"] or "", match["folder"] or ""


def read_index(path: Path) -> dict[str, Any]:
    """The index of a repository. Raises: KathrineError for one of a newer format, or none at all."""
    return read_json(path, FORMAT, "push the run again")
