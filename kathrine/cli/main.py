"""The command group. It imports a command's module when the command is called, and nothing before that."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from kathrine.errors import KathrineError

COMMANDS = {
    "run": "Train, validate and export: everything a recipe says.",
    "prepare": "Fetch the data of a recipe and encode it; `run` does this by itself.",
    "data": "Show, find and play what was prepared: hours, reasons, utterances.",
    "speak": "Say texts with a run, a checkpoint, an adapter or a model, and measure what comes out.",
    "report": "Write the page of a run again: curves, samples, checks, scores, drift.",
    "compare": "Compare runs: a table, and a page with their curves and samples side by side.",
    "evaluate": "Measure a run or model on sentences it never heard: errors, voice, flags, with intervals.",
    "listen": "Write a blind listening page of two or three systems, or score its results.",
    "check": "Find every mistake in a recipe and print its plan; needs no weights.",
    "doctor": "Look at a machine before a long run: device, disk, memory, model, data, uploads.",
    "inspect": "Look into a model: parts, parameters, what a recipe trains, self-test.",
    "text": "Print how a language speaks a written text, and by which rules.",
    "plugins": "List what is installed; `plugins show NAME` prints options, `plugins new NAME` begins one.",
    "schema": "Write the JSON schema of recipes, for editors.",
}
"""Built-in commands and their one line of help. Each lives in `kathrine/cli/NAME.py` as `command`."""


class LazyGroup(click.Group):
    """Knows the built-in commands by name, and asks plugins for theirs only when no built-in one is meant."""

    _asked = False
    _owner = "kathrine"

    def list_commands(self, context: click.Context) -> list[str]:
        self._ask_plugins()
        return [*COMMANDS, *sorted(name for name in self.commands if name not in COMMANDS)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            if name not in self.commands:
                command = importlib.import_module(f"kathrine.cli.{name}").command
                self.commands[name] = command
            return self.commands[name]
        self._ask_plugins()
        return self.commands.get(name)

    def add_command(self, command: click.Command, name: str | None = None) -> None:
        called = name or command.name or ""
        if called in COMMANDS or called in self.commands:
            raise KathrineError(f"the command '{called}' is taken")
        super().add_command(command, name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        rows = list(COMMANDS.items())
        for name in self.list_commands(context):
            if name not in COMMANDS:
                rows.append((name, self.commands[name].get_short_help_str(limit=80)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if not name.startswith("-") and self.get_command(context, name) is None:
            from kathrine.suggest import did_you_mean, listing

            known = self.list_commands(context)
            guess = did_you_mean(name, known)
            raise KathrineError(f"there is no command '{name}'{guess}", f"commands: {listing(known)}")
        return super().resolve_command(context, args)

    def _ask_plugins(self) -> None:
        """Let every plugin add its commands; what one does wrong is said, and stops nothing."""
        if self._asked:
            return
        self._asked = True
        from kathrine.catalog import Catalog

        catalog = Catalog.load()
        for warning in catalog.warnings:
            click.echo(warning, err=True)
        for plugin in catalog.plugins:
            before = dict(self.commands)
            try:
                catalog.ask(plugin.name, "kathrine_commands", cli=self)
            except Exception as error:  # noqa: BLE001  a foreign hook may raise anything; `--help` has to work
                self.commands = before
                click.echo(f"the commands of plugin {plugin.origin} are left out: {error}", err=True)


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from kathrine import __version__

        click.echo(f"kathrine {__version__}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def cli() -> None:
    """Teach a speech model a new language: recipe in, adapted checkpoint out.

    Start with `kathrine run kathrine:curriculum --profile smoke`: the whole way on a tiny model, offline.
    """


def main(args: list[str] | None = None) -> None:
    """The entry point: a mistake of the user ends in one sentence and a remedy with code 2, Ctrl-C in 130."""
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        result: Any = cli.main(args=args, prog_name="kathrine", standalone_mode=False)
    except KathrineError as error:
        if os.environ.get("KATHRINE_TRACEBACK"):  # for those who write plugins
            traceback.print_exception(error)
        click.echo(f"kathrine: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone: nothing is wrong here
        sys.stderr.close()
        return 141
    return result if isinstance(result, int) and not isinstance(result, bool) else 0
