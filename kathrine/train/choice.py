"""Which checkpoint is the best one: a named rule over what was measured on held-out data, never the training loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
        limit = f"at most {MOST_FLAGGED:.0%} flagged takes and " if rule == "flags_then_loss" else ""
        return f"no checkpoint has {limit}a finite held-out loss"
    flags = f"{best.flagged:.0%} of its takes flagged, " if best.flagged is not None else ""
    return f"{flags}held-out loss {best.score:.4f}; rule {rule}"


@dataclass(frozen=True, slots=True)
class Heard:
    """A checkpoint as it was evaluated. error: word error rate. similarity: of the voice, or None. flagged: share."""

    step: int
    error: float
    similarity: float | None
    flagged: float


def choose(found: Sequence[Heard]) -> tuple[Heard | None, str]:
    """The checkpoint to keep, and why: the least of word error rate + (1 - similarity) + share of flagged takes.

    One with more than 5 % flagged takes is never chosen. Where a checkpoint has no similarity, none is counted with
    it. Ties go to the earlier step.
    """
    if not found:
        return None, "nothing was chosen: no checkpoint has an error rate (no asr metric ran)"
    with_voice = all(one.similarity is not None for one in found)
    terms = "word error rate + (1 - similarity) + flagged" if with_voice else "word error rate + flagged"

    def cost(one: Heard) -> float:
        return one.error + one.flagged + (1 - (one.similarity or 0.0) if with_voice else 0.0)

    usable = [one for one in found if one.flagged <= MOST_FLAGGED]
    if not usable:
        fewest = min(found, key=lambda one: (one.flagged, one.step))
        return None, (
            f"no checkpoint is good enough to keep: each has more than {MOST_FLAGGED:.0%} flagged takes "
            f"(fewest: step {fewest.step} with {fewest.flagged:.0%})"
        )
    best = min(usable, key=lambda one: (cost(one), one.step))
    left = len(found) - len(usable)
    excluded = f"; {left} left out with more than {MOST_FLAGGED:.0%} flagged" if left else ""
    voice = f" + {1 - (best.similarity or 0.0):.3f}" if with_voice else ""
    reason = (
        f"{terms} is least: {best.error:.3f}{voice} + {best.flagged:.3f} = {cost(best):.3f}, of {len(found)} "
        f"checkpoints{excluded}" + ("" if with_voice else "; voices were not compared")
    )
    return best, reason
