"""`kathrine inspect`: what a model consists of, what a recipe trains of it, whether its alignment is right, and where
its levers are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kathrine.catalog import Catalog
from kathrine.errors import KathrineError
from kathrine.inspect.adapters import base_commit, recognised
from kathrine.inspect.census import Census, count_parts, module_tree
from kathrine.inspect.show import as_json, drift_tables, parts_table, self_test_table, tree_view
from kathrine.inspect.target import Target, find_target
from kathrine.recipe.plan import claims
from kathrine.recipe.recipe import load_recipe
from kathrine.types import AdapterFacts, ParameterSpec, SelfCheck
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kathrine.train.loaded import Wish

STEP = 1e-3


@dataclass(frozen=True, slots=True)
class Asked:
    """The options, as they were given. checkpoint: None for the default."""

    model: str
    recipe: str | None
    profile: str | None
    levers: str | None
    text: str | None
    rows: bool
    against: str | None
    against_profile: str | None
    batches: int | None
    step: float | None
    html: Path | None
    device: str | None
    checkpoint: str | None
    fetch: bool
    no_self_test: bool
    tree: bool
    json: bool

    def wish(self) -> Wish:
        """How the target is to be loaded: in float32, since a small step is lost in bf16."""
        from kathrine.train.loaded import Wish
        from kathrine.train.speaking import best_device

        device = self.device or "cpu"
        return Wish(
            checkpoint=self.checkpoint,
            device=best_device() if device == "auto" else device,
            offline=not self.fetch,
        )


@click.command("inspect")
@click.argument("model")
@click.option("--recipe", metavar="RECIPE", help="Mark what this recipe trains.")
@click.option("--levers", metavar="RECIPE", help="Measure gradients and gains of every piece on this recipe's corpus.")
@click.option("--text", metavar="RECIPE", help="Show how the tokenizer cuts the texts of this recipe's corpus.")
@click.option("--rows", is_flag=True, help="Look at the rows for language tags: norms, neighbours, which are free.")
@click.option("--against", metavar="RECIPE", help="With --levers or --text: a language that the model knows.")
@click.option("--profile", metavar="NAME", help="Profile of RECIPE (not of --against) to lay over it.")
@click.option("--against-profile", metavar="NAME", help="Profile of the recipe of --against.")
@click.option("--batches", type=click.IntRange(min=1), help="With --levers: batches of each language.  [default: 4]")
@click.option(
    "--step",
    type=click.FloatRange(min=0, max=1, min_open=True),
    help="With --levers: length of the step relative to a piece's weights.  [default: 0.001]",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="With --levers: write a page as well.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to compute.  [default: cpu; --levers: auto]"
)
@click.option("--checkpoint", metavar="WHICH", help="Of a run: best, last, or a step.  [default: best]")
@click.option("--fetch", is_flag=True, help="Download the weights where they are not here.")
@click.option("--no-self-test", is_flag=True, help="Look at names and shapes only.")
@click.option("--tree", is_flag=True, help="Show the whole module tree.")
@click.option("--json", is_flag=True, help="Machine-readable; docs/inspect.md explains every key.")
def command(**options: Any) -> int:
    """Look into MODEL: a run, a checkpoint of it, an adapter or a model by folder, or a name such as
    kathrine:tiny.

    Parts and counts need the configuration alone. With weights at hand the self-test runs: it proves on codes that
    the model generates itself that training sees what generation does; exit code 1 when it fails. Of a run it is also
    told how far each piece has moved.

    --levers, --text and --rows look deeper, one at a time. RECIPE's corpus is prepared first where it is not yet.
    """
    asked = Asked(**options)
    refuse_contradictions(asked)
    workspace, catalog = Workspace.default(), Catalog.load()
    recipe = load_recipe(asked.recipe, asked.profile, catalog=catalog) if asked.recipe else None
    adapter = recognised(Path(asked.model), catalog)
    if adapter is not None and not adapter[1].checkpoint:
        raise KathrineError(
            f"{asked.model} does not say which base model it belongs to", "inspect the base model itself"
        )
    base, commit = (adapter[1].checkpoint, base_commit(adapter[1])) if adapter else (asked.model, "")
    target = find_target(base, recipe, catalog, workspace, revision=commit)
    if asked.checkpoint is not None and target.run is None:
        raise KathrineError(f"--checkpoint is for runs, and {asked.model} is none", "leave it out")
    if asked.levers or asked.text or asked.rows:
        if not asked.fetch and not target.family.at_hand(workspace):
            raise KathrineError(f"the weights of {asked.model} are not here", "add --fetch")
        return look_deeper(asked, target, catalog, workspace)
    return overview(asked, adapter[1] if adapter else None, target, workspace)


def refuse_contradictions(asked: Asked) -> None:
    """Raises: KathrineError with every option that does not go with the others."""
    deeper = [name for name in ("levers", "text", "rows") if getattr(asked, name)]
    levers, compared = asked.levers is not None, asked.levers is not None or asked.text is not None
    found = []
    if len(deeper) > 1:
        found.append(f"{' and '.join(f'--{name}' for name in deeper)}: one at a time")
    for name in ("recipe", "tree", "no_self_test"):
        if deeper and getattr(asked, name):
            found.append(f"--{name.replace('_', '-')} does not go with --{deeper[0]}")
    for name in ("batches", "step", "html"):
        if getattr(asked, name) is not None and not levers:
            found.append(f"--{name} belongs to --levers")
    if asked.against is not None and not compared:
        found.append("--against belongs to --levers or --text")
    if asked.against_profile is not None and asked.against is None:
        found.append("--against-profile belongs to --against: give that too")
    if asked.profile is not None and not (asked.recipe or compared):
        found.append("--profile belongs to --recipe, --levers or --text: give one of them too")
    if found:
        raise KathrineError("; ".join(found), "see `kathrine inspect --help`")


# --------------------------------------------------------------------------- levers, text, rows


def look_deeper(asked: Asked, target: Target, catalog: Catalog, workspace: Workspace) -> int:
    """Measure, print, and where it was asked for write a page."""
    from kathrine.progress import open_progress
    from kathrine.shell import environment, same_command
    from kathrine.train.signals import Stopped, stopping

    with open_progress() as progress:
        try:
            with stopping():
                document, shown = measured(asked, target, catalog, workspace, progress)
        except Stopped as stopped:
            progress.warn("stopped; what was fetched and encoded is kept. To start again:")
            progress.say(f"  {environment()}{same_command()}")
            return 128 + stopped.number
    if asked.json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
        return 0
    from rich.console import Console

    console = Console(highlight=False)
    for one in shown:
        console.print(one, soft_wrap=isinstance(one, str))
    return 0


def measured(
    asked: Asked, target: Target, catalog: Catalog, workspace: Workspace, progress: Any
) -> tuple[dict[str, Any], Sequence[RenderableType]]:
    """What was asked for, as JSON and as tables."""
    if asked.rows:
        from kathrine.inspect.tables import row_tables
        from kathrine.train.inspecting import tag_rows

        rows = tag_rows(asked.model, asked.wish(), catalog, workspace, progress)
        return {"model": asked.model, **rows.as_json()}, row_tables(rows)
    if asked.text is not None:
        from kathrine.inspect.tables import text_tables
        from kathrine.inspect.text_report import text_report

        known = (asked.against, asked.against_profile) if asked.against is not None else None
        recipes = ((asked.text, asked.profile), known)
        text = text_report(asked.model, target.family, recipes, catalog, workspace, progress)
        return text.as_json(), text_tables(text)
    from dataclasses import replace

    from kathrine.inspect.lever_report import drift_table, lever_table, lines
    from kathrine.report.levers_page import write_levers_page
    from kathrine.train.levers import LeverWish, lever_report

    assert asked.levers is not None
    wish = LeverWish(
        recipe=asked.levers,
        profile=asked.profile,
        against=asked.against,
        against_profile=asked.against_profile,
        batches=asked.batches or 4,
        step=asked.step or STEP,
    )
    asked = asked if asked.device else replace(asked, device="auto")
    report = lever_report(asked.model, target.family, wish, asked.wish(), catalog, workspace, progress)
    if asked.html is not None:
        progress.say(f"page: {write_levers_page(asked.html, report)}")
    return report.as_json(), [*lines(report), lever_table(report), drift_table(report)]


# --------------------------------------------------------------------------- overview


def overview(asked: Asked, adapter: AdapterFacts | None, target: Target, workspace: Workspace) -> int:
    """Parts, what trains, the self-test, and of a run how far it has moved."""
    facts = target.family.facts(workspace)
    specs = target.family.parameters(workspace)
    if facts is None or specs is None:
        raise KathrineError(f"the configuration of {asked.model} is not here", "add --fetch, or give a local folder")
    claimed = claims(target.recipe, workspace, specs, facts) if target.recipe is not None else []
    census = count_parts(specs, claimed)
    checks: list[SelfCheck] | None = None
    drift: dict[str, Any] | None = None
    reason = "left out by --no-self-test"
    if not asked.no_self_test:
        reason = "" if asked.fetch or target.family.at_hand(workspace) else "the weights are not here: add --fetch"
        if not reason:
            from kathrine.progress import open_progress
            from kathrine.train.inspecting import tested

            with open_progress() as progress:
                checks, drift = tested(asked.model, asked.wish(), Catalog.load(), workspace, progress)
    if adapter is not None and not asked.json:
        parts = ", ".join(adapter.parts)
        click.echo("\n".join([f"adapter {asked.model}: {parts}; its base model:", *adapter.notes]))
    if asked.json:
        click.echo(json.dumps(as_json(facts, specs, census, checks, drift), indent=2))
    else:
        show(asked, specs, census, checks, reason, drift, target.run is not None)
    return 1 if checks is not None and not all(check.passed for check in checks) else 0


def show(
    asked: Asked,
    specs: Sequence[ParameterSpec],
    census: Census,
    checks: Sequence[SelfCheck] | None,
    reason: str,
    drift: dict[str, Any] | None,
    is_run: bool,
) -> None:
    """Tables for people."""
    from rich.console import Console

    console = Console(highlight=False)
    if asked.tree:
        console.print(tree_view(module_tree(specs), asked.model))
    console.print(parts_table(census, asked.model))
    for table in drift_tables(drift) if drift is not None else ():
        console.print(table)
    if is_run and drift is None:
        console.print(f"drift: {reason}")
    if checks is None:
        console.print(f"self-test: {reason}")
    elif not checks:
        console.print("self-test: this model family has none")
    else:
        console.print(self_test_table(checks))
        passed = all(check.passed for check in checks)
        console.print("self-test: [green]pass[/green]" if passed else "self-test: [red]FAIL[/red]")
