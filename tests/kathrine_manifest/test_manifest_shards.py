"""Parquet: whoever wrote it, recordings become files once, in little memory, and a killed run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import layouts
import pyarrow as pa
import pytest
import soundfile
from layouts import TEXTS, read, sound, sound_bytes
from pyarrow import parquet as pq

from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress


def clips(work: Path) -> dict[str, tuple[int, bytes]]:
    """Time of change and content of every recording that was written."""
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes())
        for path in work.rglob("shards/**/*")
        if path.suffix in (".wav", ".flac", ".ogg", ".mp3", ".audio")
    }


def write(file: Path, rows_in_group: int = 100, **columns: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file, row_group_size=rows_in_group)
    return file


def test_recordings_are_written_once_and_named_by_what_they_are(tmp_path: Path) -> None:
    kinds = ["WAV", "FLAC", "OGG", "MP3"]
    content = [sound_bytes(n, kind=kind) for n, kind in enumerate(kinds)]
    write(tmp_path / "top" / "train.parquet", audio=content, text=list(TEXTS))
    found = read(tmp_path / "top", tmp_path / "ws")
    assert [u.audio.suffix for u in found] == [".wav", ".flac", ".ogg", ".mp3"]
    assert [u.audio.read_bytes() for u in found] == content
    assert [u.id for u in found] == [f"train-00000{n}" for n in range(1, 5)]
    before = clips(tmp_path / "ws")
    assert len(before) == 4 and [u.audio for u in read(tmp_path / "top", tmp_path / "ws")] == [u.audio for u in found]
    assert clips(tmp_path / "ws") == before


def test_the_sentences_id_is_not_the_rows_unless_the_recipe_says_so(tmp_path: Path) -> None:
    top = layouts.parquet(tmp_path / "top")
    found = read(top, tmp_path / "ws")
    assert [(u.id, u.speaker, u.text) for u in found][1:3] == [
        ("train-00000-of-00002-000002", "1", TEXTS[1]),
        ("train-00001-of-00002-000001", "2", TEXTS[2]),
    ]
    with pytest.raises(KathrineError, match=r"train-00000-of-00002.parquet:2: the id '7' stands in line 1 already"):
        read(top, tmp_path / "ws", columns={"id": "id"})


def test_columns_are_named_or_found_by_name_and_type(tmp_path: Path) -> None:
    clip = [{"bytes": sound_bytes(n), "path": None} for n in range(2)]
    path = write(tmp_path / "a.parquet", lyd=clip, setning=["Ja", "Nei"], hvem=["ola", "kari"], path=["x.wav"] * 2)
    with pytest.raises(KathrineError, match=r"a.parquet:1: no column 'text'; there are: lyd, setning, hvem, path"):
        read(path, tmp_path / "ws")
    columns = {"audio": "lyd", "text": "setning", "speaker": "hvem"}
    found = read(path, tmp_path / "ws", columns=columns)
    assert [(u.text, u.speaker, u.audio.suffix) for u in found] == [("Ja", "ola", ".wav"), ("Nei", "kari", ".wav")]
    typed = write(tmp_path / "b.parquet", lyd=clip, text=["Ja", "Nei"])
    assert [u.text for u in read(typed, tmp_path / "ws")] == ["Ja", "Nei"]


def test_paths_in_place_of_bytes_are_read_beside_the_shard(tmp_path: Path) -> None:
    wanted = [sound(tmp_path / "top" / "clips" / f"{n}.flac", n) for n in range(2)]
    names = [f"clips/{n}.flac" for n in range(2)]
    write(tmp_path / "top" / "a.parquet", audio=names, text=["Ja", "Nei"])
    assert [u.audio for u in read(tmp_path / "top", tmp_path / "ws")] == wanted
    write(tmp_path / "top" / "a.parquet", audio=[{"bytes": None, "path": name} for name in names], text=["Ja", "Nei"])
    assert [u.audio for u in read(tmp_path / "top", tmp_path / "ws")] == wanted
    write(tmp_path / "top" / "a.parquet", audio=["../../x.wav", None], text=["Ja", "Nei"])
    with pytest.raises(KathrineError) as error:
        read(tmp_path / "top", tmp_path / "ws")
    assert "a.parquet:1: '../../x.wav' points outside" in str(error.value)
    assert "a.parquet:2: neither 'audio' nor 'audio_codes'" in str(error.value)


def test_what_datasets_writes_is_read(tmp_path: Path) -> None:
    """The library itself, without its audio decoder: bytes as they are."""
    code = """
