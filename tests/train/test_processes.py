"""Two processes train on the same batches as one, with the same losses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from toy_runs import assert_same_metrics

from kathrine.testing import prepared_toy_corpus


def spread(folder: Path, processes: int) -> None:
    folder.mkdir()
    script = Path(__file__).with_name("spread_run.py")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"] if processes > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launcher, str(script), str(folder), str(processes)],
        capture_output=True,
        text=True,
        timeout=200,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_are_one(tmp_path: Path) -> None:
    alone, both = tmp_path / "alone", tmp_path / "both"
    spread(alone, 1)
    spread(both, 2)

    whole = lines(alone / "given-0.jsonl")
    halves = [lines(both / f"given-{rank}.jsonl") for rank in range(2)]
    assert len(whole) == len(halves[0]) == len(halves[1])

    # the same global batches, in slices
    used: Counter[tuple[int, int, str]] = Counter()
    empty = 0
    for one, first, second in zip(whole, *halves, strict=True):
        for batch, left, right in zip(one["keys"], first["keys"], second["keys"], strict=True):
            assert batch[0::2] == left and batch[1::2] == right
            empty += not right
        for keys in (*first["keys"], *second["keys"]):
            used.update((one["stage"], one["epoch"], key) for key in keys)
    assert empty, "no process was ever without items: the test does not test that"

    # each utterance exactly once an epoch, in both stages
    rows = [row for row in prepared_toy_corpus({"one": 17, "two": 11}, held_out=5).rows if row.split == "train"]
    first_stage = {(0, epoch, row.key) for epoch in range(4) for row in rows if row.entry == "one"}
    second_stage = {(1, epoch, row.key) for epoch in range(3) for row in rows}
    assert set(used) == first_stage | second_stage
    assert set(used.values()) == {1}

    # the same losses, and the same held-out ones
    expected, found = (lines(folder / "run" / "metrics.jsonl") for folder in (alone, both))
    assert len(expected) == len(found)
    assert sum(line["kind"] == "step" for line in found) >= 20
    assert_same_metrics(expected, found)
    assert json.loads((both / "run" / "versions.json").read_text())["processes"] == 2
