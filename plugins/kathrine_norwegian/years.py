"""Rule 10: years, and what is named after them (1800-tallet, 1990-åra)."""

from __future__ import annotations

import re

from kathrine_norwegian.nouns import counted, plural_follows
from kathrine_norwegian.phones import outside_phones
from kathrine_norwegian.style import Style
from kathrine_norwegian.words import year

YEAR = r"(1[1-9]\d\d|20\d\d)"
FREE = r"(?=[12])(?<![\w.,/:–-])"
DECADE = re.compile(rf"{FREE}{YEAR}-(tal(?:l|ls|let|lets|et|ets)|åra|årene|åras|årenes|talls\w+|tals\w+)\b")
SUSPENDED = re.compile(rf"{FREE}{YEAR}-(?=,? (?:og |eller |til |1\d\d\d-|20\d\d-))")
COMPOUND = re.compile(rf"{FREE}{YEAR}-(?=[a-zæøå])")
PLAIN = re.compile(rf"(?=[12])(?<![\w.,/:])(?<![^\W\d]-){YEAR}(?![\w/²³%]|[.,:]\d|-\w| ?[%°§])")
IN_TIME = re.compile(
    r"\b(?:i|år|året|fra|frå|til|siden|sidan|før|etter|innen|innan|rundt|omkring|ca|cirka|våren|sommeren|sommaren|"
    r"høsten|hausten|vinteren|mai|juni|juli|januar|februar|mars|april|august|september|oktober|november|desember|"
    r"født|fødd|død|anno|årene|åra|mellom|i perioden|av|fram til|frem til|sist i|først i) $",
    re.IGNORECASE,
)
NUMBERED = re.compile(r"\b(?:nummer|kode|side|paragraf|rom|linje|buss|vers|versjon|kapittel|modell) $", re.IGNORECASE)


def years(text: str, style: Style) -> str:
    """Four digits from 1100 to 2099 are a year unless something is counted: `i 1905`, but `1500 mennesker`.

    After a word of time (i, fra, siden, mai...) only a noun that is surely counted makes a number of it.
    """
    return outside_phones(text, lambda part: _years(part, style))


def _years(text: str, style: Style) -> str:
    text = DECADE.sub(lambda found: year(int(found[1]), style) + found[2], text)
    text = SUSPENDED.sub(lambda found: year(int(found[1]), style) + "-", text)
    text = COMPOUND.sub(lambda found: year(int(found[1]), style) + "-", text)

    def read(found: re.Match[str]) -> str:
        end = found.end()
        in_time = IN_TIME.search(text, 0, found.start())
        if NUMBERED.search(text, 0, found.start()):
            return found[0]
        if counted(text, end) or (not in_time and plural_follows(text, end)):
            return found[0]
        return year(int(found[1]), style)

    return PLAIN.sub(read, text)
