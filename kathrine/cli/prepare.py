"""`kathrine prepare RECIPE`: from recordings to the prepared corpus."""

from __future__ import annotations

import click


@click.command(name="prepare")
@click.argument("recipe")
@click.option("--profile", metavar="NAME", help="Profile of the recipe to lay over it.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set one option; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts of the corpus as JSON.")
def command(recipe: str, profile: str | None, sets: tuple[str, ...], as_json: bool) -> int:
    """Fetch, condition, check and encode the data of RECIPE: a path, or a name such as kathrine:curriculum.

    Twice is harmless: what was encoded is kept, and a prepare that was killed goes on where it stopped. Everything
    lies in the workspace: KATHRINE_WORKSPACE, or ~/.cache/kathrine.
    """
    import json

    from kathrine.corpus.page import NAME as PAGE
    from kathrine.corpus.prepare import prepare
    from kathrine.corpus.report import corpus_table
    from kathrine.progress import open_progress
    from kathrine.recipe import load_recipe
    from kathrine.shell import environment, same_command
    from kathrine.train.signals import Stopped, stopping
    from kathrine.workspace import Workspace

    workspace = Workspace.default()
    resolved = load_recipe(recipe, profile=profile, sets=sets, workspace=workspace)
    with open_progress() as progress:
        try:
            with stopping():
                corpus = prepare(resolved, workspace, progress)
        except Stopped as stopped:
            progress.warn("stopped; what was fetched and encoded is kept. To go on:")
            progress.say(f"  {environment()}{same_command()}")
            return 128 + stopped.number
    if as_json:
        told = {
            "folder": str(corpus.folder),
            "page": str(corpus.folder / PAGE),
            "fingerprint": corpus.fingerprint,
            **corpus.facts,
        }
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return 0
    from rich.console import Console

    Console().print(corpus_table(corpus.facts))
    click.echo(f"prepared corpus: {corpus.folder}")
    click.echo("every utterance with its verdict: manifest.jsonl in that folder, or `kathrine data`")
    click.echo(f"to look at and listen to: {corpus.folder / PAGE}")
    return 0
