"""Train a part of the model where it lies, and leave the rest frozen."""

from __future__ import annotations

import kathrine
from kathrine_freeze.strategy import Freeze, FreezeOptions, select_names

__all__ = ["Freeze", "FreezeOptions", "select_names"]


@kathrine.hookimpl
def kathrine_strategies() -> list[type[kathrine.Strategy]]:
    return [Freeze]
