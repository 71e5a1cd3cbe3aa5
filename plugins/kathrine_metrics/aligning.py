"""Two sequences aligned by as few changes as possible, with written compounds counted as equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Change = Literal["equal", "substitute", "delete", "insert"]
LONGEST_COMPOUND = 6
"""Words that one compound may have been heard as."""


@dataclass(frozen=True, slots=True)
class Step:
    """Elements first[i:i_end] and second[j:j_end] that stand for each other; one side is empty for a deletion or an
    insertion. A folded compound is `equal` with several words on one side."""

    change: Change
    i: int
    i_end: int
    j: int
    j_end: int


def align(first: Sequence[str], second: Sequence[str], fold: bool = False) -> list[Step]:
    """An alignment with the least number of substitutions, deletions and insertions (Levenshtein).

    Given: first, what should be there; second, what is; fold, whether one element equals several that it is made of
    (`småbåthavna` and `småbåt havna`). Ties are broken towards equal, then substitute, delete, insert, from the end.
    """
    rows, columns = len(first), len(second)
    joins = _joins(first, second) if fold else {}
    cost = [list(range(columns + 1))]
    for i in range(1, rows + 1):
        above, line, letter = cost[i - 1], [i], first[i - 1]
        for j in range(1, columns + 1):
            best = min(above[j - 1] + (letter != second[j - 1]), above[j] + 1, line[j - 1] + 1)
            for a, b in joins.get((i, j), ()):
                best = min(best, cost[i - a][j - b])
            line.append(best)
        cost.append(line)
    return _walk_back(first, second, cost, joins)


def _walk_back(
    first: Sequence[str],
    second: Sequence[str],
    cost: list[list[int]],
    joins: dict[tuple[int, int], list[tuple[int, int]]],
) -> list[Step]:
    steps: list[Step] = []
    i, j = len(first), len(second)
    while i or j:
        here = cost[i][j]
        if i and j and first[i - 1] == second[j - 1] and cost[i - 1][j - 1] == here:
            a, b, change = 1, 1, "equal"
        else:
            folded = [(a, b) for a, b in joins.get((i, j), ()) if cost[i - a][j - b] == here]
            if folded:
                (a, b), change = folded[0], "equal"
            elif i and j and cost[i - 1][j - 1] + 1 == here:
                a, b, change = 1, 1, "substitute"
            elif i and cost[i - 1][j] + 1 == here:
                a, b, change = 1, 0, "delete"
            else:
                a, b, change = 0, 1, "insert"
        steps.append(Step(change, i - a, i, j - b, j))  # type: ignore[arg-type]
        i, j = i - a, j - b
    return steps[::-1]


def _joins(first: Sequence[str], second: Sequence[str]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Places (i, j) where one word that ends there equals several that do, with how many of each."""
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for flip, (one, many) in enumerate(((first, second), (second, first))):
        wanted: dict[str, list[int]] = {}
        for place, word in enumerate(one, start=1):
            wanted.setdefault(word, []).append(place)
        for end in range(2, len(many) + 1):
            for count in range(2, min(LONGEST_COMPOUND, end) + 1):
                for place in wanted.get("".join(many[end - count : end]), ()):
                    at, sizes = ((place, end), (1, count)) if not flip else ((end, place), (count, 1))
                    found.setdefault(at, []).append(sizes)
    return found


@dataclass(frozen=True, slots=True)
class Counts:
    """How many elements of each kind; words: of what should be there."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def words(self) -> int:
        return self.hits + self.substitutions + self.deletions


def count(steps: Sequence[Step]) -> Counts:
    """Elements by what became of them; a folded compound counts as the elements of the first sequence."""
    hits = sum(step.i_end - step.i for step in steps if step.change == "equal")
    kinds = [step.change for step in steps]
    return Counts(hits, kinds.count("substitute"), kinds.count("delete"), kinds.count("insert"))


def runs(steps: Sequence[Step], change: Change, least: int) -> int:
    """Unbroken runs of at least `least` insertions or deletions."""
    found = length = 0
    for step in [*steps, Step("equal", 0, 0, 0, 0)]:
        if step.change == change:
            length += 1
        else:
            found += length >= least
            length = 0
    return found
