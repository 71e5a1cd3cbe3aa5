"""Recordings to conditioned waves: read, mono, high-pass, resample, trim, loudness; and what was measured.

Nothing here removes noise: breaths and pauses inside an utterance stay as they are.

Shapes: N samples, C channels. Waves are float32, levels in dB relative to full scale.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kathrine.corpus.filters import highpass, loudness

if TYPE_CHECKING:
    from kathrine.recipe.tables import PrepareTable

VERSION = 2
"""Raise it when conditioning or measuring changes its results: part of every audio key."""
LEVEL_WINDOW, LEVEL_HOP = 0.020, 0.010
FADE_SECONDS = 0.005
SILENT_PEAK = 1e-4
OPEN_END_SECONDS, OPEN_END_DB, CLOSING_SILENCE = 0.050, 25.0, 0.080
CLIPPED = 0.999


class AudioRejected(Exception):
    """A recording that can not be used. reason: the name under which it is counted; detail: one line."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Conditioning:
    """Settings that change the conditioned wave; see `PrepareTable`. A setting of 0 turns its step off."""

    sample_rate: int
    trim_db: float = 45.0
    pad_ms: float = 100.0
    highpass_hz: float = 50.0
    loudness_lufs: float = -23.0
    peak_db: float = -1.0

    @classmethod
    def of(cls, table: PrepareTable, sample_rate: int) -> Conditioning:
        """The settings of a recipe. Options that have no effect are left out, so that they change no key."""
        made = cls(sample_rate, table.trim_db, table.pad_ms, table.highpass_hz, table.loudness_lufs, table.peak_db)
        return made if table.trim else replace(made, trim_db=0.0, pad_ms=0.0)

    def key(self) -> str:
        """Equal exactly when the conditioned waves are."""
        return ",".join([f"v{VERSION}", *(f"{name}={value!r}" for name, value in asdict(self).items())])


@dataclass(frozen=True, slots=True)
class Sound:
    """What was measured of a recording.

    seconds and samples: of the conditioned wave. original_rate (Hz), bandwidth_hz, clipped (share of samples
    at full scale), rms_db and peak_db: of the recording as found. silence: share of the conditioned wave that
    lies 40 dB under its loudest moment. open_end: the recording ends in the middle of speech."""

    seconds: float
    samples: int
    original_rate: int
    bandwidth_hz: float
    clipped: float
    silence: float
    rms_db: float
    peak_db: float
    open_end: bool


# --------------------------------------------------------------------------- reading

LEAD_SECONDS = 0.2
"""A part of a file is read from this much before it: a frame of mp3 borrows bits from the ones before it, and the first
one that is read after a jump lacks them (a click of 20 ms in every second part of a file of variable rate)."""


def read_audio(
    path: Path,
    start: float | None = None,
    end: float | None = None,
    seconds: float | None = None,
    limit: float = 0,
) -> tuple[np.ndarray, int]:
    """Samples float32 [N, C] of a file, or of the part from `start` to `end` (seconds), and their rate in Hz.

    Args:
        seconds: length according to the corpus; a recording that differs by more than 5 % and 0.25 s is
        refused. limit: refuse what is longer than this (seconds) without decoding it; 0: no limit.

    Raises:
        AudioRejected: missing, corrupt, truncated or empty file, or another length than expected.
    """
    import soundfile

    if not path.is_file():
        raise AudioRejected("missing file", str(path))
    try:
        with soundfile.SoundFile(path) as file:
            rate, total = file.samplerate, file.frames
            first = round((start or 0.0) * rate)
            last = total if end is None else min(round(end * rate), total)
            if first >= last:
                raise AudioRejected("corrupt", f"{path.name}: nothing from {start} s on, it has {total / rate:.2f} s")
            if limit and last - first > limit * rate:
                raise AudioRejected("too long", f"{(last - first) / rate:.2f} s")
            lead = min(first, round(LEAD_SECONDS * rate))
            if first:
                file.seek(first - lead)
            wave_NC = file.read(lead + last - first, dtype="float32", always_2d=True)[lead:]
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise AudioRejected("corrupt", f"{path.name}: {str(error).splitlines()[0][:120]}") from error
    # Half a download decodes without an error: the header of a compressed file still tells the true length.
    if len(wave_NC) < last - first - max(2400, 0.005 * (last - first)) or is_truncated(path):
        raise AudioRejected("corrupt", f"{path.name}: ends after {len(wave_NC) / rate:.2f} s, it is not whole")
    if not np.isfinite(wave_NC).all():
        raise AudioRejected("corrupt", f"{path.name}: holds numbers that are not finite")
    expected = seconds if end is None else end - (start or 0.0)
    found = len(wave_NC) / rate
    if expected is not None and abs(found - expected) > 0.05 * expected + 0.25:
        raise AudioRejected("length differs", f"{path.name}: {found:.2f} s instead of {expected:.2f} s")
    return wave_NC, rate


