"""Exporters that write to disk: a PEFT adapter folder, complete checkpoints with or without voices, and the corpus."""

from __future__ import annotations

import kathrine
from kathrine_checkpoint.complete import Merged
from kathrine_checkpoint.corpus import CorpusExporter
from kathrine_checkpoint.custom_voice import CustomVoice
from kathrine_checkpoint.exporters import Adapter
from kathrine_checkpoint.loading import LoadedAdapter, load_adapter
from kathrine_checkpoint.submodule import lora_for_submodule, submodule_key

__all__ = [
    "Adapter",
    "CorpusExporter",
    "CustomVoice",
    "LoadedAdapter",
    "Merged",
    "load_adapter",
    "lora_for_submodule",
    "submodule_key",
]


@kathrine.hookimpl
def kathrine_exporters() -> list[type[kathrine.Exporter]]:
    return [Adapter, CorpusExporter, CustomVoice, Merged]
