"""PEFT folders of other trainers for the same model, with `text_projection.bin` beside them where it was trained.

Their adapters name modules from whatever part of the model was wrapped, so the place is found by the names
themselves. Nothing but tensors is ever read from them (`weights_only`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import AdapterFacts
from kathrine_checkpoint.adapter import PEFT_PREFIX, TEXT_PROJECTION
from kathrine_checkpoint.loading import LANGUAGE_TAG, LORA, fill, inject, replace_weight, rescale
from kathrine_checkpoint.manifest import MANIFEST, RECIPE, is_manifest_of, meaning_of

if TYPE_CHECKING:
    import torch

LABEL = "adapter"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
NOT_OURS = (
    "this adapter was not trained by kathrine. Nearly every other trainer of this model shifted the talker's targets "
    "by a frame and the sub-talker's by a codebook: expect fast speech and noise, and train it again rather than on"
)
KIND = re.compile(r"(?P<module>.+)\.(?P<kind>lora_A|lora_B|lora_magnitude_vector)(\.weight)?$")


def describe(folder: Path) -> AdapterFacts | None:
    """What a PEFT folder of another trainer says of itself; None where this is none.

    Raises: KathrineError for what is left of a folder of kathrine's.
    """
    if not (folder / CONFIG).is_file() or is_manifest_of(folder, "adapter"):
        return None
    config = read_config(folder)
    projection = projection_file(folder)
    refuse_remains(folder, projection is not None)
    parts = (LORA, *((TEXT_PROJECTION,) if projection else ()))
    notes = [NOT_OURS]
    if not projection:
        notes.append("there is no text_projection beside it: if it was trained, the accent will be the base model's")
    return AdapterFacts(
        folder, config.get("base_model_name_or_path") or "", config.get("revision") or "", parts, {}, tuple(notes)
    )


def refuse_remains(folder: Path, projection: bool) -> None:
    """Refuse an adapter of kathrine's whose manifest is damaged, or gone where its recipe trained what is not there.

    Given: projection, whether a text projection lies in the folder. Raises: KathrineError.
    """
    import tomllib

    try:
        json.loads((folder / MANIFEST).read_text(encoding="utf-8") if (folder / MANIFEST).is_file() else "{}")
    except ValueError as error:
        raise KathrineError(f"{folder / MANIFEST} is not valid JSON ({error})", "copy the folder again") from error
    recipe = folder / RECIPE
    try:
        document = tomllib.loads(recipe.read_text(encoding="utf-8")) if recipe.is_file() else {}
    except ValueError:
        return  # whatever that is, it is no recipe of kathrine's
    tables = document.get("strategy", {})
    trained = {table.get("use", label) for label, table in tables.items() if isinstance(table, dict)}
    there = {TEXT_PROJECTION: projection, LANGUAGE_TAG: (folder / f"{LANGUAGE_TAG}.safetensors").is_file()}
    missing = [part for part, is_there in there.items() if part in trained and not is_there]
    if missing:
        raise KathrineError(
            f"{folder}: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing, and so is {MANIFEST}; "
            + "; ".join(meaning_of(part) for part in missing),
            "copy or export the whole folder again",
        )


def read_config(folder: Path) -> dict[str, Any]:
    """Its adapter_config.json. Raises: KathrineError where it can not be read or is of another kind than LoRA."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise KathrineError(f"{folder / CONFIG} is not valid JSON ({error})", "copy the folder again") from error
    if config.get("peft_type") != "LORA":
        raise KathrineError(
            f"{folder} holds an adapter of the kind {config.get('peft_type')}", "only LoRA can be loaded"
        )
    if not (folder / WEIGHTS).is_file():
        raise KathrineError(f"{folder} has no {WEIGHTS}", "save it with safetensors; pickled adapters are not read")
    return config


def projection_file(folder: Path) -> Path | None:
    """The state dict of the text projection, where there is one."""
    named = (folder / f"{TEXT_PROJECTION}.safetensors", folder / f"{TEXT_PROJECTION}.bin")
    return next((path for path in named if path.is_file()), None)


