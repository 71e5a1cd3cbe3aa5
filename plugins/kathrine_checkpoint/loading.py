"""Adapter folders put back onto a freshly loaded model, whole or in parts."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import AdapterFacts
from kathrine_checkpoint.adapter import TEXT_PROJECTION, lora_label, peft_key
from kathrine_checkpoint.manifest import base_fingerprint, base_of, is_manifest_of, read_manifest

if TYPE_CHECKING:
    import torch

LORA, TRAINED, LANGUAGE_TAG = "lora", "trained", "language_tag"
TAG_FILE, TRAINED_FILE = f"{LANGUAGE_TAG}.json", "trained.safetensors"


@dataclass(frozen=True, slots=True)
class LoadedAdapter:
    """What was put onto a model. base: id of the model it was trained on. languages: tags it brought."""

    base: str
    languages: Mapping[str, int]
    adapters: tuple[str, ...]
    trained: tuple[str, ...]


def describe(folder: Path) -> AdapterFacts | None:
    """What the manifest of an adapter folder says, after its files were checked; None for any other folder."""
    if not is_adapter(folder):
        return None
    manifest = read_manifest(folder)
    languages = json.loads((folder / TAG_FILE).read_text(encoding="utf-8")) if (folder / TAG_FILE).is_file() else {}
    parts = {
        LORA: bool(manifest["adapters"]),
        TEXT_PROJECTION: bool(manifest["text_projection"]),
        TRAINED: (folder / TRAINED_FILE).is_file(),
        LANGUAGE_TAG: bool(languages),
    }
    base = manifest["base"]
    there = tuple(part for part, is_there in parts.items() if is_there)
    return AdapterFacts(folder, base["checkpoint"], base["revision"], there, languages)


def is_adapter(folder: Path) -> bool:
    """Whether kathrine wrote this folder as an adapter."""
    return is_manifest_of(folder, "adapter")


def load_adapter(
    model: SpeechModel,
    folder: Path | str,
    check_base: bool = True,
    without: Collection[str] = (),
    scale: float = 1.0,
) -> LoadedAdapter:
    """Put an adapter folder onto a freshly loaded model of the base that it was trained on.

    Given a model that no strategy has touched; without, parts to leave out: lora, text_projection, trained,
    language_tag; scale, a factor on the effect of its LoRAs. Trained weights become float32; everything stays frozen.

    Raises: KathrineError for a folder that kathrine did not write, an altered file, another base model
    (`check_base=False` lets it pass where the shapes fit), or a part that it has not.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    trained, base = list(manifest["trained"]), manifest["base"]
    refuse_other_base(model, folder, trained, base, check_base)
    in_place = _in_place(folder, manifest, without)
    for name, value in in_place.items():
        replace_weight(folder, model, name, value)
    languages: dict[str, int] = {}
    if (folder / TAG_FILE).is_file() and LANGUAGE_TAG not in without:
        from safetensors.torch import load_file

        languages = json.loads((folder / TAG_FILE).read_text(encoding="utf-8"))
        vectors = load_file(folder / f"{LANGUAGE_TAG}.safetensors")
        for language, row in languages.items():
            model.add_language(language, row, vectors[language])
    adapters = {} if LORA in without else manifest["adapters"]
    for label, place in adapters.items():
        read_lora(model.network, label, folder / place)
        rescale(model.network, label, scale)
    model.network.requires_grad_(False)
    return LoadedAdapter(base["checkpoint"], languages, tuple(adapters), tuple(in_place))


