"""Wheel, sdist and editable install all carry plugins, recipes and sample data."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_installed_entry_points_are_those_of_the_project_file() -> None:
    """An editable install does not see a new entry point until it is made again."""
    installed = {one.name: one.value for one in entry_points(group="kathrine") if one.dist.name == "kathrine"}
    assert installed == project()["entry-points"]["kathrine"], "run `make install` again"


def test_nothing_but_packages_lies_in_plugins() -> None:
    entries = [one for one in (ROOT / "plugins").iterdir() if one.name != "__pycache__"]
    assert entries
    for entry in entries:
        assert (entry / "__init__.py").is_file(), f"{entry.name} is no import package"
        assert (entry / "README.md").is_file(), f"{entry.name} has no README.md"


def test_tests_is_no_package() -> None:
    assert not (ROOT / "tests" / "__init__.py").exists()


def wanted() -> list[str]:
    packages = [f"{name}/__init__.py" for name in project()["entry-points"]["kathrine"].values()]
    recipes = ["base.toml", "baseline.toml", "curriculum.toml", "librivox_only.toml"]
    samples = ["samples/npsc/README.md", "samples/nb-librivox/metadata.csv"]
    sets = ["kathrine/speech/sentence_sets/german.txt", "kathrine_norwegian/data/evaluation_nb.txt"]
    return packages + sets + [f"kathrine/recipes/{name}" for name in recipes + samples]


@pytest.mark.slow
def test_wheel_carries_plugins_recipes_and_samples_and_runs_elsewhere(built: Path, tmp_path: Path) -> None:
    wheel = next(built.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert [name for name in wanted() if name not in names] == []
        assert not [name for name in names if name.startswith(("tests/", "docs/"))]
        archive.extractall(tmp_path / "site")
    code = (
        "import kathrine, sys; from kathrine.cli.main import main; "
        "assert 'site' in kathrine.__file__, kathrine.__file__; "
        "main(['check', 'kathrine:curriculum', '--profile', 'smoke'])"
    )
    # -S and a bare path keep this checkout's editable install out; the dependencies' folder is put back behind
    # the unpacked wheel, which brings its own entry points.
    dependencies = [one for one in sys.path if one.endswith("site-packages")]
    paths = [str(tmp_path / "site"), *dependencies]
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {paths!r}; {code}"],
        cwd=tmp_path,
        env={"KATHRINE_WORKSPACE": str(tmp_path / "workspace"), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_sdist_carries_everything_that_a_wheel_is_built_from(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    for name in project()["entry-points"]["kathrine"].values():
        assert f"plugins/{name}/__init__.py" in names
    for name in ("recipes/curriculum.toml", "recipes/samples/npsc/README.md", "LICENSE", "constraints.txt"):
        assert name in names


@pytest.mark.slow
def test_editable_install_runs_from_another_directory(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kathrine", "check", "kathrine:curriculum", "--profile", "smoke"]
    environment = {"KATHRINE_WORKSPACE": str(tmp_path / "workspace"), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
