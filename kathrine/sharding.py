"""Weights in one file, or in several with an index beside them, as transformers reads them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def save_weights(state: Mapping[str, torch.Tensor], folder: Path, max_shard_bytes: int = 0) -> list[str]:
    """Write tensors as `model.safetensors`, or, above `max_shard_bytes` (0: never), as
    `model-00001-of-0000N.safetensors` and so on with `model.safetensors.index.json`.

    A tensor is never divided. Returns: the names of the weight files.
    """
    from huggingface_hub import split_torch_state_dict_into_shards
    from safetensors.torch import save_file

    if not max_shard_bytes:
        max_shard_bytes = 1 + sum(value.numel() * value.element_size() for value in state.values())
    pattern = WEIGHTS.replace(".safetensors", "{suffix}.safetensors")
    split = split_torch_state_dict_into_shards(dict(state), filename_pattern=pattern, max_shard_size=max_shard_bytes)
    for file, names in split.filename_to_tensors.items():
        save_file({name: state[name] for name in names}, folder / file, metadata={"format": "pt"})
        with (folder / file).open("rb") as written:
            os.fsync(written.fileno())
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": dict(sorted(split.tensor_to_filename.items()))}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return sorted(split.filename_to_tensors)
