"""A model family that costs nothing, a source of made-up recordings, and recipes of them, to test prepare
with.

Shapes: N samples, F frames, Q codebooks, H width of the speaker embedding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from kathrine.components import Language, ModelFamily, Options, Source, SpokenText
from kathrine.corpus.prepare import prepare
from kathrine.corpus.prepared import PreparedCorpus
from kathrine.progress import SilentProgress
from kathrine.recipe.tables import DataTable, PrepareTable, RunTable
from kathrine.types import Fingerprints, ModelFacts, Utterance
from kathrine.workspace import Workspace

RATE, FRAME, BOOKS, SIZE = 4000, 320, 4, 64
EASY: dict[str, Any] = {
    "device": "cpu",
    "batch": 4,
    "min_seconds": 0.2,
    "min_letters_per_second": 0.5,
    "max_letters_per_second": 60.0,
    "narrowband_hz": 0.0,
    "min_bandwidth_hz": 0.0,
    "min_snr_db": 0.0,
    "rate_outlier_iqr": 0.0,
}


class FakeOptions(Options):
    checkpoint: str = "fake"
    """Only one."""
    revision: str = ""
    """Not used."""


class FakeFamily(ModelFamily):
    """Codes are levels of the wave, a voice is a histogram. `calls` counts what was asked of it."""

    name = "fake"
    Options = FakeOptions

    def __init__(self, codec: str = "codec-1", speaker: str = "speaker-1", text: str = "text-1") -> None:
        super().__init__()
        self.prints = Fingerprints(codec, speaker, text)
        self.calls: Counter[str] = Counter()
        self.largest = 0

    def facts(self, workspace: Workspace) -> ModelFacts:
        return ModelFacts("fake", "fake", "", RATE, FRAME, BOOKS, SIZE, ("talker",))

    def parameters(self, workspace: Workspace) -> None:
        return None

    def fetch(self, workspace: Workspace, progress: Any, offline: bool = False) -> None:
        self.calls["fetch"] += 1
        if offline:
            self.calls["offline"] += 1

    def fingerprints(self, workspace: Workspace) -> Fingerprints:
        return self.prints

    def open_codec(self, workspace: Workspace, device: str = "cpu", decode_only: bool = False) -> Any:
        self.calls["open_codec"] += 1
        return FakeCodec(self)

    def open_text(self, workspace: Workspace) -> Any:
        self.calls["open_text"] += 1

        def tokenise(text: str) -> tuple[int, ...]:
            self.calls["tokenise"] += 1
            return tuple(map(ord, text))

        return tokenise

    def open_speaker_encoder(self, workspace: Workspace, device: str = "cpu") -> Any:
        if not self.prints.speaker:
            return None

        def encode(wave_N: np.ndarray) -> np.ndarray:
            self.calls["speaker"] += 1
            return np.histogram(wave_N, bins=8, range=(-1, 1))[0].astype(np.float32) / len(wave_N)

        return encode

    def load(self, workspace: Workspace, device: str = "cpu", dtype: str = "fp32") -> Any:
        raise NotImplementedError


@dataclass
class FakeCodec:
    family: FakeFamily

    def encode(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.family.calls["batches"] += 1
        self.family.calls["encode"] += len(waves)
        self.family.largest = max(self.family.largest, len(waves) * max(map(len, waves)))
        assert all(len(wave_N) % FRAME == 0 for wave_N in waves)
        return [
            (np.abs(wave_N.reshape(-1, BOOKS, FRAME // BOOKS)).mean(axis=2) * 300).astype(np.int16) % SIZE
            for wave_N in waves
        ]

    def decode(self, codes: Any, progress: Any = None) -> list[np.ndarray]:
        raise NotImplementedError


class ListSource(Source):
    """Gives the utterances that it was made with."""

    name = "list"

    def __init__(self, utterances: Sequence[Utterance], left_out: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self.given = utterances
        self.counts = left_out or {}

    def prepare(self, context: Any) -> None:
        pass

    def utterances(self, context: Any) -> Sequence[Utterance]:
        return self.given

    def left_out(self) -> Mapping[str, int]:
        return self.counts


class Shouting(Language):
    """Everything in capitals, with a full stop; refuses "refuse me". `calls` counts."""

    name = "shouting"

    def __init__(self, version: str = "1") -> None:
        super().__init__()
        self.version = version
        self.calls = 0

    def normalise(self, text: str, variant: str = "text") -> SpokenText:
        self.calls += 1
        if text == "refuse me":
            return SpokenText("", (), "asked to")
        return SpokenText(text.upper().rstrip(".") + ".", ("upper",))

    def rules_version(self) -> str:
        return self.version

    def test_sentences(self) -> tuple[str, ...]:
        return ("HEI.",)


@dataclass
class Entry:
    name: str
    table: DataTable
    source: Source


@dataclass
class FakeRecipe:
    """As much of a recipe as prepare looks at."""

    data: tuple[Entry, ...]
    model: FakeFamily
    prepare: PrepareTable
    language: Language | None = None
    run: RunTable = field(default_factory=RunTable)


def speech(seconds: float, seed: int = 0, rate: int = 8000, tail: float = 0.2, level: float = 0.3) -> np.ndarray:
    """Bursts of tone and noise with pauses, and `tail` seconds of near silence at both ends; float32 [N]."""
    random = np.random.default_rng(seed)
    time_N = np.arange(round(seconds * rate)) / rate
    wave_N = np.sin(2 * np.pi * (150 + 40 * (seed % 7)) * time_N) + 0.3 * random.normal(size=len(time_N))
    wave_N *= 0.55 + 0.45 * np.sin(2 * np.pi * 3 * time_N + seed)
    inside_N = (time_N >= tail) & (time_N < seconds - tail)
    return (level * wave_N / np.abs(wave_N).max() * inside_N + 1e-5 * random.normal(size=len(time_N))).astype("f4")


def utterances(folder: Path, count: int, speakers: int = 3, seconds: float = 0.8) -> list[Utterance]:
    """Utterances with recordings of different lengths, written below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(count):
        path = folder / f"clip{number:03d}.wav"
        if not path.is_file():
            soundfile.write(path, speech(seconds + 0.07 * (number * 5 % 11), number), 8000)
        made.append(
            Utterance(
                f"u{number:03d}",
                path,
                {"text": f"dette er setning {number}"},
                f"s{number % speakers}",
                "norwegian",
            )
        )
    return made


def recipe(
    *entries: Sequence[Utterance],
    family: FakeFamily | None = None,
    language: Language | None = None,
    table: dict[str, Any] | None = None,
    **data: Any,
) -> FakeRecipe:
    """A recipe with one data entry `a`, `b`... for each list; `data` are options of all of them, `table` of
    prepare."""
    made = tuple(
        Entry(name, DataTable(source="list", name=name, **data), ListSource(given))
        for name, given in zip("abcdef", entries, strict=False)
    )
    return FakeRecipe(made, family or FakeFamily(), PrepareTable(**(EASY | (table or {}))), language)


def prepared(root: Path, made: FakeRecipe, progress: SilentProgress | None = None) -> PreparedCorpus:
    """Prepare in the workspace `root`."""
    return prepare(made, Workspace(root), progress or SilentProgress())  # type: ignore[arg-type]


def rejected(corpus: PreparedCorpus, entry: str = "a") -> dict[str, int]:
    """Counts by reason."""
    return corpus.facts["entries"][entry]["rejected"]
