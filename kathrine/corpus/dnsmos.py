"""DNSMOS P.835: a score from 1 to 5 for how good a recording sounds, by a small network that ships in `speechmos`.

It hears noise, reverberation and distortion below 8 kHz, and no language: it replaces neither the bandwidth gate nor
a comparison of texts. The network is run directly: the package itself imports more than it declares.

Shapes: N samples. Waves are float32 at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kathrine.errors import KathrineError

RATE = 16000
WINDOW = int(9.01 * RATE)
"""Samples that the network hears at once; shorter recordings are repeated until they fill it."""
HOP = RATE
OVERALL = (-0.06766283, 1.11546468, 0.04602535)
"""From the network's output to the score: the published polynomial of degree two (Microsoft DNS-Challenge,
DNSMOS/dnsmos_local.py), highest power first."""
REMEDY = 'pip install "kathrine[quality]"'
NEEDED = ("onnxruntime", "speechmos")


def missing_packages() -> tuple[str, str] | None:
    """What is not installed, and the remedy; None where all is there. Imports none of them."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    return (" and ".join(missing), REMEDY) if missing else None


def network_path() -> Path:
    """The network's file inside the installed package, which is not imported. Raises KathrineError."""
    found = find_spec("speechmos")
    for folder in found.submodule_search_locations or () if found else ():
        path = Path(folder) / "dnsmos_models" / "sig_bak_ovr.onnx"
        if path.is_file():
            return path
    raise KathrineError("the DNSMOS network was not found in the package speechmos", REMEDY)


def windows(wave_N: np.ndarray) -> np.ndarray:
    """Windows [W, 144160] of 9.01 s, one a second; a shorter recording is repeated."""
    if len(wave_N) < WINDOW:
        wave_N = np.tile(wave_N, -(-WINDOW // max(len(wave_N), 1)))
        return wave_N[None, :WINDOW]
    return np.stack([wave_N[first : first + WINDOW] for first in range(0, len(wave_N) - WINDOW + 1, HOP)])


def open_dnsmos() -> Callable[[np.ndarray], float]:
    """A function from a wave [N] at 16 kHz to its overall score, rounded to a hundredth.

    Raises:
        KathrineError: a package is missing, with the remedy.
    """
    if missing := missing_packages():
        raise KathrineError(f"DNSMOS needs {missing[0]}", missing[1])
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(network_path()), options, providers=["CPUExecutionProvider"])

    def score(wave_N: np.ndarray) -> float:
        if not len(wave_N):
            return 1.0
        found = [session.run(None, {"input_1": window[None]})[0][0][2] for window in windows(wave_N.astype("f4"))]
        return round(float(np.mean(np.polyval(OVERALL, np.asarray(found, dtype=np.float64)))), 2)

    return score