import sys, pathlib
from datasets import Audio, Dataset
top = pathlib.Path(sys.argv[1])
clips = sorted(str(path) for path in (top / "wavs").iterdir())
rows = {"audio": clips, "sentence": ["Ja", "Nei", "Jo"], "speaker_id": [1, 2, 1]}
data = Dataset.from_dict(rows).cast_column("audio", Audio(decode=False))
data.to_parquet(str(top / "out" / "train-00000-of-00001.parquet"))
"""
    for number in range(3):
        sound(tmp_path / "wavs" / f"{number}.flac", number)
    (tmp_path / "out").mkdir()
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment, capture_output=True)
    found = read(tmp_path / "out", tmp_path / "ws")
    assert [(u.text, u.speaker) for u in found] == [("Ja", "1"), ("Nei", "2"), ("Jo", "1")]
    for number, utterance in enumerate(found):
        assert utterance.audio.read_bytes() == (tmp_path / "wavs" / f"{number}.flac").read_bytes()


def test_no_more_shards_are_unpacked_than_max_hours_needs(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for split, count in (("train", 4), ("validation", 2)):
        for shard in range(count):
            content = [{"bytes": sound_bytes(10 * shard + n), "path": f"{n}.wav"} for n in range(5)]
            name = f"{split}-{shard:05d}-of-{count:05d}.parquet"
            write(top / "data" / name, audio=content, text=["Ja"] * 5, speaker=[f"{split}{n}" for n in range(5)])
    found = read(top, tmp_path / "ws", wishes={"max_hours": 12 / 3600})  # a shard holds 10 s; 12 s and 15 % are 13.8 s
    assert [u.split for u in found].count("train") == 10 and [u.split for u in found].count("validation") == 5
    assert len(clips(tmp_path / "ws")) > 0
    more = read(top, tmp_path / "ws", wishes={"max_hours": 25 / 3600})
    assert [u.split for u in more].count("train") == 15 and {u.id for u in found} < {u.id for u in more}
    # Speech of others, and what is too short, is not counted.
    few = read(top, tmp_path / "few", wishes={"max_hours": 12 / 3600, "speakers": ("train1", "train2")})
    assert [u.split for u in few].count("train") == 20
    assert len(read(top, tmp_path / "all")) == 30


def test_a_changed_shard_is_read_anew_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "top" / "a.parquet", audio=[sound_bytes(1)], text=["Ja"])
    assert [u.text for u in read(tmp_path / "top", tmp_path / "ws")] == ["Ja"]
    time.sleep(0.01)
    write(path, audio=[sound_bytes(2)], text=["Nei"])
    (found,) = read(tmp_path / "top", tmp_path / "ws")
    assert found.text == "Nei" and found.audio.read_bytes() == sound_bytes(2)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(KathrineError, match=r"a.parquet .*is damaged"):
        read(tmp_path / "top", tmp_path / "ws")


def test_a_recording_that_is_none_is_left_to_prepare(tmp_path: Path) -> None:
    write(tmp_path / "top" / "a.parquet", audio=[b"not sound", sound_bytes(1)], text=["Ja", "Nei"])
    found = read(tmp_path / "top", tmp_path / "ws")
    assert found[0].audio.suffix == ".audio" and soundfile.info(found[1].audio).frames == 32000


KILLED = """
import sys, time
import kathrine_manifest.shards as shards
real = shards.write_once
count = 0
def slow(path, content):
    global count
    real(path, content)
    count += 1
    if count == 7:
        print("seven", flush=True)
        time.sleep(60)
shards.write_once = slow
sys.path.insert(0, sys.argv[3])
from layouts import read
read(sys.argv[1], __import__("pathlib").Path(sys.argv[2]))
"""


def test_a_killed_run_goes_on_and_writes_nothing_twice(tmp_path: Path) -> None:
    content = [{"bytes": sound_bytes(n, 0.5), "path": None} for n in range(20)]
    write(tmp_path / "top" / "a.parquet", audio=content, text=["Ja"] * 20)
    arguments = [str(tmp_path / "top"), str(tmp_path / "ws"), str(Path(__file__).parent)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "seven\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    before = clips(tmp_path / "ws")
    assert len(before) == 7
    found = read(tmp_path / "top", tmp_path / "ws")
    after = clips(tmp_path / "ws")
    assert len(after) == 20 and {name: after[name] for name in before} == before
    assert [u.audio.read_bytes() for u in found] == [clip["bytes"] for clip in content]


MEMORY = r"""
import pathlib, re, sys
sys.path.insert(0, sys.argv[3])
from layouts import read
found = read(sys.argv[1], pathlib.Path(sys.argv[2]))
# Not ru_maxrss: that begins with what the parent process had.
peak = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())
print(len(found), int(peak[1]) // 1024)
"""


def test_memory_does_not_grow_with_the_shard(tmp_path: Path) -> None:
    """20 row groups of 8 MB against one of them."""
    import numpy as np

    generator = np.random.default_rng(0)
    used = {}
    for name, rows in (("small", 20), ("large", 240)):
        made = [b"RIFF" + generator.bytes(400_000) for _ in range(rows)]
        write(tmp_path / name / "a.parquet", 20, audio=made, text=["Ja"] * rows)
        arguments = [str(tmp_path / name), str(tmp_path / f"ws-{name}"), str(Path(__file__).parent)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        told = subprocess.run(
            [sys.executable, "-c", MEMORY, *arguments], capture_output=True, text=True, env=environment, check=True
        )
        count, used[name] = map(int, told.stdout.split())
        assert count == rows
    assert used["large"] - used["small"] < 60, used


def test_progress_names_what_is_unpacked(tmp_path: Path) -> None:
    progress = SilentProgress()
    read(layouts.parquet(tmp_path / "top"), tmp_path / "ws", progress)
    assert "manifest: shards" in progress.tasks
