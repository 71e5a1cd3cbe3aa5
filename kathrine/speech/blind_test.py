"""A blind listening test: which takes are compared, in which order, and what listeners' answers say.

The page that listeners get names no system: its clips have random names, and the key that tells them apart stays in a
file of its own beside it.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError

RESAMPLES = 2000
"""Bootstrap draws of a confidence interval."""
CONFIDENCE = 0.95
CHOICES = ("left", "right", "same")


@dataclass(frozen=True, slots=True)
class Clip:
    """One take of one system. id: random, the only name that the page knows."""

    id: str
    system: str
    text: str
    path: Path


@dataclass(frozen=True, slots=True)
class Trial:
    """Two clips of one text, in the order in which they are shown."""

    id: str
    text: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the answers say of two systems. preference: share of votes for `first`, `same` counting half; low and high:
    its 95 % interval over listeners and texts."""

    first: str
    second: str
    votes: int
    wins_first: int
    wins_second: int
    same: int
    preference: float
    low: float
    high: float


# --------------------------------------------------------------------------- takes


def find_takes(name: str, checkpoint: str = "") -> dict[str, Path]:
    """The first take of each text of a run, of one of its checkpoints, or of a folder that was spoken into.

    Given: checkpoint, a step whose samples to take instead of the run's last ones. Returns: WAV by text. Raises:
    KathrineError where there are none.
    """
    folder = Path(name).expanduser()
    places = [folder / "samples" / f"{int(checkpoint):08d}"] if checkpoint else [folder, folder / "samples"]
    for place in places:
        for file in ("samples.json", "takes.jsonl"):
            if (place / file).is_file():
                text = (place / file).read_text(encoding="utf-8")
                rows = json.loads(text) if file.endswith(".json") else [json.loads(line) for line in text.splitlines()]
                found: dict[str, Path] = {}
                for row in rows:
                    path = place / row["file"]
                    if path.is_file() and row["seconds"] > 0:
                        found.setdefault(row["text"], path)
                if found:
                    return found
    where = f"samples of step {checkpoint}" if checkpoint else "takes"
    raise KathrineError(f"{name} holds no {where}", "name a run, or a folder that `kathrine speak --out` wrote")


def make_trials(takes: Mapping[str, Mapping[str, Path]], most: int, seed: int) -> tuple[list[Clip], list[Trial]]:
    """Clips and trials: every text that all systems have said, every pair of systems, left and right by chance.

    Given: takes, by system and text; most, trials at most, texts spread evenly. Raises: KathrineError for systems that
    have said nothing in common.
    """
    systems = list(takes)
    first = takes[systems[0]]
    texts = [text for text in first if all(text in takes[system] for system in systems)]
    if not texts:
        raise KathrineError(
            f"{' and '.join(systems)} have said nothing in common", "let them speak the same texts with the same file"
        )
    draw = random.Random(f"listening {seed}")
    names = draw.sample(range(16**6, 16**7), len(texts) * len(systems))
    clips = [Clip(f"{names.pop():x}", system, text, takes[system][text]) for text in texts for system in systems]
    by_place = {(clip.system, clip.text): clip.id for clip in clips}
    pairs = [(text, pair) for text in texts for pair in combinations(systems, 2)]
    draw.shuffle(pairs)
    trials = []
    for number, (text, pair) in enumerate(pairs[:most], start=1):
        left, right = draw.sample(pair, 2)
        trials.append(Trial(f"t{number}", text, by_place[left, text], by_place[right, text]))
    used = {clip for trial in trials for clip in (trial.left, trial.right)}
    return [clip for clip in clips if clip.id in used], trials


def key_document(test: str, clips: Sequence[Clip], trials: Sequence[Trial], question: str) -> dict[str, Any]:
    """What tells the clips apart: kept from listeners, needed to score them."""
    return {
        "test": test,
        "question": question,
        "clips": {clip.id: {"system": clip.system, "text": clip.text} for clip in clips},
        "trials": {trial.id: {"left": trial.left, "right": trial.right} for trial in trials},
    }


