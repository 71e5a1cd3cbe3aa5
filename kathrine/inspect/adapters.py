"""Which exporter can put back what lies in a folder. No torch."""

from __future__ import annotations

import re
from pathlib import Path

from kathrine.catalog import Catalog
from kathrine.components import Exporter
from kathrine.types import AdapterFacts


def recognised(folder: Path, catalog: Catalog) -> tuple[type[Exporter], AdapterFacts] | None:
    """The exporter that can put back the adapter in a folder, and what the folder says; None where there is none."""
    if not folder.expanduser().is_dir():
        return None
    for name in catalog.names("exporter"):
        exporter = catalog.component("exporter", name)
        facts = exporter.recognise(folder.expanduser())  # type: ignore[attr-defined]
        if facts is not None:
            return exporter, facts  # type: ignore[return-value]
    return None


def base_commit(facts: AdapterFacts) -> str:
    """The commit of the base model that an adapter was trained on, or an empty string where it names none."""
    return facts.revision if re.fullmatch(r"[0-9a-f]{40}", facts.revision) else ""
