"""Options of the source `manifest`, and what contradicts itself in them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from kathrine.components import Options
from kathrine.datafiles import HUB_ID
from kathrine.suggest import did_you_mean
from kathrine_manifest.rows import ALIASES, columns_of

DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".scp", ".gz", ".parquet")


class ManifestOptions(Options):
    """Recordings with their transcripts, in any of the usual formats."""

    path: str = Field(json_schema_extra={"path": "or_id", "checked": True})
    """A file, a folder, a dataset id of the Hub, or a bundled sample such as `kathrine:nb-librivox`."""
    format: Literal[
        "auto",
        "jsonl",
        "nemo",
        "lhotse",
        "ljspeech",
        "piper",
        "audiofolder",
        "common_voice",
        "kaldi",
        "pairs",
        "parquet",
    ] = "auto"
    """How the corpus is written down; auto recognises it, and refuses where it may be read in several ways."""
    revision: str = "main"
    """Branch, tag or commit of a dataset of the Hub; one without tables on `main` is looked for in its Parquet export
    (`refs/convert/parquet`)."""
    files: list[str] = Field(default_factory=list)
    """Which tables or shards are read, as patterns such as `nb_no/*`; empty: all that fit the format."""
    archives: list[str] = Field(default_factory=list)
    """Tar archives that hold the recordings, as patterns such as `data/*_bm_*.tar.gz`; empty: recordings are files."""
    root: str = Field(default="", json_schema_extra={"path": True})
    """Folder in which relative paths of recordings start; empty: the folder of their table, then that of the corpus."""
    allow_outside: bool = False
    """Also read recordings that `..` or a link names outside of the root."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Names of keys where none of the usual ones fits: `{audio = "wav_file"}`; braces put several together:
    `{audio = "{pid}_{file}"}`. Fields: id, audio, text, speaker, language, reference, codes, split, start, end,
    seconds, cut."""
    columns: dict[str, str] = Field(default_factory=dict)
    """The same for tables and Parquet, where they are called columns: `{text = "raw_transcription"}`."""
    texts: dict[str, str] = Field(default_factory=dict)
    """Further written forms of the transcript: variant name -> key."""
    only: dict[str, list[str]] = Field(default_factory=dict)
    """Take only rows whose key has one of these values: `{orthography = ["bm"], overlap_next = ["false"]}`."""
    skip_texts: list[str] = Field(default_factory=list)
    """Leave out rows in whose transcript one of these regular expressions is found."""
    min_up_votes: int = Field(default=0, ge=0)
    """Common Voice: leave out clips that fewer listeners found right."""
    max_down_votes: int | None = Field(default=None, ge=0)
    """Common Voice: leave out clips that more listeners found wrong; none takes all."""
    splits: list[Literal["train", "validation", "test"]] = Field(default_factory=list)
    """Splits of the corpus to take; empty: all."""
    on_problem: Literal["refuse", "leave_out"] = "refuse"
    """What to do about rows that can not be read: stop with all of them listed, or leave them out and count them. A
    corpus of which more than half can not be read is refused all the same."""
    encoding: str = "utf-8"
    """Encoding of tables and texts."""
    speaker: str = Field(default="speaker", min_length=1)
    """Speaker of rows that name none."""
    no_speaker: Literal["one", "each"] = "one"
    """Whether rows that name no speaker are all by `speaker`, or each by somebody unknown: then none takes its voice
    from another one (see `prepare.single_utterance_speakers`)."""
    language: str = ""
    """Language of rows that name none, as the model's language tag is called."""
    licence: str = ""
    """Licence of the recordings, told in reports and on cards; empty: what a dataset's card says."""

    def named_keys(self) -> dict[str, str]:
        """`keys` and `columns` together."""
        return self.keys | self.columns


def is_hub_id(path: str) -> bool:
    """Whether a path that does not exist is meant as a dataset's id: `data/rows.jsonl` is a file that is missing."""
    return HUB_ID.fullmatch(path) is not None and not path.lower().endswith(DATA_SUFFIXES)


def option_problems(options: ManifestOptions) -> Iterator[str]:
    """Sentences about options that can not be meant."""
    for table in ("keys", "columns"):
        for name, key in getattr(options, table).items():
            if name not in ALIASES:
                known = ", ".join(ALIASES)
                yield f"{table}: there is no field '{name}'{did_you_mean(name, ALIASES)}; fields are {known}"
            if not key or not all(columns_of(key)):
                yield f"{table}: '{name}' names no key"
    for name in options.keys.keys() & options.columns.keys():
        if options.keys[name] != options.columns[name]:
            yield f"'{name}' is named in keys and in columns: leave one of them out"
    if "text" in options.texts:
        yield "texts: the variant 'text' is named in keys"
    for pattern in options.skip_texts:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"skip_texts: '{pattern}' is no regular expression: {error}"
    try:
        codecs.lookup(options.encoding)
    except LookupError:
        yield f"encoding: there is no encoding '{options.encoding}'"
    if options.path.startswith("kathrine:") or Path(options.path).expanduser().exists() or is_hub_id(options.path):
        return
    yield f"path: {options.path} does not exist"
