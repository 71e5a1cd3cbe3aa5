"""Rule 11: phone numbers, in the groups in which they are written."""

from __future__ import annotations

import re
from collections.abc import Callable

from kathrine_norwegian.style import Style
from kathrine_norwegian.words import cardinal, digits

WORD = r"(?:telefon(?:nummer|nummeret|en)?|mobil(?:nummer|nummeret|en)?|tlf|ring|nødnummer|sms)"
GROUPS = r"\d{2,8}(?:[ -]\d{2,5}){0,4}"
PHONE = re.compile(
    rf"\b({WORD}(?: nummer)?:? )(?:(?:\+|pluss ?|00)(\d{{2}}) )?({GROUPS})(?![\w]|[.,:]\d| %| kr| prosent)"
    r"|(?<![\w.,])()(?:\+|pluss |00)(\d{2}) ?(\d{8}|\d\d \d\d \d\d \d\d|\d{3} \d\d \d{3})(?![\w]|[.,:]\d)"
    r"|(?<![\w.,])(?<!\d )(\d\d \d\d \d\d \d\d|\d{3} \d\d \d{3})(?![\w]|[.,:]\d| \d)",
    re.IGNORECASE,
)
HINT = re.compile(rf"{WORD}|\+\d|pluss \d|\d\d \d\d \d", re.IGNORECASE)


def outside_phones(text: str, function: Callable[[str], str]) -> str:
    """A text with a function applied to all of it but the phone numbers, which a later rule reads."""
    if not HINT.search(text):
        return function(text)
    pieces, end = [], 0
    for found in PHONE.finditer(text):
        pieces += [function(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*pieces, function(text[end:])])


def _group(written: str, style: Style) -> str:
    """Two or three digits as a number; a leading zero, and more digits, one by one or in pairs."""
    if len(written) in (6, 8):
        return " ".join(_group(written[at : at + 2], style) for at in range(0, len(written), 2))
    if written.startswith("0") or len(written) > 3:
        return digits(written, style)
    return cardinal(int(written), style)


def phones(text: str, style: Style) -> str:
    """`tlf. 22 22 22 22` is `telefon tjueto tjueto tjueto tjueto`; `+47` is `pluss førtisju`; 110 one by one."""
    if not HINT.search(text):
        return text

    def read(found: re.Match[str]) -> str:
        word, country, number = (
            (found[1], found[2], found[3]) if found[3] else ("", found[5], found[6]) if found[6] else ("", "", found[7])
        )
        groups = re.split(r"[ -]", number)
        if len(groups) == 1 and len(number) == 3:
            spoken = digits(number, style)
        else:
            spoken = " ".join(_group(one, style) for one in groups)
        return f"{word}{f'pluss {_group(country, style)} ' if country else ''}{spoken}"

    return PHONE.sub(read, text)
