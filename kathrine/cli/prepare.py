"""`kathrine prepare RECIPE`: from recordings to the prepared corpus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kathrine.errors import KathrineError

if TYPE_CHECKING:
    from kathrine.corpus.prepared import PreparedCorpus


@click.command(name="prepare")
@click.argument("recipe")
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(path_type=Path))
@click.option("--profile", metavar="NAME", help="Profile of the recipe to lay over it.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set one option; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts of the corpus as JSON.")
@click.option("--shard", metavar="I/N", help="Fetch and encode part I of N only, into corpus/shards/I-of-N.")
@click.option(
    "--merge",
    "merging",
    is_flag=True,
    help="Join shards: those of this workspace, or the folders DIR... after it; then prepare.",
)
@click.option("--allow-missing", is_flag=True, help="With --merge: prepare missing shards here.")
@click.option("--push", "repo", metavar="OWNER/NAME", help="Upload the corpus to the Hub as a private dataset.")
@click.option("--public", is_flag=True, help="With --push: make it public.")
def command(
    recipe: str,
    folders: tuple[Path, ...],
    profile: str | None,
    sets: tuple[str, ...],
    as_json: bool,
    shard: str | None,
    merging: bool,
    allow_missing: bool,
    repo: str | None,
    public: bool,
) -> int:
    """Fetch, condition, check and encode the data of RECIPE: a path, or a name such as kathrine:curriculum.

    Twice is harmless: what was encoded is kept, and a prepare that was killed goes on where it stopped. Everything
    lies in the workspace: KATHRINE_WORKSPACE, or ~/.cache/kathrine.

    Several machines share the work: --shard 1/3 on the first, 2/3 and 3/3 on the others, then --merge with the
    folders that they made.
    """
    import json

    from kathrine.corpus.shards import parse_part

    for problem, hint in contradictions(folders, shard, merging, allow_missing, repo, public):
        raise KathrineError(problem, hint)
    part = parse_part(shard) if shard is not None else None

    from kathrine.corpus.merging import merge
    from kathrine.corpus.prepare import prepare
    from kathrine.corpus.shards import prepare_shard, shard_folder
    from kathrine.progress import open_progress
    from kathrine.recipe import load_recipe
    from kathrine.shell import environment, same_command
    from kathrine.train.signals import Stopped, stopping
    from kathrine.workspace import Workspace

    workspace = Workspace.default()
    resolved = load_recipe(recipe, profile=profile, sets=sets, workspace=workspace)
    corpus: PreparedCorpus | None = None
    with open_progress() as progress:
        try:
            with stopping():
                if repo is not None:
                    from kathrine.corpus.push import check_push

                    check_push(repo, public)
                if part is not None:
                    marker = prepare_shard(resolved, workspace, progress, part)
                else:
                    if merging:
                        merge(resolved, workspace, progress, folders, allow_missing)
                    corpus = prepare(resolved, workspace, progress)
                    if repo is not None:
                        from kathrine.corpus.push import push

                        push(corpus, repo, public, progress)
        except Stopped as stopped:
            progress.warn("stopped; what was fetched and encoded is kept. To go on:")
            progress.say(f"  {environment()}{same_command()}")
            return 128 + stopped.number
    if corpus is not None:
        show(corpus, as_json)
    elif part is not None:
        folder = shard_folder(workspace, part)
        click.echo(json.dumps({"folder": str(folder), **marker}, indent=2) if as_json else f"shard {part}: {folder}")
    return 0


def contradictions(
    folders: tuple[Path, ...], shard: str | None, merging: bool, allow_missing: bool, repo: str | None, public: bool
) -> list[tuple[str, str]]:
    """Options that do not go together, with the remedy."""
    found = []
    if folders and not merging:
        found.append((f"{folders[0]}: folders are for --merge", "kathrine prepare RECIPE --merge DIR DIR ..."))
    if shard is not None and merging:
        found.append(("--shard makes one part, --merge joins all of them", "do one after the other"))
    if allow_missing and not merging:
        found.append(("--allow-missing says what --merge may do", "leave it out"))
    if shard is not None and repo is not None:
        found.append(("a shard is no corpus that could be pushed", "push after --merge"))
    if public and repo is None:
        found.append(("--public says how --push uploads", "add --push OWNER/NAME"))
    return found


def show(corpus: PreparedCorpus, as_json: bool) -> None:
    """Print the tables, or the facts."""
    import json

    from rich.console import Console

    from kathrine.corpus.page import NAME as PAGE
    from kathrine.corpus.report import corpus_table

    if as_json:
        told = {
            "folder": str(corpus.folder),
            "page": str(corpus.folder / PAGE),
            "fingerprint": corpus.fingerprint,
            **corpus.facts,
        }
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    Console().print(corpus_table(corpus.facts))
    click.echo(f"prepared corpus: {corpus.folder}")
    click.echo("every utterance with its verdict: manifest.jsonl in that folder, or `kathrine data`")
    click.echo(f"to look at and listen to: {corpus.folder / PAGE}")
