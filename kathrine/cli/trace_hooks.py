"""`kathrine plugins --trace RECIPE`: a real run, with every hook call as a line and a table of all hooks at its end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from kathrine.catalog import Catalog
from kathrine.errors import KathrineError
from kathrine.hooktrace import HookCall, Record, recorded
from kathrine.misfits import HOOKS

OFTEN = "kathrine_step_end"
"""The hook that is called with every update: a few calls are shown, then only their number."""
SHOWN = 3


class Lines:
    """Hook calls as lines, as they come; `close` tells of those that were left out."""

    def __init__(self) -> None:
        self.often = self.hidden = 0
        self.known: set[str] = set()

    def __call__(self, call: HookCall) -> None:
        if call.hook == OFTEN:
            self.often += 1
            if self.often > SHOWN and not call.error:
                self.hidden += 1
                return
        self.close()
        click.echo(line(call, self.known))
        self.known.update(call.arguments.values())

    def close(self) -> None:
        if self.hidden:
            click.echo(f"{'':>10}  {OFTEN}: {self.hidden} more call{'s' if self.hidden > 1 else ''}")
            self.hidden = 0


def line(call: HookCall, known: Collection[str] = ()) -> str:
    """One call: time, hook, with what, whom, what came back. Given: known, objects that were shown before: of these
    only the type is told."""
    whom = ", ".join(call.by) or "nobody"
    told = {name: f"{v.partition('(')[0]}(...)" if "(" in v and v in known else v for name, v in call.arguments.items()}
    arguments = ", ".join(f"{name}={value}" for name, value in told.items())
    outcome = f"raised {call.error}" if call.error else call.result
    return f"{call.at:8.3f} s  {call.hook}({arguments}) on {whom} -> {outcome}"


def summary(record: Record) -> list[dict[str, Any]]:
    """A row for each hook: how often it was called, how long that took together, and who implements it."""
    rows = []
    for hook in HOOKS:
        calls = [call for call in record.calls if call.hook == hook]
        seconds = sum(call.seconds for call in calls)
        rows.append({"hook": hook, "called": len(calls), "seconds": seconds, "by": record.listeners(hook)})
    return rows


def trace(recipe: str, profile: str | None, sets: Sequence[str], folder: str | None, as_json: bool) -> int:
    """Run a recipe and show its hook calls.

    Given: folder, where the run stays, or None for a temporary one. Returns: the exit code: as `kathrine run`. Raises:
    what the run raises, after what was recorded has been shown.
    """
    lines = None if as_json else Lines()
    failure: Exception | None = None
    outcome: Any = None
    with recorded(lines) as record, _run_folder(folder) as place:
        try:
            outcome = _run(recipe, profile, (*sets, _folder_option(place)))
        except Exception as error:  # noqa: BLE001  whatever it is, what was called before it is what is asked for
            failure = error
    if lines is not None:
        lines.close()
        _print_summary(summary(record))
        if outcome is not None:
            click.echo(f"the run: {outcome.status} at step {outcome.step}" + (f"; {place}" if folder else ""))
    else:
        told = failure.sentence if isinstance(failure, KathrineError) else repr(failure) if failure else ""
        document = {
            "recipe": recipe,
            "profile": profile or "",
            "status": outcome.status if outcome is not None else "failed",
            "step": outcome.step if outcome is not None else None,
            "error": told,
            "calls": [vars(call) for call in record.calls],
            "hooks": summary(record),
        }
        click.echo(json.dumps(document, indent=2))
    if failure is not None:
        raise failure
    return 128 + (outcome.signal or 15) if outcome.status == "interrupted" else 0


@contextmanager
def _run_folder(folder: str | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="kathrine-trace-", ignore_cleanup_errors=True) as temporary:
        yield Path(temporary) / "run"


def _folder_option(place: Path) -> str:
    from kathrine.recipe.tomlwriter import toml_value

    return f"run.folder={toml_value(str(place))}"


def _run(recipe: str, profile: str | None, sets: Sequence[str]) -> Any:
    from kathrine.progress import open_progress
    from kathrine.recipe import load_recipe
    from kathrine.train.run import run
    from kathrine.workspace import Workspace

    workspace = Workspace.default()
    loaded = load_recipe(recipe, profile=profile, sets=sets, catalog=Catalog.load(), workspace=workspace)
    with open_progress() as progress:
        return run(loaded, workspace, progress)


def _print_summary(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("hook", "called", "seconds", "implemented by", title="hooks", title_justify="left")
    for row in rows:
        table.add_row(row["hook"], str(row["called"]), f"{row['seconds']:.3f}", ", ".join(row["by"]) or "nobody")
    Console(highlight=False, markup=False).print(table)
