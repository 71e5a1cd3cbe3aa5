"""Dates and times: `d. 5/6-1849`, `3. juni`, `kl. 14.30`."""

import datetime
import re

from kathrine.textrules import NotSpoken

from kathrine_danish.numbers import cardinal, ordinal, year

MONTHS = (
    *("januar", "februar", "marts", "april", "maj", "juni", "juli", "august"),
    *("september", "oktober", "november", "december"),
)
RULERS = ("Christian", "Christoffer", "Erik", "Frederik", "Hans", "Margrethe", "Valdemar")

_months = "|".join([*MONTHS, *(rf"{month[:3]}\." for month in MONTHS), r"sept\."])
_NAMED = re.compile(rf"\b(\d{{1,2}})\. ({_months})(?!\w)(?: (\d{{4}})(?!\d))?", re.IGNORECASE)
_DIGITS = re.compile(r"(?<![\d.,/-])(\d{1,2})[./](\d{1,2})[-./](\d{4})(?![\d/])")
_ISO = re.compile(r"(?<![\d-])(\d{4})-(\d{2})-(\d{2})(?![\d-])")
_DAY_AND_MONTH = re.compile(r"\b(den) (\d{1,2})/(\d{1,2})(?![\d/-])", re.IGNORECASE)
_CLOCK = r"(\d{1,2})(?:[.:](\d{2}))?(?![\d.:]*\d)"
_TIME = re.compile(rf"\b(klokken) {_CLOCK}(?:[-–]{_CLOCK})?", re.IGNORECASE)
_BARE_TIME = re.compile(r"(?<![\d.,:])(\d{1,2}):(\d{2})(?![\d:])")
_RULER = re.compile(rf"\b({'|'.join(RULERS)}) (\d{{1,2}})\.(?= |$)")
_ORDINAL = re.compile(r"(?<![\w.,/-])(\d{1,3})\.(?= [a-zæøå])")


def dates(text: str) -> str:
    """Dates with a day and a month, with or without the year."""
    text = _ISO.sub(lambda found: _date(int(found[3]), int(found[2]), found[1]), text)
    text = _DIGITS.sub(lambda found: _date(int(found[1]), int(found[2]), found[3]), text)
    text = _NAMED.sub(lambda found: _date(int(found[1]), _month(found[2]), found[3] or ""), text)
    return _DAY_AND_MONTH.sub(
        lambda found: f"{found[1]} {_day(int(found[2]))} i {ordinal(_checked_month(int(found[3])))}", text
    )


def times(text: str) -> str:
    """`klokken 14.30` (what `kl.` has become), from and to, and `14:30` by itself."""

    def spoken(found: re.Match[str]) -> str:
        until = f" til {_clock(found[4], found[5])}" if found[4] else ""
        return f"{found[1]} {_clock(found[2], found[3])}{until}"

    text = _TIME.sub(spoken, text)
    return _BARE_TIME.sub(lambda found: _clock(found[1], found[2]), text)


def ordinals(text: str) -> str:
    """A number with a dot, where a small letter shows that the dot ends no sentence; and the numbers of rulers."""
    text = _RULER.sub(
        lambda found: f"{found[1]} den {ordinal(int(found[2]))}" + ("." if found.end() == len(text) else ""), text
    )
    return _ORDINAL.sub(lambda found: ordinal(int(found[1])), text)


def _date(day: int, month: int, written_year: str) -> str:
    said = f"{_day(day)} {MONTHS[_checked_month(month) - 1]}"
    if not written_year:
        return said
    try:
        datetime.date(int(written_year), month, day)
    except ValueError as error:
        raise NotSpoken(f"{day}.{month}.{written_year} is no day of the calendar") from error
    return f"{said} {year(int(written_year))}"


def _day(day: int) -> str:
    if not 1 <= day <= 31:
        raise NotSpoken(f"no month has a day {day}")
    return ordinal(day)


def _checked_month(month: int) -> int:
    if not 1 <= month <= 12:
        raise NotSpoken(f"there is no month {month}")
    return month


def _month(written: str) -> int:
    return next(number for number, name in enumerate(MONTHS, 1) if name.startswith(written.lower()[:3]))


def _clock(hours: str, minutes: str | None) -> str:
    if int(hours) > 24 or int(minutes or 0) > 59:
        raise NotSpoken(f"{hours}.{minutes or '00'} is no time of the day")
    if not minutes or minutes == "00":
        return cardinal(int(hours), "et")
    return f"{cardinal(int(hours), 'et')} {'nul ' if minutes[0] == '0' else ''}{cardinal(int(minutes), 'et')}"
