"""Speech by espeak-ng, from the program where it is installed, else from the library of the `espeakng-loader`
wheel.

Both run in a process of their own for every text: the synthesiser keeps a state from one text to the next,
and the same text must give the same recording whatever was spoken before it. (A program of version 1.52 or
later draws its noises anew each time; the library can be told not to.)
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kathrine.errors import KathrineError

REMEDY = "install it with `pip install kathrine[espeak]`, or install the espeak-ng program"


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to speak. kind: program or library; command: what starts it; data: its folder of voices."""

    kind: str
    command: tuple[str, ...]
    data: Path

    def speak(self, text: str, voice: str, speed: int, pitch: int) -> bytes:
        """A WAV file's bytes (16-bit mono, 22,050 Hz).

        Given: voice, such as `nb` or `nb+f2`; speed in words a minute; pitch 0 to 99.
        Raises: KathrineError when espeak-ng has no such voice or fails.
        """
        check_voice(self, voice)
        options = ["-v", voice, "-s", str(speed), "-p", str(pitch), "-b", "1", "--stdin", "--stdout"]
        done = subprocess.run([*self.command, *options], input=text.encode(), capture_output=True, check=False)
        if done.returncode != 0 or not done.stdout:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise KathrineError(
                f"espeak-ng could not speak with voice '{voice}': {said[-1] if said else 'no sound'}",
                "`espeak-ng --voices` lists the voices; Norwegian is nb, variants are written nb+f2 or nb+m3",
            )
        return done.stdout


def find_engine(use: str = "auto") -> Engine:
    """The program, else the library; `use` = "program" or "library" asks for one of them.

    Raises: KathrineError with the remedy when there is none.
    """
    for find in {"program": [find_program], "library": [find_library]}.get(use, [find_program, find_library]):
        engine = find()
        if engine is not None:
            return engine
    raise KathrineError("espeak-ng is not here", REMEDY)


def find_program() -> Engine | None:
    """The installed program, or None."""
    program = shutil.which("espeak-ng")
    if program is None:
        return None
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"Data at: (.+)", version)
    return Engine("program", (program,), Path(match[1].strip() if match else ""))


def find_library() -> Engine | None:
    """The wheel's library, run by a small script beside this file, or None."""
    found = importlib.util.find_spec("espeakng_loader")
    if found is None or found.origin is None:
        return None
    import espeakng_loader

    script = Path(__file__).with_name("library_speaker.py")
    data = Path(espeakng_loader.get_data_path())
    command = (sys.executable, "-I", str(script), espeakng_loader.get_library_path(), str(data))
    return Engine("library", command, data)


def check_voice(engine: Engine, voice: str) -> None:
    """Refuse an unknown variant: espeak-ng itself ignores it without a word, and all speakers would be
    one."""
    _, plus, variant = voice.partition("+")
    known = variants(engine.data)
    if plus and known and variant.casefold() not in {name.casefold() for name in known}:
        raise KathrineError(
            f"espeak-ng has no variant '{variant}' (voice '{voice}')", f"variants are: {', '.join(known)}"
        )


@lru_cache
def variants(data: Path) -> Sequence[str]:
    """Names of the voice variants in a data folder; empty where they are kept elsewhere."""
    folder = data / "voices" / "!v"
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else ()
