"""From a recipe's plan to its estimate on one device, and what to change where it does not fit. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kathrine.errors import KathrineError
from kathrine.inspect import fit_table as table
from kathrine.inspect.fit import Held, peak
from kathrine.inspect.fit_layers import Load, Setting
from kathrine.inspect.fit_load import longest_seconds, mean_seconds, usual_load, worst_load
from kathrine.inspect.fit_table import Gpu
from kathrine.inspect.fit_time import Duration, duration
from kathrine.recipe.plan import Plan, claims
from kathrine.recipe.recipe import Recipe
from kathrine.types import Body, Claim, ModelFacts, ParameterSpec
from kathrine.workspace import Workspace

SHORT_SECONDS, SHORT_REFERENCE, SMALL_SHARE = 10.0, 5.0, 0.25


@dataclass(frozen=True)
class Known:
    """What is known of a recipe's model before it is loaded. seconds: of the longest utterance; share: limit of the
    share of frames that losses put through the sub-talker."""

    bodies: tuple[Body, ...]
    specs: tuple[ParameterSpec, ...]
    claims: tuple[Claim, ...]
    facts: ModelFacts
    seconds: float
    measured: bool
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Advice:
    """A change, on top of those before it, the memory that the step then needs, and whether that fits."""

    change: str
    bytes: int
    fits: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """The estimate. usable: bytes of the device that a run may take. load: the largest batch."""

    gpu: Gpu
    usable: int
    need: Held
    load: Load
    duration: Duration
    assumed: tuple[str, ...]
    advice: tuple[Advice, ...]

    @property
    def verdict(self) -> str:
        """fits, close (within the estimate's error of the limit), or does not fit."""
        if self.need.total > self.usable:
            return "does not fit"
        return "close" if self.need.total * (1 + table.MARGIN) > self.usable else "fits"


def known(recipe: Recipe, workspace: Workspace) -> Known | None:
    """What the estimate rests on; None for a family that does not describe its layers, or without a configuration."""
    from kathrine.corpus.prepared import known_facts

    family = recipe.model
    bodies, specs, facts = family.bodies(workspace), family.parameters(workspace), family.facts(workspace)
    if bodies is None or specs is None or facts is None:
        return None
    seconds, measured = longest_seconds(recipe, known_facts(recipe, workspace))
    return Known(bodies, specs, tuple(claims(recipe, workspace, specs, facts)), facts, seconds, measured)


def setting_of(recipe: Recipe, found: Known, gpu: bool, load: Load | None = None) -> Setting:
    """The setting of a recipe's step, with its largest batch where none is given."""
    train = recipe.train
    share = min(found.share, sum(loss.sub_talker_share() for loss in recipe.losses))
    return Setting(
        bodies=found.bodies,
        specs=found.specs,
        claims=found.claims,
        strategies={strategy.label: strategy for strategy in recipe.strategies},
        load=load or worst_load(recipe, found.facts.frames_per_second, found.seconds),
        mixed=train.precision == "bf16",
        checkpointing=train.gradient_checkpointing,
        ema=train.ema > 0,
        sub_share=share,
        base=any(loss.needs_base for loss in recipe.losses),
        accumulation=train.accumulation,
        gpu=gpu,
    )


def fit_of(plan: Plan, workspace: Workspace, gpu: Gpu) -> Fit:
    """The estimate of a recipe on a GPU.

    Raises: KathrineError where the family does not describe its layers, or its configuration is not at hand.
    """
    recipe = plan.recipe
    found = known(recipe, workspace)
    if found is None:
        checkpoint = recipe.model.options.checkpoint
        if recipe.model.parameters(workspace) is None:
            raise KathrineError(
                f"--fit: the configuration of {checkpoint} is not at hand",
                "run `kathrine prepare`: it fetches the model",
            )
        raise KathrineError(
            f"--fit: memory and time are not known for the model family {recipe.model.name}",
            "it does not describe its layers (`ModelFamily.bodies`); `kathrine check` tells weights and optimizer",
        )
    setting = setting_of(recipe, found, gpu=True)
    need, usable = peak(setting), round(gpu.bytes * table.USABLE)
    mean, mean_known = mean_seconds(plan.data)
    usual = setting_of(recipe, found, True, usual_load(recipe, found.facts.frames_per_second, mean))
    assumed = [
        f"one process; {table.USABLE:.0%} of the GPU's {gpu.bytes / 2**30:g} GiB can be used",
        f"longest utterance {found.seconds:g} s, {'as prepared' if found.measured else 'by prepare.max_seconds'}",
        f"at most {table.TOKENS_PER_SECOND:g} text tokens a second",
        f"mean utterance {mean:.1f} s, {'as prepared' if mean_known else 'assumed'}",
        f"{table.UTILISATION:.0%} of the GPU's dense rate",
    ]
    advice = tuple(advise(recipe, found, usable)) if need.total > usable else ()
    return Fit(gpu, usable, need, setting.load, duration(usual, plan, gpu), tuple(assumed), advice)


def advise(recipe: Recipe, found: Known, usable: int) -> Iterator[Advice]:
    """What to change, one thing after the other, until it fits: first what leaves the update as it is."""
    for change, changed, known_then in _changes(recipe, found, usable):
        need = peak(setting_of(changed, known_then, gpu=True)).total
        yield Advice(change, need, need <= usable)
        if need <= usable:
            return


def _changes(recipe: Recipe, found: Known, usable: int) -> Iterator[tuple[str, Recipe, Known]]:
    """Every change with the recipe as it is then; later ones build on those before."""
    if not recipe.train.gradient_checkpointing:
        recipe = _train(recipe, gradient_checkpointing=True)
        yield "train.gradient_checkpointing = true (the same update, about a third more time)", recipe, found
    while (smaller := _halved(recipe, found)) is not None:
        recipe = smaller
        yield _batch_words(recipe), recipe, found
    labels = [loss.label for loss in recipe.losses if loss.sub_talker_share() > SMALL_SHARE]
    if labels:
        found = replace(found, share=SMALL_SHARE)
        yield ", ".join(f"loss.{label}.share = {SMALL_SHARE:g}" for label in labels), recipe, found
    shorter, words = _shorter(recipe, found)
    if words:
        recipe, found = shorter
        yield words, recipe, found
        while (smaller := _halved(recipe, found)) is not None:
            recipe = smaller
            yield _batch_words(recipe), recipe, found
    while (part := _largest_part(found)) is not None:
        count = sum(spec.count for spec in found.specs if spec.part == part and spec.name in _in_place(found))
        found = replace(found, claims=tuple(_without(found, part)))
        yield f"do not train {part} in place ({count:,} parameters); strategy.lora may adapt it", recipe, found


def _train(recipe: Recipe, **changes: Any) -> Recipe:
    return replace(recipe, train=recipe.train.model_copy(update=changes))


def _halved(recipe: Recipe, found: Known) -> Recipe | None:
    """A smaller batch and as much more accumulation, halved where that gives the same update; None where it is one
    utterance already."""
    batch, train = recipe.train.batch, recipe.train
    if batch.examples is not None:
        if batch.examples == 1:
            return None
        divisor = next(number for number in range(2, batch.examples + 1) if batch.examples % number == 0)
        half = batch.model_copy(update={"examples": batch.examples // divisor})
        accumulation = train.accumulation * divisor
    else:
        single = _train(recipe, batch=batch.model_copy(update={"examples": 1, "frames": None}))
        longest = worst_load(single, found.facts.frames_per_second, found.seconds).longest
        if (batch.frames or 0) // 2 < longest:
            return None
        half = batch.model_copy(update={"frames": (batch.frames or 0) // 2})
        accumulation = train.accumulation * 2
    return _train(recipe, batch=half, accumulation=accumulation)


def _batch_words(recipe: Recipe) -> str:
    batch = recipe.train.batch
    size = f"examples = {batch.examples}" if batch.examples is not None else f"frames = {batch.frames}"
    same = "the same update" if batch.examples is not None else "about the same update"
    return f"train.batch = {{ {size} }} and train.accumulation = {recipe.train.accumulation} ({same})"


def _shorter(recipe: Recipe, found: Known) -> tuple[tuple[Recipe, Known], str]:
    words = []
    if found.seconds > SHORT_SECONDS:
        found = replace(found, seconds=SHORT_SECONDS)
        words.append(f"prepare.max_seconds = {SHORT_SECONDS:g}")
    if recipe.prompt.in_context > 0 and recipe.prompt.max_reference_seconds > SHORT_REFERENCE:
        recipe = replace(recipe, prompt=recipe.prompt.model_copy(update={"max_reference_seconds": SHORT_REFERENCE}))
        words.append(f"prompt.max_reference_seconds = {SHORT_REFERENCE:g}")
    return (recipe, found), " and ".join(words)


def _in_place(found: Known) -> set[str]:
    return {name for claim in found.claims for name in claim.trains}


def _largest_part(found: Known) -> str | None:
    """The part with most weights trained in place; None where nothing else would be left to train."""
    counts: dict[str, int] = {}
    names = _in_place(found)
    for spec in found.specs:
        if spec.name in names:
            counts[spec.part] = counts.get(spec.part, 0) + spec.count
    others = any(claim.adds for claim in found.claims)
    return max(counts, key=lambda part: counts[part]) if len(counts) + others > 1 else None


def _without(found: Known, part: str) -> Iterator[Claim]:
    gone = {spec.name for spec in found.specs if spec.part == part}
    for claim in found.claims:
        yield replace(claim, trains=tuple(name for name in claim.trains if name not in gone))


def as_json(fit: Fit) -> Mapping[str, Any]:
    """As docs/fit.md describes it. Bytes, seconds, hours."""
    need, time = fit.need, fit.duration
    return {
        "gpu": fit.gpu.name,
        "gpu_bytes": fit.gpu.bytes,
        "usable_bytes": fit.usable,
        "verdict": fit.verdict,
        "verified_on_gpu": table.VERIFIED_ON_GPU,
        "peak_bytes": need.total,
        "parts": {
            "frozen_weights": need.weights,
            "trained_weights": need.trained,
            "optimizer": need.optimizer,
            "gradients": need.gradients,
            "activations": need.activations,
        },
        "highest_point": need.where,
        "batch": {
            "utterances": fit.load.items,
            "rows": fit.load.rows,
            "targets": fit.load.targets,
            "frames": fit.load.frames,
        },
        "operations_per_update": time.operations,
        "seconds_per_update": time.seconds,
        "updates": time.updates,
        "hours": time.hours,
        "assumed": list(fit.assumed),
        "advice": [{"change": one.change, "bytes": one.bytes, "fits": one.fits} for one in fit.advice],
    }
