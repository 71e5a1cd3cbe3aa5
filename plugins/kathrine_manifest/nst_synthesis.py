"""NST's corpus for speech synthesis (sbr-15) as LJSpeech: `python -m kathrine_manifest.nst_synthesis IN OUT`.

Its recordings have no header: 16 bits, big-endian, 44,100 Hz, two channels, the voice in the first; line N of the
script belongs to recording N. Both facts come from a published program that reads the corpus and were not verified on
the corpus itself, so what does not fit is left out and named.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from kathrine.datafiles import write_atomically
from kathrine.errors import KathrineError

RATE, CHANNELS, BYTES = 44100, 2, 2
SCRIPT = "CTTS_core.ORIGINAL"
RECORDING = re.compile(r"ctts_core_cs_01_(\d{4})\.pcm", re.IGNORECASE)
BAR = "|"


def recordings(top: Path) -> dict[int, Path]:
    """Recordings by their number. Raises: KathrineError where there are none."""
    found = {int(match[1]): path for path in sorted(top.rglob("*")) if (match := RECORDING.fullmatch(path.name))}
    if not found:
        raise KathrineError(
            f"{top} has no recordings such as pcm/cs/ctts_core_cs_01_0001.pcm",
            "name the folder that was unpacked; a download with WAV files needs no conversion, only a table",
        )
    return found


def sentences(top: Path) -> dict[int, str]:
    """Sentences by their number. Raises: KathrineError where the script is not there."""
    script = next((path for path in sorted(top.rglob("*")) if path.name.lower() == SCRIPT.lower()), None)
    if script is None:
        raise KathrineError(f"{top} has no script {SCRIPT}", "name the folder that was unpacked")
    lines = script.read_text(encoding="latin-1").splitlines()
    return {number: " ".join(line.split()) for number, line in enumerate(lines, start=1)}


def convert(top: Path, out: Path) -> Iterator[str]:
    """Write the recordings as WAV files of one channel, and `metadata.csv` last; yields what was left out, and why.

    Recordings that were written before are not written again. Raises: KathrineError for a folder in another layout.
    """
    import numpy as np
    import soundfile

    found, texts = recordings(top), sentences(top)
    (out / "wavs").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, path in found.items():
        text = texts.get(number, "")
        size = path.stat().st_size
        if not text or BAR in text or size == 0 or size % (CHANNELS * BYTES):
            odd = "no sentence" if not text else f"{size} bytes are not whole samples" if BAR not in text else "a bar"
            yield f"{path.name}: {odd}"
            continue
        wave = out / "wavs" / f"{path.stem}.wav"
        if not wave.is_file():
            samples_NC = np.fromfile(path, dtype=">i2").reshape(-1, CHANNELS)
            part = wave.with_name(f".{wave.name}.part")
            soundfile.write(part, samples_NC[:, 0].astype(np.int16), RATE, format="WAV", subtype="PCM_16")
            part.replace(wave)
        rows.append(f"{path.stem}{BAR}{text}\n")
    write_atomically(out / "metadata.csv", "".join(rows).encode())
    yield f"{len(rows)} recordings in {out}"


def main(arguments: list[str]) -> int:
    """The command line."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        for line in convert(Path(arguments[0]).expanduser(), Path(arguments[1]).expanduser()):
            print(line)
    except KathrineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
