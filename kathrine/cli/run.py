"""`kathrine run RECIPE`: train, validate and export: everything a recipe says."""

from __future__ import annotations

import click


@click.command(name="run")
@click.argument("recipe")
@click.option("--profile", metavar="NAME", help="Profile of the recipe to lay over it.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set one option; may be repeated.")
@click.option("--folder", metavar="FOLDER", help="Run folder, instead of the recipe's.")
@click.option("--resume", is_flag=True, help="Go on with the run that lies in the run folder.")
def command(recipe: str, profile: str | None, sets: tuple[str, ...], folder: str | None, resume: bool) -> int:
    """Do what RECIPE says: prepare, train, validate, speak, export. RECIPE: a path, or a name such as
    kathrine:curriculum.

    Ctrl-C finishes the step, saves, and prints the line that goes on. For several processes:
    torchrun --nproc_per_node N -m kathrine run RECIPE
    """
    from kathrine.progress import open_progress
    from kathrine.recipe import load_recipe
    from kathrine.recipe.tomlwriter import toml_value
    from kathrine.train.processes import launched_rank
    from kathrine.train.run import run
    from kathrine.workspace import Workspace

    if folder is not None:
        sets = (*sets, f"run.folder={toml_value(folder)}")
    workspace = Workspace.default()
    resolved = load_recipe(recipe, profile=profile, sets=sets, workspace=workspace)
    with open_progress(quiet=launched_rank() != 0) as progress:
        outcome = run(resolved, workspace, progress, resume=resume)
    return 128 + (outcome.signal or 15) if outcome.status == "interrupted" else 0
