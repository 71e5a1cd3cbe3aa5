"""The adapter folder: what a run has trained, written file by file. `loading` puts it back onto a fresh model.

adapter_config.json, adapter_model.safetensors   a LoRA as PEFT reads it (further ones in `adapters/LABEL/`)
text_projection.bin, .safetensors                the text projection's state dict, where it was trained
trained.safetensors                              other weights trained in place, by official name
language_tag.safetensors, language_tag.json      vectors by language, and their rows
README.md  manifest.json  recipe.toml            card; base model, hashes and measures; how it was made
samples/self-check.wav                           a sentence that the reloaded adapter said
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import FinishedRun
from kathrine.errors import KathrineError

if TYPE_CHECKING:
    import torch

TEXT_PROJECTION = "text_projection"
TAG = "language_tag."
PEFT_PREFIX = "base_model.model."
COMMIT = re.compile(r"[0-9a-f]{40}")
"""What the Hub calls a revision; that of a folder or of the embedded model is none that a loader could ask it for."""


def lora_label(name: str) -> str | None:
    """The adapter's label in the name of one of its weights, or None for a name of another kind."""
    parts = name.split(".")
    kinds = ("lora_A", "lora_B", "lora_magnitude_vector")
    return parts[-2] if len(parts) > 3 and parts[-1] == "weight" and parts[-3] in kinds else None


def peft_key(name: str, label: str) -> str:
    """PEFT's own key of an adapter weight: without the label, DoRA's magnitude without `weight` as well."""
    module, _, _ = name.rpartition(f".{label}.weight")
    return f"{PEFT_PREFIX}{module}" if module.endswith("lora_magnitude_vector") else f"{PEFT_PREFIX}{module}.weight"


def stripped(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors without what their names have in common: a state dict of the module that holds
    them."""
    split = [name.split(".")[:-1] for name in tensors]
    common = 0
    while all(len(parts) > common for parts in split) and len({parts[common] for parts in split}) == 1:
        common += 1
    return {".".join(name.split(".")[common:]): value for name, value in tensors.items()}


def write_adapter(run: FinishedRun, folder: Path, base_model: str) -> dict[str, Any]:
    """Write the weight files of a finished run into an existing folder; returns what its manifest must
    say.

    Raises: KathrineError where a strategy added weights of a kind that has no place in such a folder.
    """
    import torch
    from safetensors.torch import save_file

    tensors = {name: value.detach().float().cpu().contiguous() for name, value in run.trainable.items()}
    trained = [name for claim in run.claims for name in claim.trains]
    adapters: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    tags: dict[str, torch.Tensor] = {}
    for claim in run.claims:
        for spec in claim.adds:
            label = lora_label(spec.name)
            if label is not None:
                adapters[label][peft_key(spec.name, label)] = tensors[spec.name]
            elif spec.name.startswith(TAG):
                tags[spec.name.removeprefix(TAG)] = tensors[spec.name]
            else:
                raise KathrineError(
                    f"export.adapter can not write {spec.name}, which strategy.{claim.strategy} adds",
                    "use export.merged",
                )
    places = {}
    for index, (label, state) in enumerate(adapters.items()):
        places[label] = "." if index == 0 else f"adapters/{label}"
        write_lora(run.model.network, label, state, folder / places[label], base_model, run.model.facts.revision)
    part = {spec.name for spec in run.model.specs if spec.part == TEXT_PROJECTION}
    projection = {name: tensors[name] for name in trained if name in part}
    if part and projection.keys() == part:
        save_file(stripped(projection), folder / f"{TEXT_PROJECTION}.safetensors", metadata={"format": "pt"})
        torch.save(stripped(projection), folder / f"{TEXT_PROJECTION}.bin")
    else:
        projection = {}
    rest = {name: tensors[name] for name in trained if name not in projection}
    if rest:
        save_file(rest, folder / "trained.safetensors", metadata={"format": "pt"})
    rows = {language: row for strategy in run.strategies for language, row in strategy.languages().items()}
    if tags:
        save_file(tags, folder / "language_tag.safetensors", metadata={"format": "pt"})
        text = json.dumps({language: rows[language] for language in tags}, indent=2, ensure_ascii=False)
        (folder / "language_tag.json").write_text(text + "\n", encoding="utf-8")
    return {
        "kind": "adapter",
        "adapters": places,
        "text_projection": sorted(projection),
    }


def write_lora(
    network: torch.nn.Module,
    label: str,
    state: Mapping[str, torch.Tensor],
    folder: Path,
    base_model: str,
    revision: str,
) -> None:
    """One PEFT adapter: its configuration as it was injected, and its weights under PEFT's keys."""
    from copy import deepcopy

    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    injected: Any = network.peft_config
    config = deepcopy(injected[label])
    config.base_model_name_or_path = base_model
    config.revision = revision if COMMIT.fullmatch(revision) else None
    config.inference_mode = True
    config.save_pretrained(str(folder))
    save_file(dict(state), folder / "adapter_model.safetensors", metadata={"format": "pt"})
