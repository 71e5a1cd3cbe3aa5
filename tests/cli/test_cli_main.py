"""The command line: help without imports, sentences instead of tracebacks, exit codes."""

import subprocess
import sys

import click
import pytest
from plugin_makers import install

from kathrine import __version__
from kathrine.cli import main as command_line
from kathrine.errors import KathrineError

COMMANDS = ["run", "prepare", "check", "inspect", "text", "plugins", "schema"]


def call(*args, env=None):
    command = [sys.executable, "-m", "kathrine", *args]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=120)


def test_help_lists_every_command_with_its_line():
    result = call("--help")
    assert result.returncode == 0, result.stderr
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout
        assert command_line.COMMANDS[name].split()[0] in result.stdout


def test_the_static_help_covers_exactly_the_command_files():
    from pathlib import Path

    folder = Path(command_line.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "main"}
    assert files <= set(command_line.COMMANDS)


def test_version():
    assert call("--version").stdout == f"kathrine {__version__}\n"


def test_an_unknown_command_is_one_sentence_with_code_2():
    result = call("chek")
    assert result.returncode == 2
    assert result.stderr.startswith("kathrine: there is no command 'chek' (did you mean 'check'?)")
    assert "Traceback" not in result.stderr


def test_wrong_usage_is_code_2():
    result = call("check")
    assert result.returncode == 2 and "Missing argument" in result.stderr


def test_a_user_error_is_a_sentence_and_a_remedy():
    result = call("check", "no/such/recipe.toml")
    assert result.returncode == 2
    sentence, remedy = result.stderr.strip().split("\n")
    assert sentence == "kathrine: the recipe no/such/recipe.toml does not exist"
    assert "kathrine:curriculum" in remedy


@pytest.fixture
def probe(monkeypatch):
    """A command of the test's own, called through `run`."""

    def install_probe(function):
        monkeypatch.setitem(command_line.cli.commands, "probe", click.Command("probe", callback=function))
        return command_line.run(["probe"])

    monkeypatch.setattr(command_line.cli, "_asked", True)
    return install_probe


def test_interrupting_is_130(probe, capsys):
    def interrupted():
        raise KeyboardInterrupt

    assert probe(interrupted) == 130
    assert "interrupted" in capsys.readouterr().err


def test_exit_codes_pass_through(probe):
    assert probe(lambda: click.get_current_context().exit(7)) == 7
    assert probe(lambda: None) == 0
    assert probe(lambda: 3) == 3


def test_errors_of_ours_carry_their_own_code(probe, capsys):
    def failing():
        error = KathrineError("this went wrong", "do that")
        error.exit_code = 5
        raise error

    assert probe(failing) == 5
    assert capsys.readouterr().err == "kathrine: this went wrong\n  do that\n"


def test_other_errors_are_bugs_and_keep_their_traceback(probe):
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        probe(broken)


GOOD = """
import click, kathrine

@kathrine.hookimpl
def kathrine_commands(cli):
    @cli.command("hello")
    def hello():
        "Say hello."
        click.echo("hello from a plugin")
"""

THIEF = GOOD.replace('"hello"', '"run"')


def test_plugins_bring_commands(tmp_path, monkeypatch):
    import os

    install(tmp_path, "with-command", greeter=GOOD)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    result = call("hello", env=env)
    assert (result.returncode, result.stdout) == (0, "hello from a plugin\n")
    assert "Say hello." in call("--help", env=env).stdout


def test_a_taken_command_is_refused_and_the_plugin_named(tmp_path):
    import os

    install(tmp_path, "thief-dist", thief=THIEF)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    result = call("--help", env=env)
    assert result.returncode == 0
    assert "'thief' of thief-dist 1.0" in result.stderr and "the command 'run' is taken" in result.stderr
