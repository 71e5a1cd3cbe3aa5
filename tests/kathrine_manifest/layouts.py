"""Small corpora in every layout, of real recordings, and how to read them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from kathrine.components import SourceContext
from kathrine.progress import SilentProgress
from kathrine.types import Utterance
from kathrine.workspace import Workspace
from kathrine_manifest import Manifest, ManifestOptions

TEXTS = ("Hei på deg.", "Klokka er ni.", "Nå går vi hjem.", "Det blåser fra nord.")
RATE = 16000


def wave(number: int = 0, seconds: float = 2.0) -> np.ndarray:
    """Noise that swells and fades, another for each number. float32 [samples]."""
    generator = np.random.default_rng(number)
    count = int(seconds * RATE)
    return (0.2 * np.sin(np.linspace(0, np.pi * 4, count)) * generator.standard_normal(count)).astype(np.float32)


def sound(path: Path, number: int = 0, seconds: float = 2.0) -> Path:
    """Write a recording; its ending says how."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}[path.suffix.lower()]
    soundfile.write(path, wave(number, seconds), RATE, format=kind)
    return path


def sound_bytes(number: int = 0, seconds: float = 2.0, kind: str = "WAV") -> bytes:
    """A recording in memory."""
    buffer = io.BytesIO()
    soundfile.write(buffer, wave(number, seconds), RATE, format=kind)
    return buffer.getvalue()


def write_lines(path: Path, *rows: Any) -> Path:
    """Text lines; what is no text is written as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    """An archive with these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def read(path: Path | str, work: Path, progress: SilentProgress | None = None, **options: Any) -> list[Utterance]:
    """Check, prepare twice and list twice, which must be the same. Wishes of the data entry: `wishes`."""
    wishes = options.pop("wishes", {})
    source = Manifest(ManifestOptions(path=str(path), **options))
    assert list(source.problems()) == []
    workspace = Workspace(work)
    context = SourceContext(
        workspace.folder("sources", "manifest"), workspace, progress or SilentProgress(), 1, **wishes
    )
    source.prepare(context)
    found = list(source.utterances(context))
    source.prepare(context)
    assert found == list(source.utterances(context))
    return found


def facts(found: list[Utterance]) -> list[tuple]:
    """Text, speaker and split of each."""
    return [(one.text, one.speaker, one.split) for one in found]


# --------------------------------------------------------------------------- the layouts


def ljspeech(top: Path) -> Path:
    """Three columns and wavs/."""
    for number in range(4):
        sound(top / "wavs" / f"LJ00{number}.wav", number)
    rows = [f"LJ00{number}|Nå er klokka {number}.|{text}" for number, text in enumerate(TEXTS)]
    write_lines(top / "metadata.csv", *rows)
    return top


def piper(top: Path) -> Path:
    """File, speaker and text; recordings in wav/."""
    for number in range(4):
        sound(top / "wav" / f"{number}.wav", number)
    rows = [f"{number}.wav|{'kari' if number % 2 else 'ola'}|{text}" for number, text in enumerate(TEXTS)]
    write_lines(top / "metadata.csv", *rows)
    return top


def audiofolder(top: Path) -> Path:
    """metadata.csv in train/ and validation/, with quoted commas."""
    for number, split in enumerate(("train", "train", "train", "validation")):
        sound(top / split / "clips" / f"{number}.mp3", number)
    head = "file_name,transcription,speaker_id,age"
    rows = [f'clips/{number}.mp3,"{TEXTS[number]}, ""ja""",s{number % 2},{number}' for number in range(3)]
    write_lines(top / "train" / "metadata.csv", head, *rows)
    write_lines(top / "validation" / "metadata.csv", head, f"clips/3.mp3,{TEXTS[3]},s1,3")
    return top


def pairs(top: Path) -> Path:
    """A folder a speaker, capitals in the endings, texts of two lines."""
    for number, text in enumerate(TEXTS):
        folder = top / ("kari" if number % 2 else "ola")
        sound(folder / f"{number}.WAV", number)
        (folder / f"{number}.txt").write_text(text.replace(" ", "\n", 1), encoding="utf-8")
    write_lines(top / "README.txt", "not a transcript")
    return top


def nemo(top: Path) -> Path:
    """Parts of one recording."""
    sound(top / "long.flac", 0, 8.0)
    rows = [
        {"audio_filepath": "long.flac", "text": text, "offset": 2.0 * number, "duration": 2.0, "speaker": "kari"}
        for number, text in enumerate(TEXTS)
    ]
    write_lines(top / "train_manifest.json", *rows)
    return top


