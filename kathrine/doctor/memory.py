"""Whether the model fits: the estimate of a step's memory against what the device has free."""

from __future__ import annotations

from dataclasses import dataclass

from kathrine.doctor.findings import Finding, green, red, size, yellow
from kathrine.inspect.fit import peak
from kathrine.inspect.fit_estimate import known, setting_of
from kathrine.inspect.fit_table import MARGIN, NOT_VERIFIED, VERIFIED_ON_GPU
from kathrine.recipe.plan import Plan
from kathrine.workspace import Workspace

ROOM = 0.6
"""Share of the free memory that may be taken before it is said to be close, where activations are not counted."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a step needs on its device. counted: in words, with what is left out; room: share of the free memory
    that this may take before it is said to be close."""

    bytes: int
    counted: str
    room: float


def memory_need(plan: Plan, workspace: Workspace, gpu: bool) -> Need | None:
    """What a run of this plan needs on one device; None where what it trains is not known.

    By the formula of `kathrine check --fit` for a family that describes its layers, else weights and optimizer alone.
    """
    if plan.model_parameters is None or plan.optimizer_bytes is None:
        return None
    found = known(plan.recipe, workspace)
    if found is not None:
        setting = setting_of(plan.recipe, found, gpu)
        doubt = f"; {NOT_VERIFIED}" if gpu and not VERIFIED_ON_GPU else ""
        load = setting.load
        told = f"weights, gradients, optimizer and activations of {load.items} utterances of {found.seconds:g} s{doubt}"
        return Need(peak(setting).total, told, 1 / (1 + MARGIN))
    width = 2 if plan.recipe.train.precision == "bf16" else 4
    told = (
        f"weights in {plan.recipe.train.precision}; weights, gradients and moments in fp32 of what trains; "
        "not counted: activations, which grow with train.batch"
    )
    return Need(plan.model_parameters * width + plan.optimizer_bytes, told, ROOM)


def check_memory(need: Need | None, free: int, what: str) -> Finding:
    """Given: need, None where it is not known; free, bytes that the device has; what, its name."""
    if need is None:
        return yellow(
            "memory", "what would be trained is not known yet", "run `kathrine prepare`: it fetches the model"
        )
    told = f"{size(need.bytes)} of {size(free)} free on {what}: {need.counted}"
    remedy = (
        "set train.gradient_checkpointing = true, halve train.batch and double train.accumulation, train less: "
        "`kathrine check RECIPE --fit` tells what each saves"
    )
    if need.bytes > free:
        return red("memory", told, f"{remedy}; or take a device with more memory")
    return yellow("memory", told, remedy) if need.bytes > need.room * free else green("memory", told)
