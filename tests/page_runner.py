"""Runs what a page of the documentation shows, in order, in a folder of its own.

Blocks of a page, by language and first line:

- python or toml that begins with `# PATH`: the file PATH, without that line.
- python that begins with `# from PATH`: a piece of a file of the worked example, for reading.
- other python: run as a program; a `text` block right after it is what it prints.
- console: `$ command` lines, run by bash, each followed by what it prints where the page shows that. A line `...`
  stands for any lines, `...` in a line for any text.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"# (from )?([\w./-]+\.(?:py|toml))\n+")


@dataclass(frozen=True)
class Block:
    """A fenced block. line: where it begins in the page. file: what it is, or is a piece of, else empty."""

    language: str
    text: str
    line: int
    file: str = ""
    piece: bool = False


def blocks(page: Path, language: str = "") -> list[Block]:
    """Every fenced block of a page that has a language, or those of one language."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        kind, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        named = NAMED.match(body) if kind in ("python", "toml") else None
        if named:
            found.append(Block(kind, body[named.end() :], line, named[2], bool(named[1])))
        else:
            found.append(Block(kind, body, line))
    return [block for block in found if language in ("", block.language)]


def environment(folder: Path) -> dict[str, str]:
    """A virtual environment in which packages can be installed, with this checkout and what it depends on.

    Returns: the variables of a shell that uses it: `pip`, `python`, `kathrine` and `pytest` are its own. Nothing is
    fetched: pip builds with what is at hand.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    site = next((folder / "lib").glob("python3*/site-packages"))
    below = [one for one in sys.path if one.endswith("site-packages")]
    (site / "checkout.pth").write_text("\n".join([str(ROOT), str(ROOT / "plugins"), *below]), encoding="utf-8")
    python = f'exec "{folder}/bin/python" -m'
    programs = {
        "pip": f'{python} pip --disable-pip-version-check "$1" --quiet --no-deps --no-build-isolation "${{@:2}}"',
        "kathrine": f'{python} kathrine "$@"',
        "pytest": f'{python} pytest -p no:cacheprovider "$@"',
    }
    for name, line in programs.items():
        path = folder / "bin" / name
        path.write_text(f"#!/usr/bin/env bash\n{line}\n", encoding="utf-8")
        path.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    more = {"PATH": f"{folder}/bin:{kept['PATH']}", "PIP_NO_INDEX": "1", "COLUMNS": "80", "NO_COLOR": "1"}
    return {**kept, **more, "PYTHONDONTWRITEBYTECODE": "1", "EXAMPLE": str(ROOT / "docs/examples/kathrine-danish")}


def run_page(page: Path, folder: Path, variables: dict[str, str]) -> list[Block]:
    """Write and run every block of a page in `folder`; returns the blocks. Raises: AssertionError with the place."""
    every = blocks(page)
    for number, block in enumerate(every):
        place = f"{page.name}:{block.line}"
        if block.piece:
            continue
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            after = every[number + 1] if number + 1 < len(every) else None
            wanted = after.text if after and after.language == "text" else ""
            python = str(Path(variables["PATH"].split(os.pathsep)[0], "python"))
            compare(call([python, "-c", block.text], folder, variables), wanted, place)
        elif block.language == "console":
            for command, wanted in commands(block.text):
                compare(call(["bash", "-c", command], folder, variables), wanted, f"{place}: $ {command}")
    return every


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what the page says that it prints."""
    found = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not found[0], f"a console block begins with a command: {text!r}"
    return [(one.partition("\n")[0], one.partition("\n")[2]) for one in found[1:]]


def call(command: list[str], folder: Path, variables: dict[str, str]) -> tuple[int, str]:
    """The exit code of a command, and what it prints, errors in between."""
    done = subprocess.run(
        command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def compare(done: tuple[int, str], wanted: str, place: str) -> None:
    """What was printed is what the page shows, spaces at ends of lines aside; where it shows nothing, all went well."""
    code, printed = done
    said = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    if not wanted.strip():
        assert code == 0, f"{place}\nexit code {code}\n{said}"
        return
    pattern = ""
    for line in wanted.strip().splitlines():
        # any lines, each with its end; a line is matched with the break in front of it, so the first gets one too
        pattern += r"(?:\n.*)*?" if line.strip() == "..." else r"\n" + re.escape(line.rstrip()).replace(r"\.\.\.", ".*")
    said = f"\n{said}"
    assert re.fullmatch(pattern, said), f"{place}\nshown:\n{wanted}\nprinted:\n{said}"
