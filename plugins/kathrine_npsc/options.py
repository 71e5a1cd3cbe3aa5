"""Options of the source, and what can be wrong with them before anything is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from kathrine import Options
from kathrine.types import Split
from kathrine_npsc.speakers import REMEDY
from kathrine_npsc.wishes import MARGIN

LANGUAGES: dict[str, tuple[str, ...]] = {"bokmaal": ("nb",), "nynorsk": ("nn",), "": ()}
NARROWBAND = (
    "16K clips are mp3 at about 24 kbit/s and end near 5.8 kHz: a model trained on them learns dull s, f and kj"
)
HUB_ID = "NbAiLab/NPSC"
DEFAULT_SPLITS: tuple[Split, ...] = ("train", "validation")


class NpscOptions(Options):
    """Options of `source = "npsc"`."""

    root: str = Field(default=HUB_ID, json_schema_extra={"path": "or_id"})
    """Dataset id on the Hub, a local folder in one of the layouts, or `kathrine:npsc` for the bundled sample."""
    revision: str = "main"
    """Branch, tag or commit of the Hub repository."""
    layout: Literal["auto", "days", "parquet", "release"] = "auto"
    """How the corpus lies there: day files, the Hub's Parquet export, or the session folders of Språkbanken's
    release. auto looks for them in this order, then for the export that the Hub made of the repository."""
    config: Literal[
        "48K_mp3_bokmaal", "48K_mp3_nynorsk", "48K_mp3", "16K_mp3_bokmaal", "16K_mp3_nynorsk", "16K_mp3"
    ] = "48K_mp3_bokmaal"
    """Rate and language, named as the corpus names them; without a language all are taken."""
    allow_narrowband: bool = False
    """Allow the 16K clips. They end near 5.8 kHz, and a model trained on them learns dull consonants."""
    splits: list[Split] = Field(default_factory=lambda: list(DEFAULT_SPLITS), min_length=1)
    """Splits of the corpus to take; meeting days of other splits are not fetched."""
    days: list[str] = Field(default_factory=list)
    """Meeting days to take, as yyyymmdd; empty lets the plan choose."""
    margin: float = Field(default=MARGIN, ge=1)
    """Planned speech over max_hours: room for what the gates of prepare leave out."""
    held_out_hours: float = Field(default=1.0, gt=0)
    """Speech planned for validation and for test each, and never more than a quarter of max_hours."""
    validation_speakers: Literal["new", "any"] = "new"
    """new: nobody is in validation who is in training; any: validation as the corpus has it."""
    validation_floor_minutes: float = Field(default=10.0, ge=0)
    """Refuse to go on where dropping the speakers of training leaves less validation speech than this (or than was
    asked for, where that is less)."""
    max_copies: int = Field(default=3, ge=1)
    """How often the same sentence is taken: every meeting is opened with the same words."""
    fields: dict[str, str] = Field(
        default_factory=lambda: {"text": "sentence_text", "normsentence_text": "normsentence_text"}
    )
    """Variant of the transcript -> column. `text` has numbers as words, `normsentence_text` has digits and
    abbreviations."""
    speaker_data: str = Field(default="", json_schema_extra={"path": True})
    """The speaker file of Språkbanken's release (`NPSC_speaker_data.json`), for dialects and balance_gender in the
    layouts that do not bring it."""
    dialects: list[str] = Field(default_factory=list)
    """Keep only speakers of these dialects, as the speaker file names them ("Eastern Norway"), upper and lower case
    alike; empty keeps all."""
    balance_gender: bool = False
    """Train on as much speech of women as of men; what one of them has more is left out."""
    merge_seconds: float = Field(default=12.0, ge=0)
    """Join a clip that ends in mid-speech with what the speaker says next, up to this length; 0 joins nothing."""
    merge_gap_seconds: float = Field(default=0.5, gt=0)
    """Clips with this much or more between them are not joined."""

    @property
    def rate(self) -> str:
        """`48K` or `16K`."""
        return self.config.split("_")[0]

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the wanted languages; empty for all."""
        return LANGUAGES[self.config[8:]]


def problems_of(options: NpscOptions) -> Iterator[str]:
    """What is wrong with the options, as `kathrine check` says it."""
    if options.rate == "16K" and not options.allow_narrowband:
        yield f"config '{options.config}': {NARROWBAND}; take 48K, or set allow_narrowband = true"
    if "text" not in options.fields:
        yield "fields needs a variant 'text'"
    for day in options.days:
        if not re.fullmatch(r"\d{8}", day):
            yield f"days: '{day}' is not of the form yyyymmdd"
    if options.speaker_data and not Path(options.speaker_data).is_file():
        yield f"speaker_data: there is no file {options.speaker_data}"
    if options.root == HUB_ID and not options.speaker_data:
        for name, asked in (("dialects", options.dialects), ("balance_gender", options.balance_gender)):
            if asked:
                yield f"{name}: {HUB_ID} says nothing of dialect and gender; {REMEDY}"
