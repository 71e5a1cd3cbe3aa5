"""The words after a mistake: "did you mean ...?"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'alpha'?)`, or an empty string where nothing known comes close."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if not close:  # a part of a name is a good guess too: 'hours' for 'max_hours'
        close = [name for name in names if len(word) > 3 and (word in name.split("_") or word in name)][:1]
    return f" (did you mean '{close[0]}'?)" if close else ""


def listing(names: Iterable[str]) -> str:
    """Names in a sentence, or `none`."""
    return ", ".join(sorted(names)) or "none"
