"""What is told about one update: counts that the host knows, and the metrics made of them and of the sums."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from kathrine.components import Loss
from kathrine.train.feed import LocalBatch
from kathrine.types import ModelFacts

COUNTED = ("rows", "padded_rows", "targets", "frames", "examples")

TOLD_BY = ("form.", "layout.", "language.")
"""How names begin that count examples by what their prompts are like."""

Metrics = dict[str, float | int | str | None]


def form_names(facts: ModelFacts) -> list[str]:
    """Names of what is told by prompt form and text layout: `form.FORM`, `layout.LAYOUT`."""
    return [*(f"form.{form}" for form in facts.prompt_forms), *(f"layout.{one}" for one in facts.text_layouts)]


def local_counts(batches: Iterable[LocalBatch], losses: Sequence[Loss], facts: ModelFacts) -> dict[str, float]:
    """Counts over this process's batches of one step: sizes, prompt forms, and the divisor of each loss
    (`denominator.LABEL`). The names are always the same, in the same order."""
    labels = [f"denominator.{loss.label}" for loss in losses]
    names = [*COUNTED, *form_names(facts), "language.tag", "language.auto", *labels]
    counts = dict.fromkeys(names, 0.0)
    for batch in batches:
        if batch.tensors is not None:
            tensors = batch.tensors
            sizes = (
                tensors.rows,
                tensors.padded_rows,
                tensors.targets,
                tensors.target_frames,
                len(batch.items),
            )
            for name, size in zip(COUNTED, sizes, strict=True):
                counts[name] += size
            for loss in losses:
                counts[f"denominator.{loss.label}"] += loss.denominator(tensors, facts)
        for item in batch.items:
            counts[f"form.{facts.form_of(item.reference is not None)}"] += 1
            counts[f"layout.{item.layout}"] += 1
            counts["language.tag" if item.language is not None else "language.auto"] += 1
    return counts


def divisors(counts: Mapping[str, float], losses: Sequence[Loss]) -> dict[str, float]:
    """What each sum of the step is divided by: targets for the talker, its own count for every other loss."""
    return {"talker": counts["targets"]} | {loss.label: counts[f"denominator.{loss.label}"] for loss in losses}


def missing_losses(numbers: Mapping[str, float], losses: Sequence[Loss]) -> list[str]:
    """Labels of the losses that could not be computed in this step."""
    return [loss.label for loss in losses if numbers[f"missing.{loss.label}"]]


def step_metrics(
    counts: Mapping[str, float],
    numbers: Mapping[str, float],
    rates: Mapping[str, float],
    losses: Sequence[Loss],
    entries: Iterable[str],
) -> Metrics:
    """Everything about a step that is a function of recipe, data and seed; numbers that are not finite are
    None.

    Given: counts over all processes; numbers, the sums by name (see `SumNames`) and `grad_norm`; rates,
    learning rates by strategy.
    """
    by = divisors(counts, losses)
    total = talker = numbers["talker"] / max(1.0, by["talker"])
    told: Metrics = {"loss": None, "loss.talker": talker}
    missing = missing_losses(numbers, losses)
    for loss in losses:
        label = loss.label
        if label in missing:
            told |= {f"loss.{label}": None, f"coverage.{label}": 0.0}
            continue
        value = numbers[f"loss.{label}"] / max(1.0, by[label])
        coverable = numbers[f"coverable.{label}"]
        told |= {f"loss.{label}": value}
        told |= {f"coverage.{label}": numbers[f"covered.{label}"] / coverable if coverable else 0.0}
        total += loss.options.weight * value
    told["loss"] = total
    for entry in entries:
        if numbers[f"targets.{entry}"]:
            told[f"talker.{entry}"] = numbers[f"talker.{entry}"] / numbers[f"targets.{entry}"]
    told["grad_norm"] = numbers["grad_norm"]
    told |= {f"lr.{label}": rate for label, rate in rates.items()}
    told |= {name: int(counts[name]) for name in (*COUNTED, *(name for name in counts if name.startswith(TOLD_BY)))}
    return {name: one if _finite(one) else None for name, one in told.items()}


def _finite(value: float | int | str | None) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