# --------------------------------------------------------------------------- scores


def read_answers(paths: Sequence[Path], key: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every listener's votes: listener, text, winner and loser (or both systems and `same`).

    Raises: KathrineError that names every file that is not an answer to this test.
    """
    votes: list[dict[str, Any]] = []
    problems: list[str] = []
    seen: dict[str, Path] = {}
    for path in paths:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            found, session = list(document["answers"]), str(document["session"])
            if document["test"] != key["test"]:
                problems.append(f"{path}: answers another test ({document['test']}, not {key['test']})")
                continue
            if session in seen:
                problems.append(f"{path}: the same answers as {seen[session]}")
                continue
            seen[session] = path
            votes += [vote_of(answer, key, session) for answer in found]
        except OSError as error:
            problems.append(f"{path}: {error.strerror or error}")
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"{path}: not the results of a listening page ({error})")
    if problems:
        raise KathrineError("\n  ".join([f"{len(problems)} files can not be scored:", *problems]))
    return votes


def vote_of(answer: Mapping[str, Any], key: Mapping[str, Any], session: str) -> dict[str, Any]:
    """One answer with its systems. Raises: KeyError or ValueError for one that the test did not ask."""
    trial = key["trials"][answer["trial"]]
    choice = answer["choice"]
    if choice not in CHOICES:
        raise ValueError(f"choice {choice!r}")
    left, right = (key["clips"][trial[side]] for side in ("left", "right"))
    winner = {"left": left["system"], "right": right["system"], "same": ""}[choice]
    return {"listener": session, "text": left["text"], "systems": {left["system"], right["system"]}, "winner": winner}


def compare(votes: Sequence[Mapping[str, Any]], systems: Sequence[str], seed: int = 0) -> list[Comparison]:
    """What the votes say of each pair of systems."""
    found = []
    for first, second in combinations(systems, 2):
        mine = [vote for vote in votes if vote["systems"] == {first, second}]
        if not mine:
            continue
        values = [1.0 if vote["winner"] == first else 0.0 if vote["winner"] == second else 0.5 for vote in mine]
        low, high = interval(values, [(vote["listener"], vote["text"]) for vote in mine], seed)
        wins = sum(value == 1.0 for value in values), sum(value == 0.0 for value in values)
        same = len(values) - sum(wins)
        preference = sum(values) / len(values)
        found.append(Comparison(first, second, len(values), *wins, same, preference, low, high))
    return found


def interval(values: Sequence[float], units: Sequence[tuple[str, str]], seed: int) -> tuple[float, float]:
    """95 % interval of a mean of votes by bootstrap over listeners and texts, whichever gives the wider one.

    Votes of one listener, and votes on one text, are not independent; with a single listener only texts are drawn.
    A unanimous vote gets the rule of three, since a bootstrap of equal numbers has no width.
    """
    mean = sum(values) / len(values)
    if len(set(values)) == 1 and values[0] in (0.0, 1.0):
        width = 1 - (1 - CONFIDENCE) ** (1 / len(values))
        return (1 - width, 1.0) if values[0] == 1.0 else (0.0, width)
    widest = (mean, mean)
    for side in (0, 1):
        groups: dict[str, list[float]] = {}
        for value, unit in zip(values, units, strict=True):
            groups.setdefault(unit[side], []).append(value)
        if len(groups) < 2:
            continue
        draw, names = random.Random(f"interval {seed} {side}"), sorted(groups)
        means = []
        for _ in range(RESAMPLES):
            drawn = [value for name in draw.choices(names, k=len(names)) for value in groups[name]]
            means.append(sum(drawn) / len(drawn))
        means.sort()
        cut = (1 - CONFIDENCE) / 2
        low, high = means[math.floor(cut * RESAMPLES)], means[math.ceil((1 - cut) * RESAMPLES) - 1]
        if high - low > widest[1] - widest[0]:
            widest = low, high
    return widest
