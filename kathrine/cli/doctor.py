"""`kathrine doctor RECIPE`: is this machine ready for the night's run?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from kathrine.doctor import Diagnosis

STYLES = {"green": "green", "yellow": "yellow", "red": "bold red"}


@click.command(name="doctor")
@click.argument("recipe")
@click.option("--profile", metavar="NAME", help="Profile of the recipe to lay over it.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set one option; may be repeated.")
@click.option("--folder", metavar="FOLDER", help="Run folder, instead of the recipe's.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable; docs/doctor.md describes it.")
def command(recipe: str, profile: str | None, sets: tuple[str, ...], folder: str | None, as_json: bool) -> int:
    """Look at this machine before RECIPE runs on it: device, disk, memory, clock, model, data, uploads.

    Green: nothing to do. Yellow: the run goes, but know this first. Red: it would stop, or be lost; exit code 2 then.
    Every line that is not green says what to do. No request waits longer than a few seconds, nothing is fetched.
    """
    from kathrine.doctor import examine
    from kathrine.recipe.tomlwriter import toml_value
    from kathrine.workspace import Workspace

    if folder is not None:
        sets = (*sets, f"run.folder={toml_value(folder)}")
    diagnosis = examine(recipe, profile, sets, Workspace.default())
    if as_json:
        click.echo(json.dumps(diagnosis.as_json(), indent=2, ensure_ascii=False))
    else:
        from rich.console import Console

        show(Console(highlight=False), diagnosis)
    return 2 if diagnosis.state == "red" else 0


def show(console: Console, diagnosis: Diagnosis) -> None:
    """One table, a section a group; the remedy stands under what was measured."""
    from rich.table import Table
    from rich.text import Text

    table = Table("", "check", "found", title=f"doctor: {diagnosis.recipe}", title_justify="left", title_style="bold")
    for group in diagnosis.groups:
        for place, one in enumerate(group.findings, start=1):
            told = Text(one.measured)
            if one.remedy:
                told.append(f"\n-> {one.remedy}", style=STYLES[one.state])
            table.add_row(
                Text(one.state, style=STYLES[one.state]), Text(one.name), told, end_section=place == len(group.findings)
            )
    console.print(table)
    for sentence in diagnosis.unknown:
        console.print(Text(f"not counted: {sentence}"), soft_wrap=True)
    counts = {state: sum(one.state == state for one in diagnosis.findings) for state in STYLES}
    verdict = {
        "green": "ready",
        "yellow": "ready; read the yellow lines first",
        "red": "not ready: the run would stop, or what it makes would be lost",
    }
    summary = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    console.print(Text(f"{verdict[diagnosis.state]} ({summary})", style=STYLES[diagnosis.state]))
