"""Prepares a corpus in this process and prints what it took: rows, frames, peak memory of it and of its workers (MB).

python memory_runs.py samples FOLDER TIMES    the bundled samples, copied so often, every copy with its own content
python memory_runs.py minutes FOLDER MINUTES  parts of one long recording
"""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from corpus_fakes import FakeFamily, prepared, recipe, speech

from kathrine.corpus import workers
from kathrine.datafiles import bundled_sample
from kathrine.types import Utterance

QUICK = {"batch": 16, "highpass_hz": 0.0, "loudness_lufs": 0.0, "workers": 2}


def peak(process: int | str = "self") -> float:
    """Most memory that a process had at a time, in MB. Not ru_maxrss: that counts what was there before `exec`."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def sample_clips() -> Iterator[bytes]:
    """The recordings of the bundled samples."""
    for path in sorted(bundled_sample("nb-librivox").rglob("*.mp3")):
        yield path.read_bytes()
    for path in sorted(bundled_sample("npsc").rglob("*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None and member.name.endswith(".mp3"):
                    yield file.read()


def copied_samples(folder: Path, times: int) -> list[Utterance]:
    """Each recording so often, with a tag at its end that makes it another file."""
    folder.mkdir(parents=True)
    made = []
    # Every fourth of them: all of the samples take a minute and show the same.
    for number, clip in enumerate(list(sample_clips())[::4] * times):
        path = folder / f"{number:06d}.mp3"
        path.write_bytes(clip + b"TAG" + str(number).encode().ljust(125))
        made.append(Utterance(path.stem, path, {"text": f"dette er opptak {number} " * 8}, f"s{number % 20}"))
    return made


def parts(folder: Path, minutes: int) -> list[Utterance]:
    """Ten seconds each of one hour's recording, no two alike."""
    path = folder / "hour.wav"
    if not path.is_file():
        soundfile.write(path, np.tile(speech(60.0, 1, 4000, tail=0.0), 60), 4000)
    begins = [n % 350 * 10.0 + n // 350 * 0.125 for n in range(minutes * 6)]
    return [
        Utterance(f"u{n:05d}", path, {"text": f"dette er setning {n}"}, f"s{n % 20}", start=begin, end=begin + 10)
        for n, begin in enumerate(begins)
    ]


def main(kind: str, folder: Path, amount: int) -> None:
    given = copied_samples(folder / f"x{amount}", amount) if kind == "samples" else parts(folder, amount)
    table = QUICK | {"min_letters_per_second": 0.0, "max_letters_per_second": 1000.0}
    peaks: list[float] = []
    end = workers._Worker.end

    def measured(worker: workers._Worker) -> int:
        peaks.append(peak(worker.process.pid))
        return end(worker)

    workers._Worker.end = measured  # type: ignore[method-assign]
    corpus = prepared(folder / f"ws{amount}", recipe(given, family=FakeFamily(), table=table))
    frames = sum(corpus.example(row.key).frames for row in corpus.rows)
    print(json.dumps([len(corpus.rows), frames, peak(), max(peaks)]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
