"""Rule 6: amounts of money, with the sign before or after, ranges, millions and hundredths."""

from __future__ import annotations

import re

from kathrine_norwegian.abbreviations import stop_after
from kathrine_norwegian.numbers import AMOUNT, BEFORE, WHOLE, bare, is_one, read_amount
from kathrine_norwegian.style import Style
from kathrine_norwegian.unit_table import ALIASES, CURRENCIES, PER, UNITS, Unit
from kathrine_norwegian.words import cardinal

SCALE = r"(?: (?:tusen|hundre|(?:million|milliard|billion)(?:er|ar)?))"
SIGN_BEFORE = r"(?:[Kk]r\.?|NOK|SEK|DKK|EUR|USD|GBP|CHF|JPY|US\$|[€$£¥])"
SIGN_AFTER = r"(?:kr\b\.?|kroner\b|krone\b|NOK\b|SEK\b|DKK\b|EUR\b|USD\b|GBP\b|CHF\b|JPY\b|dollar\b|euro\b|[€$£¥])"
TAIL = r"(?:,[–-]+(?!\d))?"
PER_UNIT = r"(?:/(?:[A-Za-zæøå]+[²³]?)(?!\w))?"
# 2 kr 50 øre
WITH_CENTS = re.compile(rf"{BEFORE}({WHOLE}) ?(kroner|krone|kr\.?|NOK|SEK|DKK) (?:og )?(\d\d?) øre\b")
# kr 2.50, 12.50 kr: read before the times, which are written so too
_DOTTED = r"\d+\.\d\d?(?: ?[–-] ?\d+\.\d\d?)?"
DOTTED_AFTER = re.compile(rf"(?<!\w){SIGN_BEFORE} ?[–-]? ?{_DOTTED}(?!\d|[.,:/]\d)")
DOTTED_BEFORE = re.compile(
    rf"(?<!klokka )(?<!klokken )(?<!klokka er )(?<!klokken er )(?<![\w.,:/–-]){_DOTTED}(?= ?{SIGN_AFTER}(?! ?\d))"
)
PREFIXED = (
    rf"(?<!\w)({SIGN_BEFORE}) ?(minus )?({AMOUNT})(?!\d|[.,]\d){TAIL}({SCALE})?({PER_UNIT})"
    r"(?: ?(?:kroner|kr)\b(?!\.? ?\d))?"
)
# a sign that touches the number behind it is that one's: `i 2019 $5`
SUFFIXED = rf"{BEFORE}({AMOUNT}){TAIL}({SCALE})?(?! [€$£¥]\d) ?({SIGN_AFTER})({PER_UNIT})(?!\w)"
SIGNED = re.compile(rf"{PREFIXED}|{SUFFIXED}")
"""One pass from the left, so that `kr` is of the amount before it: `100 kr 5 ganger`."""
NAKED = re.compile(rf"{BEFORE}({AMOUNT}),[–-]+(?!\d)")
HUNDREDTHS = re.compile(r"^(.*\d),(\d\d)$")
DECIMAL_DOT = re.compile(r"(?<=\d)\.(?=\d)")
NUMBER_NEXT = re.compile(r" \d")
LEFT = re.compile(r"(?<![\w.])(kr|NOK)\b(\.?)(?!\.? ?\d)")


def hundredths(text: str, style: Style) -> str:
    """`kr 2.50` and `12.50 kr` have a comma like all decimals."""

    def with_comma(found: re.Match[str]) -> str:
        return DECIMAL_DOT.sub(",", found[0])

    return DOTTED_BEFORE.sub(with_comma, DOTTED_AFTER.sub(with_comma, text)) if "." in text else text


def main_form(unit: Unit, one: bool, style: Style) -> str:
    """The word for the unit beside an amount."""
    return unit[0] if one else style.pick(unit[1], unit[2])


def read_money(amount: str, scale: str, sign: str, style: Style) -> str:
    """`15,30` and `kr` is `femten kroner og tretti øre`. Given: scale, ` millioner` or nothing."""
    unit, cent, cents = CURRENCIES[ALIASES.get(sign, sign)]
    gender = unit[3]
    parts = HUNDREDTHS.match(amount)
    if scale:
        return f"{read_amount(amount, style)}{scale} {main_form(unit, False, style)}"
    if parts and "–" not in amount and "-" not in amount:
        whole, rest = bare(parts[1]), int(parts[2])
        named = f"{cardinal(rest, style)} {cent if rest == 1 else cents}"
        if rest and int(whole) == 0:
            return named
        spoken = f"{read_amount(whole, style, gender)} {main_form(unit, whole == '1', style)}"
        return f"{spoken} og {named}" if rest else spoken
    return f"{read_amount(amount, style, gender)} {main_form(unit, is_one(amount), style)}"


def read_per(slashed: str, style: Style) -> str:
    """` per kilo` for `/kg`; a word that is no unit is said as it is."""
    if not slashed:
        return ""
    name = slashed[1:]
    if name in PER:
        return " " + style.pick(*PER[name])
    return f" per {UNITS[name][0] if name in UNITS else name}"


def money(text: str, style: Style) -> str:
    """`kr 100`, `100 kr`, `100,-`, `$5`, `3,5 millioner kr`, `2–4 000 kr`, `100 kr/kg`, `2 kr 50 øre`."""
    if any(letter.isdigit() or letter in "½¼¾" for letter in text):
        text = WITH_CENTS.sub(lambda found: read_money(f"{found[1]},{found[3]:0>2}", "", found[2], style), text)
        text = SIGNED.sub(lambda found: _signed(found, style), text)
        text = NAKED.sub(lambda found: read_money(found[1], "", "kr", style), text)
    if "kr" in text or "NOK" in text:
        # without a number: `i millioner kr`
        text = LEFT.sub(lambda found: "kroner" + (stop_after(text, found.end()) if found[2] else ""), text)
    return text


def _signed(found: re.Match[str], style: Style) -> str:
    if found[1]:
        sign, minus, amount, scale, per = found.groups()[:5]
        return (minus or "") + read_money(amount, scale or "", sign, style) + read_per(per, style)
    amount, scale, sign, per = found.groups()[5:]
    stop = _stop(found) if sign.endswith(".") and not per else ""
    return read_money(amount, scale or "", sign, style) + read_per(per, style) + stop


def _stop(found: re.Match[str]) -> str:
    """The full stop after `200 kr.`, also where the next sentence begins with a number: `200 kr. 3 av dem`."""
    return "." if NUMBER_NEXT.match(found.string, found.end()) else stop_after(found.string, found.end())
