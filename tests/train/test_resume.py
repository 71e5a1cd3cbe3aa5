"""A run that is killed and goes on is, byte for byte, the run that was not killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

KINDS = {
    "accumulation": 55,
    "validation": 20,
    "writing": 14,
    "flushing": 22,
    "pruning": 3,
    "step": 20,
    "stage": 2,
    "saved": 4,
}
"""What a run is killed at, and how often that happens in an unbroken one, at least."""


def points(seed: int = 5) -> list[tuple[str, int]]:
    """12 points: every kind once, and four more in the middle of things."""
    generator = random.Random(seed)
    kinds = [*KINDS, "accumulation", "validation", "writing", "flushing"]
    return [(kind, 2 if kind == "stage" else generator.randint(1, KINDS[kind])) for kind in kinds]


def execute(jobs: list[dict]) -> list[int]:
    """Run jobs, each in a process of its own; returns their exit codes."""
    text = "".join(json.dumps(job) + "\n" for job in jobs)
    script = Path(__file__).with_name("killed_runs.py")
    done = subprocess.run(
        [sys.executable, str(script)], input=text, capture_output=True, text=True, timeout=500, check=False
    )
    codes = [int(line) for line in done.stdout.split()]
    assert len(codes) == len(jobs), done.stderr[-3000:]
    assert all(code in (0, -9) for code in codes), done.stderr[-3000:]
    return codes


def contents(folder: Path) -> dict[str, bytes]:
    """Everything about a finished run that must not depend on whether it was killed."""
    files = [folder / "metrics.jsonl", *sorted((folder / "checkpoints").rglob("*.safetensors"))]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.slow
def test_twelve_killed_runs_go_on_byte_for_byte(tmp_path: Path) -> None:
    jobs = [{"folder": str(tmp_path / "unbroken"), "resume": False, "kill": None}]
    for number, point in enumerate(points()):
        folder = str(tmp_path / f"killed{number}")
        jobs.append({"folder": folder, "resume": False, "kill": point})
        jobs.append({"folder": folder, "resume": True, "kill": None})
    codes = execute(jobs)

    expected = contents(tmp_path / "unbroken")
    assert len(expected["metrics.jsonl"].splitlines()) > 25
    assert {name.rpartition("/")[2] for name in expected} >= {"trainable.safetensors", "ema.safetensors"}
    assert codes[0] == 0
    for number, point in enumerate(points()):
        killed, resumed = codes[1 + 2 * number : 3 + 2 * number]
        assert (killed, resumed) == (-9, 0), point
        folder = tmp_path / f"killed{number}"
        assert contents(folder) == expected, point
        assert not list((folder / "checkpoints").glob("*.partial"))
        assert (folder / "console.1.log").exists()


def test_killed_again_and_again(tmp_path: Path) -> None:
    """Every attempt is killed a little later: the run still arrives."""
    folder = str(tmp_path / "often")
    kills = [("accumulation", 2), ("step", 9), ("writing", 3), ("step", 12)]
    jobs = [{"folder": folder, "resume": number > 0, "kill": kill} for number, kill in enumerate(kills)]
    jobs.append({"folder": folder, "resume": True, "kill": None})
    jobs.append({"folder": str(tmp_path / "unbroken"), "resume": False, "kill": None})
    assert execute(jobs) == [-9, -9, -9, -9, 0, 0]
    assert contents(Path(folder)) == contents(tmp_path / "unbroken")
    assert sorted(file.name for file in Path(folder).glob("console*.log"))[0] == "console.1.log"
