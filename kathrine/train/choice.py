"""Which checkpoint is the best one: a named rule over what was measured on held-out data, never the training loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Rule = Literal["flags_then_loss", "loss"]
MOST_FLAGGED = 0.05
"""Share of flagged takes above which a checkpoint is never the best one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A checkpoint as a rule sees it. score: held-out loss. flagged: share of its takes, None where nothing was
    spoken."""

    step: int
    score: float
    flagged: float | None = None


def is_better(new: Candidate, best: Candidate | None, rule: Rule, min_delta: float = 0.0) -> tuple[bool, str]:
    """Whether a candidate takes the place of the best one so far, and why (not), as half a sentence.

    `loss`: the lowest held-out loss, by more than min_delta. `flags_then_loss`: as few flagged takes as possible, and
    among equals the lowest loss; with more than 5 % flagged it is never the best one.
    """
    if not math.isfinite(new.score):
        return False, "its held-out loss is not a number"
    by_flags = rule == "flags_then_loss" and new.flagged is not None
    if by_flags and new.flagged is not None and new.flagged > MOST_FLAGGED:
        return False, f"{new.flagged:.0%} of its takes are flagged, more than {MOST_FLAGGED:.0%}"
    if best is None:
        return True, "the first that qualifies"
    if by_flags and best.flagged is not None and new.flagged != best.flagged:
        fewer = (new.flagged or 0.0) < best.flagged
        return fewer, f"{'fewer' if fewer else 'more'} flagged takes than step {best.step}"
    lower = new.score < best.score - min_delta
    return lower, f"its held-out loss is {'lower' if lower else 'not lower'} than that of step {best.step}"


def reason(best: Candidate | None, rule: Rule) -> str:
    """Why the best checkpoint is the best one, as it is told at the end of a run."""
    if best is None:
        limit = f"less than {MOST_FLAGGED:.0%} flagged takes and " if rule == "flags_then_loss" else ""
        return f"no checkpoint has {limit}a finite held-out loss"
    flags = f"{best.flagged:.0%} of its takes flagged, " if best.flagged is not None else ""
    return f"{flags}held-out loss {best.score:.4f}; rule {rule}"
