"""Rule 7: percent and units, also of ranges; and signs of arithmetic beside digits."""

from __future__ import annotations

import re

from kathrine_norwegian.abbreviations import stop_after
from kathrine_norwegian.money import main_form, read_per
from kathrine_norwegian.numbers import AMOUNT, BEFORE, is_one, read_amount
from kathrine_norwegian.style import Style
from kathrine_norwegian.unit_table import UNITS

_NAMES = "|".join(re.escape(name) for name in sorted(UNITS, key=len, reverse=True))
UNIT = re.compile(
    rf"{BEFORE}({AMOUNT}) ?((?:{_NAMES}))(?![\w²³])(/(?:[A-Za-zæøåμ]+[²³]?)(?!\w))?(?:(?<=°) ?([CF])(?!\w))?"
)
AFTER_PER = re.compile(r"\bper (kg|g|km|m²|m³|m2|m3|kWh|MWh|daa|dl|ml|mg)(?![\w²³])")
SECTION = re.compile(r"(§§?) ?(?=\d)")
SECTION_PARTS = re.compile(r"(?<!§)§ ?(\d+)[-–](\d+)")
MINUS = re.compile(r"(?<![\w.,)/:²³%§–-])(?<![\w.,)] )[-–] ?(?=\d)|(?<=\d )[-–](?=\d)|(?<=[a-zæøå,(] )[-–](?=\d)")
PLUS = re.compile(r"(?<![\w+])\+ ?(?=\d)")
BETWEEN = re.compile(r"(?<=[\d½%]) ?([+=×÷±*xX≈]) ?(?=\d)")
# 10 cm x 20 cm
UNIT_TIMES = re.compile(rf"(?<=\d)( ?(?:{_NAMES})) ?[×xX*] ?(?=\d)")
BEFORE_DIGIT = re.compile(r"(?<!\w)([±≈~<>≤≥=]) ?(?=\d)")
SQUARED = re.compile(r"(?<=[A-Za-z0-9])([²³])(?!\w)")
NUMBER_SQUARED = re.compile(r"(?<![\w.,:/–-])(\d+(?:,\d+)?)([²³])(?!\w)")
DEGREES = {"C": "", "F": " fahrenheit"}


def _sign(sign: str, style: Style) -> str:
    return {
        "+": "pluss",
        "=": "er lik",
        "×": style.pick("ganger", "gonger"),
        "x": style.pick("ganger", "gonger"),
        "*": style.pick("ganger", "gonger"),
        "÷": "delt på",
        "±": "pluss minus",
        "≈": "omtrent",
        "~": "omtrent",
        "<": "mindre enn",
        ">": style.pick("større enn", "større enn"),
        "≤": style.pick("mindre enn eller lik", "mindre enn eller lik"),
        "≥": style.pick("større enn eller lik", "større enn eller lik"),
    }[sign.lower()]


def arithmetic(text: str, style: Style) -> str:
    """Minus and plus before a number, and what stands between two: `-5`, `2 × 3`, `x²`, `§ 3-5`."""
    if "§" in text:
        # a hyphen within one paragraph's number is no range
        text = SECTION_PARTS.sub(r"§ \1 \2", text)
        text = SECTION.sub(lambda found: _section(found[1], style), text)
    text = NUMBER_SQUARED.sub(lambda found: found[1] + _power(found[2]), text)
    text = BETWEEN.sub(lambda found: f" {_sign(found[1], style)} ", text)
    text = UNIT_TIMES.sub(lambda found: f"{found[1]} {_sign('x', style)} ", text)
    text = BEFORE_DIGIT.sub(lambda found: f"{_sign(found[1], style)} ", text)
    text = PLUS.sub("pluss ", text)
    return MINUS.sub("minus ", text)


def _section(sign: str, style: Style) -> str:
    return "paragraf " if sign == "§" else style.pick("paragrafene ", "paragrafane ")


def _power(sign: str) -> str:
    return " i andre" if sign == "²" else " i tredje"


def powers(text: str, style: Style) -> str:
    """`x²` is `x i andre`."""
    if "²" not in text and "³" not in text:
        return text
    return SQUARED.sub(lambda found: _power(found[1]), text)


def units(text: str, style: Style) -> str:
    """`40 %` is `førti prosent`, `80 km/t` is `åtti kilometer i timen`, `-5 °C` is `minus fem grader`."""

    def read(found: re.Match[str]) -> str:
        amount, name, per, degrees = found.groups()
        if per and name == "°":
            return found[0]
        unit = UNITS[name]
        one = is_one(amount)
        stop = stop_after(text, found.end()) if name.endswith(".") else ""
        spoken = f"{read_amount(amount, style, unit[3])} {main_form(unit, one, style)}"
        return spoken + DEGREES.get(degrees or "", "") + read_per(per or "", style) + stop

    text = AFTER_PER.sub(lambda found: f"per {UNITS[found[1]][0]}", text)
    return UNIT.sub(read, text)
