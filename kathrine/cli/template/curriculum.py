"""The curriculum `newname`: all data entries alike at first, then each by its size."""

from __future__ import annotations

from collections.abc import Sequence

import kathrine
from kathrine.types import DataSize, Stage
from pydantic import Field


class NewNameCurriculumOptions(kathrine.Options):
    """Options of `[curriculum.newname]`."""

    even_epochs: float = Field(default=1.0, gt=0)
    """Length of the first stage, in passes over all entries."""
    epochs: float = Field(default=2.0, gt=0)
    """Length of the second stage."""
    lr_scale: float = Field(default=0.5, gt=0)
    """Factor on all learning rates in the second stage; 0.3 to 1."""


def even(data: Sequence[DataSize]) -> dict[str, float]:
    """The same share for each entry."""
    return {entry.name: 1 / len(data) for entry in data}


def by_size(data: Sequence[DataSize]) -> dict[str, float]:
    """Shares by utterances; the same for each entry where sizes are not known yet."""
    sizes = [entry.utterances for entry in data]
    known = [size for size in sizes if size]
    if len(known) < len(sizes):
        return even(data)
    return {entry.name: size / sum(known) for entry, size in zip(data, known, strict=True)}


class NewNameCurriculum(kathrine.Curriculum):
    """Two stages: even shares, then shares by size with smaller steps."""

    name = "newname"
    Options = NewNameCurriculumOptions
    options: NewNameCurriculumOptions

    def plan(self, data: Sequence[DataSize]) -> tuple[Stage, ...]:
        options = self.options
        return (
            Stage("even", even(data), epochs=options.even_epochs),
            Stage("by_size", by_size(data), epochs=options.epochs, lr_scale={"*": options.lr_scale}),
        )
