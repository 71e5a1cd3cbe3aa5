"""Which utterance comes when. In which form it is put to the model stands in `prompting.py`.

Everything here is a pure function of the seed and of names: no generator is carried along, so that any draw
of any epoch can be made at any time, on any process, and is always the same.

A *draw* is one use of an utterance. An epoch of a blend has as many draws as its entries have utterances
together; within an entry every utterance comes once before any comes again.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kathrine.errors import KathrineError
from kathrine.types import Example, Stage

HIDDEN = "__reference__"
"""How ids of examples begin that only lend their voice (`reference = "file"`); they are never drawn."""


class Row(Protocol):
    """What is known of an example without loading it: a row of `PreparedCorpus.rows`."""

    @property
    def key(self) -> str: ...
    @property
    def entry(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def speaker(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def frames(self) -> int: ...
    @property
    def text_tokens(self) -> Mapping[str, int]: ...
    @property
    def cut(self) -> bool: ...
    @property
    def reference(self) -> str | None: ...


class Corpus(Protocol):
    """What training needs of a prepared corpus."""

    @property
    def rows(self) -> Sequence[Row]: ...
    @property
    def entries(self) -> Sequence[str]: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...

    def example(self, key: str) -> Example: ...


# --------------------------------------------------------------------------- numbers from names


def derived_seed(seed: int, *parts: object) -> int:
    """A 63-bit number that depends on all of its arguments (BLAKE2b of their text)."""
    text = "|".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def fraction(seed: int, *parts: object) -> float:
    """As `derived_seed`, uniform in [0, 1)."""
    return (derived_seed(seed, *parts) >> 10) / 2**53


def shuffled(names: Iterable[str], seed: int, *parts: object) -> list[str]:
    """Names in an order that depends on seed and parts alone, not on the order in which they were given."""
    return sorted(names, key=lambda name: (derived_seed(seed, *parts, name), name))


# --------------------------------------------------------------------------- draws


@dataclass(frozen=True, slots=True)
class Draw:
    """One use of an utterance. stage: index; turn: how often the stage has used the utterance before."""

    key: str
    stage: int
    turn: int


def epoch_sizes(shares: Mapping[str, float], draws: int, epochs: int) -> list[dict[str, int]]:
    """Draws per entry for each of the first epochs of a stage: `draws` each, in the given shares.

    What rounding takes from an entry in one epoch it gets in the next: after any number of epochs an entry is
    within one draw of its share (two, with three entries or more).
    """
    total = sum(shares.values())
    drawn = dict.fromkeys(shares, 0)
    sizes = []
    for epoch in range(epochs):
        owed = {name: share / total * draws * (epoch + 1) - drawn[name] for name, share in shares.items()}
        # 1e-9: a share of 1/3 of 9 draws is 3, whatever floating point says
        counts = {name: max(0, math.floor(amount + 1e-9)) for name, amount in owed.items()}
        order = sorted(shares, key=lambda name: (counts[name] - owed[name], name))
        for name in order[: max(0, draws - sum(counts.values()))]:
            counts[name] += 1
        for name in reversed(order):
            if sum(counts.values()) > draws and counts[name] > 0:
                counts[name] -= 1
        for name, count in counts.items():
            drawn[name] += count
        sizes.append(counts)
    return sizes


def stage_draws(stage: Stage, keys: Mapping[str, Sequence[str]]) -> int:
    """Draws in an epoch of a stage: as many as its entries have utterances together."""
    return sum(len(keys.get(name, ())) for name, share in stage.shares.items() if share > 0)


def epoch_draws(stage: Stage, index: int, epoch: int, keys: Mapping[str, Sequence[str]], seed: int) -> list[Draw]:
    """The draws of one epoch of one stage, shuffled.

    Given: the stage and its index; epoch, from 0; keys of the training utterances by entry. Returns: exactly
    `stage_draws` draws. Each entry goes through its utterances in passes, each pass shuffled anew; a pass
    goes on where the epoch before left it.
    Raises: KathrineError for an entry with a share but without utterances.
    """
    shares = {name: share for name, share in stage.shares.items() if share > 0}
    for name in shares:
        if not keys.get(name):
            raise KathrineError(
                f"stage {stage.name}: the data entry '{name}' has no training utterances",
                "look at the table of `kathrine prepare` for the reasons of rejection",
            )
    sizes = epoch_sizes(shares, stage_draws(stage, keys), epoch + 1)
    draws: list[Draw] = []
    for name in shares:
        first = sum(counts[name] for counts in sizes[:-1])
        last = first + sizes[-1][name]
        length = len(keys[name])
        for turn in range(first // length, math.ceil(last / length)):
            order = shuffled(keys[name], seed, "order", index, turn)
            begin, end = max(0, first - turn * length), min(length, last - turn * length)
            draws.extend(Draw(key, index, turn) for key in order[begin:end])
    return sorted(draws, key=lambda draw: (derived_seed(seed, "epoch", index, epoch, draw.turn, draw.key), draw.key))


def training_keys(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Keys of the training utterances by data entry, in corpus order."""
    keys: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.split == "train" and not row.id.startswith(HIDDEN):
            keys[row.entry].append(row.key)
    return dict(keys)
