"""The formats, and which of them a corpus has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kathrine.errors import KathrineError
from kathrine_manifest.corpus import Corpus
from kathrine_manifest.formats import (
    audiofolder,
    bars,
    common_voice,
    jsonl,
    kaldi,
    lhotse,
    pairs,
    parquet,
)
from kathrine_manifest.rows import Line


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write a corpus down.

    recognise: what speaks for it, in words, or None. read: its rows. columns: each table with a header: its name,
    its columns, and those that the reader adds. textual: numbers are written as text.
    """

    name: str
    title: str
    recognise: Callable[[Corpus], str | None]
    read: Callable[[Corpus], Iterator[Line]]
    columns: Callable[[Corpus], Iterable[tuple[str, list[str], list[str]]]] | None = None
    textual: bool = False


FORMATS = (
    Format("jsonl", "JSON Lines", jsonl.recognise, jsonl.read),
    Format("nemo", "NeMo", jsonl.recognise_nemo, jsonl.read),
    Format("lhotse", "Lhotse", lhotse.recognise, lhotse.read),
    Format("ljspeech", "LJSpeech", bars.recognise_ljspeech, bars.read_ljspeech, textual=True),
    Format("piper", "Piper", bars.recognise_piper, bars.read_piper, textual=True),
    Format("audiofolder", "audiofolder", audiofolder.recognise, audiofolder.read, audiofolder.columns, textual=True),
    Format("common_voice", "Common Voice", common_voice.recognise, common_voice.read, common_voice.columns, True),
    Format("kaldi", "Kaldi", kaldi.recognise, kaldi.read, textual=True),
    Format("pairs", "recordings with a text file each", pairs.recognise, pairs.read, textual=True),
    Format("parquet", "Parquet", parquet.recognise, parquet.read, parquet.columns),
)
NAMES = tuple(one.name for one in FORMATS)


def named(name: str) -> Format:
    """A format by its name."""
    return next(one for one in FORMATS if one.name == name)


def recognised(corpus: Corpus) -> list[tuple[Format, str]]:
    """Every format that the corpus may have, with what speaks for it."""
    found = [(one, one.recognise(corpus)) for one in FORMATS]
    return [(one, evidence) for one, evidence in found if evidence]


def the_one(candidates: list[tuple[Format, str]], corpus: Corpus) -> tuple[Format, str]:
    """The only candidate. Raises: KathrineError that names all of them, or says that there is none."""
    if len(candidates) == 1:
        return candidates[0]
    label = f"{corpus.files.label}/{corpus.single}" if corpus.single else corpus.files.label
    if not candidates:
        shown = ", ".join(corpus.names[:6]) + (", ..." if len(corpus.names) > 6 else "")
        raise KathrineError(
            f"no format is recognised in {label}" + (f" ({shown})" if shown else ": it holds no files"),
            f"set format to one of {', '.join(NAMES)}, or look at path and files",
        )
    told = "".join(f"\n  {one.name}: {evidence}" for one, evidence in candidates)
    names = " or ".join(f'format = "{one.name}"' for one, _ in candidates)
    raise KathrineError(f"{label} may be read in {len(candidates)} ways:{told}", f"say which: {names}")
