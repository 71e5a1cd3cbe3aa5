"""The bundled sample in the other layouts of the corpus: the Hub's Parquet export, and Språkbanken's own release."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import soundfile

from kathrine.datafiles import bundled_sample

SAMPLE = bundled_sample("npsc")
SPLITS = {"train": "train", "eval": "validation", "test": "test"}
CONFIGS = ("16K_mp3", "16K_mp3_bokmaal", "16K_mp3_nynorsk", "48K_mp3", "48K_mp3_bokmaal", "48K_mp3_nynorsk")
CODES = {"bokmaal": "nb-NO", "nynorsk": "nn-NO"}
INTEGERS = ("sentence_id", "sentence_order", "speaker_id", "start_time", "end_time", "translated")
STRINGS = (
    "meeting_date",
    "speaker_name",
    "sentence_text",
    "sentence_language_code",
    "text",
    "normsentence_text",
    "transsentence_text",
)
PEOPLE = {  # speaker id: gender, dialect
    11: ("female", "Eastern Norway"),
    24: ("male", "Trøndelag"),
    37: ("female", "Western Norway"),
    52: ("male", "Northern Norway"),
    68: ("female", "Eastern Norway"),
}


def sample_rows(folder: str) -> list[dict[str, Any]]:
    """Rows of the day files of one folder (train, eval, test)."""
    return [
        json.loads(line)
        for path in sorted(SAMPLE.glob(f"data/{folder}/*.json"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def sample_clips(folder: str) -> dict[str, bytes]:
    """The mp3 files of one folder, by stem."""
    clips = {}
    for path in sorted(SAMPLE.glob(f"data/{folder}/*.tar.gz")):
        with tarfile.open(path) as archive:
            clips |= {PurePosixPath(member.name).stem: archive.extractfile(member).read() for member in archive}
    return clips


def stem_of(row: Mapping[str, Any]) -> str:
    return PurePosixPath(row["audio"]["path"]).stem


def write_export(folder: Path, configs: Iterable[str] = CONFIGS, group: int = 2, rows_a_file: int = 24) -> Path:
    """The Hub's Parquet export, as its bot writes it: the columns and types of the corpus, the features in the schema's
    metadata, `partial-` folders where the real one has them, and a few rows in each row group and file."""
    for config in configs:
        language = config.split("_mp3")[1].removeprefix("_")
        for name, split in SPLITS.items():
            clips = sample_clips(name)
            rows = [row for row in sample_rows(name) if CODES.get(language, "") in row["sentence_language_code"]]
            rows = [row for row in rows if stem_of(row) in clips]
            prefix = "partial-" if config in ("48K_mp3", "48K_mp3_bokmaal") else ""
            for number, first in enumerate(range(0, max(len(rows), 1), rows_a_file)):
                path = folder / config / f"{prefix}{split}" / f"{number:04d}.parquet"
                write_shard(path, rows[first : first + rows_a_file], clips, int(config[:2]) * 1000, group)
    return folder


def write_shard(path: Path, rows: list[dict[str, Any]], clips: Mapping[str, bytes], rate: int, group: int = 2) -> None:
    """One file of the export; clips under the name that the real one has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {name: pa.array([row[name] for row in rows], pa.int32()) for name in INTEGERS[:3]}
    columns |= {name: pa.array([row[name] for row in rows], pa.string()) for name in STRINGS[:5]}
    columns |= {name: pa.array([row[name] for row in rows], pa.int32()) for name in INTEGERS[3:5]}
    columns |= {name: pa.array([row[name] for row in rows], pa.string()) for name in STRINGS[5:]}
    columns["translated"] = pa.array([row["translated"] for row in rows], pa.int32())
    audio = [{"bytes": clips[stem_of(row)], "path": row["audio"]["path"].replace(".wav", ".mp3")} for row in rows]
    columns["audio"] = pa.array(audio, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    kinds = {name: "int32" if name in INTEGERS else "string" for name in columns if name != "audio"}
    features = {name: {"dtype": kind, "_type": "Value"} for name, kind in kinds.items()}
    features["audio"] = {"sampling_rate": rate, "_type": "Audio"}
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)


def write_script_repository(folder: Path) -> Path:
    """What is left of the real repository without its day files: a card and a loading script."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# NPSC\n", encoding="utf-8")
    (folder / "NPSC.py").write_text("raise SystemExit('the script was run')\n", encoding="utf-8")
    return folder


def write_speakers(path: Path, people: Mapping[int, tuple[str, str]] | None = None) -> Path:
    """The speaker file of the release."""
    rows = [
        {
            "speaker_id": known,
            "speaker_name": f"Taler {known}",
            "gender": gender,
            "dialect": dialect,
            "pob_county": "",
        }
        for known, (gender, dialect) in (PEOPLE if people is None else people).items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def write_release(folder: Path, top: str = "NPSC_1_1", channels: int = 2) -> Path:
    """Språkbanken's release: a folder for each session with sentences, tokens (as spoken, and normalised), and wav
    clips; the speaker file; and, as in the real one, the whole meeting beside them."""
    for name, split in SPLITS.items():
        clips = sample_clips(name)
        days: dict[str, list[dict[str, Any]]] = {}
        for row in sample_rows(name):
            days.setdefault(row["meeting_date"], []).append(row)
        for day, rows in days.items():
            session = folder / top / day
            (session / "audio").mkdir(parents=True)
            for row in rows:
                if stem_of(row) in clips:
                    write_wav(session / "audio" / f"{stem_of(row)}.wav", clips[stem_of(row)], channels)
            facts = {"full_audio_file": f"{day}-095504.wav", "data_split": split.replace("validation", "eval")}
            (session / facts["full_audio_file"]).write_bytes(b"RIFF")  # the meeting itself: nobody reads it
            dump = {
                "_sentence_data": [release_row(row) for row in rows],
                "_token_data": [tokens_of(row, "sentence_text") for row in rows],
                "_normalized_token_data": [tokens_of(row, "normsentence_text") for row in rows],
            }
            for kind, sentences in dump.items():
                content = json.dumps({**facts, "sentences": sentences}, ensure_ascii=False)
                (session / f"{day}{kind}.json").write_text(content, encoding="utf-8")
    write_speakers(folder / top / "project_files" / "NPSC_speaker_data.json")
    return folder


def write_wav(path: Path, mp3: bytes, channels: int) -> None:
    """A clip as 48 kHz wav; the second channel is a far microphone."""
    wave, rate = soundfile.read(io.BytesIO(mp3), dtype="float32")
    soundfile.write(path, np.stack([wave, 0.1 * wave][:channels], axis=1), rate, subtype="PCM_16")


def release_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A sentence with the keys of the release."""
    keys = ("sentence_id", "sentence_order", "speaker_id", "speaker_name", "sentence_text", "sentence_language_code")
    kept = {key: row[key] for key in (*keys, "start_time", "end_time")}
    return {**kept, "audio_file": f"{stem_of(row)}.wav"}


def tokens_of(row: Mapping[str, Any], column: str) -> dict[str, Any]:
    """A sentence as tokens, the last ones first: their order stands in `token_order`."""
    tokens = [
        {"token_order": at, "token_text": word, "standardized_form": "ikke" if word == "ikkje" else None}
        for at, word in enumerate(row[column].split())
    ]
    return {"sentence_id": row["sentence_id"], "tokens": tokens[::-1]}
