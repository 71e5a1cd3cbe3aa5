"""Cards of the Hub: front matter as its client writes it, what must stand in it, and Markdown.

The YAML is the client's own (`huggingface_hub`), which is imported when it is first needed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from kathrine.errors import KathrineError

NEEDED = {
    "model": {
        "license": "set `license` of the export, as the Hub spells it",
        "base_model": "set `base_model` of the export to the Hub id of the model that was trained on",
        "language": "set `languages` of the export, or give the recipe a [language] that knows its codes",
        "pipeline_tag": "the exporter has to name one, such as text-to-speech",
        "library_name": "the exporter has to name the package that loads it",
        "tags": "the exporter has to name some",
    },
    "dataset": {
        "language": "set `languages` of the export, or give the recipe a [language] that knows its codes",
        "task_categories": "the exporter has to name some, such as text-to-speech",
        "tags": "the exporter has to name some",
    },
}
"""Fields without which a card is refused, and the remedy for each. The licence of a dataset may be known only after its
data was read: whoever writes one refuses an unknown licence then."""
ADVISED = {
    "model": {
        "datasets": "no source of the recipe comes from the Hub, so the card will link to no dataset; its table of "
        "data names all of them"
    },
    "dataset": {},
}
"""Fields that may be left out, and why one would miss them: a corpus of one's own has no id on the Hub."""


def missing_fields(metadata: Mapping[str, Any], repo_type: str = "model") -> list[str]:
    """Sentences about what a card lacks that the Hub, or whoever looks for it there, needs.

    Given: metadata, the front matter, as of `Exporter.card_metadata`; repo_type, `model` or `dataset`. A text of
    spaces, an empty list and a list with an empty text in it count as missing.
    """
    return [f"the card has no {name}: {remedy}" for name, remedy in NEEDED[repo_type].items() if _empty(metadata, name)]


def advisable_fields(metadata: Mapping[str, Any], repo_type: str = "model") -> list[str]:
    """Sentences about what a card may lack, to be told as a warning."""
    return [
        f"the card has no {name}: {reason}" for name, reason in ADVISED[repo_type].items() if _empty(metadata, name)
    ]


def _empty(metadata: Mapping[str, Any], name: str) -> bool:
    value = metadata.get(name)
    values = list(value) if isinstance(value, list | tuple) else [value]
    return not values or not all(isinstance(one, str) and one.strip() for one in values)


# --------------------------------------------------------------------------- front matter


def front_matter(metadata: Mapping[str, Any]) -> str:
    """The YAML block at the top of a card, in the order of the mapping."""
    from huggingface_hub.repocard_data import CardData

    return f"---\n{CardData(**metadata).to_yaml()}\n---"


# --------------------------------------------------------------------------- where a folder lies

ADDRESS = re.compile(r"https?://.+?/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<folder>.*)")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a repository of the Hub. revision: empty for the newest. folder: empty for the whole repository."""

    repo: str
    revision: str = ""
    folder: str = ""

    def spoken(self) -> str:
        """As commands of kathrine name it: `hub:OWNER/NAME[@REVISION][/FOLDER]`."""
        revision, folder = self.revision and f"@{self.revision}", self.folder and f"/{self.folder}"
        return f"hub:{self.repo}{revision}{folder}"

    def expression(self) -> str:
        """As Python that fetches it and is its local path; `snapshot_download` has to be imported."""
        revision = f", revision={python_text(self.revision)}" if self.revision else ""
        folder = f" + {python_text('/' + self.folder)}" if self.folder else ""
        return f"snapshot_download({python_text(self.repo)}{revision}){folder}"


def place_of(location: str) -> Place | None:
    """The folder whose files have addresses that begin with `location`; None for an empty one.

    Raises: KathrineError for a text that is no such address."""
    if not location:
        return None
    match = ADDRESS.fullmatch(location)
    if match is None:
        raise KathrineError(f"'{location}' is no address of files of the Hub: https://HUB/OWNER/NAME/resolve/REVISION/")
    revision = unquote(match["revision"])
    return Place(match["repo"], "" if revision == "main" else revision, unquote(match["folder"]).strip("/"))


def file_address(location: str, name: str) -> str:
    """The address of a file in a folder at `location`; relative to the card where that is empty."""
    return f"{location.rstrip('/')}/{quote(name)}" if location else quote(name)


def python_text(text: str) -> str:
    """A text as Python writes it in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --------------------------------------------------------------------------- Markdown


def plain(text: str) -> str:
    """A text of unknown origin in a line of Markdown: nothing in it is read as a mark or as HTML."""
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", line)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Collection[int] = ()) -> str:
    """A Markdown table; empty without rows. Cells are taken as they are: `plain` makes a text safe. numbers: columns
    set to the right."""
    if not rows:
        return ""
    rule = "|".join("---:" if column in numbers else "---" for column in range(len(head)))
    lines = [f"| {' | '.join(head)} |", f"|{rule}|"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def section(title: str, *parts: str) -> str:
    """A section with what is not empty of its parts; empty where nothing is left."""
    inside = "\n\n".join(part for part in parts if part)
    return f"## {title}\n\n{inside}" if inside else ""
