"""A source for anyone's recordings: JSON Lines, LJSpeech, Piper, audiofolder, NeMo, Lhotse, Common Voice, Kaldi, pairs
of recording and text, Parquet."""

from __future__ import annotations

import kathrine
from kathrine_manifest.options import ManifestOptions
from kathrine_manifest.source import Manifest

__all__ = ["Manifest", "ManifestOptions"]


@kathrine.hookimpl
def kathrine_sources() -> list[type[kathrine.Source]]:
    return [Manifest]
