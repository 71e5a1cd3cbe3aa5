"""Rule 5: times of day, after `klokka` or in a form that nothing else has."""

from __future__ import annotations

import re

from kathrine_norwegian.style import Style
from kathrine_norwegian.words import cardinal

HOUR, MINUTE = r"(?:2[0-4]|[01]?\d)", r"[0-5]\d"
TIME = rf"(?:{HOUR}[.:]{MINUTE}(?:[.:]{MINUTE})?|(?:2[0-3]|[01]\d){MINUTE}|{HOUR})(?![\w]|[.:,/]\d)"
SEPARATOR = r"(?: ?[–-] ?| til | og | eller |, )"
AFTER_CLOCK = re.compile(rf"\b(klokk[ae]n?(?: er)?) ({TIME}(?:{SEPARATOR}{TIME})*)", re.IGNORECASE)
# 10.30-11.15 and fra 10.30 til 11.15
SPAN = re.compile(
    rf"(?=\d)(?<![\w.,/:–-])((?:2[0-3]|[01]?\d)[.:]{MINUTE})( ?[–-] ?| til )"
    rf"((?:2[0-4]|[01]?\d)[.:]{MINUTE})(?![\w:,/–-]|\.\d)"
)
COLON = re.compile(rf"(?=\d)(?<![\w.,/:–-])((?:2[0-4]|[01]?\d):{MINUTE}(?::{MINUTE})?)(?![\w:/]|[.,]\d| \d{{3}}\b)")
# 12.30 has a comma where it is a decimal, but sections and versions are written so
BARE = re.compile(rf"(?=\d)(?<![\w.,/:–-])((?:2[0-3]|[01]\d)\.{MINUTE})(?![\w:/–%]|[.,]\d| ?%|-\d)")
NUMBERED = re.compile(
    r"\b(?:kapittel|punkt|versjon|artikkel|paragraf|del|nummer|side|figur|tabell|avsnitt|vers|modell) $", re.IGNORECASE
)
PARTS = re.compile(rf"({TIME})")
HALF = re.compile(
    r"\b(halv|kvart på|kvart over|ti på|ti over|fem på|fem over|minutt(?:er)? (?:på|over)) (1?\d)\b(?![.,:/]\d)"
)


def read_time(written: str, style: Style) -> str:
    """`14.30`, `0715`, `9`, `12:30:15` in words; a full hour is the hour alone."""
    if "." not in written and ":" not in written and len(written) == 4:
        written = f"{written[:2]}.{written[2:]}"
    hour, *rest = re.split(r"[.:]", written)
    if int(hour) == 0 and all(int(part) == 0 for part in rest) and rest:
        return "null null"
    spoken = cardinal(int(hour), style, "n") if int(hour) == 1 else cardinal(int(hour), style)
    if all(int(part) == 0 for part in rest):
        return spoken
    return " ".join([spoken, *(_minutes(part, style) for part in rest)])


def _minutes(written: str, style: Style) -> str:
    minutes = int(written)
    if minutes == 0:
        return "null null"
    return f"null {cardinal(minutes, style)}" if minutes < 10 else cardinal(minutes, style)


def _list(written: str, style: Style) -> str:
    """Times with what joins them; a dash is `til`."""
    read = [
        read_time(part, style) if number % 2 else re.sub(r" ?[–-] ?", " til ", part)
        for number, part in enumerate(PARTS.split(written))
    ]
    return "".join(read)


def _bare(found: re.Match[str], style: Style) -> str:
    return found[0] if NUMBERED.search(found.string, 0, found.start()) else read_time(found[1], style)


def times(text: str, style: Style) -> str:
    """`klokka 14.30` is `klokka fjorten tretti`, `10:30`, `12.30` and `10.30-11.15` need no `klokka`."""
    if "klokk" in text.lower():
        text = AFTER_CLOCK.sub(lambda found: f"{found[1]} {_list(found[2], style)}", text)
    if "." in text or ":" in text:
        text = SPAN.sub(lambda found: _list(found[0], style), text)
        text = COLON.sub(lambda found: read_time(found[1], style), text)
        text = BARE.sub(lambda found: _bare(found, style), text)
    return HALF.sub(lambda found: f"{found[1]} {cardinal(int(found[2]), style, 'n')}", text)
