"""Where in a text a piece of speech is read: by short runs of letters that the model heard, without a lattice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kathrine_librivox.segmentation.labels import Spelling

RUN = 5
"""Letters in a run. Of letters heard with 30 % errors, one run in six is whole; of the runs of an unrelated text
few are, and not at the same distance."""
SLACK = 64
"""Letters by which heard and written text may drift apart within a window: letters left out or added."""
LEAST = 6.0
"""Runs, each weighted by how rare it is, that have to agree on a place. Unrelated text of 100,000 letters reaches 2 to
3 (tested)."""


def find_in_text(
    window_TV: np.ndarray, spellings: Sequence[Spelling], first: int, blank: int, reach: int
) -> int | None:
    """The sentence at which a window's speech begins in the text, or None.

    Given: emissions of the window; the sentences; first, the one from which to search, as far as `reach` labels go.
    """
    heard_L = heard_letters(window_TV, blank)
    lengths, total = [], 0
    for spelling in spellings[first:]:
        lengths.append(len(spelling.labels_L))
        total += lengths[-1]
        if total >= reach:
            break
    if total < RUN or len(heard_L) < RUN:
        return None
    written_L = np.concatenate([spelling.labels_L for spelling in spellings[first : first + len(lengths)]])
    base = int(max(written_L.max(), heard_L.max())) + 2
    written, heard = runs_of(written_L, base), runs_of(heard_L, base)
    order = np.argsort(written, kind="stable")
    low = np.searchsorted(written[order], heard, side="left")
    high = np.searchsorted(written[order], heard, side="right")
    known = np.flatnonzero((high > low) & (high - low <= 50))  # a run that is everywhere says nothing
    if not len(known):
        return None
    places = np.concatenate([order[low[run] : high[run]] for run in known])
    weights = np.concatenate([np.full(high[run] - low[run], 1.0 / (high[run] - low[run])) for run in known])
    distance = places - np.repeat(known, high[known] - low[known])
    bins = (distance - distance.min()) // SLACK
    votes = np.bincount(bins, weights=weights)
    pairs = votes + np.append(votes[1:], 0.0)
    best = int(pairs.argmax())
    if pairs[best] < LEAST:
        return None
    agreeing = np.sort(places[(bins == best) | (bins == best + 1)])
    start = int(agreeing[len(agreeing) // 20])  # not the very first: that may be chance
    return first + int(np.searchsorted(np.cumsum(lengths), start, side="right"))


def heard_letters(window_TV: np.ndarray, blank: int) -> np.ndarray:
    """The likeliest label of each frame, repeats and blanks left out: int64 [letters]."""
    best_T = window_TV.argmax(1)
    changes = np.append(True, best_T[1:] != best_T[:-1])
    return best_T[changes & (best_T != blank)].astype(np.int64)


def runs_of(labels_L: np.ndarray, base: int) -> np.ndarray:
    """Each run of `RUN` labels as one number, int64 [L - RUN + 1]."""
    labels_L = labels_L.astype(np.int64) + 1  # WILD is -1
    count = len(labels_L) - RUN + 1
    value = np.zeros(max(count, 0), dtype=np.int64)
    for offset in range(RUN):
        value = value * base + labels_L[offset : offset + len(value)]
    return value
