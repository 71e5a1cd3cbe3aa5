"""Train the projection from text embeddings into the talker: the strongest lever on the accent."""

from __future__ import annotations

import kathrine
from kathrine_text_projection.strategy import TextProjection

__all__ = ["TextProjection"]


@kathrine.hookimpl
def kathrine_strategies() -> list[type[kathrine.Strategy]]:
    return [TextProjection]
