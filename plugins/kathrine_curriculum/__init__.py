"""Curricula: which data is trained on when."""

from __future__ import annotations

import kathrine
from kathrine_curriculum.curricula import SourceFirst, Staged
from kathrine_curriculum.plans import blend_shares, source_first, staged

__all__ = ["SourceFirst", "Staged", "blend_shares", "source_first", "staged"]


@kathrine.hookimpl
def kathrine_curricula() -> list[type[kathrine.Curriculum]]:
    return [SourceFirst, Staged]
