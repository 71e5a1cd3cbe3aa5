"""Exporters that write to disk: a PEFT adapter folder, a complete merged checkpoint, and the corpus."""

from __future__ import annotations

import kathrine
from kathrine_checkpoint.corpus import CorpusExporter
from kathrine_checkpoint.exporters import Adapter, Merged
from kathrine_checkpoint.loading import LoadedAdapter, load_adapter

__all__ = ["Adapter", "CorpusExporter", "LoadedAdapter", "Merged", "load_adapter"]


@kathrine.hookimpl
def kathrine_exporters() -> list[type[kathrine.Exporter]]:
    return [Adapter, Merged, CorpusExporter]
