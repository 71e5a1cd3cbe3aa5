"""A source for recordings that are listed in a JSON Lines file."""

from __future__ import annotations

import kathrine
from kathrine_manifest.source import Manifest, ManifestOptions

__all__ = ["Manifest", "ManifestOptions"]


@kathrine.hookimpl
def kathrine_sources() -> list[type[kathrine.Source]]:
    return [Manifest]
