"""Whether the model fits: what is known from names and shapes, against what the device has free."""

from __future__ import annotations

from dataclasses import dataclass

from kathrine.doctor.findings import Finding, green, red, size, yellow
from kathrine.recipe.plan import Plan

ROOM = 0.6
"""Share of the free memory that what is counted may take before it is said to be close: activations and the CUDA
context come on top."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a step needs on its device. counted, missing: in words."""

    bytes: int
    counted: str
    missing: str


def memory_need(plan: Plan) -> Need | None:
    """What a run of this plan needs on one device; None where what it trains is not known.

    The one place where this is computed: a better estimate takes this function's place.
    """
    if plan.model_parameters is None or plan.optimizer_bytes is None:
        return None
    width = 2 if plan.recipe.train.precision == "bf16" else 4
    return Need(
        plan.model_parameters * width + plan.optimizer_bytes,
        f"weights in {plan.recipe.train.precision}; weights, gradients and moments in fp32 of what trains",
        "activations, which grow with train.batch",
    )


def check_memory(plan: Plan | None, free: int, what: str) -> Finding:
    """Given: free, bytes that the device has; what, its name."""
    need = memory_need(plan) if plan is not None else None
    if need is None:
        return yellow(
            "memory", "what would be trained is not known yet", "run `kathrine prepare`: it fetches the model"
        )
    told = f"{size(need.bytes)} of {size(free)} free on {what}: {need.counted}; not counted: {need.missing}"
    remedy = "set train.gradient_checkpointing = true, halve train.batch and double train.accumulation, train less"
    if need.bytes > free:
        return red("memory", told, f"{remedy}, or take a device with more memory")
    return yellow("memory", told, remedy) if need.bytes > ROOM * free else green("memory", told)
