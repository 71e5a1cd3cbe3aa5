"""`kathrine report RUN`: write the page of a run again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="report")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Write RUN/report.html: recipe, data, curves, samples, checks, scores, drift and exports of a run folder.

    A run writes it by itself, while it trains and at its end; this command is for one that was killed, or that was
    evaluated later.
    """
    from kathrine.report.page import write_report

    path = write_report(run.expanduser())
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
