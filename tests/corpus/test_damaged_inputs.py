"""Two hundred damaged inputs among good ones: each is counted under the reason of its kind, and nothing crashes."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from corpus_fakes import prepared, recipe, rejected, speech, utterances

from kathrine.corpus.page import NAME
from kathrine.progress import SilentProgress
from kathrine.types import Utterance

EACH, GOOD, SEED = 25, 40, 20251125
RATE = 24000


def write(path: Path, number: int, seconds: float = 1.2) -> Path:
    """A good recording; the format follows the name."""
    soundfile.write(path, speech(seconds, 1000 + number, RATE), RATE)
    return path


def bit_flips(folder: Path, number: int, chance: random.Random) -> Path:
    """Some bits of a format that carries checksums are turned."""
    path = write(folder / f"flips{number}.{('flac', 'ogg')[number % 2]}", number)
    content = bytearray(path.read_bytes())
    for _ in range(chance.randint(4, 40)):
        place = chance.randrange(8 * len(content))
        content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    return path


def truncation(folder: Path, number: int, chance: random.Random) -> Path:
    """Only the first part of the file is there."""
    path = write(folder / f"cut{number}.{('wav', 'flac', 'ogg', 'mp3')[number % 4]}", number)
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * chance.uniform(0.1, 0.85))])
    return path


def wrong_header(folder: Path, number: int, chance: random.Random) -> Path:
    """What the file says of itself is not what it is."""
    path = write(folder / f"header{number}.wav", number)
    content = bytearray(path.read_bytes())
    kind = number % 4
    if kind == 0:
        content[:4] = bytes(chance.randrange(256) for _ in range(4))
    elif kind == 1:
        content[24:28] = (RATE * chance.choice([2, 4])).to_bytes(4, "little")
    elif kind == 2:
        content[4:8] = (len(content) * chance.randint(2, 9)).to_bytes(4, "little")
    else:
        content[:] = f"<html>{chance.random()} not found</html>".encode()
    path.write_bytes(content)
    return path


def empty(folder: Path, number: int, chance: random.Random) -> Path:
    """Nothing at all, or a header with nothing behind it."""
    path = folder / f"empty{number}.wav"
    if number % 2:
        soundfile.write(path, np.zeros(0), RATE)
    else:
        path.write_bytes(b"")
    return path


def tenth_of_a_second(folder: Path, number: int, chance: random.Random) -> Path:
    return write(folder / f"tenth{number}.wav", number, 0.1)


def eight_channels(folder: Path, number: int, chance: random.Random) -> Path:
    path = folder / f"eight{number}.wav"
    voice = speech(1.2, 1000 + number, RATE)
    soundfile.write(path, np.stack([voice * chance.uniform(0.5, 1) for _ in range(8)], axis=1), RATE)
    return path


def not_finite(folder: Path, number: int, chance: random.Random) -> Path:
    path = folder / f"nan{number}.wav"
    wave = speech(1.2, 1000 + number, RATE)
    for _ in range(chance.randint(1, 5)):
        wave[chance.randrange(len(wave))] = chance.choice([np.nan, np.inf, -np.inf, 3e38])
    soundfile.write(path, wave, RATE, subtype="FLOAT")
    return path


def control_characters(folder: Path, number: int, chance: random.Random) -> Path:
    return write(folder / f"text{number}.wav", number)


KINDS: dict[Callable[[Path, int, random.Random], Path], set[str]] = {
    bit_flips: {"corrupt", "length differs"},
    truncation: {"corrupt"},
    wrong_header: {"corrupt", "length differs"},
    empty: {"corrupt"},
    tenth_of_a_second: {"too short"},
    eight_channels: {"channels"},
    not_finite: {"corrupt"},
    control_characters: {"control characters"},
}
STRANGE = "\x00\x01\x07\x08\x0e\x1b\x7f\x80\x9f\ud83d\udc00\ufffd\ufffe\ue000"


def damaged(folder: Path) -> tuple[list[Utterance], dict[str, set[str]]]:
    """Utterances with damage, and the reasons that each may be counted under."""
    chance = random.Random(SEED)
    given, expected = [], {}
    for kind, reasons in KINDS.items():
        for number in range(EACH):
            name, text = f"{kind.__name__}-{number:02d}", f"dette er skadd {number}"
            if kind is control_characters:
                place = chance.randrange(len(text) + 1)
                text = text[:place] + STRANGE[number % len(STRANGE)] + text[place:]
            path = kind(folder, number, chance)
            # Where a file lies about itself, only the corpus' own word tells.
            seconds = 1.2 if kind in (bit_flips, wrong_header) else None
            given.append(Utterance(name, path, {"text": text}, f"s{number % 3}", "norwegian", seconds=seconds))
            expected[name] = reasons
    return given, expected


def test_two_hundred_damaged_inputs(tmp_path: Path) -> None:
    folder = tmp_path / "audio"
    good = utterances(folder, GOOD)
    broken, expected = damaged(folder)
    assert len(broken) == 200
    mixed = [*good, *broken]
    random.Random(SEED).shuffle(mixed)
    progress = SilentProgress()
    corpus = prepared(tmp_path / "ws", recipe(mixed), progress)

    entry = corpus.facts["entries"]["a"]
    assert entry["seen"] == len(mixed) == entry["kept"] + sum(rejected(corpus).values())
    assert {row.id for row in corpus.rows} == {each.id for each in good}
    told = {row["id"]: row for row in map(json.loads, (corpus.folder / "manifest.jsonl").read_text().splitlines())}
    assert len(told) == len(mixed)
    wrong = {name: told[name].get("reason") for name in expected if told[name].get("reason") not in expected[name]}
    assert not wrong
    assert Counter(row["reason"] for row in told.values() if not row["kept"]) == rejected(corpus)
    found = rejected(corpus)
    assert found["channels"] == found["too short"] == found["control characters"] == EACH
    assert found["corrupt"] + found["length differs"] == 5 * EACH and found["length differs"] >= EACH // 4
    assert all(row["detail"] for row in told.values() if row.get("reason") in ("corrupt", "length differs"))
    # The first of each kind of damaged file is named, and the page shows what can not be played.
    assert {warning.split(": ")[1] for warning in progress.warned} >= {"corrupt", "length differs"}
    page = (corpus.folder / NAME).read_text(encoding="utf-8")
    assert "not playable" in page and "control characters" in page and not set("\x00\x1b\x9f") & set(page)

    again = prepared(tmp_path / "ws", recipe(mixed))
    assert again.folder == corpus.folder and again.facts == corpus.facts
