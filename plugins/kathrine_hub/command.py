"""`kathrine push RUN`: upload a run folder, or the rest of it after an upload that failed."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kathrine.errors import KathrineError

if TYPE_CHECKING:
    from kathrine.catalog import Catalog
    from kathrine.components import Exporter, Progress
    from kathrine_hub.publish import Wish


@click.command(name="push")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--repo", metavar="OWNER/NAME", help="Repository, instead of the recipe's [export.hub].")
@click.option("--what", multiple=True, metavar="NAME", help="An export, state or logs alone; may be repeated.")
@click.option("--public", is_flag=True, help="Let everybody see it; else it is private.")
def command(run: Path, repo: str | None, what: tuple[str, ...], public: bool) -> int:
    """Upload the folder RUN of a run to the Hub: what its recipe says, or what the options say.

    What is there already is not sent again, so this also goes on after an upload that failed; twice is harmless.
    """
    from kathrine.progress import open_progress
    from kathrine.shell import environment, same_command
    from kathrine.train.folder import RunFolder
    from kathrine.train.signals import Stopped, stopping

    folder = RunFolder(run.expanduser().absolute())
    with open_progress() as progress:
        wishes = wishes_for(folder.path, repo, what, public, progress)
        folder.take()
        try:
            with stopping():
                for wish in wishes:
                    push(wish, progress)
        except Stopped as stopped:
            progress.warn("stopped; what was sent is not sent again. To go on:")
            progress.say(f"  {environment()}{same_command()}")
            return 128 + stopped.number
        finally:
            folder.release()
    return 0


def push(wish: Wish, progress: Progress) -> None:
    """Check what can be checked first, then upload. Raises: KathrineError."""
    from kathrine_hub.publish import publish, refuse_missing, refuse_unwritable

    refuse_missing(wish)
    refuse_unwritable(wish)
    done = publish(wish, progress)
    shown = "public" if not wish.options.private else "private"
    if done.files:
        progress.say(f"uploaded to {done.address} ({', '.join(wish.what)}; {shown})")
    else:
        progress.say(f"{done.address} holds all of it already")


def wishes_for(run: Path, repo: str | None, what: Sequence[str], public: bool, progress: Progress) -> list[Wish]:
    """What a run folder is to be uploaded as, once for each exporter `hub` of its recipe.

    Raises: KathrineError where the folder is no run's, nothing says where to, or there is nothing to upload.
    """
    from kathrine.catalog import Catalog
    from kathrine.workspace import Workspace
    from kathrine_hub.options import wanted
    from kathrine_hub.publish import Wish, step_of

    path = run / "recipe.toml"
    if not path.is_file():
        raise KathrineError(f"{run} is no run folder: it has no recipe.toml", "name the folder of a run")
    exporters = exporters_of(tomllib.loads(path.read_text(encoding="utf-8")), Catalog.load())
    hubs = targets(exporters, repo, public)
    wishes = []
    for hub in hubs:
        others = [one for one in exporters if not one.publishes]
        asked = list(what) or wanted(hub.options, exporters)
        refuse_unknown(asked, others)
        there = asked if what else there_is(run, asked)
        if there != asked:
            missing = ", ".join(name for name in asked if name not in there)
            progress.warn(f"the run has not come to {missing}: only {', '.join(there)} can be uploaded")
        wishes.append(
            Wish(
                run=run,
                name=run.name,
                label=hub.label,
                options=hub.options,
                exporters=others,
                what=tuple(there),
                step=step_of(run),
                workspace=Workspace.default(),
                complete=not what and there == asked,
                tag=not what and there == asked,
            )
        )
    return wishes


def exporters_of(document: dict[str, Any], catalog: Catalog) -> list[Exporter]:
    """The exporters of a recipe, without the rest of it: data that is not here any more does not matter."""
    import json

    made: list[Any] = []
    for label, table in document.get("export", {}).items():
        keys = dict(table)
        component = catalog.component("exporter", keys.pop("use", label))
        made.append(component(component.Options.model_validate_json(json.dumps(keys)), label))
    return made


def targets(exporters: Sequence[Exporter], repo: str | None, public: bool) -> list[Exporter]:
    """The exporters `hub`, as the recipe has them or as the options say."""
    from kathrine_hub.exporter import Hub
    from kathrine_hub.options import HubOptions, own_problems

    hubs: list[Exporter] = [one for one in exporters if one.name == Hub.name]
    if repo is not None:
        first = hubs[0].options if hubs else HubOptions(repo=repo)
        hubs = [Hub(first.model_copy(update={"repo": repo}), hubs[0].label if hubs else Hub.name)]
    if not hubs:
        raise KathrineError("the recipe of this run has no [export.hub]", "say where to: --repo OWNER/NAME")
    if public:
        hubs = [Hub(one.options.model_copy(update={"private": False}), one.label) for one in hubs]
    for hub in hubs:
        problems = list(own_problems(hub.options))
        if problems:
            raise KathrineError("; ".join(problems))
    return hubs


def refuse_unknown(what: Sequence[str], exporters: Sequence[Exporter]) -> None:
    from kathrine.suggest import did_you_mean, listing
    from kathrine_hub.options import OWN

    known = [*(one.label for one in exporters), *OWN]
    for name in what:
        if name not in known:
            raise KathrineError(
                f"the run has no '{name}' to upload{did_you_mean(name, known)}", f"it has {listing(known)}"
            )


def there_is(run: Path, asked: Sequence[str]) -> list[str]:
    """Those of them that the run has come to. Raises: KathrineError where that is nothing."""
    from kathrine.hublayout import LOGS, STATE
    from kathrine.train.checkpoint import saved_checkpoints

    def made(name: str) -> bool:
        if name == STATE:
            return bool(saved_checkpoints(run / "checkpoints"))
        return name == LOGS or (run / "export" / name).is_dir()

    found = [name for name in asked if made(name)]
    if not found:
        raise KathrineError(
            f"{run} has no {' and no '.join(asked)} yet", "go on with the run, or name what to upload with --what"
        )
    return found
