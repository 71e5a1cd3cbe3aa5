"""`kathrine inspect`: what a model consists of, what a recipe trains of it, and whether its alignment is right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from kathrine.catalog import Catalog
from kathrine.errors import KathrineError
from kathrine.inspect.adapters import base_commit, recognised
from kathrine.inspect.census import Census, count_parts, module_tree
from kathrine.inspect.show import as_json, parts_table, self_test_table, tree_view
from kathrine.inspect.target import find_target
from kathrine.recipe.plan import claims
from kathrine.recipe.recipe import load_recipe
from kathrine.types import ParameterSpec, SelfCheck
from kathrine.workspace import Workspace


@click.command("inspect")
@click.argument("model")
@click.option("--recipe", "recipe_name", metavar="RECIPE", help="Mark what this recipe trains.")
@click.option("--profile", metavar="NAME", help="Profile of that recipe to lay over it.")
@click.option(
    "--checkpoint", metavar="WHICH", default="best", show_default=True, help="Of a run: best, last, or a step."
)
@click.option("--fetch", is_flag=True, help="Download the weights where they are not here, for the self-test.")
@click.option("--no-self-test", is_flag=True, help="Look at names and shapes only.")
@click.option("--tree", "show_tree", is_flag=True, help="Show the whole module tree.")
@click.option("--json", "json_", is_flag=True, help="Machine-readable, with every name and shape.")
def command(
    model: str,
    recipe_name: str | None,
    profile: str | None,
    checkpoint: str,
    fetch: bool,
    no_self_test: bool,
    show_tree: bool,
    json_: bool,
) -> int:
    """Look into MODEL: a run, an adapter or a model by folder, or a name: kathrine:tiny, Qwen3-TTS-12Hz-0.6B-Base...

    Parts and counts need the configuration alone. With weights at hand the self-test runs: it proves on codes that
    the model generates itself that training sees what generation does. Exit code 1 when it fails.
    """
    workspace = Workspace.default()
    catalog = Catalog.load()
    recipe = load_recipe(recipe_name, profile, catalog=catalog) if recipe_name else None
    if profile is not None and recipe_name is None:
        raise KathrineError("--profile belongs to --recipe: give that too")
    adapter = recognised(Path(model), catalog)
    if adapter is not None and not adapter[1].checkpoint:
        raise KathrineError(f"{model} does not say which base model it belongs to", "inspect the base model itself")
    base, commit = (adapter[1].checkpoint, base_commit(adapter[1])) if adapter else (model, "")
    target = find_target(base, recipe, catalog, workspace, revision=commit)
    if checkpoint != "best" and target.run is None:
        raise KathrineError(f"--checkpoint is for runs, and {model} is none", "leave it out")
    facts = target.family.facts(workspace)
    specs = target.family.parameters(workspace)
    if facts is None or specs is None:
        raise KathrineError(f"the configuration of {model} is not here", "add --fetch, or give a local folder")
    claimed = claims(target.recipe, workspace, specs, facts) if target.recipe is not None else []
    census = count_parts(specs, claimed)
    checks: list[SelfCheck] | None = None
    reason = "left out by --no-self-test"
    if not no_self_test:
        reason = "" if fetch or target.family.at_hand(workspace) else "the weights are not here: add --fetch"
        if not reason:
            checks = run_self_test(model, checkpoint, workspace)
    if adapter is not None and not json_:
        parts = ", ".join(adapter[1].parts)
        click.echo("\n".join([f"adapter {model}: {parts}; its base model:", *adapter[1].notes]))
    if json_:
        click.echo(json.dumps(as_json(facts, specs, census, checks), indent=2))
    else:
        show(model, specs, census, checks, reason, show_tree)
    return 1 if checks is not None and not all(check.passed for check in checks) else 0


def run_self_test(model: str, checkpoint: str, workspace: Workspace) -> list[SelfCheck]:
    """Load what was named, with all that was trained, and let it test itself."""
    from kathrine.progress import open_progress
    from kathrine.train.loaded import Wish, load_target

    with open_progress() as progress:
        with load_target(
            model, Wish(checkpoint=None if checkpoint == "best" else checkpoint), Catalog.load(), workspace, progress
        ) as loaded:
            return loaded.model.self_test()


def show(
    title: str,
    specs: Sequence[ParameterSpec],
    census: Census,
    checks: Sequence[SelfCheck] | None,
    reason: str,
    show_tree: bool,
) -> None:
    """Tables for people."""
    from rich.console import Console

    console = Console(highlight=False)
    if show_tree:
        console.print(tree_view(module_tree(specs), title))
    console.print(parts_table(census, title))
    if checks is None:
        console.print(f"self-test: {reason}")
    elif not checks:
        console.print("self-test: this model family has none")
    else:
        console.print(self_test_table(checks))
        passed = all(check.passed for check in checks)
        console.print("self-test: [green]pass[/green]" if passed else "self-test: [red]FAIL[/red]")
