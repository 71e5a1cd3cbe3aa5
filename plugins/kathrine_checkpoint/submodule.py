"""An exported LoRA for one part of a network: other software wraps the part that it trains, not the whole.

The folder that `export.adapter` writes names modules from the network's root, as kathrine and official checkpoints do:
`base_model.model.talker.model.layers.0.self_attn.q_proj.lora_A.weight`. Whoever puts PEFT around the submodule `talker`
needs the same key without that first part: `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from kathrine.errors import KathrineError
from kathrine_checkpoint.adapter import PEFT_PREFIX
from kathrine_checkpoint.files import complete_folder
from kathrine_checkpoint.foreign import CONFIG, KIND, WEIGHTS, read_config


def submodule_key(key: str, submodule: str) -> str:
    """PEFT's key of the same weight where PEFT is put around a submodule instead of the whole network.

    Given: key, of `adapter_model.safetensors`; submodule, its dotted name, such as `talker`. Raises: KathrineError for
    a key that lies outside of it.
    """
    front = f"{PEFT_PREFIX}{submodule}."
    if not key.startswith(front):
        raise KathrineError(f"{key} does not lie in {submodule}", "name the module that holds everything adapted")
    return PEFT_PREFIX + key.removeprefix(front)


def lora_for_submodule(folder: Path | str, submodule: str, out: Path | str) -> Path:
    """Write a PEFT folder whose LoRA `peft.PeftModel.from_pretrained` puts onto a submodule of the network.

    Given: folder, as `export.adapter` wrote it; submodule, its dotted name in the checkpoint; out, a new folder.
    Text projection and language tag are no part of a LoRA: put them on from the folder itself. Returns: out. Raises:
    KathrineError for a folder without a LoRA, and for one that adapts what lies outside of the submodule.
    """
    from safetensors.torch import load_file, save_file

    folder, out = Path(folder), Path(out)
    if not (folder / CONFIG).is_file():
        raise KathrineError(f"{folder} has no {CONFIG}", "name an adapter's folder; no LoRA may have been trained")
    config = read_config(folder)
    state = {submodule_key(key, submodule): value for key, value in load_file(folder / WEIGHTS).items()}
    modules = sorted({match["module"].removeprefix(PEFT_PREFIX) for key in state if (match := KIND.match(key))})
    # A list would be matched by the ends of names, and other parts have layers of the same names.
    config["target_modules"] = f"^({'|'.join(map(re.escape, modules))})$"
    config["exclude_modules"] = config["layers_to_transform"] = config["layers_pattern"] = None
    with complete_folder(out) as partial:
        save_file(state, partial / WEIGHTS, metadata={"format": "pt"})
        (partial / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return out