def kaldi(top: Path) -> Path:
    """wav.scp, segments, text and utt2spk."""
    sound(top / "rec1.wav", 1, 4.0)
    sound(top / "rec2.wav", 2, 4.0)
    write_lines(top / "wav.scp", "rec1 rec1.wav", "rec2 rec2.wav")
    write_lines(top / "segments", "u0 rec1 0.0 2.0", "u1 rec1 2.0 -1", "u2 rec2 0 2", "u3 rec2 2 4")
    write_lines(top / "text", *[f"u{number} {text}" for number, text in enumerate(TEXTS)])
    write_lines(top / "utt2spk", "u0 ola", "u1 ola", "u2 kari", "u3 kari")
    return top


def lhotse_recording(name: str, path: str, seconds: float) -> dict[str, Any]:
    """A recording as Lhotse writes it."""
    return {
        "id": name,
        "sources": [{"type": "file", "channels": [0], "source": path}],
        "sampling_rate": RATE,
        "num_samples": int(seconds * RATE),
        "duration": seconds,
        "channel_ids": [0],
    }


def lhotse(top: Path) -> Path:
    """Cuts: one whole recording, one with two supervisions; gzipped."""
    import gzip

    sound(top / "audio" / "a.wav", 1, 2.0)
    sound(top / "audio" / "b.wav", 2, 6.0)

    def supervision(number: int, recording: str, start: float) -> dict[str, Any]:
        return {
            "id": f"sup{number}",
            "recording_id": recording,
            "start": start,
            "duration": 2.0,
            "channel": 0,
            "text": TEXTS[number],
            "language": "nb",
            "speaker": f"s{number % 2}",
        }

    a, b = lhotse_recording("a", "audio/a.wav", 2.0), lhotse_recording("b", "audio/b.wav", 6.0)
    cuts = [
        {"id": "c0", "start": 0, "duration": 2.0, "channel": 0, "recording": a, "type": "MonoCut"}
        | {"supervisions": [supervision(0, "a", 0.0)]},
        {"id": "c1", "start": 1.0, "duration": 5.0, "channel": 0, "recording": b, "type": "MonoCut"}
        | {"supervisions": [supervision(1, "b", 0.0), supervision(2, "b", 2.5)]},
    ]
    with gzip.open(top / "cuts_train.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(cut) + "\n" for cut in cuts)
    return top


CV_HEAD = (
    "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender\taccents\tvariant\tlocale"
    "\tsegment"
)


def common_voice(top: Path) -> Path:
    """Tables of release 17 and later; validated holds the others and more of the same people."""

    def row(number: int, client: str, up: int = 2, down: int = 0) -> str:
        text = TEXTS[number % 4].replace("Hei", '"Hei')  # a quotation mark is a letter here
        return f"{client}\tcommon_voice_{number}.mp3\th{number}\t{text}\t\t{up}\t{down}\t\t\t\t\tnb-NO\t"

    for number in range(6):
        sound(top / "clips" / f"common_voice_{number}.mp3", number)
    rows = [row(0, "anne"), row(1, "anne", 3), row(2, "bo"), row(3, "cato"), row(4, "bo", 2, 1), row(5, "anne", 2, 1)]
    write_lines(top / "train.tsv", CV_HEAD, rows[0], rows[1])
    write_lines(top / "dev.tsv", CV_HEAD, rows[2])
    write_lines(top / "test.tsv", CV_HEAD, rows[3])
    write_lines(top / "validated.tsv", CV_HEAD, *rows)
    write_lines(top / "other.tsv", CV_HEAD)
    return top


def jsonl(top: Path) -> Path:
    """The official trainer's keys as a fork writes them."""
    for number in range(4):
        sound(top / "data" / f"{number}.ogg", number)
    rows = [
        {"audio_path": f"data/{number}.ogg", "text": text, "ref_audio_path": "data/0.ogg", "language": "norwegian"}
        for number, text in enumerate(TEXTS)
    ]
    write_lines(top / "train_raw.jsonl", *rows)
    return top


def parquet(top: Path) -> Path:
    """Two shards with bytes, as the Hub converts them."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    top.mkdir(parents=True, exist_ok=True)
    for shard, numbers in enumerate(((0, 1), (2, 3))):
        table = pa.table(
            {
                "id": [7, 7],  # of the sentence, not of the row: FLEURS
                "audio": [{"bytes": sound_bytes(number), "path": f"{number}.wav"} for number in numbers],
                "transcription": [TEXTS[number] for number in numbers],
                "speaker_id": pa.array(numbers, pa.int32()),
            }
        )
        pq.write_table(table, top / f"train-0000{shard}-of-00002.parquet", row_group_size=1)
    return top


LAYOUTS = {
    "ljspeech": ljspeech,
    "piper": piper,
    "audiofolder": audiofolder,
    "pairs": pairs,
    "nemo": nemo,
    "kaldi": kaldi,
    "lhotse": lhotse,
    "common_voice": common_voice,
    "jsonl": jsonl,
    "parquet": parquet,
}
