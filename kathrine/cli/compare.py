"""`kathrine compare RUN RUN ...`: runs side by side, in the terminal and on a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

Row = tuple[str, list[str]]
WIDEST = 34
"""Of a first column that is not broken over lines."""


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
    """Both tables: a column a run where these fit beside one another, else a row a run."""
    from rich.console import Console

    console = Console(highlight=False)
    widest = max(len(cell) for cell in (*names, *(cell for _, cells in rows for cell in cells)))
    first = max(len(name) for name, _ in rows)
    if first + 4 + len(names) * (widest + 3) <= console.width:
        print_table(console, "runs", ["", *names], [(name, *cells) for name, cells in rows])
        print_table(console, "recipes differ in", ["", *names], [(name, *cells) for name, cells in differences])
        return
    name_width = min(max(map(len, names)), WIDEST)
    many = max(1, (console.width - name_width - 4) // 15)
    for start in range(0, len(rows), many):
        some = rows[start : start + many]
        lines = [(run, *(cells[place] for _, cells in some)) for place, run in enumerate(names)]
        print_table(
            console,
            "runs" if not start else "",
            ["run", *(name for name, _ in some)],
            lines,
            max(map(len, names)) <= WIDEST,
        )
    print_table(console, "recipes differ in", ["key", "value", "runs"], list(by_value(names, differences)))


def by_value(names: Sequence[str], differences: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    """Key, value and the runs that have it; the value that most runs have is said of `the others`."""
    for key, cells in differences:
        values = sorted(dict.fromkeys(cells), key=cells.count)
        for value in values:
            runs = [name for name, cell in zip(names, cells, strict=True) if cell == value]
            many = value == values[-1] and len(runs) > 1
            yield key, value, "the others" if many else ", ".join(runs)


def print_table(
    console: Console, title: str, head: Sequence[str], lines: Sequence[Sequence[str]], whole_first: bool = False
) -> None:
    """A table of plain texts; nothing where it would be empty."""
    from rich.table import Table
    from rich.text import Text

    if not lines:
        return
    table = Table(title=title or None, title_justify="left")
    for place, name in enumerate(head):
        table.add_column(Text(name), overflow="fold", no_wrap=whole_first and not place)
    for line in lines:
        table.add_row(*map(Text, line))
    console.print(table)
