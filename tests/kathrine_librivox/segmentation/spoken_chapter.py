"""A chapter spoken by espeak with known places: a disclaimer, a tale, pauses, a little noise."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from kathrine.errors import KathrineError
from kathrine_espeak.engine import find_engine

RATE = 16000
MODEL = Path(__file__).resolve().parents[2] / "data" / "ctc_espeak"
DISCLAIMER = (
    "Dette er et opptak for LibriVox.",
    "Alle våre opptak tilhører det fri, og mer om dem finnes på nettstedet vårt.",
)
FAREWELL = "Slutt på første kapittel, lest av en maskin en regnfull kveld."
TALE = """Annikens hus

Anniken eide et rødmalt skur bak kirkegården. Der bodde hun sammen med en ekorn som het Pelle, og ingen andre \
slapp inn uten å banke tre ganger.

En onsdag i april banket det fire ganger. Pelle kvakk til og veltet blekkhuset utover papirene hennes. «Hvem der?» \
ropte Anniken. Det ble helt stille utenfor. Hun løftet slåen forsiktig, gløttet gjennom sprekken og fikk øye på en \
sykkel med gule hjul. På bagasjebrettet lå en pakke surret inn i avispapir.

Hun bar den inn, satte seg ved komfyren og klippet over hyssingen. Inni fant hun en melkespann full av mynter, et \
fotografi av en ukjent mann i uniform og en lapp. Skriften var krøllete og vanskelig å tyde. «Pass på disse til jeg \
vender tilbake», sto det. Nederst hadde noen tegnet et anker.

Neste formiddag spaserte Anniken til havnesjefen. Han var en bred kar med skipperskjegg, og han luktet tjære og \
kamferdrops. Da han fikk se bildet, bleknet han. «Den fyren druknet utenfor Hustadvika for nitten år siden», \
mumlet han. Måkene skrek over kaia. Anniken kjente at knærne skalv, men hun spurte likevel hva han het. «Torleif», \
svarte havnesjefen, «og han var broren min».

De ble sittende lenge uten å veksle et ord. Til slutt reiste han seg, låste opp et blikkskap og hentet fram en \
oljeplagget kuffert. Der lå en kikkert, fire sjøkart og enda et anker, skåret i hvalbein. Anniken la lappen ved siden \
av det. Tegningen og utskjæringen lignet hverandre på en prikk. Klokkene ringte til vesper. Utenfor døra kremtet en \
fremmed, og noen banket fire ganger.

Havnesjefen grep lykta. Ekornet gjemte seg i frakkelomma hennes. På trammen drypte det av en sliten regnfrakk, og \
under hetta skimtet de et ansikt fullt av furer. Mannen smilte skjevt og strakte fram hånden. «Unnskyld at jeg er \
sein, det blåste stygt forbi Stad», sa han. Så begynte de alle tre å snakke i munnen på hverandre. Den kvelden brant \
lampene i tollboden helt til hanen gol."""


@dataclass(frozen=True)
class Spoken:
    """wave_N at 16 kHz. said: each sentence that was read, with its true start and end, in order; those of the text
    have `in_text`."""

    wave_N: np.ndarray
    said: tuple[tuple[str, float, float, bool], ...]

    @property
    def tale(self) -> list[tuple[str, float, float]]:
        return [(text, start, end) for text, start, end, in_text in self.said if in_text]


def engine_or_none():
    try:
        return find_engine()
    except KathrineError:
        return None


@functools.cache
def speak(text: str, voice: str = "nb", speed: int = 160, pitch: int = 50) -> np.ndarray:
    """A sentence at 16 kHz, silence at both ends cut off."""
    wave, rate = soundfile.read(io.BytesIO(find_engine().speak(text, voice, speed, pitch)), dtype="float32")
    wave = soxr.resample(wave, rate, RATE)
    loud = np.flatnonzero(np.abs(wave) > 2e-3)
    return wave[loud[0] : loud[-1] + 1]


def read_aloud(
    passages: list[tuple[str, bool]], seed: int = 0, voice: str = "nb", pauses: tuple[float, float] = (0.35, 0.9)
) -> Spoken:
    """Passages (text, whether it is in the book) one after the other, with random pauses, noise under all."""
    rng = np.random.default_rng(seed)
    parts, said, time = [np.zeros(int(0.7 * RATE), dtype=np.float32)], [], int(0.7 * RATE)
    for text, in_text in passages:
        wave = speak(text, voice)
        said.append((text, time / RATE, (time + len(wave)) / RATE, in_text))
        pause = np.zeros(int(rng.uniform(*pauses) * RATE), dtype=np.float32)
        parts += [wave, pause]
        time += len(wave) + len(pause)
    parts.append(np.zeros(2 * RATE, dtype=np.float32))
    wave_N = np.concatenate(parts)
    return Spoken(wave_N + rng.normal(0, 5e-4, len(wave_N)).astype(np.float32), tuple(said))
