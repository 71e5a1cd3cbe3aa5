"""`kathrine schema`: the JSON schema of recipes with the installed plugins."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kathrine.catalog import Catalog
from kathrine.recipe.schema import recipe_schema


@click.command("schema")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
def command(output: Path | None) -> None:
    """Write the JSON schema of recipes with the plugins that are installed here; editors check against it."""
    text = json.dumps(recipe_schema(Catalog.load()), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(output)
    click.echo(f"wrote {output}")
