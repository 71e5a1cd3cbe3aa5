"""`kathrine plugins new`: what it writes, what it refuses, and that every kind alone works."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from new_plugins import call_tests, imported, written

from kathrine import Workspace
from kathrine.cli.main import run
from kathrine.cli.new_plugin import BROUGHT, DEFAULT_KINDS, MODULES, Names, kinds_of, names_of, next_commands
from kathrine.kinds import KINDS
from kathrine.testing import registered, run_recipe

ROOT = Path(__file__).resolve().parents[2]


def test_there_is_a_template_for_every_kind() -> None:
    assert set(MODULES) == set(BROUGHT) == set(KINDS)
    assert {kind: hook for kind, (_, hook) in MODULES.items()} == {kind: hook for kind, (_, _, hook) in KINDS.items()}


@pytest.mark.parametrize("typed", ["my_radio", "my-radio", "kathrine-my-radio", "kathrine_my_radio"])
def test_one_name_gives_all_names(typed: str) -> None:
    names = names_of(typed)
    assert (names.plugin, names.package) == ("my_radio", "kathrine_my_radio")
    assert (names.distribution, names.prefix) == ("kathrine-my-radio", "MyRadio")


def test_kinds_come_in_their_own_order_and_wrong_ones_are_named() -> None:
    assert kinds_of(()) == (list(DEFAULT_KINDS), [])
    assert kinds_of(("loss,source", "loss")) == (["source", "loss"], [])
    assert kinds_of(("all",)) == (list(MODULES), [])
    (sentence,) = kinds_of(("los,source",))[1]
    assert "there is no kind 'los' (did you mean 'loss'?); kinds: source, language" in sentence


def test_what_it_wrote_and_the_next_commands_are_printed(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["plugins", "new", "my-radio", "--kind", "source,tracker"]) == 0
    told = capsys.readouterr().out
    folder = tmp_path / "kathrine-my-radio"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    shown = {name for name in files if "samples" not in name}
    assert all(f"  {name}\n" in told for name in shown)
    assert f"({len(files) - len(shown)} files: recordings to try it on" in told
    assert {
        "pyproject.toml",
        "README.md",
        ".gitignore",
        "kathrine_my_radio/tracker.py",
        "tests/test_source.py",
    } <= shown
    assert not {"LICENSE", "kathrine_my_radio/loss.py"} & files
    after = [line.strip() for line in told.split("next:\n")[1].splitlines()]
    assert after == next_commands(Names("my_radio"), Path("kathrine-my-radio"))
    assert after[0].endswith("-m pip install --editable kathrine-my-radio")
    assert after[1].endswith("-m pytest kathrine-my-radio")
    assert after[2].endswith(" run my_radio:my_radio --profile smoke")


def test_no_placeholder_stays(tmp_path) -> None:
    folder = written("my_radio", list(MODULES), tmp_path)
    for path in folder.rglob("*"):
        assert "newname" not in path.name
        if path.is_file() and path.suffix != ".mp3":
            text = path.read_text(encoding="utf-8")
            left = [
                word for word in ("newname", "NewName", "WEIGHTS", "COMPONENTS", "SAMPLES\n", "VERSION") if word in text
            ]
            assert not left, f"{path}: {left}"
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "kathrine-my-radio" and "license" not in project
    assert project["entry-points"] == {"kathrine": {"my_radio": "kathrine_my_radio"}}
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"{line.replace('newname', 'my_radio')}\n" in readme for line in BROUGHT.values())
    assert "choose a licence" in readme


def test_everything_that_stands_against_it_is_said_at_once(tmp_path, capsys) -> None:
    (tmp_path / "mine").mkdir()
    command = ["plugins", "new", "lora", "--kind", "strategie,strategy", "--folder", str(tmp_path / "mine")]
    assert run(command) == 2
    told = capsys.readouterr().err
    assert "kathrine plugins new lora: nothing was written" in told
    assert "there is no kind 'strategie' (did you mean 'strategy'?)" in told
    assert "the plugin name 'lora' is taken by kathrine " in told
    assert "there is a strategy 'lora' already, of plugin 'lora' of kathrine" in told
    assert "mine exists already: name another place with --folder" in told
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"] and not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("My.Radio", "'My.Radio' is no name of a plugin: lower-case letters, digits and _, a letter first"),
        ("3radio", "'3radio' is no name of a plugin"),
        ("kathrine-", "'' is no name of a plugin"),
        ("class", "'class' is a word of its own in Python"),
        ("kathrine", "'kathrine' is a word of its own in recipes"),
        ("radio_", "'radio_' is no name of a package: single _ between words"),
    ],
)
def test_names_that_are_none(name: str, sentence: str, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["plugins", "new", "--", name]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_names_that_are_taken_elsewhere(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KATHRINE_DISABLE", "freeze")
    assert run(["plugins", "new", "freeze"]) == 2
    assert "is taken by one that KATHRINE_DISABLE leaves out" in capsys.readouterr().err
    assert run(["plugins", "new", "signal", "--kind", "metric", "--folder", "no/such/place"]) == 2
    told = capsys.readouterr().err
    assert "there is a metric 'signal' already" in told and "no/such is no folder" in told


def test_nothing_is_left_where_the_disk_is_full(tmp_path, monkeypatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kathrine.cli.new_plugin.shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        written("my_radio", ["source"], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODULES)
def test_each_kind_alone_passes_its_own_tests(kind: str, tmp_path) -> None:
    """Without installing it: its conformance check, and its recipe with and without the smoke profile."""
    folder = written(f"only_{kind}", [kind], tmp_path)
    with imported(folder) as package, registered(package) as catalog:
        (plugin,) = [one for one in catalog.plugins if one.name == package.__name__]
        assert plugin.components == ((kind, f"only_{kind}"),)
        files = sorted((folder / "tests").glob("test_*.py"))
        assert [path.name for path in files] == sorted([f"test_{kind}.py", "test_recipe.py"])
        assert all(call_tests(path, tmp_path) for path in files)


QUICK = ["prepare.workers=1", "speak.count=0", "export.adapter.enabled=false", "validation.text_gain_utterances=0"]


@pytest.mark.slow
def test_a_recipe_of_all_but_the_model_runs_on_the_tiny_model(tmp_path) -> None:
    """`--profile smoke`, as the README says, but short and without speech: the components of the plugin in a run."""
    kinds = [kind for kind in MODULES if kind != "model"]
    folder = written("whole", kinds, tmp_path)
    recipes = folder / "kathrine_whole" / "recipes"
    with imported(folder) as package, registered(package) as catalog:
        done = run_recipe(
            f'extends = "{recipes / "whole.toml"}"\n',
            profile="smoke",
            sets=["curriculum.whole.epochs=0.5", "curriculum.whole.even_epochs=0.5", *QUICK],
            catalog=catalog,
            workspace=Workspace.default(),
        )
    assert done.outcome.status == "finished"
    assert {line["stage"] for line in done.metrics} == {"even", "by_size"}
    assert all(loss > 0 for loss in done.losses("loss.whole"))
    assert (done.folder / "steps.csv").read_text(encoding="utf-8").count("\n") == done.outcome.step + 1
    table = (done.exports["whole"] / "trained.csv").read_text(encoding="utf-8")
    assert "whole,talker.model.norm.weight" in table and "lora," in table


@pytest.mark.parametrize("name", ["danish", "northern_sami_radio"])
def test_what_it_writes_is_lint_clean(name: str, tmp_path) -> None:
    """For ruff with its defaults, with the package's own settings and with kathrine's; formatted for the first name."""
    folder = written(name, list(MODULES), tmp_path)
    ruff = [sys.executable, "-m", "ruff"]
    commands = [
        [*ruff, "check", *more, "."] for more in ([], ["--isolated"], ["--config", str(ROOT / "pyproject.toml")])
    ]
    if name == "danish":
        commands.append([*ruff, "format", "--check", "."])
    for command in commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


MYPY = """
[mypy]
ignore_missing_imports = true
check_untyped_defs = true
warn_unused_ignores = true
# What the templates only pass on; with them it takes half a minute.
[mypy-torch.*,numpy.*,transformers.*,pydantic.*,pytest.*,_pytest.*,rich.*,click.*,huggingface_hub.*]
follow_imports = skip
"""


@pytest.mark.slow
def test_what_it_writes_is_clean_for_mypy(tmp_path) -> None:
    folder = written("danish", list(MODULES), tmp_path)
    (tmp_path / "mypy.ini").write_text(MYPY, encoding="utf-8")
    options = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "kathrine_danish", "tests"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues found" in done.stdout
