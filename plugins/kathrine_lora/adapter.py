"""LoRA adapters as plain functions over a network and module names; peft makes the layers.

Legend: I and O input and output width of a linear layer, R rank. A is [R, I], B is [O, R], the update of the
weight [O, I] is scaling x B A, with scaling alpha / R (rsLoRA: alpha / sqrt(R)). DoRA (Liu et al. 2024,
section 4) also trains the norm of each output row: W' = m x (W + scaling x B A) / |W + scaling x B A|.
"""

from __future__ import annotations

import hashlib
import math
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kathrine.types import ParameterSpec

if TYPE_CHECKING:
    import torch

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
DIRECTION = 1e-4


def scaling_of(r: int, alpha: float, rslora: bool) -> float:
    return alpha / math.sqrt(r) if rslora else alpha / r


def anchored_pattern(modules: Sequence[str]) -> str:
    """A regular expression that matches these module names from end to end, and no other name.

    Layers of one kind are folded together, so that the pattern of a whole talker stays readable.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    by_layer: dict[tuple[str, str], list[str]] = defaultdict(list)
    plain: list[str] = []
    for module in modules:
        match = re.fullmatch(r"(.*?\.)(\d+)(\..+)", module)
        if match:
            by_layer[match[1], match[2]].append(match[3])
        else:
            plain.append(module)
    for (prefix, layer), ends_of_layer in by_layer.items():
        groups[prefix, tuple(ends_of_layer)].append(layer)
    branches = [re.escape(module) for module in plain]
    for (prefix, suffixes), layers in groups.items():
        ends = "|".join(re.escape(suffix) for suffix in suffixes)
        branches.append(f"{re.escape(prefix)}(?:{'|'.join(layers)})(?:{ends})")
    return f"^(?:{'|'.join(branches)})$"


def adapter_specs(modules: Mapping[str, tuple[int, int]], label: str, r: int, dora: bool) -> tuple[ParameterSpec, ...]:
    """The new parameters of adapters on modules with weights [O, I], named as they are stored."""
    specs = []
    for module, (outputs, inputs) in modules.items():
        specs.append(ParameterSpec(f"{module}.lora_A.{label}.weight", (r, inputs), "adapter"))
        specs.append(ParameterSpec(f"{module}.lora_B.{label}.weight", (outputs, r), "adapter"))
        if dora:
            specs.append(ParameterSpec(f"{module}.lora_magnitude_vector.{label}.weight", (outputs,), "adapter"))
    return tuple(specs)


def adapter_row_bytes(
    inputs: int, outputs: int, r: int, dropout: bool, dora: bool, mixed: bool, mask: int
) -> tuple[float, bool]:
    """What one adapted layer keeps of each row for the backward pass, and whether it keeps the layer's own input.

    Given: mixed, whether it computes in bf16 beside float32 weights; mask, bytes of one cell of dropout's mask.
    Dropout keeps its mask, A the input that is left, B what A gives. In bf16 the adapter's input is a copy of its own
    (peft makes it float32, autocast bf16 again). DoRA also keeps what the frozen weight and the adapter give, to
    scale their sum.
    """
    width = 2 if mixed else 4
    own = float(width * r)
    if dropout:
        own += (mask + width) * inputs
    elif mixed:
        own += width * inputs
    if dora:
        own += 2 * width * outputs
    return own, not dropout and not mixed


def first_values(module: str, shape: tuple[int, int], seed: int) -> torch.Tensor:
    """A's first value [R, I], float32: uniform within 1/sqrt(I) (He et al. 2015 with a = sqrt(5), as peft
    draws it), from a generator of the seed and the module's name alone."""
    import torch

    digest = hashlib.sha256(f"{seed} {module}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return (torch.rand(shape, generator=generator) * 2 - 1) / math.sqrt(shape[1])


def inject(network: torch.nn.Module, modules: Sequence[str], label: str, seed: int, **config: Any) -> dict[str, Any]:
    """Put LoRA layers around these modules of the network.

    Given what LoraConfig takes (r, lora_alpha, lora_dropout, use_rslora, use_dora). Returns the layers by
    module name. New parameters are float32; B is 0, so that nothing changes at first. Adapters of another
    label keep their state: peft switches off what it did not just make.
    """
    import torch
    from peft import LoraConfig, TaskType, inject_adapter_in_model
    from peft.tuners.tuners_utils import BaseTunerLayer

    lora = LoraConfig(
        task_type=TaskType.FEATURE_EXTRACTION,
        target_modules=anchored_pattern(modules),
        bias="none",
        init_lora_weights=True,
        **config,
    )
    active = {layer: list(layer.active_adapters) for layer in network.modules() if isinstance(layer, BaseTunerLayer)}
    wanted = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        # its sentence about several adapters in one model is what we are after
        warnings.filterwarnings("ignore", message=".*peft_config.*")
        inject_adapter_in_model(lora, network, adapter_name=label)
    for layer, adapters in active.items():
        layer.set_adapter(adapters)
    for parameter, trains in wanted:
        parameter.requires_grad_(trains)
    layers: dict[str, Any] = {module: network.get_submodule(module) for module in modules}
    for module, layer in layers.items():
        for parameter in adapter_parameters(module, layer, label).values():
            parameter.data = parameter.data.float()
        weight_RI = layer.lora_A[label].weight
        weight_RI.data = first_values(module, tuple(weight_RI.shape), seed).to(weight_RI.device)
        if config.get("use_dora"):
            magnitude = layer.lora_magnitude_vector[label].weight
            magnitude.data = layer.get_base_layer().weight.detach().float().norm(dim=1)
            # an output that the model never writes to has norm 0; any direction keeps 0 / 0 away, and changes
            # nothing while its magnitude is 0
            layer.lora_B[label].weight.data[magnitude.data == 0] = DIRECTION
    return layers


def adapter_parameters(module: str, layer: Any, label: str) -> dict[str, torch.nn.Parameter]:
    """The parameters of one adapted layer by the name under which they are stored."""
    parameters = {
        f"{module}.lora_A.{label}.weight": layer.lora_A[label].weight,
        f"{module}.lora_B.{label}.weight": layer.lora_B[label].weight,
    }
    if label in layer.lora_magnitude_vector:
        parameters[f"{module}.lora_magnitude_vector.{label}.weight"] = layer.lora_magnitude_vector[label].weight
    return parameters


@contextmanager
def without(layers: Sequence[Any]) -> Iterator[None]:
    """Within it these layers run as if they had no adapter; requires_grad stays as it was."""
    wanted = [(parameter, parameter.requires_grad) for layer in layers for parameter in layer.parameters()]

    def enable(on: bool) -> None:
        for layer in layers:
            layer.enable_adapters(on)
        for parameter, trains in wanted:
            parameter.requires_grad_(trains)

    enable(False)
    try:
        yield
    finally:
        enable(True)


@contextmanager
def rescaled(layers: Sequence[Any], label: str, factor: float) -> Iterator[None]:
    """Within it the update B A of these layers is multiplied by `factor`."""
    before = [layer.scaling[label] for layer in layers]
    try:
        for layer, scaling in zip(layers, before, strict=True):
            layer.scaling[label] = scaling * factor
        yield
    finally:
        for layer, scaling in zip(layers, before, strict=True):
            layer.scaling[label] = scaling


def folded(weight_OI: torch.Tensor, layer: Any, label: str) -> torch.Tensor:
    """The weight with its adapter written in, float32 [O, I]. `weight_OI` is the frozen one."""
    weight_OI = weight_OI.float()
    down_RI = layer.lora_A[label].weight.detach().float().to(weight_OI.device)
    up_OR = layer.lora_B[label].weight.detach().float().to(weight_OI.device)
    merged_OI = weight_OI + layer.scaling[label] * (up_OR @ down_RI)
    if label in layer.lora_magnitude_vector:
        magnitude_O = layer.lora_magnitude_vector[label].weight.detach().float().to(weight_OI.device)
        merged_OI = merged_OI * (magnitude_O / merged_OI.norm(dim=1)).unsqueeze(1)
    return merged_OI


def thin(layer: Any, label: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The update of a layer's weight as two factors, float32: scaling x B [O, R], and A [R, I]."""
    return (
        layer.scaling[label] * layer.lora_B[label].weight.detach().float(),
        layer.lora_A[label].weight.detach().float(),
    )
