"""The real family, with adapters and a language tag, in two processes: the same losses as in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy_runs import assert_same_metrics

SETS = (
    "strategy.lora.dropout=0.0",  # what is drawn differs with the processes
    "loss.sub_talker.share=1.0",
    "train.batch={examples=3}",
    "train.accumulation=3",
    "curriculum.source_first.first_steps=2",
    "curriculum.source_first.steps=3",
    "validation.every=2",
    "validation.utterances=5",
    "speak.count=0",
    "export.adapter.enabled=false",
    "export.merged.enabled=false",
)


def trained(folder: Path, processes: int) -> list[dict]:
    launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"] if processes > 1 else []
    words = [word for one in SETS for word in ("--set", one)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", *launcher, "kathrine", "run", "kathrine:curriculum", "--profile", "smoke"),
            *("--folder", str(folder), *words),
        ],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads((folder / "versions.json").read_text())["processes"] == processes
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_lora_text_projection_and_tag_in_two_processes_are_those_of_one(tmp_path: Path) -> None:
    expected, found = trained(tmp_path / "one", 1), trained(tmp_path / "two", 2)
    assert len(expected) == len(found) and sum(line["kind"] == "step" for line in found) == 5
    assert {line["stage"] for line in found if line["kind"] == "step"} == {"npsc", "blend"}
    assert_same_metrics(expected, found)
