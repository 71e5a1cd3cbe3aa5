"""A source for corpora that kathrine has prepared already: nothing is encoded again."""

from __future__ import annotations

import kathrine
from kathrine_prepared.source import Prepared, PreparedOptions

__all__ = ["Prepared", "PreparedOptions"]


@kathrine.hookimpl
def kathrine_sources() -> list[type[kathrine.Source]]:
    return [Prepared]
