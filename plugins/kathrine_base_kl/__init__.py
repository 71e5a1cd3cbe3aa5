"""A loss that keeps the adapted model near the one that it came from."""

from __future__ import annotations

import kathrine
from kathrine_base_kl.loss import BaseKl, BaseKlOptions, divergence

__all__ = ["BaseKl", "BaseKlOptions", "divergence"]


@kathrine.hookimpl
def kathrine_losses() -> list[type[kathrine.Loss]]:
    return [BaseKl]
