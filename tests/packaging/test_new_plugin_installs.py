"""A package that `kathrine plugins new` wrote installs, is found and passes its own tests in a fresh environment:
beside kathrine's wheel, and beside an editable install of it.

A fresh environment costs no download: it sees the packages that are installed here behind its own, by a `.pth` file.
Editable installs that are here are not seen through it, so kathrine is what was installed into it.
"""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kathrine.cli.new_plugin import MODULES, Names

ROOT = Path(__file__).resolve().parents[2]
NAMES = Names("danish")


@dataclass(frozen=True)
class Venv:
    """A fresh environment. folder: a place of its own for work."""

    folder: Path

    @property
    def programs(self) -> Path:
        return self.folder / "venv" / "bin"

    def call(self, *command: str, place: str = ".") -> str:
        """Run one of its programs; returns what it printed, fails the test where the program fails."""
        kept = {"PATH", "LANG", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TMPDIR", "HF_ENDPOINT", "TOKENIZERS_PARALLELISM"}
        environment = {name: value for name, value in os.environ.items() if name in kept}
        environment |= {"HOME": str(self.folder), "COLUMNS": "250"}
        environment |= {"KATHRINE_WORKSPACE": str(self.folder / "workspace")}
        program = str(self.programs / command[0])
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.folder / place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, *what: str) -> None:
        """With the pip of this environment, into that one, from files alone."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.programs / "python"), "--disable-pip-version-check"]
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed"]
        done = subprocess.run([*pip, "install", *options, *what], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def fresh(folder: Path) -> Venv:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
    packages = dict.fromkeys([*site.getsitepackages(), *(one for one in sys.path if one.endswith("site-packages"))])
    (own / "here.pth").write_text("\n".join(packages) + "\n", encoding="utf-8")
    return Venv(folder)


def new_plugin(venv: Venv) -> Path:
    """A package with a component of every kind, written by the kathrine of that environment."""
    told = venv.call("kathrine", "plugins", "new", NAMES.plugin, "--kind", "all")
    assert f"kathrine run {NAMES.plugin}:{NAMES.plugin} --profile smoke" in told
    return venv.folder / NAMES.distribution


def check_it_is_found(venv: Venv, kathrine_at: Path) -> None:
    where = venv.call(
        "python", "-c", "import kathrine, kathrine_danish as d; print(kathrine.__file__); print(d.__file__)"
    )
    kathrine, plugin = map(Path, where.split())
    assert kathrine.is_relative_to(kathrine_at) and plugin.is_relative_to(venv.folder)
    listing = json.loads(venv.call("kathrine", "plugins", "--json"))
    assert listing["failures"] == [] and listing["clashes"] == []
    (danish,) = [one for one in listing["plugins"] if one["name"] == "danish"]
    assert (danish["distribution"], danish["version"], danish["recipes"]) == ("kathrine-danish", "0.1.0", ["danish"])
    assert {one["kind"] for one in danish["components"]} == set(MODULES)
    table = venv.call("kathrine", "plugins")
    assert "danish" in table and "kathrine-danish" in table
    assert venv.call("kathrine", "check", "danish:danish", "--profile", "smoke").startswith(
        "danish-smoke: model danish"
    )


@pytest.mark.slow
def test_with_the_wheel_of_kathrine(built: Path, tmp_path: Path) -> None:
    venv = fresh(tmp_path)
    venv.install(str(next(built.glob("*.whl"))))
    package = new_plugin(venv)
    venv.install(str(package))
    shutil.move(package / "tests", tmp_path / "tests")
    shutil.rmtree(package)  # what is tested is what was installed
    check_it_is_found(venv, tmp_path / "venv")
    assert "passed" in venv.call("python", "-m", "pytest", "--rootdir", str(tmp_path), "tests")
    venv.call("kathrine", "run", "danish:danish", "--profile", "smoke", "--folder", "run", "--set", "prepare.workers=1")
    assert (tmp_path / "run" / "export" / "danish" / "trained.csv").is_file()
    assert (tmp_path / "run" / "steps.csv").is_file()


@pytest.mark.slow
def test_with_an_editable_install_of_kathrine(tmp_path: Path) -> None:
    venv = fresh(tmp_path)
    venv.install("--editable", str(ROOT))
    venv.install("--editable", str(new_plugin(venv)))
    check_it_is_found(venv, ROOT / "kathrine")
    assert "passed" in venv.call("python", "-m", "pytest", place=NAMES.distribution)
