"""The recipe's language says what test sentences sound like: the same rules as for the training texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toy_runs import train

from kathrine import GenericLanguage
from kathrine.corpus.text import spoken_text
from kathrine.testing import ToyFamily, toy_recipe
from kathrine.textrules import NotSpoken, Rule


class Counting(GenericLanguage):
    """Reads 7, and nothing else that is a digit."""

    name = "counting"

    def rules(self, variant: str) -> list[Rule]:
        def read(text: str) -> str:
            text = text.replace("7", "beg")
            if any(character.isdigit() for character in text):
                raise NotSpoken("digits")
            return text

        return [("read", read)]

    def test_sentences(self) -> tuple[str, ...]:
        return ("abc 7", "8 abc", "<ee> 7")


class Listening(ToyFamily):
    """Keeps what it is given to tokenise."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def open_text(self, workspace: Any) -> Callable[[str], tuple[int, ...]]:
        encode = super().open_text(workspace)

        def listen(text: str) -> tuple[int, ...]:
            self.heard.append(text)
            return encode(text)

        return listen


def spoken_by(folder: Path, sentences: list[str], language: GenericLanguage | None) -> tuple[list[str], list[str]]:
    """What the model was given to say, and what the report of the samples shows as written."""
    family = Listening()
    speak = {"count": 3, "sentences": sentences, "max_seconds": 1.0, "greedy": True}
    components = {} if language is None else {"language": language}
    train(toy_recipe(folder, train={"steps": 2}, speak=speak, model=family, components=components))
    told = json.loads((folder / "samples" / "samples.json").read_text(encoding="utf-8"))
    return family.heard, [sample["text"] for sample in told]


def test_sentences_of_the_language_go_through_its_rules(tmp_path: Path) -> None:
    heard, told = spoken_by(tmp_path / "run", [], Counting())
    assert heard == ["abc beg", "beg"]
    assert told == ["abc 7", "<ee> 7"]
    console = (tmp_path / "run" / "console.log").read_text(encoding="utf-8")
    assert "not spoken: '8 abc' can not be spoken: digits" in console


def test_sentences_of_the_recipe_do_too(tmp_path: Path) -> None:
    written = ["7  7", "abc"]
    heard, told = spoken_by(tmp_path / "run", written, Counting())
    assert heard == [spoken_text(one, "text", Counting()).text for one in written] == ["beg beg", "abc"]
    assert told == written


def test_without_a_language_they_are_cleaned_by_the_generic_one(tmp_path: Path) -> None:
    heard, _ = spoken_by(tmp_path / "run", ["<ee> abc\u00a0l", "abc \U0001f600"], None)
    assert heard == ["abc l"]
    assert "not in the alphabet" in (tmp_path / "run" / "console.log").read_text(encoding="utf-8")
