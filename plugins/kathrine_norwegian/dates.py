"""Rule 4: dates. Day and month are ordinals, the month by name where it is written so; years as years."""

from __future__ import annotations

import re

from kathrine_norwegian.abbreviations import stop_after
from kathrine_norwegian.style import Style
from kathrine_norwegian.words import MONTHS, cardinal, digits, ordinal, year

SHORT = {"jan": 0, "feb": 1, "febr": 1, "mar": 2, "apr": 3, "jun": 5, "jul": 6, "aug": 7, "sep": 8, "sept": 8}
SHORT |= {"okt": 9, "nov": 10, "des": 11}
DAY, MONTH = r"(0?[1-9]|[12]\d|3[01])", r"(0?[1-9]|1[0-2])"
FREE = r"(?=\d)(?<![\w.,/:–-])"
# 17. mai, 17.mai, 17. Mai 1814, 3. jan., 20.–25. juni
NAMED = re.compile(
    rf"{FREE}(?:{DAY}\.? ?[–-] ?)?{DAY}\. ?({'|'.join(MONTHS)}|(?:{'|'.join(SHORT)})\b\.?)(?!\w)"
    r"(?:,? (\d{4})(?![\w,]|\.\d))?",
    re.IGNORECASE,
)
# 5.6.2014, 17.05.1814, 5.6.14; 17/5-2020, 17/5/2020
SPAN = re.compile(rf"{FREE}({DAY}\.{MONTH}\.(?:\d{{4}}|\d\d)?) ?[–-] ?(?={DAY}\.{MONTH}\.)")
NUMERIC = re.compile(rf"{FREE}{DAY}\. ?{MONTH}\. ?(\d{{4}}|\d\d)(?![\w/:–-]|[.,]\d)")
SLASHED = re.compile(rf"{FREE}{DAY}/{MONTH}(?:[-–/ ](\d{{4}}|\d\d))(?![\w/:]|[.,]\d)")
ISO = re.compile(
    r"(?=\d)(?<![\w.,/:–-])(1[1-9]\d\d|20\d\d)[-–](0[1-9]|1[0-2])[-–](0[1-9]|[12]\d|3[01])(?![\w–-]|[.,]\d)"
)
# den 5.6. and 5.6. in the middle of a sentence; den 17/5, and 17/5 where it is no fraction
SHORT_NUMERIC = re.compile(
    rf"(?=[\dDdTt])(?<![\w.,/:–-])(?<!klokka )(?<!klokken )(den |til )?{DAY}\.{MONTH}\.(?![\d\w])( [a-zæøå])?", re.I
)
# mandag 1.2., fredag 24.12 klokka 18; 24.12 klokka 18. Without the last dot, mandag 10.10 may be a time
_WEEKDAY = r"(?:(?:man|tirs|ons|tors|fre|lør|søn|mån|tys|laur|sun)dag(?:en)?,? (?:den )?)"
ON_WEEKDAY = re.compile(
    rf"\b({_WEEKDAY}){DAY}\.{MONTH}(?:(\.)(?! ?\d)"
    r"|(?![\w.,:/–-])(?:(?=,? klokk)|(?<=\.\d)|(?<=2[4-9]\.\d\d)|(?<=3[01]\.\d\d)))",
    re.IGNORECASE,
)
BEFORE_CLOCK = re.compile(rf"{FREE}(?<!klokka )(?<!klokken ){DAY}\.{MONTH}(?=,? klokk)")
SHORT_SLASHED = re.compile(rf"(?=[\dDd])(?<![\w.,/:–-])(den )?{DAY}/{MONTH}(?![\w/:,–-]|[.]\d)", re.IGNORECASE)
ROUND_THE_CLOCK = re.compile(r"(?=2)(?<![\w.,/:–-])24/7(?![\w/])")


def _spoken(day: str, month: str, written_year: str | None, style: Style) -> str:
    spoken = f"{ordinal(int(day), style)} i {ordinal(int(month), style)}"
    if not written_year:
        return spoken
    return f"{spoken} {_year(written_year, style)}"


def _year(written: str, style: Style) -> str:
    if len(written) == 4:
        return year(int(written), style)
    return digits(written, style) if written.startswith("0") else cardinal(int(written), style)


def dates(text: str, style: Style) -> str:
    """`17. mai 1814` is `syttende mai attenfjorten`, `5.6.2014` is `femte i sjette tjuefjorten`; also `mandag 1.2.`"""
    if "." in text:
        text = NAMED.sub(lambda found: _named(found, text, style), text)
        text = SPAN.sub(lambda found: f"{found[1]} til ", text)
        text = NUMERIC.sub(lambda found: _spoken(found[1], found[2], found[3], style), text)
        text = ON_WEEKDAY.sub(lambda found: _on_weekday(found, style), text)
        text = BEFORE_CLOCK.sub(lambda found: _spoken(found[1], found[2], None, style), text)
        text = SHORT_NUMERIC.sub(lambda found: _short(found, text, style), text)
    if "/" in text:
        text = ROUND_THE_CLOCK.sub(f"{cardinal(24, style)} {cardinal(7, style)}", text)
        text = SLASHED.sub(lambda found: _spoken(found[1], found[2], found[3], style), text)
        text = SHORT_SLASHED.sub(lambda found: _slashed(found, style), text)
    return ISO.sub(lambda found: _spoken(found[3], found[2], found[1], style), text)


def _named(found: re.Match[str], text: str, style: Style) -> str:
    first, day, month, written_year = found.groups()
    key = month.lower().rstrip(".")
    name = MONTHS[SHORT[key]] if key in SHORT else key
    stop = stop_after(text, found.end()) if found[0].endswith(".") else ""
    span = f"{ordinal(int(first), style)} til " if first else ""
    after = f" {_year(written_year, style)}" if written_year else ""
    return f"{span}{ordinal(int(day), style)} {name}{after}{stop}"


def _on_weekday(found: re.Match[str], style: Style) -> str:
    weekday, day, month, dot = found.groups()
    stop = stop_after(found.string, found.end()) if dot else ""
    return f"{weekday}{_spoken(day, month, None, style)}{stop}"


def _short(found: re.Match[str], text: str, style: Style) -> str:
    den, day, month, following = found.groups()
    if not den and not following and found[0] != text:
        return found[0]
    stop = "" if following else stop_after(text, found.end())
    return f"{den or ''}{_spoken(day, month, None, style)}{following or stop}"


def _slashed(found: re.Match[str], style: Style) -> str:
    den, day, month = found.groups()
    if not den and (int(day) < int(month) or (day, month) == ("1", "1")):
        return found[0]  # a fraction
    return f"{den or ''}{_spoken(day, month, None, style)}"
