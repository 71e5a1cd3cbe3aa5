"""The worked external plugin is a distribution: built and installed without network, it passes its own tests there."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from page_runner import ROOT, blocks, commands, environment

EXAMPLE = ROOT / "docs" / "examples" / "kathrine-danish"


@pytest.mark.slow
def test_it_installs_from_its_wheel_and_passes_its_tests(tmp_path: Path) -> None:
    """Its tests include the smoke run of its recipe. Where they run there is no package beside them, so that it is the
    installed one that they try."""
    variables = environment(tmp_path / "venv")
    before = sorted(path.name for path in EXAMPLE.iterdir())

    def call(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call("pip", "install", str(EXAMPLE))
    assert sorted(path.name for path in EXAMPLE.iterdir()) == before, "the build leaves something behind"
    for name in ("danish.toml", "make_recordings.py", "tests"):
        copy = shutil.copytree if (EXAMPLE / name).is_dir() else shutil.copy
        copy(EXAMPLE / name, tmp_path / name)
    where = call("python", "-c", "import kathrine_danish; print(kathrine_danish.__file__)")
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")
    listing = json.loads(call("kathrine", "plugins", "--json"))
    (found,) = [plugin for plugin in listing["plugins"] if plugin["distribution"] == "kathrine-danish"]
    assert {one["name"] for one in found["components"]} == {"danish", "danish_folder"}
    assert found["recipes"] == ["base", "common_voice"]
    assert listing["failures"] == listing["clashes"] == []
    assert "language danish" in call("kathrine", "check", "danish:common_voice", "--profile", "smoke")
    for block in blocks(EXAMPLE / "README.md", "console"):
        for line, shown in commands(block.text):
            assert call("bash", "-c", line) == shown
    passed = call("pytest", "-q", "tests")
    assert " passed" in passed and "skipped" not in passed
