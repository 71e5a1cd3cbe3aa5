"""Parameter groups, learning rates over time, and the running average of the trained weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kathrine.recipe.tables import TrainTable
from kathrine.types import Claim, Stage

if TYPE_CHECKING:
    import torch


def make_optimizer(
    claims: Sequence[Claim], trained: Mapping[str, Mapping[str, torch.nn.Parameter]], table: TrainTable
) -> torch.optim.AdamW:
    """AdamW with one group a strategy, each with its own learning rate and weight decay; fused on CUDA.

    Given: trained, parameters by strategy label and checkpoint name.
    """
    import torch

    groups: list[dict[str, Any]] = [
        {
            "params": list(trained[claim.strategy].values()),
            "lr": claim.lr,
            "weight_decay": claim.weight_decay,
            "strategy": claim.strategy,
            "peak": claim.lr,
        }
        for claim in claims
        if trained[claim.strategy]
    ]
    fused = all(parameter.is_cuda for group in groups for parameter in group["params"])
    betas = (table.betas[0], table.betas[1])
    return torch.optim.AdamW(groups, betas=betas, eps=table.eps, fused=fused or None)


def schedule_factor(position: int, total: int, table: TrainTable) -> float:
    """Factor on the peak learning rate of update number `position` (from 0) of `total`.

    Rises linearly over the warm-up (never 0: the first update counts), then stays or falls along half a
    cosine to `final_lr_share` at the last update.
    """
    if position < table.warmup_steps:
        return (position + 1) / table.warmup_steps
    if table.schedule == "constant":
        return 1.0
    done = (position + 1 - table.warmup_steps) / max(1, total - table.warmup_steps)
    low = table.final_lr_share
    return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def set_learning_rates(optimizer: torch.optim.Optimizer, stage: Stage, factor: float) -> dict[str, float]:
    """Sets and returns the learning rate of each strategy. `lr_scale` may name a strategy or "*" for all."""
    rates = {}
    for group in optimizer.param_groups:
        scale = stage.lr_scale.get(group["strategy"], stage.lr_scale.get("*", 1.0))
        group["lr"] = rates[group["strategy"]] = group["peak"] * scale * factor
    return rates


def clipped_norm(parameters: Sequence[torch.nn.Parameter], clip: float) -> torch.Tensor:
    """The norm of all gradients before clipping, on the device. Given: the largest norm allowed, 0 for any."""
    import torch

    for parameter in parameters:
        if parameter.grad is None:  # unused in this step: the same update as on a process that did use it
            parameter.grad = torch.zeros_like(parameter)
    if clip:
        return torch.nn.utils.clip_grad_norm_(parameters, clip)
    return torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, names: Mapping[torch.nn.Parameter, str]
) -> dict[str, torch.Tensor]:
    """The optimizer's state as flat tensors, `NAME//exp_avg` and so on; nothing for parameters never
    updated."""
    import torch

    tensors = {}
    for parameter, name in names.items():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{name}//{key}"] = torch.as_tensor(value).detach()
    return tensors


def restore_optimizer(
    optimizer: torch.optim.Optimizer,
    names: Mapping[torch.nn.Parameter, str],
    tensors: Mapping[str, torch.Tensor],
) -> None:
    """Puts the state back; moving it to the right devices is left to torch."""
    document = optimizer.state_dict()
    by_name: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        name, _, field = key.rpartition("//")
        by_name.setdefault(name, {})[field] = tensor
    order = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    document["state"] = {
        number: by_name[names[parameter]] for number, parameter in enumerate(order) if names[parameter] in by_name
    }
    optimizer.load_state_dict(document)


class Average:
    """Exponential moving average of the trained weights, float32, by checkpoint name."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], decay: float) -> None:
        self.parameters, self.decay = dict(parameters), decay
        self.weights = {name: parameter.detach().clone().float() for name, parameter in parameters.items()}

    def update(self) -> None:
        """After an update: average = decay x average + (1 - decay) x weights."""
        import torch

        current = [parameter.detach().float() for parameter in self.parameters.values()]
        torch._foreach_lerp_(list(self.weights.values()), current, 1 - self.decay)

    def restore(self, weights: Mapping[str, torch.Tensor]) -> None:
        for name, tensor in self.weights.items():
            tensor.copy_(weights[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within it the model has the averaged weights."""
        import torch

        with torch.no_grad():
            kept = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
            for name, parameter in self.parameters.items():
                parameter.copy_(self.weights[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in self.parameters.items():
                    parameter.copy_(kept[name])