def put_on(model: SpeechModel, folder: Path, without: Collection[str] = (), scale: float = 1.0) -> None:
    """Put such a folder onto a freshly loaded model; everything stays frozen, in float32.

    Raises: KathrineError for weights that have no place in this model, or do not fit it.
    """
    from peft import LoraConfig
    from safetensors.torch import load_file

    if LORA not in without:
        config = read_config(folder)
        stored = load_file(folder / WEIGHTS)
        places = module_places(folder, stored, {name.rsplit(".", 1)[0] for name in model.originals})
        known = LoraConfig.__dataclass_fields__
        settings = {key: value for key, value in config.items() if key in known}
        lora = LoraConfig(
            **{
                **settings,
                "target_modules": sorted(set(places.values())),
                "exclude_modules": None,
                "layers_to_transform": None,
                "layers_pattern": None,
                "modules_to_save": None,
                "task_type": "FEATURE_EXTRACTION",
                "inference_mode": True,
            }
        )
        inject(model.network, LABEL, lora)
        fill(folder, targets(model.network), {moved(key, places): value for key, value in stored.items()})
        rescale(model.network, LABEL, scale)
    projection = projection_file(folder)
    if projection is not None and TEXT_PROJECTION not in without:
        read_projection(model, folder, projection)
    model.network.requires_grad_(False)


def module_places(folder: Path, stored: Mapping[str, Any], modules: Collection[str]) -> dict[str, str]:
    """Module name in the file -> module of the network whose whole name ends in it.

    The shortest prefix that fits every name is taken: what is called `layers.0` belongs to the talker and not to the
    sub-talker, whose names are longer. Raises: KathrineError where none does, or a key is no part of a LoRA.
    """
    odd = [key for key in stored if not KIND.match(key)]
    if odd:
        raise KathrineError(f"{folder / WEIGHTS} holds {odd[0]}, which is no part of a LoRA", "only LoRA can be loaded")
    names = sorted({KIND.match(key)["module"].removeprefix(PEFT_PREFIX) for key in stored})  # type: ignore[index]
    first = names[0]
    ends = sorted((module for module in modules if f".{module}".endswith(f".{first}")), key=len)
    for module in ends:
        prefix = module[: len(module) - len(first)]
        if all(f"{prefix}{name}" in modules for name in names):
            return {name: f"{prefix}{name}" for name in names}
    raise KathrineError(
        f"{folder / WEIGHTS}: this model has no place for {first}", "name the base model that it was trained on"
    )


def moved(key: str, places: Mapping[str, str]) -> str:
    """A key of the file, with the module's name in the network."""
    match = KIND.match(key)
    assert match is not None  # module_places has seen every key
    return f"{places[match['module'].removeprefix(PEFT_PREFIX)]}.{match['kind']}"


def targets(network: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The injected parameters, by module and kind."""
    return {
        f"{name.split(f'.{kind}.')[0]}.{kind}": parameter
        for name, parameter in network.named_parameters()
        for kind in ("lora_A", "lora_B", "lora_magnitude_vector")
        if f".{kind}.{LABEL}" in name
    }


def read_projection(model: SpeechModel, folder: Path, path: Path) -> None:
    """A text projection's state dict into the model. Raises: KathrineError where it is another module's."""
    stored = read_state(path)
    part = [spec.name for spec in model.specs if spec.part == TEXT_PROJECTION]
    ends = {
        name: [key for key in stored if f".{name}".endswith(f".{key}") or f".{key}".endswith(f".{name}")]
        for name in part
    }
    unmatched = [name for name, keys in ends.items() if len(keys) != 1]
    if not part or unmatched or len(stored) != len(part):
        found = ", ".join(sorted(stored)[:4])
        raise KathrineError(
            f"{path} is no text projection of this model: it holds {found}", "use --without text_projection"
        )
    for name, (key,) in ends.items():
        replace_weight(folder, model, name, stored[key])


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """A state dict, tensors alone: a pickle that wants more than that is not read.

    Raises: KathrineError for a damaged file and for one that holds anything else.
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, OSError) as error:
        raise KathrineError(
            f"{path} can not be read as weights: {str(error).splitlines()[0]}",
            "a file that holds more than tensors is never opened: save the state dict alone, best as safetensors",
        ) from error
    if not isinstance(stored, dict) or not all(isinstance(value, torch.Tensor) for value in stored.values()):
        raise KathrineError(f"{path} is no state dict", "save the module's state_dict()")
    return stored
