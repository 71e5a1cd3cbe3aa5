"""LoRA: small adapters beside the talker's linear layers."""

from __future__ import annotations

import kathrine
from kathrine_lora.strategy import Lora, LoraOptions

__all__ = ["Lora", "LoraOptions"]


@kathrine.hookimpl
def kathrine_strategies() -> list[type[kathrine.Strategy]]:
    return [Lora]
