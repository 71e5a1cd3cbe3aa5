"""Memory does not grow with the corpus: ten hours take no more than ten minutes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PREPARE = """
import json, resource, sys
from pathlib import Path
import soundfile
from corpus_fakes import FakeFamily, prepared, recipe, speech
from kathrine.types import Utterance

root, minutes = Path(sys.argv[1]), int(sys.argv[2])
path = root / "hour.wav"
if not path.is_file():
    import numpy as np
    soundfile.write(path, np.tile(speech(60.0, 1, 4000, tail=0.0), 60), 4000)
given = [
    Utterance(f"u{n:05d}", path, {"text": f"dette er setning {n}"}, f"s{n % 20}",
              start=n % 350 * 10.0 + n // 350 * 0.125, end=n % 350 * 10.0 + n // 350 * 0.125 + 10)
    for n in range(minutes * 6)
]
quick = {"batch": 16, "highpass_hz": 0.0, "loudness_lufs": 0.0}
corpus = prepared(root / f"ws{minutes}", recipe(given, family=FakeFamily(), table=quick))
frames = sum(corpus.example(row.key).frames for row in corpus.rows)
print(json.dumps([len(corpus.rows), frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


@pytest.mark.slow
def test_ten_hours_take_no_more_memory_than_ten_minutes(tmp_path: Path) -> None:
    def run(minutes: int) -> tuple[int, int, float]:
        where = [str(Path(__file__).parent), *sys.path]
        done = subprocess.run(
            [sys.executable, "-c", PREPARE, str(tmp_path), str(minutes)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": ":".join(where), "OMP_NUM_THREADS": "1"},
        )
        rows, frames, megabytes = json.loads(done.stdout.splitlines()[-1])
        return rows, frames, megabytes

    few, _, small = run(10)
    many, frames, large = run(600)
    assert (few, many) == (60, 3600) and frames > 3600 * 100
    # The audio alone would be 576 MB at this rate.
    assert large - small < 200, (small, large)
