"""The model family `csm`: everything that kathrine knows about Sesame CSM."""

from __future__ import annotations

import kathrine
from kathrine_csm.family import CsmFamily

__all__ = ["CsmFamily"]


@kathrine.hookimpl
def kathrine_models() -> list[type[kathrine.ModelFamily]]:
    return [CsmFamily]
