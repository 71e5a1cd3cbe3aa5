"""The tutorial does what it says: every block is run, in order, and what it makes is the worked example."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from page_runner import ROOT, blocks, compare, environment, run_page

PAGE = ROOT / "docs" / "writing-a-plugin.md"
EXAMPLE = ROOT / "docs" / "examples" / "kathrine-danish"


@pytest.mark.slow
def test_every_block_of_the_tutorial_runs(tmp_path: Path) -> None:
    folder = tmp_path / "kathrine-danish"
    folder.mkdir()
    every = run_page(PAGE, folder, environment(tmp_path / "venv"))
    assert len(every) > 25 and {block.language for block in every} == {"python", "toml", "console", "text"}
    assert (folder / "runs/danish-smoke/export/adapter/language_tag.safetensors").is_file()
    # nothing of the package is missing that the page did not write or copy, but the recipe that it only names
    made = {path.name for path in (folder / "kathrine_danish").rglob("*") if path.is_file()}
    wanted = {
        path.name for path in (EXAMPLE / "kathrine_danish").rglob("*") if path.is_file() and "pycache" not in str(path)
    }
    assert wanted - made == {"common_voice.toml"}


def test_what_the_tutorial_shows_is_what_the_example_has() -> None:
    last = {block.file: block for block in blocks(PAGE) if block.file and not block.piece}
    shared = [name for name in last if (EXAMPLE / name).is_file()]
    assert {"kathrine_danish/__init__.py", "kathrine_danish/folder.py", "danish.toml"} <= set(shared)
    for name in shared:
        text = (EXAMPLE / name).read_text(encoding="utf-8")
        if name == "pyproject.toml":  # the example's has tests and tools besides
            assert is_part(tomllib.loads(last[name].text), tomllib.loads(text))
        else:
            assert last[name].text == text, f"{PAGE.name}:{last[name].line} differs from {name}"
    for block in blocks(PAGE):
        if block.piece:
            assert block.text in (EXAMPLE / block.file).read_text(encoding="utf-8"), f"{PAGE.name}:{block.line}"


def is_part(small: dict, large: dict) -> bool:
    return all(
        is_part(value, large[key]) if isinstance(value, dict) else large[key] == value for key, value in small.items()
    )


def test_the_tutorial_names_every_kind() -> None:
    from kathrine.catalog import KINDS

    text = PAGE.read_text(encoding="utf-8")
    for kind, (base, _, _) in KINDS.items():
        assert re.search(rf"^\| {kind} \| `kathrine\.{base.__name__}` \|", text, re.MULTILINE), kind


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("a\nb  \nc\n", "a\nb\nc", True),
        ("a\nb\nc\n", "a\n...", True),
        ("a\nb\nc\n", "...\nc", True),
        ("a\n", "a\n...", True),
        ("a\nb\n", "a", False),
        ("a\nx\n", "...\nb", False),
    ],
)
def test_output_is_compared(printed: str, shown: str, same: bool) -> None:
    if same:
        compare((1, printed), shown, "here")
    else:
        with pytest.raises(AssertionError, match="here"):
            compare((1, printed), shown, "here")


def test_a_command_without_shown_output_has_to_succeed() -> None:
    with pytest.raises(AssertionError, match="exit code 2"):
        compare((2, "something"), "", "here")
