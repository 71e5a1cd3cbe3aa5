"""The manifest: utterances as JSON Lines, one a line, checked all at once.

A row: id, audio, text or texts {variant: text}, speaker; and, where they are known, language, split, start,
end, seconds, reference, codes, cut, facts, embedding, codec, speaker_encoder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from kathrine.corpus.files import write_atomically
from kathrine.errors import KathrineError
from kathrine.types import Split, Utterance

SPLITS = get_args(Split)
MOST_SHOWN = 20


def problems_of(utterance: Utterance) -> Iterator[str]:
    """What is wrong with an utterance that a source gave; nothing for a good one."""
    if not utterance.id or utterance.id != utterance.id.strip():
        yield f"id {utterance.id!r} is empty or begins or ends with a space"
    if utterance.id.startswith("__"):
        yield f"id {utterance.id!r} begins with __, which is kept for kathrine"
    if "text" not in utterance.texts:
        yield f"no text variant 'text' among {sorted(utterance.texts)}"
    if not all(isinstance(text, str) for text in utterance.texts.values()):
        yield "a text is not a string"
    if not utterance.speaker:
        yield "no speaker"
    if utterance.split is not None and utterance.split not in SPLITS:
        yield f"split {utterance.split!r} is not one of {', '.join(SPLITS)}"
    start = utterance.start or 0.0
    if start < 0 or (utterance.end is not None and utterance.end <= start):
        yield f"the part from {utterance.start} to {utterance.end} s is empty"
    if utterance.seconds is not None and utterance.seconds <= 0:
        yield f"a length of {utterance.seconds} s"


def check_utterances(utterances: Iterable[Utterance], source: str) -> Iterator[Utterance]:
    """The same utterances.

    Raises:
        KathrineError: at the end, naming every row that is wrong and every id that comes twice.
    """
    seen: set[str] = set()
    problems: list[str] = []
    for number, utterance in enumerate(utterances, start=1):
        found = list(problems_of(utterance))
        if utterance.id in seen:
            found.append("this id was there before")
        seen.add(utterance.id)
        problems += [f"row {number} ({utterance.id}): {problem}" for problem in found]
        if not found:
            yield utterance
    if problems:
        raise refusal(f"the source {source} gave rows that can not be used", problems)


def refusal(sentence: str, problems: list[str]) -> KathrineError:
    """One error for many lines, the first ones shown."""
    more = [f"  and {len(problems) - MOST_SHOWN} more"] if len(problems) > MOST_SHOWN else []
    return KathrineError("\n".join([f"{sentence}:", *(f"  {line}" for line in problems[:MOST_SHOWN]), *more]))


def to_row(utterance: Utterance) -> dict[str, Any]:
    """A JSON object; fields that say nothing are left out."""
    row = {
        "id": utterance.id,
        "audio": str(utterance.audio) if utterance.audio else None,
        "texts": dict(utterance.texts),
        "speaker": utterance.speaker,
        "language": utterance.language or None,
        "split": utterance.split,
        "start": utterance.start,
        "end": utterance.end,
        "seconds": utterance.seconds,
        "reference": str(utterance.reference) if utterance.reference else None,
        "codes": [list(frame) for frame in utterance.codes] if utterance.codes else None,
        "cut": utterance.cut or None,
        "facts": dict(utterance.facts) or None,
        "embedding": list(utterance.embedding) if utterance.embedding else None,
        "codec": utterance.codec or None,
        "speaker_encoder": utterance.speaker_encoder or None,
    }
    return {name: value for name, value in row.items() if value is not None}


def from_row(row: Mapping[str, Any], folder: Path) -> Utterance:
    """An utterance from what `to_row` made; relative paths are relative to `folder`."""
    texts = row.get("texts") or {"text": row["text"]}
    return Utterance(
        id=row["id"],
        audio=folder / row["audio"] if row.get("audio") else None,
        texts=dict(texts),
        speaker=row["speaker"],
        language=row.get("language", ""),
        split=row.get("split"),
        start=row.get("start"),
        end=row.get("end"),
        seconds=row.get("seconds"),
        reference=folder / row["reference"] if row.get("reference") else None,
        codes=tuple(tuple(frame) for frame in row["codes"]) if row.get("codes") else None,
        cut=row.get("cut", False),
        facts=row.get("facts", {}),
        embedding=tuple(row["embedding"]) if row.get("embedding") else None,
        codec=row.get("codec", ""),
        speaker_encoder=row.get("speaker_encoder", ""),
    )


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write JSON Lines, atomically."""
    write_lines(path, map(to_row, utterances))


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON objects, one a line, atomically."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    write_atomically(path, write)


def read_manifest(path: Path) -> Iterator[Utterance]:
    """Read what `write_manifest` wrote.

    Raises:
        KathrineError: at the end, every bad line as `file:line: what is wrong`.
    """
    problems: list[str] = []
    seen: set[str] = set()
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                utterance = from_row(json.loads(line), path.parent)
                found = list(problems_of(utterance))
            except json.JSONDecodeError as error:
                found = [f"not JSON: {error.msg} at column {error.colno}"]
            except (KeyError, TypeError, AttributeError) as error:
                found = [f"a field is missing or of the wrong type: {error}"]
            else:
                found += ["this id was there before"] if utterance.id in seen else []
                seen.add(utterance.id)
                if not found:
                    yield utterance
            problems += [f"{path.name}:{number}: {problem}" for problem in found]
    if problems:
        raise refusal(f"{path} holds rows that can not be used", problems)
