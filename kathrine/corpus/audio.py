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
from kathrine.corpus.sound import (
    CLIPPED,
    LEVEL_HOP,
    LEVEL_WINDOW,
    QUIETEST,
    SILENT_PEAK,
    Sound,
    bandwidth,
    decibels,
    end_silences,
    ends_open,
    inner_pauses,
    inner_silence_share,
    levels,
    longest_run,
    silence_share,
)

if TYPE_CHECKING:
    from kathrine.recipe.tables import PrepareTable

VERSION = 2
"""Raise it when conditioning changes its results: part of every audio key. What is only measured has a version of
its own (`keys.MEASURES`), so that a new measurement never encodes a recording again."""
FADE_SECONDS = 0.005
LOUDEST = 8.0
"""Times full scale. Lossy formats overshoot a little; far beyond lie numbers that were never scaled, or damage."""


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
                empty = f"nothing from {start} s on, it has {total / rate:.2f} s" if total else "it holds no sound"
                raise AudioRejected("corrupt", f"{path.name}: {empty}")
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
    highest = float(np.abs(wave_NC).max())
    if highest > LOUDEST:
        raise AudioRejected("corrupt", f"{path.name}: reaches {highest:.3g} times full scale")
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
            page = tail[max(0, tail.rfind(b"OggS")) :]
            # A page: 27 bytes, the sixth with the mark of the last page, then the sizes of its parts, then the parts.
            whole = len(page) >= 27 and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
            return not whole or not page[5] & 4
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


def condition(
    wave_NC: np.ndarray, rate: int, settings: Conditioning, find_noise: bool = False
) -> tuple[np.ndarray, Sound]:
    """The wave float32 [samples] that is encoded, at `settings.sample_rate`, and what was measured on the way.

    find_noise: also find out where somebody speaks, for `Sound.snr_db`; that takes several times as long as the
    rest."""
    import soxr

    loudest_N = np.abs(wave_NC).max(axis=1)
    found_N = to_mono(wave_NC)
    # Without its offset, which would be a step at both ends for the filters.
    wave_N = found_N - found_N.mean(dtype=np.float64).astype(np.float32)
    if rate != settings.sample_rate:
        wave_N = soxr.resample(wave_N, rate, settings.sample_rate, quality="VHQ").astype(np.float32, copy=False)
    rate_to = settings.sample_rate
    wave_N = highpass(wave_N, rate_to, settings.highpass_hz)
    # What trimming takes away still counts here: it is where the noise is heard alone.
    open_end, (start, end) = ends_open(wave_N, rate_to), end_silences(wave_N, rate_to)
    loudness_found = loudness(wave_N, rate_to)
    snr = _noise_of(wave_N, rate_to) if find_noise else None
    if settings.trim_db:
        wave_N = trim_silence(wave_N, rate_to, settings.trim_db, settings.pad_ms)
    wave_N = set_level(fade_ends(wave_N, rate_to), rate_to, settings.loudness_lufs, settings.peak_db)
    return wave_N, Sound(
        seconds=len(wave_N) / rate_to,
        samples=len(wave_N),
        original_rate=rate,
        channels=wave_NC.shape[1],
        bandwidth_hz=round(bandwidth(found_N, rate), 1),
        clipped=float(np.mean(loudest_N >= CLIPPED)),
        silence=silence_share(wave_N, rate_to),
        rms_db=decibels(float(np.sqrt(np.mean(np.square(found_N, dtype=np.float64))))),
        peak_db=decibels(float(loudest_N.max())),
        open_end=open_end,
        clipped_run=longest_run(loudest_N),
        loudness_lufs=round(max(loudness_found, QUIETEST), 2),
        inner_silence=round(inner_silence_share(wave_N, rate_to), 4),
        pauses=tuple(round(last - first, 2) for first, last in inner_pauses(wave_N, rate_to)),
        edge_silence=round(max(end_silences(wave_N, rate_to)), 3),
        start_silence=round(start, 3),
        end_silence=round(end, 3),
        snr_db=snr,
    )


def _noise_of(wave_N: np.ndarray, rate: int) -> float | None:
    from kathrine.corpus.speech_activity import signal_to_noise, speech_probabilities, thread_detector

    # A tenth of a dB: what the detector's arithmetic may differ by from machine to machine does not show.
    snr = signal_to_noise(wave_N, rate, speech_probabilities(wave_N, rate, thread_detector()))
    return None if snr is None else round(snr, 1)
