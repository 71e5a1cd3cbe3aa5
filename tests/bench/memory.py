"""The memory estimate of `kathrine check --fit` against what a step really takes, on a random model of the 0.6B's size.

Run with `make bench-memory`. Needs about 8 GB and some minutes: it is the released configuration, all 28 layers, bf16.
On a machine with CUDA the same is measured by torch's allocator there. The figures of docs/fit.md come from here.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from step_memory import measured, released_config

from kathrine.components import Strategy
from kathrine.inspect.fit import peak
from kathrine_freeze import Freeze
from kathrine_lora import Lora
from kathrine_sub_talker import SubTalker
from kathrine_text_projection import TextProjection


def baseline() -> list[Strategy]:
    """As recipes/baseline.toml."""
    return [
        Lora(Lora.Options(r=4, alpha=8, dropout=0.1, lr=1e-5)),
        TextProjection(TextProjection.Options(lr=4e-5)),
    ]


def first_layers() -> list[Strategy]:
    """As recipes/freeze4.toml."""
    return [
        Freeze(Freeze.Options(first_layers=4, lr=2e-6)),
        TextProjection(TextProjection.Options(lr=4e-5)),
    ]


CASES: dict[str, tuple[Callable[[], list[Strategy]], bool]] = {
    "baseline": (baseline, False),
    "baseline, gradient checkpointing": (baseline, True),
    "freeze4": (first_layers, False),
    "freeze4, gradient checkpointing": (first_layers, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="Qwen3-TTS-12Hz-0.6B-Base", help="released configuration")
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--utterances", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each utterance (default 3)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    print(f"{arguments.model}, {arguments.precision}, {arguments.utterances} utterances of {arguments.seconds:g} s")
    print(f"{'':44}{'estimate':>11}{'measured':>11}{'error':>9}{'took':>8}")
    for name, (strategies, checkpointing) in CASES.items():
        began = time.perf_counter()
        found = measured(
            released_config(arguments.model),
            strategies(),
            [SubTalker(SubTalker.Options(weight=0.2))],
            precision=arguments.precision,
            checkpointing=checkpointing,
            utterances=arguments.utterances,
            seconds=arguments.seconds,
            device=arguments.device,
        )
        need = peak(found.setting)
        sizes = f"{need.total / 2**30:>7.2f} GiB{found.peak / 2**30:>7.2f} GiB"
        took = time.perf_counter() - began
        print(f"{name:44}{sizes}{need.total / found.peak - 1:>+9.1%}{took:>6.0f} s", flush=True)
    where = "on CUDA" if arguments.device == "cuda" else "every storage counted on the CPU; not verified on a GPU"
    print(f"measured {where}")


if __name__ == "__main__":
    main()
