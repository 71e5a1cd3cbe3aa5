"""`kathrine compare RUN RUN ...`: runs side by side, in the terminal and on a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

Row = tuple[str, list[str]]


@click.command(name="compare")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="RUN RUN ...")
@click.option("--out", type=click.Path(path_type=Path), default=Path("compare.html"), show_default=True, help="Page.")
@click.option("--json", "as_json", is_flag=True, help="The table and the recipes' differences as JSON.")
def command(runs: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Compare run folders: numbers in a table; on a page also their curves, their samples, and how their recipes
    differ.

    A run that still trains can be compared too. The page is written anew each time.
    """
    from kathrine.report.compare import compared, read_runs, recipe_rows, write_comparison

    read = read_runs(runs)
    rows, differences = compared(read), recipe_rows(read)
    page = write_comparison(read, out.expanduser())
    names = [run.name for run in read]
    if as_json:
        told = {
            name: {
                "numbers": {row: cells[place] for row, cells in rows},
                "recipe": {key: values[place] for key, values in differences},
            }
            for place, name in enumerate(names)
        }
        click.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    tell(names, rows, differences)
    click.echo(f"{page}: curves and samples, {page.stat().st_size / 1e6:.1f} MB")


def tell(names: Sequence[str], rows: Sequence[Row], differences: Sequence[Row]) -> None:
    """Both tables, in parts with as many runs as are wide enough to be read beside one another."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for title, some in (("runs", rows), ("recipes differ in", differences)):
        first = min(max((len(name) for name, _ in some), default=0), 38)
        widest = min(max(len(cell) for cell in (*names, *(cell for _, cells in some for cell in cells))), 24)
        many = max(1, (console.width - first - 4) // (widest + 3))
        for start in range(0, len(names) if some else 0, many):
            table = Table(title=title, title_justify="left")
            table.add_column("", overflow="fold", min_width=first)
            for name in names[start : start + many]:
                table.add_column(Text(name), overflow="fold")
            for name, cells in some:
                table.add_row(Text(name), *map(Text, cells[start : start + many]))
            console.print(table)
