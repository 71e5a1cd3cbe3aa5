"""Published corpora in small, in the layouts that their cards and file lists describe."""

from __future__ import annotations

from pathlib import Path

from layouts import TEXTS, sound_bytes, tar, write_lines


def nb_samtale(top: Path) -> Path:
    """Språkbanken's corpus of conversations: a table for each split, an archive for each split and written norm."""
    number = 0
    for split, count in (("train", 4), ("validation", 2), ("test", 2)):
        members: dict[str, dict[str, bytes]] = {"bm": {}, "nn": {}}
        rows = []
        for place in range(count):
            norm = "nn" if place % 2 else "bm"
            file = f"nb-{number}_0008970-0013860.wav"
            members[norm][f"{split}/{norm}/{file}"] = sound_bytes(number)
            rows.append(
                {
                    "source_file_id": f"nb-{number}",
                    "segment_id": "0008970-0013860",
                    "segment_order": place,
                    "duration": 2.0,
                    "overlap_previous": False,
                    "overlap_next": False,
                    "speaker_id": f"P{number % 2}",
                    "gender": "f",
                    "dialect": "e",
                    "orthography": norm,
                    "source_type": "podcast",
                    "file_name": file,
                    "transcription": f"<ehm> {TEXTS[place]}",
                    "annotations": f"<ehm> {TEXTS[place]}",
                    "orthographic": TEXTS[place],
                    "verbatim": f"øh {TEXTS[place]}",
                }
            )
            number += 1
        write_lines(top / "data" / f"{split}_metadata.jsonl", *rows)
        for norm, files in members.items():
            tar(top / "data" / f"{split}_{norm}_1.tar.gz", files)
    write_lines(top / "README.md", "---", "license: cc0-1.0", "---")
    write_lines(top / "nb_samtale.py", "raise SystemExit('the script was run')")
    return top


def nst(top: Path) -> Path:
    """NST's read sentences: JSON Lines and an archive of mp3 in shards; the name of a clip is put together."""
    for split, shards in (("train", 2), ("test", 1)):
        for shard in range(1, shards + 1):
            rows, members = [], {}
            for place in range(3):
                pid, file = f"no99x{shard:03d}-22071999-1425", f"u007000{place}.wav"
                text = "Punktum \\Punktum" if place == 2 else TEXTS[place]
                rows.append({"pid": pid, "file": file, "text": text, "Speaker_ID": f"#{shard}", "Sex": "Female"})
                content = sound_bytes(10 * shard + place, kind="MP3")
                members[f"audio/{pid}_{file.removesuffix('.wav')}.mp3"] = content
            stem = f"nst_no_{split}_close-000{shard}-of-000{shards}"
            write_lines(top / "data" / split / f"{stem}.json", *rows)
            tar(top / "data" / split / f"{stem}.tar.gz", members)
            # The far microphone: the same rows again.
            write_lines(top / "data" / split / f"{stem.replace('close', 'distant')}.json", *rows)
            tar(top / "data" / split / f"{stem.replace('close', 'distant')}.tar.gz", members)
    write_lines(top / "NST.py", "raise SystemExit('the script was run')")
    return top


def fleurs(main: Path, export: Path) -> None:
    """FLEURS: tables without a header and archives on main, Parquet in the export; ids are of sentences."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    write_lines(main / "README.md", "---", "license: cc-by-4.0", "---")
    write_lines(main / "fleurs.py", "raise SystemExit('the script was run')")
    write_lines(main / "data" / "nb_no" / "train.tsv", "7\t1.wav\tRå tekst.\trå tekst\tr å\t32000\tFEMALE")
    tar(main / "data" / "nb_no" / "audio" / "train.tar.gz", {"train/1.wav": sound_bytes(1)})
    for language in ("nb_no", "da_dk"):
        for split, count in (("train", 3), ("validation", 2), ("test", 2)):
            path = export / language / f"fleurs-{split}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = {
                "id": pa.array([7] * count, pa.int32()),
                "num_samples": pa.array([32000] * count, pa.int32()),
                "path": [f"/data/{split}/{n}.wav" for n in range(count)],
                "audio": [{"bytes": sound_bytes(n), "path": f"{n}.wav"} for n in range(count)],
                "transcription": [TEXTS[n].lower() for n in range(count)],
                "raw_transcription": [TEXTS[n] for n in range(count)],
                "gender": pa.array([0, 1, 0][:count], pa.int64()),
                "language": ["Norwegian"] * count,
            }
            pq.write_table(pa.table(rows), path)
