"""Everything that a run remembers between two steps, beside tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kathrine.corpus.batching import Position
from kathrine.types import Stage


@dataclass
class TrainState:
    """Saved with every checkpoint; numbers of a resumed run go on from here.

    step: updates made. position: of the next one. onward: the same, had the stage not ended; a longer run
    goes on there. epochs_done: epochs finished, over all stages. best_step, best_score: of the validation
    that `best` goes by. stale: validations since then. ended: empty, `finished` or `stopped_early`.
    metrics_bytes, timing_bytes: how much of the files belongs to this state. baseline, latest, best: metrics
    of the first, the newest and the best validation. best_flagged: share of flagged takes of the best checkpoint.
    lowest_score: what early stopping compares with. spoken: steps whose sentences the noise trend still needs.
    soundings: what it remembers of them. before_noise: steps before which samples were clean.
    """

    step: int = 0
    position: Position = field(default_factory=Position)
    onward: Position = field(default_factory=Position)
    epochs_done: int = 0
    best_step: int | None = None
    best_score: float | None = None
    best_flagged: float | None = None
    lowest_score: float | None = None
    stale: int = 0
    skipped: int = 0
    skipped_in_row: int = 0
    ended: Literal["", "finished", "stopped_early"] = ""
    metrics_bytes: int = 0
    timing_bytes: int = 0
    baseline: dict[str, Any] = field(default_factory=dict)
    latest: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    spoken: list[int] = field(default_factory=list)
    soundings: list[dict[str, Any]] = field(default_factory=list)
    before_noise: list[int] = field(default_factory=list)
    corpus: str = ""
    processes: int = 1

    def document(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> TrainState:
        known = {one.name for one in dataclasses.fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        places = {name: Position(**values[name]) for name in ("position", "onward")}
        return cls(**{**values, **places})


def stage_documents(stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """Stages as JSON; what a resumed run compares its own with."""
    return [
        {**dataclasses.asdict(stage), "shares": dict(stage.shares), "lr_scale": dict(stage.lr_scale)}
        for stage in stages
    ]


def only_longer(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the plans differ at most in the length of the last stage, and that one has grown."""

    def bare(stage: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in stage.items() if name not in ("steps", "epochs")}

    if len(old) != len(new) or not old or list(old[:-1]) != list(new[:-1]) or bare(old[-1]) != bare(new[-1]):
        return False
    if (old[-1]["epochs"] or 0) % 1:  # a part of an epoch is batched by itself: the whole one can not follow it
        return False
    for unit in ("steps", "epochs"):
        before, after = old[-1][unit], new[-1][unit]
        if (before is None) != (after is None) or (before is not None and after < before):
            return False
    return True
