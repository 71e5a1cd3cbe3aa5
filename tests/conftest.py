"""Settings that every test shares. Set before anything heavy is imported: some libraries read them only
once."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
for folder in (TESTS, TESTS.parent / "plugins", TESTS.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

# One thread a process: the suite runs in two processes, and bit-equal results need a fixed number.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# No test may reach a real Hub: nothing listens on this port. Tests of the Hub start their own and name it.
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
os.environ.pop("HF_TOKEN", None)

# One workspace a test process, so that what is built once (the embedded model) is built once.
_WORKSPACE = tempfile.TemporaryDirectory(prefix="kathrine-tests-")
os.environ["HF_HOME"] = str(Path(_WORKSPACE.name) / "hf")
os.environ["KATHRINE_WORKSPACE"] = str(Path(_WORKSPACE.name) / "workspace")


def pytest_configure() -> None:
    """Keep torch to one thread, also where it was imported before its environment was read."""
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def weights_are_still_initialised() -> Iterator[None]:
    """Fails a test that leaves torch's initialisation switched off: every model after it would start from garbage."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        left = torch.nn.init.kaiming_uniform_.__module__
        assert left == "torch.nn.init", f"initialisation is switched off by {left}"
