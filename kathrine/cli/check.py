"""`kathrine check`: every mistake of a recipe at once, and its plan. No weights, no torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from kathrine.inspect.fit_estimate import as_json as fit_json
from kathrine.inspect.fit_estimate import fit_of
from kathrine.inspect.fit_show import print_fit
from kathrine.inspect.fit_table import find_gpu
from kathrine.recipe.plan import Plan, make_plan
from kathrine.recipe.recipe import load_recipe
from kathrine.recipe.tomlwriter import toml_value
from kathrine.types import Stage
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console


@click.command("check")
@click.argument("recipe")
@click.option("--profile", metavar="NAME", help="Profile of the recipe to lay over it.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set one option; may be repeated.")
@click.option("--origins", is_flag=True, help="Print every key, its value and where it came from.")
@click.option(
    "--fit",
    metavar="GPU",
    help="Estimate memory and time of a step on a GPU: its memory, such as 24GB, or its name, such as 'RTX 4090'.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(
    recipe: str, profile: str | None, sets: tuple[str, ...], origins: bool, fit: str | None, as_json: bool
) -> None:
    """Find every mistake in RECIPE and print its plan. RECIPE: a path, or a name such as kathrine:curriculum."""
    workspace = Workspace.default()
    loaded = load_recipe(recipe, profile, sets, workspace=workspace)
    plan = make_plan(loaded, workspace)
    estimate = None if fit is None else fit_of(plan, workspace, find_gpu(fit))
    if as_json:
        extra: dict[str, Any] = {"origins": dict(loaded.origins)} if origins else {}
        if estimate is not None:
            extra["fit"] = fit_json(estimate)
        click.echo(json.dumps(plan.as_json() | extra, indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if origins:
        print_origins(console, loaded.document, loaded.origins)
    else:
        print_plan(console, plan)
    if estimate is not None:
        print_fit(console, estimate)


def print_plan(console: Console, plan: Plan) -> None:
    """The plan as tables."""
    from rich.table import Table

    recipe = plan.recipe
    heading = f"{recipe.name}: model {recipe.model.name} ({recipe.model.options.checkpoint})"
    language = f", language {recipe.language.name if recipe.language else 'generic'}"
    console.print(heading + language, style="bold", soft_wrap=True)

    data = Table("entry", "source", "utterances", "hours", "limit", title="data", title_justify="left")
    for entry, size in zip(recipe.data, plan.data, strict=True):
        hours = "?" if size.seconds is None else f"{size.seconds / 3600:.2f}"
        limit = "" if entry.table.max_hours is None else f"{entry.table.max_hours:g} h"
        count = "?" if size.utterances is None else f"{size.utterances:,}"
        data.add_row(entry.name, entry.source.name, count, hours, limit)
    console.print(data)

    stages = Table("stage", "length", "shares", "lr scale", title="stages", title_justify="left")
    for stage in plan.stages:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in stage.shares.items())
        scale = ", ".join(f"{label} x{factor:g}" for label, factor in stage.lr_scale.items())
        stages.add_row(stage.name, length(stage), shares, scale)
    console.print(stages)

    if plan.trained is not None:
        trains = Table("strategy", "trains", "in", "lr", "weight decay", title="what trains", title_justify="left")
        for one in plan.trained:
            name = one.strategy if one.strategy == one.component else f"{one.strategy} ({one.component})"
            parts = ", ".join(f"{part} {count:,}" for part, count in one.parts.items())
            counts = f"{one.parameters:,} in {one.tensors} tensors"
            trains.add_row(name, counts, parts, f"{one.lr:g}", f"{one.weight_decay:g}")
        console.print(trains)
    if plan.trained_parameters is not None and plan.model_parameters and plan.optimizer_bytes is not None:
        share = plan.trained_parameters / plan.model_parameters
        console.print(
            f"trained: {plan.trained_parameters:,}, the model has {plan.model_parameters:,} ({share:.2%}); "
            f"weights, gradients and optimizer in fp32: {plan.optimizer_bytes / 2**20:.1f} MiB"
        )
    _print_rest(console, plan)


def _print_rest(console: Console, plan: Plan) -> None:
    recipe, train = plan.recipe, plan.recipe.train
    losses = "".join(f" + {loss.options.weight:g} x {loss.label}" for loss in recipe.losses)
    batch = train.batch
    size = f"{batch.examples} utterances" if batch.examples is not None else f"{batch.frames} rows"
    wide: dict[str, Any] = {"soft_wrap": True}
    console.print(f"loss: talker{losses}", **wide)
    console.print(
        f"batch: {size} x {train.accumulation} per update; {train.precision}, {train.schedule}, "
        f"warm-up {train.warmup_steps} updates, clip {train.clip:g}" + (f", EMA {train.ema:g}" if train.ema else "")
    )
    console.print("prompts: " + ", ".join(f"{name} {share:.0%}" for name, share in plan.prompts.items()), **wide)
    console.print("exports: " + (", ".join(exporter.label for exporter in recipe.exporters) or "none"), **wide)
    for note in plan.notes:
        console.print(f"note: {note}", **wide)


def length(stage: Stage) -> str:
    """A stage's length in words."""
    return f"{stage.steps} steps" if stage.steps is not None else f"{stage.epochs:g} epochs"


def print_origins(console: Console, document: Any, origins: Any) -> None:
    """One line for every key of the resolved recipe."""
    rows = [(key, toml_value(value_at(document, key)), origin) for key, origin in origins.items()]
    keys, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    for key, value, origin in rows:
        console.print(f"{key:<{keys}}  {value:<{min(values, 40)}}  {origin}", soft_wrap=True)


def value_at(document: Any, key: str) -> Any:
    """The value of a dotted key, data entries by name. A key may hold dots itself: the longest match wins."""
    if key.startswith("data."):
        _, name, rest = key.split(".", 2)
        return next(entry for entry in document["data"] if entry["name"] == name)[rest]
    parts = key.split(".")
    for end in range(len(parts) - 1, 0, -1):
        head = ".".join(parts[:end])
        if head in document:
            inner = document[head]
            return value_at(inner, ".".join(parts[end:]))
    return document[key]
