"""Give the model a language tag of its own for a new language."""

from __future__ import annotations

import kathrine
from kathrine_language_tag.strategy import LanguageTag, LanguageTagOptions, rescaled_mean

__all__ = ["LanguageTag", "LanguageTagOptions", "rescaled_mean"]


@kathrine.hookimpl
def kathrine_strategies() -> list[type[kathrine.Strategy]]:
    return [LanguageTag]
