"""Text to the labels of an acoustic model, by the model's own vocabulary."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kathrine.errors import KathrineError
from kathrine_librivox.segmentation.ctc import WILD


@dataclass(frozen=True, slots=True)
class Spelling:
    """A sentence in labels, int32 [L]. words: for each word the character of the sentence where it ends, its first
    label and the one after its last. scored: no part of it had to be left to any sound. lacking: letters that the
    vocabulary does not have."""

    labels_L: np.ndarray
    words: tuple[tuple[int, int, int], ...]
    scored: bool
    lacking: int


class Alphabet:
    """The vocabulary of a CTC model.

    Args:
        vocabulary: entry to id, as the tokenizer gives it. blank: the id of CTC's blank. separator: the entry
            between words, or None where the model has none.
    """

    def __init__(self, vocabulary: Mapping[str, int], blank: int, separator: str | None = "|") -> None:
        self.blank = blank
        self.separator = vocabulary.get(separator) if separator else None
        letters = {entry: number for entry, number in vocabulary.items() if len(entry) == 1 and entry.isalpha()}
        lower = sum(entry == entry.lower() for entry in letters)
        self.fold = str.lower if 2 * lower >= len(letters) else str.upper
        self.ids = {entry: number for entry, number in vocabulary.items() if len(entry) == 1 and entry != separator}
        if len(letters) < 10:
            raise KathrineError(
                f"the model's vocabulary has {len(letters)} single letters",
                "aligning needs a CTC model that writes letters, such as NbAiLab/nb-wav2vec2-300m-bokmaal",
            )

    def spell(self, text: str) -> Spelling:
        """The labels of a sentence.

        Letters that the vocabulary lacks lose their accent, or are left out and counted. A word with digits is left
        to any sound (`WILD`), and the sentence is not scored: nobody says here how the number is read.
        """
        labels: list[int] = []
        words: list[tuple[int, int, int]] = []
        scored, lacking = True, 0
        for begin, end in word_places(text):
            word = text[begin:end]
            if any(character.isnumeric() for character in word):
                found, scored = [WILD], False
            else:
                found, missing = self._letters(word)
                lacking += missing
            if not found:
                continue
            if labels and self.separator is not None:
                labels.append(self.separator)
            words.append((end, len(labels), len(labels) + len(found)))
            labels += found
        return Spelling(np.asarray(labels, dtype=np.int32), tuple(words), scored, lacking)

    def _letters(self, word: str) -> tuple[list[int], int]:
        """Ids of a word's letters, and how many letters have none."""
        found, missing = [], 0
        for character in self.fold(unicodedata.normalize("NFC", word)):
            for form in (character, unicodedata.normalize("NFD", character)[0]):
                if form in self.ids:
                    found.append(self.ids[form])
                    break
            else:
                missing += character.isalpha()
        return found, missing


def word_places(text: str) -> list[tuple[int, int]]:
    """Where each word begins and ends: letters and digits, and the apostrophes, points and commas inside them."""
    places: list[tuple[int, int]] = []
    begin = None
    for position, character in enumerate([*text, " "]):
        inner = character.isalnum() or unicodedata.combining(character)
        if inner:
            begin = position if begin is None else begin
        elif begin is not None:
            following = text[position + 1 : position + 2]
            joins = character in "'’" or (character in ".,:" and text[position - 1].isdigit() and following.isdigit())
            if joins and following.isalnum():
                continue
            places.append((begin, position))
            begin = None
    return places
