"""One utterance out of its recording, to be heard: written as WAV, or played by a program that is there."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kathrine.corpus.audio import AudioRejected, read_audio
from kathrine.corpus.files import write_atomically
from kathrine.errors import KathrineError

PLAYERS: tuple[tuple[str, ...], ...] = (
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("afplay",),
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("play", "-q"),
    ("mpv", "--no-video", "--really-quiet"),
)
"""Programs that play a WAV file, the most capable first."""


def save_utterance(told: Mapping[str, Any], path: Path) -> float:
    """Write an utterance, as it was found, as 16-bit WAV. Returns its seconds.

    Raises:
        KathrineError: it has no recording, the recording can not be read, or the file can not be written.
    """
    import soundfile

    if not told.get("audio"):
        raise KathrineError(f"{told['entry']}/{told['id']} has no recording", "choose another utterance")
    try:
        wave_NC, rate = read_audio(Path(told["audio"]), told.get("start"), told.get("end"))
    except AudioRejected as problem:
        raise KathrineError(
            f"{told['audio']} can not be read: {problem.detail or problem.reason}", "choose another utterance"
        ) from problem

    def write(temporary: Path) -> None:
        soundfile.write(temporary, wave_NC, rate, format="WAV", subtype="PCM_16")

    try:
        write_atomically(path, write)
    except (OSError, RuntimeError) as problem:
        raise KathrineError(f"{path} can not be written: {problem}", "name a file in a folder that exists") from problem
    return len(wave_NC) / rate


def find_player() -> tuple[str, ...] | None:
    """The first player that is installed, with its arguments."""
    return next((player for player in PLAYERS if shutil.which(player[0])), None)


def play_utterance(told: Mapping[str, Any], player: tuple[str, ...]) -> None:
    """Play an utterance as it was found, and wait until it ends. Raises KathrineError where that fails."""
    with tempfile.TemporaryDirectory(prefix="kathrine-") as folder:
        path = Path(folder) / "utterance.wav"
        save_utterance(told, path)
        done = subprocess.run([*player, str(path)], capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[0]
            raise KathrineError(f"{player[0]} could not play it: {reason}", "write it to a file with --save FILE")