def is_truncated(path: Path) -> bool:
    """Whether a WAV or Ogg file is shorter than it says (libsndfile reads such files without complaint)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            promised = int.from_bytes(head[4:8], "little")
            # 0 and all ones: written by a program that could not go back to fill in the size.
            return promised not in (0, 0xFFFFFFFF) and promised + 8 > size + 1
        if head[:4] == b"OggS":
            file.seek(max(0, size - 65536 - 282))
            tail = file.read()
            page = tail.rfind(b"OggS")
            return page < 0 or len(tail) < page + 6 or not tail[page + 5] & 4
    return False


def to_mono(wave_NC: np.ndarray) -> np.ndarray:
    """Mean of the channels; where they differ by more than 6 dB the louder one (the other is a far
    microphone)."""
    if wave_NC.shape[1] == 1:
        return wave_NC[:, 0]
    power_C = np.mean(np.square(wave_NC, dtype=np.float64), axis=0)
    if power_C.max() > power_C.min() * 10 ** (6 / 10):
        return wave_NC[:, int(power_C.argmax())]
    return wave_NC.mean(axis=1, dtype=np.float32)


# --------------------------------------------------------------------------- measuring


def levels(wave_N: np.ndarray, rate: int) -> np.ndarray:
    """Root mean square of windows of 20 ms, every 10 ms; one window for anything shorter."""
    window, hop = round(LEVEL_WINDOW * rate), round(LEVEL_HOP * rate)
    total_N = np.concatenate([[0.0], np.cumsum(np.square(wave_N, dtype=np.float64))])
    if len(wave_N) <= window:
        return np.sqrt(total_N[-1:] / max(len(wave_N), 1))
    first = np.arange(0, len(wave_N) - window + 1, hop)
    return np.sqrt(np.maximum(total_N[first + window] - total_N[first], 0) / window)


def bandwidth(wave_N: np.ndarray, rate: int) -> float:
    """Highest frequency (Hz) whose mean power lies no more than 50 dB under the strongest; over 30 s at
    most."""
    size = 2 ** round(math.log2(0.0116 * rate))
    if len(wave_N) < size:
        return 0.0
    count = min(len(wave_N), 30 * rate) // size
    frames = wave_N[: count * size].reshape(count, size) * np.hanning(size).astype(np.float32)
    power = np.mean(np.abs(np.fft.rfft(frames, axis=1)) ** 2, axis=0)
    if power.max() <= 0:
        return 0.0
    return float(np.nonzero(power >= power.max() * 1e-5)[0][-1] * rate / size)


def silence_share(wave_N: np.ndarray, rate: int, below_db: float = 40.0) -> float:
    """Share of windows that lie `below_db` under the loudest; 1 for silence."""
    level = levels(wave_N, rate)
    if level.max() < SILENT_PEAK:
        return 1.0
    return float(np.mean(level < level.max() * 10 ** (-below_db / 20)))


def ends_open(wave_N: np.ndarray, rate: int) -> bool:
    """Whether the recording stops in the middle of speech: no pause, and no fading away, at its end.

    Up to 80 ms of nothing after the stop do not count as a pause: mp3 coding leaves as much behind.
    """
    peak = np.abs(wave_N).max(initial=0.0)
    if peak < SILENT_PEAK:
        return False
    last = int(np.nonzero(np.abs(wave_N) > 1e-3 * peak)[0][-1]) + 1
    if len(wave_N) - last > CLOSING_SILENCE * rate:
        return False
    tail = wave_N[max(0, last - round(OPEN_END_SECONDS * rate)) : last]
    level = float(np.sqrt(np.mean(np.square(tail, dtype=np.float64))))
    return level > float(levels(wave_N, rate).max()) * 10 ** (-OPEN_END_DB / 20)


def decibels(value: float) -> float:
    """Amplitude to dB relative to full scale, no lower than -120."""
    return 20 * math.log10(max(value, 1e-6))


# --------------------------------------------------------------------------- conditioning


def trim_silence(wave_N: np.ndarray, rate: int, below_db: float, pad_ms: float) -> np.ndarray:
    """Cut the ends down to `pad_ms` before the first and after the last window louder than peak - below_db.

    Nothing is added where an end has less than that.
    """
    level = levels(wave_N, rate)
    loud = np.nonzero(level >= level.max() * 10 ** (-below_db / 20))[0]
    if level.max() < SILENT_PEAK or not len(loud):
        return wave_N
    pad, hop, window = round(pad_ms / 1000 * rate), round(LEVEL_HOP * rate), round(LEVEL_WINDOW * rate)
    last = len(wave_N) if loud[-1] == len(level) - 1 else int(loud[-1]) * hop + window + pad
    return wave_N[max(0, int(loud[0]) * hop - pad) : last]


def fade_ends(wave_N: np.ndarray, rate: int) -> np.ndarray:
    """5 ms of fading at both ends, so that a cut does not click."""
    count = min(round(FADE_SECONDS * rate), len(wave_N) // 2)
    wave_N = wave_N.copy()
    ramp = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)
    wave_N[:count] *= ramp
    wave_N[len(wave_N) - count :] *= ramp[::-1]
    return wave_N


def set_level(wave_N: np.ndarray, rate: int, lufs: float, peak_db: float) -> np.ndarray:
    """Bring to a loudness (0: leave it), with a gain that keeps every sample under the peak limit."""
    peak = float(np.abs(wave_N).max(initial=0.0))
    if peak < SILENT_PEAK:
        return wave_N
    now = loudness(wave_N, rate) if lufs else -math.inf
    gain = 10 ** ((lufs - now) / 20) if math.isfinite(now) else 1.0
    return wave_N * np.float32(min(gain, 10 ** (peak_db / 20) / peak))


def condition(wave_NC: np.ndarray, rate: int, settings: Conditioning) -> tuple[np.ndarray, Sound]:
    """The wave float32 [samples] that is encoded, at `settings.sample_rate`, and what was measured on the
    way."""
    import soxr

    loudest_N = np.abs(wave_NC).max(axis=1)
    found_N = to_mono(wave_NC)
    # Without its offset, which would be a step at both ends for the filters.
    wave_N = found_N - found_N.mean(dtype=np.float64).astype(np.float32)
    if rate != settings.sample_rate:
        wave_N = soxr.resample(wave_N, rate, settings.sample_rate, quality="VHQ").astype(np.float32, copy=False)
    rate_to = settings.sample_rate
    wave_N = highpass(wave_N, rate_to, settings.highpass_hz)
    open_end = ends_open(wave_N, rate_to)
    if settings.trim_db:
        wave_N = trim_silence(wave_N, rate_to, settings.trim_db, settings.pad_ms)
    wave_N = set_level(fade_ends(wave_N, rate_to), rate_to, settings.loudness_lufs, settings.peak_db)
    return wave_N, Sound(
        seconds=len(wave_N) / rate_to,
        samples=len(wave_N),
        original_rate=rate,
        bandwidth_hz=round(bandwidth(found_N, rate), 1),
        clipped=float(np.mean(loudest_N >= CLIPPED)),
        silence=silence_share(wave_N, rate_to),
        rms_db=decibels(float(np.sqrt(np.mean(np.square(found_N, dtype=np.float64))))),
        peak_db=decibels(float(loudest_N.max())),
        open_end=open_end,
    )
