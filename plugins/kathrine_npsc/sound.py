"""Where a clip ends: in a pause, or in the middle of the sound. Waves: float32 [samples], mono."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

TAIL_SECONDS = 0.05
"""How much of a clip's end must be quiet for it to end in a pause."""


def heard(path: Path) -> dict[str, Any]:
    """What an index keeps of a clip: `sounding`, whether it ends in the middle of the sound, and its `rate` in Hz.

    Both are None for a file that can not be decoded (prepare then rejects it by name).
    """
    import soundfile

    try:
        wave_NC, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError):
        return {"sounding": None, "rate": None}
    return {"sounding": ends_in_sound(wave_NC.mean(axis=1), rate), "rate": rate}


def ends_in_sound(wave: np.ndarray, rate: int) -> bool:
    """Whether the last 50 ms lie above the noise floor.

    The floor is the 5th percentile of the levels of 50 ms pieces, the speech level their 95th. The end counts
    as sound when it is 10 dB above the floor and less than 30 dB below speech; both limits are ours.
    """
    import numpy as np

    size = int(TAIL_SECONDS * rate)
    count = len(wave) // size
    if count < 2:
        return False
    pieces = wave[len(wave) - count * size :].reshape(count, size)
    levels = 10 * np.log10(np.square(pieces, dtype=np.float64).mean(axis=1) + 1e-12)
    floor, speech = np.percentile(levels, [5, 95])
    return bool(levels[-1] > floor + 10 and levels[-1] > speech - 30)
