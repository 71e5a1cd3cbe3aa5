"""What the optional gates of `[prepare]` need: found out before anything is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kathrine.errors import KathrineError
from kathrine.recipe.quality import QualityOptions


def missing_for_gates(prepare: QualityOptions) -> Iterator[tuple[str, str]]:
    """What the optional gates need and is not here, as key and sentence."""
    if prepare.min_dnsmos:
        from kathrine.corpus.dnsmos import missing_packages

        if missing := missing_packages():
            yield "min_dnsmos", f"needs {missing[0]}: {missing[1]}"
    if prepare.asr_model and (Path(prepare.asr_model).is_absolute() or Path(prepare.asr_model).is_dir()):
        from kathrine.corpus.recognise import kind_of

        try:
            kind_of(Path(prepare.asr_model), prepare.asr_model)
        except KathrineError as error:
            yield "asr_model", f"{error.message}; {error.hint}"
