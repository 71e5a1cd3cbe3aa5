"""What `check_source` and `check_language` reject: components that are broken in one place, which they have to name."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rejecting import rejected

from kathrine import GenericLanguage, Options, SpokenText, Workspace
from kathrine.testing import ToySource, check_language, check_source


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


class RepeatsAnId(ToySource):
    def utterances(self, context: Any) -> Any:
        return [replace(one, id="the same") for one in super().utterances(context)]


class AnotherOrder(ToySource):
    asked = 0

    def utterances(self, context: Any) -> Any:
        self.asked += 1
        return list(super().utterances(context))[:: 1 if self.asked % 2 else -1]


class FetchesAgain(ToySource):
    def prepare(self, context: Any) -> None:
        (context.folder / "corpus.txt").write_text("all of it", encoding="utf-8")


class AsksTheNetwork(ToySource):
    def prepare(self, context: Any) -> None:
        import socket

        with suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=0.1)


class WithoutText(ToySource):
    def utterances(self, context: Any) -> Any:
        return [replace(one, texts={"digits": one.text}) for one in super().utterances(context)]


class TellsTooFew(ToySource):
    def variants(self) -> Any:
        return ("digits",)


class WholeInEveryPart(ToySource):
    splits = True


class Unequal(ToySource):
    """Counts what it left out from all walks together."""

    left = 0

    def utterances(self, context: Any) -> Any:
        self.left += 1
        return super().utterances(context)

    def left_out(self) -> Any:
        return {"broken": self.left}


BROKEN_SOURCES = {
    RepeatsAnId: "it repeats an id: the same",
    AnotherOrder: "it does not give the same utterances twice",
    FetchesAgain: "prepare fetches what is complete again: corpus.txt",
    AsksTheNetwork: "offline it asks for 127.0.0.1:9",
    WithoutText: "u0000 has no variant 'text'",
    TellsTooFew: "u0000 has text variants that it does not tell: text",
    WholeInEveryPart: "2 parts one after another have 24 utterances, the whole has 12",
    Unequal: "what it left out is counted differently twice",
}


@pytest.mark.parametrize("broken", BROKEN_SOURCES, ids=lambda one: one.__name__)
def test_a_source(broken: Any, place: Workspace) -> None:
    rejected(lambda: check_source(broken(), place), BROKEN_SOURCES[broken])


# --------------------------------------------------------------------------- languages


class Shouts(Options):
    loud: bool = False
    """Capitals."""


class BrokenLanguage(GenericLanguage):
    name = "broken"

    def test_sentences(self) -> tuple[str, ...]:
        return ("Hei på deg.",)


class ChangesTwice(BrokenLanguage):
    def normalise(self, text: str, variant: str = "text") -> SpokenText:
        return SpokenText(text + "!", ("more",))


class LeavesSignsOut(BrokenLanguage):
    def normalise(self, text: str, variant: str = "text") -> SpokenText:
        return super().normalise(text.replace("😀", ""), variant)


class ForgetsAnOption(BrokenLanguage):
    Options = Shouts  # type: ignore[assignment]

    def normalise(self, text: str, variant: str = "text") -> SpokenText:
        return SpokenText(text.upper() if self.options.loud else text, ("loud",), "" if is_text(text) else "no words")

    def rules_version(self) -> str:
        return "1"

    def tag(self) -> str:
        return "broken"


def is_text(text: str) -> bool:
    return bool(text.strip()) and all(letter.isalpha() or letter in " ." for letter in text)


class WritesNumbers(BrokenLanguage):
    def rules(self, variant: str) -> Any:
        return [("one", lambda text: text.replace("1", "en"))]

    def test_sentences(self) -> tuple[str, ...]:
        return ("Bare 1.",)


class CodeOfNothing(BrokenLanguage):
    def code(self) -> str:
        return "norsk"


BROKEN_LANGUAGES = {
    ChangesTwice: "twice changes more: 'Hei på deg.' gives 'Hei på deg.!'",
    LeavesSignsOut: "'😀' is left out without a word",
    ForgetsAnOption: "is spoken differently with another `loud`, under the same rules_version",
    WritesNumbers: "a test sentence is not written as it is spoken: 'Bare 1.' gives 'Bare en.'",
    CodeOfNothing: "'norsk' is no ISO 639 code",
}


@pytest.mark.parametrize("broken", BROKEN_LANGUAGES, ids=lambda one: one.__name__)
def test_a_language(broken: Any) -> None:
    rejected(lambda: check_language(broken()), BROKEN_LANGUAGES[broken])


def test_a_language_without_sentences_is_told() -> None:
    rejected(lambda: check_language(GenericLanguage()), "there are no test sentences")
    check_language(BrokenLanguage())
