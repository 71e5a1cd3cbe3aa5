"""Rule family 0 to 2: signs in their plain form, dashes as pauses, and what is refused from the start."""

from __future__ import annotations

import re

from kathrine.textrules import NotSpoken
from kathrine_norwegian.ranges import SPORT
from kathrine_norwegian.style import Style
from kathrine_norwegian.unit_table import ALIASES, CURRENCIES, UNITS
from kathrine_norwegian.words import MONTHS

SIGNS = str.maketrans(
    {
        **dict.fromkeys("«»“”„‟″", '"'),
        **dict.fromkeys("’‘‚‛´`‹›′", "'"),
        **dict.fromkeys("‐‑", "-"),
        **dict.fromkeys("—―−‒", "–"),
        **{small: str(value) for value, small in enumerate("₀₁₂₃₄₅₆₇₈₉")},
        "…": "...",
        "∕": "/",
        "⁄": "/",
        "ß": "ss",
        "µ": "μ",
    }
)
"""Quotes, apostrophes, hyphens, dashes, minus and subscripts in one form each."""
UNUSUAL = re.compile("[" + re.escape("".join(map(chr, SIGNS))) + "]")
JOINED = re.compile(r"(?<=[^\W_])_+(?=[^\W_])")
HYPHEN_AS_DASH = re.compile(r"(?<!\S)--?(?!\S)|(?<=\s)-{2,}|-{2,}(?=\s)|(?<=\w)--+(?=\w)")
# Not between digits, not before one (minus), not in `100,–` and not in `10.–12. mai`.
DASH = re.compile(r"\s*–(?!\d)\s*|(?<=[^\s\d.(,])–(?=\d)")
ROMAN_RANGE = re.compile(r"(?<=[IVXLC])–(?=[IVXLC]+\b)")
# 5 – 3 av dem: nothing ranges downwards, but times and scores do
ASIDE = re.compile(r"(?<![\w.,:/–-])(?<!kl )(?<!kl\. )(?<!klokka )(?<!klokken )(\d{1,3}) – (\d{1,3})(?= [a-zæøå])")
BETWEEN_DIGITS = re.compile(r"(?<=\d)\s+[–-]\s+(?=\d)")
# 5%-10%, 5 km – 10 km: the same unit on both sides
_UNIT = "|".join(re.escape(name) for name in sorted((*UNITS, *CURRENCIES, *ALIASES), key=len, reverse=True))
UNIT_RANGE = re.compile(rf"(?<=\d)( ?({_UNIT})(/\w+)?) ?[–-] ?(?=\d[\d .,]*(?<! ) ?\2(?(3)\3)(?![\w²³/]))")
MONTH_RANGE = re.compile(rf"\b({'|'.join(MONTHS)}) ?[–-] ?(?=\d)", re.IGNORECASE)
ADDRESS = re.compile(
    r"(?:https?|ftp)://\S+|\bwww\.\S+|\S+@\w[\w-]*\.\w+"
    r"|(?<![\w.])(?:[a-z0-9æøå][\w-]*\.)+(?:no|com|org|net|se|dk|eu|io|info|uk|de|gov|edu)(?![\w]|\.\w)(?:/\S*)?"
)


def signs(text: str, style: Style) -> str:
    """Each sign in one form: « » to ", ’ to ', … to ..., every dash to –, H₂O to H2O."""
    return text.translate(SIGNS) if UNUSUAL.search(text) else text


def underscores(text: str, style: Style) -> str:
    """`i_dag` is two words."""
    return JOINED.sub(" ", text) if "_" in text else text


def dashes(text: str, style: Style) -> str:
    """A dash between digits stays for the number rules; any other is a pause: a comma, or nothing beside a mark."""
    if "-" in text or "–" in text:
        text = MONTH_RANGE.sub(r"\1 til ", text)
        text = ASIDE.sub(_aside, text)
        text = UNIT_RANGE.sub(r"\1 til ", text)
        text = BETWEEN_DIGITS.sub("–", HYPHEN_AS_DASH.sub("–", text) if "-" in text else text)
    if "–" not in text:
        return text

    def pause(found: re.Match[str]) -> str:
        before, after = found.string[: found.start()].rstrip(), found.string[found.end() :].lstrip()
        if before.endswith(",") and before[-2:-1].isdigit() and not found[0].startswith(" "):
            return found[0]  # 100,–
        if not before or not after or before[-1] in '.,;:!?("' or after[0] in ".,;:!?)":
            return "," if before and not after and before[-1].isalnum() else " "
        return ", "

    return DASH.sub(pause, ROMAN_RANGE.sub("-", text))


def _aside(found: re.Match[str]) -> str:
    pause = int(found[1]) > int(found[2]) and not SPORT.search(found.string)
    return f"{found[1]}, {found[2]}" if pause else found[0]


def refuse_addresses(text: str, style: Style) -> str:
    """The text; NotSpoken where it has a web or mail address."""
    if ("." in text or "://" in text) and (found := ADDRESS.search(text)):
        raise NotSpoken(f"an address can not be read aloud: {found[0]}")
    return text
