"""Rule 12: every other number, and compounds that begin with one (17-åring, 50-tallet)."""

from __future__ import annotations

import re

from kathrine_norwegian.nouns import gender_after
from kathrine_norwegian.numbers import WHOLE, bare, read_value
from kathrine_norwegian.style import Style
from kathrine_norwegian.words import joined, plain

FREE = r"(?=\d)(?<![\w./:])(?<!\d,)(?<![^\W\d]-)"
NUMBER = re.compile(rf"{FREE}({WHOLE}(?:,\d+)?)(?![\w/²³]|[,.:]\d|-\w)")
DOTTED = re.compile(rf"{FREE}\d+(?:\.\d+)+(?![\w/:]|-\w)")
COMPOUND = re.compile(rf"{FREE}({WHOLE}(?:,\d+)?)-([a-zæøå]+)")
NAME_BEFORE = re.compile(r"[A-ZÆØÅ]\w* $")
SUSPENDED = re.compile(r"(?=\d)(?<![\w.,/:])(\d{1,4})-(?=,| (?:og|eller|til)\b)")
AGENT = re.compile(r"er(?:e|en|ne|ane|s)?$|ar(?:ar|en|ane)?$")
AGENTS = {1: "en", 4: "fir", 5: "femm", 8: "ått"}
"""First part of what is called by a number: ener, firer, femmer, åtter."""


def cardinals(text: str, style: Style) -> str:
    """`2 500 000` is `to millioner fem hundre tusen`, `0,5` `null komma fem`, `1 år` `ett år`, `007` digit by
    digit, `3.11` `tre punkt elleve`."""
    text = SUSPENDED.sub(lambda found: joined(int(found[1]), style) + "-", text)
    text = COMPOUND.sub(lambda found: _compound(found, style), text)

    def read(found: re.Match[str]) -> str:
        return read_value(found[1], style, gender_after(text, found.end(), style))

    text = NUMBER.sub(read, text)
    return DOTTED.sub(lambda found: " punkt ".join(plain(part, style) for part in found[0].split(".")), text)


def _compound(found: re.Match[str], style: Style) -> str:
    """`17-åring` is one word; after a name (Covid 19-pandemien) the number belongs to that."""
    number, rest = bare(found[1]), found[2]
    named = NAME_BEFORE.search(found.string, 0, found.start()) and found.start() > 0
    if named or "," in number or (len(number) > 1 and number.startswith("0")) or len(number) > 6:
        return f"{read_value(number, style)}-{rest}"
    value = int(number)
    if AGENT.fullmatch(rest):
        return AGENTS.get(value, joined(value, style)) + rest
    return joined(value, style) + rest
