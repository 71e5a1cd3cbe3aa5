"""What became of every utterance, one JSON object each: `manifest.jsonl` of a prepared corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kathrine.corpus.manifest import to_row
from kathrine.corpus.rows import Row
from kathrine.errors import KathrineError


def verdict(row: Row) -> dict[str, Any]:
    """An utterance as its source gave it, with split, verdict and measurements."""
    told = {"entry": row.entry, **to_row(row.utterance), "split": row.split, "kept": row.kept}
    if row.reason:
        told |= {"reason": row.reason} | ({"detail": row.detail} if row.detail else {})
    if row.letters:
        told["letters"] = row.letters
    if row.sound is not None:
        sound = row.sound
        told |= {"original_rate": sound.original_rate, "bandwidth_hz": sound.bandwidth_hz, "cut": row.cut}
        told |= {"conditioned_seconds": round(sound.seconds, 4), "silence": round(sound.silence, 4)}
        told |= {
            "clipped": round(sound.clipped, 6),
            "rms_db": round(sound.rms_db, 2),
            "peak_db": round(sound.peak_db, 2),
            "channels": sound.channels,
            "clipped_run": sound.clipped_run,
            "loudness_lufs": sound.loudness_lufs,
            "inner_silence": sound.inner_silence,
            "pauses": list(sound.pauses),
            "edge_silence": sound.edge_silence,
            "start_silence": sound.start_silence,
            "end_silence": sound.end_silence,
        }
        told |= {} if sound.snr_db is None else {"snr_db": sound.snr_db}
    elif row.imported:
        told["conditioned_seconds"] = round(row.seconds, 4)
    return told | row.scores


def verdicts_digest(rows: Iterable[Row]) -> str:
    """Equal exactly when the verdicts are, wherever the recordings lie."""
    digest = hashlib.sha256()
    for row in rows:
        told = {name: value for name, value in verdict(row).items() if name not in ("audio", "reference", "detail")}
        digest.update(json.dumps(told, ensure_ascii=False, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()[:20]


def read_verdicts(folder: Path) -> Iterator[dict[str, Any]]:
    """The verdicts of a prepared corpus, in order, one by one.

    Raises:
        KathrineError: the file is missing or damaged, naming the line.
    """
    path = folder / "manifest.jsonl"
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise KathrineError(
                        f"{path}:{number} is damaged: {error}", f"delete {folder} and run `kathrine prepare` again"
                    ) from error
    except OSError as error:
        raise KathrineError(
            f"{path} can not be read: {error.strerror or error}", f"delete {folder} and run `kathrine prepare` again"
        ) from error


def seconds_found(told: Mapping[str, Any]) -> float | None:
    """Length of an utterance as its source gave it, else as it was measured; None where nobody knows it."""
    if told.get("seconds"):
        return float(told["seconds"])
    if told.get("end") is not None:
        return float(told["end"] - (told.get("start") or 0.0))
    measured = told.get("conditioned_seconds")
    return None if measured is None else float(measured)


def letters_per_second(told: Mapping[str, Any]) -> float | None:
    """Speaking rate, None where text or recording was not looked at."""
    seconds = told.get("conditioned_seconds")
    return told["letters"] / seconds if seconds and told.get("letters") else None
