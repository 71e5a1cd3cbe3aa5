"""Functions for worker processes: they import modules by name."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def square(number: int) -> int:
    return number * number


def note_and_die(number: int, bad: int, folder: str) -> int:
    """Ends its process for one number, and leaves a note each time."""
    if number == bad:
        (Path(folder) / f"died-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def fail(number: int) -> int:
    raise ValueError(f"{number} is wrong")


def process(number: int) -> int:
    return os.getpid()


def heavy_modules(number: int) -> list[str]:
    """What a worker has loaded of the modules that cost memory, after it has what it needs to listen."""
    import soundfile
    import soxr

    from kathrine.corpus import listening

    assert soundfile and soxr and listening
    heavy = ("torch", "transformers", "datasets", "pyarrow", "peft", "accelerate", "huggingface_hub")
    return [name for name in heavy if name in sys.modules]
