"""How a tokenizer cuts a language, and which rows of the text embedding its corpus touches. No torch.

A word is a run of letters (with apostrophes and hyphens inside). Tokens per word divides all tokens, those of spaces
and punctuation too, by words: that is what a sentence costs. A letter falls apart where its bytes are in several
tokens; a word is cut into single letters where it has two letters or more and no token holds two of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

WORD = re.compile(r"[^\W\d_](?:['’-]?[^\W\d_])*")
RARE = 10
"""A row that is touched fewer times than this learns little from the corpus."""

Tokens = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter of more than one byte. fell_apart: how often its bytes lay in several tokens."""

    letter: str
    count: int
    fell_apart: int
    share: float


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the text embedding. table: how many there are; touched: those that occur; rare: of these, fewer than
    `rare_below` times."""

    table: int | None
    touched: int
    share: float | None
    rare: int
    rare_below: int


@dataclass(frozen=True, slots=True)
class TextCut:
    """One language. Numbers that need to know what a token stands for are None where the family can not tell: whole,
    single_letters (shares of words) and letters."""

    name: str
    texts: int
    words: int
    letters_per_word: float
    tokens: int
    tokens_per_word: float
    tokens_per_letter: float
    whole: float | None
    single_letters: float | None
    letters: tuple[Letter, ...] | None
    rows: Rows


@dataclass
class Counted:
    """What was counted of some texts so far."""

    texts: int = 0
    words: int = 0
    word_letters: int = 0
    whole: int = 0
    long_words: int = 0
    single_letters: int = 0
    ids: Counter[int] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    fell_apart: Counter[str] = field(default_factory=Counter)


def cut_text(
    name: str,
    texts: Iterable[str],
    ids_of: Callable[[str], tuple[int, ...]],
    tokens_of: Callable[[str], Tokens] | None = None,
    table: int | None = None,
    rare_below: int = RARE,
) -> tuple[TextCut, Counter[int]]:
    """Count. Given: spoken texts; functions from a text to its ids, and to ids with their bytes; rows of the table.

    Returns: what was found, and how often each row is touched.
    """
    counted = Counted()
    for text in texts:
        counted.texts += 1
        if tokens_of is None:
            ids, words = ids_of(text), WORD.findall(text)
            counted.words += len(words)
            counted.word_letters += sum(map(letters_in, words))
        else:
            tokens = tokens_of(text)
            ids = tuple(number for number, _ in tokens)
            _count_cuts(counted, tokens)
        counted.ids.update(ids)
    return _told(name, counted, tokens_of is not None, table, rare_below), counted.ids


def letters_in(word: str) -> int:
    return sum(map(str.isalpha, word))


def _count_cuts(counted: Counted, tokens: Tokens) -> None:
    """Words and letters of one text against the borders of its tokens."""
    joined = b"".join(piece for _, piece in tokens)
    text = joined.decode("utf-8")
    token_at = [place for place, (_, piece) in enumerate(tokens) for _ in piece]  # by byte
    first_byte = [0]
    for letter in text:
        first_byte.append(first_byte[-1] + len(letter.encode()))
    for place, letter in enumerate(text):
        if letter.isalpha() and first_byte[place + 1] - first_byte[place] > 1:
            counted.letters[letter.lower()] += 1
            counted.fell_apart[letter.lower()] += token_at[first_byte[place]] != token_at[first_byte[place + 1] - 1]
    for match in WORD.finditer(text):
        counted.words += 1
        letters = [place for place in range(*match.span()) if text[place].isalpha()]
        counted.word_letters += len(letters)
        owners = token_at[first_byte[match.start()] : first_byte[match.end()]]
        counted.whole += owners[0] == owners[-1]
        if len(letters) > 1:
            counted.long_words += 1
            ends = [(token_at[first_byte[place]], token_at[first_byte[place + 1] - 1]) for place in letters]
            held = Counter(first for first, last in ends if first == last)
            counted.single_letters += max(held.values(), default=0) < 2


def _told(name: str, counted: Counted, known: bool, table: int | None, rare_below: int) -> TextCut:
    tokens = counted.ids.total()
    letters = tuple(
        Letter(letter, count, counted.fell_apart[letter], counted.fell_apart[letter] / count)
        for letter, count in sorted(counted.letters.items(), key=lambda item: (-item[1], item[0]))
    )
    touched = len(counted.ids)
    rows = Rows(
        table=table,
        touched=touched,
        share=touched / table if table else None,
        rare=sum(count < rare_below for count in counted.ids.values()),
        rare_below=rare_below,
    )
    return TextCut(
        name=name,
        texts=counted.texts,
        words=counted.words,
        letters_per_word=_share(counted.word_letters, counted.words),
        tokens=tokens,
        tokens_per_word=_share(tokens, counted.words),
        tokens_per_letter=_share(tokens, counted.word_letters),
        whole=_share(counted.whole, counted.words) if known else None,
        single_letters=_share(counted.single_letters, counted.long_words) if known else None,
        letters=letters if known else None,
        rows=rows,
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class TextReport:
    """Both languages side by side. only_target and only_known: rows that this language touches and the other does
    not."""

    model: str
    target: TextCut
    known: TextCut
    only_target: int
    only_known: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
