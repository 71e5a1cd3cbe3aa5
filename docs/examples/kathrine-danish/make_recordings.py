"""Sounds to try a recipe with before there are recordings. They are no speech: a model learns nothing from them."""

from pathlib import Path

import numpy as np
import soundfile
from kathrine.testing import made_up_wave

from kathrine_danish.sentences import SENTENCES

RATE = 24000
LETTERS_PER_SECOND = 12.0

for number, text in enumerate(SENTENCES[:12]):
    folder = Path("recordings", ("karen", "søren")[number % 2])
    folder.mkdir(parents=True, exist_ok=True)
    wave = np.pad(made_up_wave(text, len(text) / LETTERS_PER_SECOND, RATE), RATE // 5)
    soundfile.write(folder / f"{number:04}.wav", wave, RATE)
    (folder / f"{number:04}.txt").write_text(text, encoding="utf-8")
print(f"12 sounds of 2 speakers in {folder.parent}")