def refuse_other_base(
    model: SpeechModel, folder: Path, trained: Sequence[str], base: Mapping[str, str], check: bool
) -> None:
    """Refuse a model that is not the base of an adapter: other weights, or another revision of the same repository.

    A local copy has no revision, and is known by its weights alone. Given: trained, weights that the adapter brings;
    base, as its manifest says; check, False to let pass whatever has the same weights by name. Raises: KathrineError.
    """
    facts = model.facts
    unknown = [name for name in trained if name not in model.originals]
    other = unknown or (check and base_fingerprint(model.originals, trained) != base["fingerprint"])
    same_name = facts.checkpoint == base["checkpoint"] and not Path(facts.checkpoint).expanduser().is_dir()
    revisions = {base["revision"], facts.revision} - {""}
    if other or (check and same_name and len(revisions) > 1):
        revision = f', revision = "{base["revision"]}"' if base["revision"] else ""
        raise KathrineError(
            f"{folder} was trained on {base['checkpoint']} ({base['revision'] or 'no revision'}), not on "
            f"{base_of(model)}",
            f'load that one: checkpoint = "{base["checkpoint"]}"{revision}; or a local copy of it',
        )


def _in_place(folder: Path, manifest: Mapping[str, Any], without: Collection[str]) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    found: dict[str, torch.Tensor] = {}
    if manifest["text_projection"] and TEXT_PROJECTION not in without:
        stored = load_file(folder / f"{TEXT_PROJECTION}.safetensors")
        for name in manifest["text_projection"]:
            found[name] = stored[next(key for key in stored if name.endswith(f".{key}"))]
    if (folder / TRAINED_FILE).is_file() and TRAINED not in without:
        found |= load_file(folder / TRAINED_FILE)
    return found


def replace_weight(folder: Path, model: SpeechModel, name: str, value: torch.Tensor) -> None:
    """Give a parameter of the model another value, in float32. Raises: KathrineError for another shape."""
    parameter = model.originals[name]
    same_shape(folder, name, tuple(value.shape), tuple(parameter.shape))
    parameter.data = value.float().to(parameter.device)


def read_lora(network: torch.nn.Module, label: str, folder: Path) -> None:
    """Inject the adapter that a PEFT folder describes, and fill it, strictly."""
    from peft import LoraConfig
    from safetensors.torch import load_file

    inject(network, label, LoraConfig.from_pretrained(str(folder)))
    state = load_file(folder / "adapter_model.safetensors")
    targets = {
        peft_key(name, label): parameter for name, parameter in network.named_parameters() if lora_label(name) == label
    }
    fill(folder, targets, state)


def inject(network: torch.nn.Module, label: str, config: Any) -> None:
    """Put the layers of a LoraConfig into a network; adapters of other labels stay as active as they were."""
    import warnings

    import torch
    from peft import inject_adapter_in_model
    from peft.tuners.tuners_utils import BaseTunerLayer

    present = {layer: list(layer.active_adapters) for layer in network.modules() if isinstance(layer, BaseTunerLayer)}
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", message=".*peft_config.*")
        inject_adapter_in_model(config, network, adapter_name=label)
    for layer, adapters in present.items():
        layer.set_adapter(adapters)


def fill(folder: Path, targets: Mapping[str, torch.nn.Parameter], state: Mapping[str, torch.Tensor]) -> None:
    """Stored values into the parameters of the same keys. Raises: KathrineError for a key on one side only."""
    if targets.keys() != state.keys():
        odd = sorted(targets.keys() ^ state.keys())
        raise KathrineError(
            f"{folder / 'adapter_model.safetensors'} does not fit its configuration: {odd[0]} is on one side only",
            "copy or export the folder again",
        )
    for key, parameter in targets.items():
        same_shape(folder, key, tuple(state[key].shape), tuple(parameter.shape))
        parameter.data = state[key].float().to(parameter.device)


def rescale(network: torch.nn.Module, label: str, factor: float) -> None:
    """Multiply the update of one LoRA, for good."""
    if factor == 1.0:
        return
    from peft.tuners.lora import LoraLayer

    for layer in network.modules():
        if isinstance(layer, LoraLayer) and label in layer.scaling:
            layer.scaling[label] *= factor


def same_shape(folder: Path, name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Raises: KathrineError where two shapes differ."""
    if found != wanted:
        raise KathrineError(
            f"{folder}: {name} has shape {list(found)}, the model wants {list(wanted)}",
            "load the base model that the adapter was trained on",
        )
