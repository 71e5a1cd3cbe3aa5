"""Rule 8: ordinals. Digits with a dot that does not end a sentence."""

from __future__ import annotations

import re

from kathrine_norwegian.abbreviations import AFTER_END, stop_after
from kathrine_norwegian.style import Style
from kathrine_norwegian.words import ordinal

FREE = r"(?=\d)(?<![\w.,/:–-])"
NUMBER = r"(\d{1,3}|1000)"
# 1. og, 5., 6. og 7.; a capital follows only a few names
INSIDE = re.compile(rf"{FREE}{NUMBER}\.(?= [a-zæøå]|[,;:]| ?[–-] ?\d{{1,3}}\.(?:[ ,;:]|$)| (?:Verdenskrig|Divisjon)\b)")
RANGE = re.compile(rf"{FREE}(\d{{1,3}})\.? ?[–-] ?(\d{{1,3}})\.(?= [a-zæøå])")
AFTER_ARTICLE = re.compile(rf"\b(den|det|de) {NUMBER}\.(?!\d)", re.IGNORECASE)
COMPOUND = re.compile(rf"{FREE}{NUMBER}\.-?([a-zæøå]{{3,}})")
WHOLE = re.compile(r"^(\d{1,3})\.$")


def ordinals(text: str, style: Style) -> str:
    """`1. og 2. plass` is `første og andre plass`; `nr. 21.` at the end of a sentence is no ordinal, `den 7.` is."""
    if "." not in text:
        return text

    def spoken(digits: str) -> str:
        return ordinal(int(digits), style)

    text = RANGE.sub(lambda found: f"{spoken(found[1])} til {spoken(found[2])}", text)
    text = COMPOUND.sub(lambda found: _compound(found[1], found[2], style), text)
    text = INSIDE.sub(lambda found: spoken(found[1]), text)
    before = text

    def with_article(found: re.Match[str]) -> str:
        stop = stop_after(before, found.end()) if found[1].islower() or AFTER_END.match(before, found.end()) else ""
        return f"{found[1]} {spoken(found[2])}{stop}"

    return WHOLE.sub(lambda found: spoken(found[1]), AFTER_ARTICLE.sub(with_article, text))


def _compound(digits: str, noun: str, style: Style) -> str:
    """`5.plass` and `1.-plass` are one word: `femteplass`, `førsteplass`."""
    joined = ordinal(int(digits), style).replace(" ", "")
    return f"{joined}{noun}"
