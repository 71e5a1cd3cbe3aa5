"""`kathrine run RECIPE`: train, validate and export: everything a recipe says."""

from __future__ import annotations

import click

HERE, AUTO = "here", "auto"
UNDONE = 3
"""Exit code of a run that is finished, but something of it could not be uploaded."""


class ResumeCommand(click.Command):
    """`--resume` takes a place on the Hub, `auto` or nothing: any other word after it is the recipe."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        told = list(args)
        for number, word in enumerate(told):
            following = told[number + 1] if number + 1 < len(told) else ""
            if word == "--resume" and following != AUTO and not following.startswith("hub:"):
                told[number] = f"--resume={HERE}"
        return super().parse_args(context, told)


@click.command(name="run", cls=ResumeCommand)
@click.argument("recipe")
@click.option("--profile", metavar="NAME", help="Profile of the recipe to lay over it.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set one option; may be repeated.")
@click.option("--folder", metavar="FOLDER", help="Run folder, instead of the recipe's.")
@click.option(
    "--resume",
    metavar="[auto|hub:OWNER/NAME[@REVISION]]",
    help="Go on with the run that lies in the run folder (auto: or begin one), or with the state that lies on the Hub.",
)
def command(recipe: str, profile: str | None, sets: tuple[str, ...], folder: str | None, resume: str | None) -> int:
    """Do what RECIPE says: prepare, train, validate, speak, export. RECIPE: a path, or a name such as
    kathrine:curriculum.

    Ctrl-C finishes the step, saves, and prints the line that goes on. For several processes:
    torchrun --nproc_per_node N -m kathrine run RECIPE

    Exit codes: 0 done, 2 a mistake that can be mended, 3 done but not uploaded (the command that uploads is printed),
    130 and above interrupted.
    """
    from kathrine.errors import KathrineError
    from kathrine.progress import open_progress
    from kathrine.recipe import load_recipe
    from kathrine.recipe.tomlwriter import toml_value
    from kathrine.train.folder import RunFolder
    from kathrine.train.processes import launched_rank
    from kathrine.train.run import run
    from kathrine.workspace import Workspace

    if folder is not None:
        sets = (*sets, f"run.folder={toml_value(folder)}")
    if resume not in (None, HERE, AUTO) and not resume.startswith("hub:"):
        raise KathrineError(
            f"--resume={resume} is no place on the Hub",
            "write --resume alone, --resume auto, or --resume hub:OWNER/NAME",
        )
    elsewhere = resume if resume not in (None, HERE, AUTO) else ""
    workspace = Workspace.default()
    resolved = load_recipe(recipe, profile=profile, sets=sets, workspace=workspace)
    # Looked at before the processes meet: afterwards the first one has made the folder.
    here = resume == HERE or (resume == AUTO and RunFolder.of(resolved).has_begun())
    with open_progress(quiet=launched_rank() != 0) as progress:
        outcome = run(resolved, workspace, progress, resume=here, resume_from=elsewhere)
    if outcome.status == "interrupted":
        return 128 + (outcome.signal or 15)
    return UNDONE if outcome.undone else 0
