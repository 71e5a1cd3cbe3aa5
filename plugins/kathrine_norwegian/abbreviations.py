"""Rule 3: abbreviations. Knows which dot belongs to the abbreviation and which one ends the sentence."""

from __future__ import annotations

import re

from kathrine_norwegian.abbreviation_table import (
    ANYWHERE,
    BEFORE_DAY,
    BEFORE_NUMBER,
    BEFORE_YEAR,
    COUNTED,
    FINAL,
    REAL_WORDS,
    SPACED,
    UNDOTTED,
    UNDOTTED_BEFORE_NUMBER,
)
from kathrine_norwegian.numbers import AMOUNT, BEFORE, is_one
from kathrine_norwegian.style import Style
from kathrine_norwegian.words import MONTHS

_LETTER = r"[^\W\d_]"
DOTTED = re.compile(
    rf"(?<![\w.])(?:({_LETTER}{{1,10}}(?:\.{_LETTER}{{1,6}})+)\.?|({_LETTER}{{1,10}})\.)(?![\w.]?{_LETTER})"
)
SAINT = re.compile(r"\bSt\.(?= [A-ZÆØÅ][a-zæøå])")
SPACED_FORM = re.compile(
    r"(?<![\w.])("
    + "|".join(sorted((re.escape(one).replace(r"\.", r"\. ") for one in SPACED), key=len)[::-1])
    + r")\.",
    re.IGNORECASE,
)
BARE = re.compile(r"\b(" + "|".join(UNDOTTED) + r")\b(?!\.)")
BARE_BEFORE_NUMBER = re.compile(r"\b(" + "|".join(UNDOTTED_BEFORE_NUMBER) + r")(?= ?\d)", re.IGNORECASE)
COUNT = re.compile(rf"{BEFORE}({AMOUNT}) ?({'|'.join(COUNTED)})\b\.?")
UNCOUNTED = re.compile(r"(\bper )?\b(mill|mrd|mnd|stk)\.")
INITIALS = re.compile(r"(?<![\w.])((?:[A-ZÆØÅ]\.){2,})(?![a-zæøå])")
SLASHED = re.compile(rf"(?<![\w/])([muv])/(?={_LETTER}{{2}})|(?<![\w/])t/r(?![\w/])", re.IGNORECASE)
YEAR_NEXT = re.compile(r" ?\d{4}(?!\d)")
AMOUNT_BEFORE = re.compile(r"(?:\d|\d,[–-]+| (?:tusen|hundre)|(?:illion|illiard)(?:er|ar)?) ?$")
DAY_NEXT = re.compile(rf" ?\d{{1,2}}(?:\. ?(?:{'|'.join(MONTHS)}|(?:{'|'.join(BEFORE_YEAR)})\b|\d)|/\d)", re.IGNORECASE)
ORDINAL_BEFORE = re.compile(r"\d\. ?$")
WORD_BEFORE = re.compile(r"(?<!\bfra)(?<!\bfrå)(?<!\btil)(?<!\bog)(?<!\bpå)(?<=\w) $")
NUMBER_NEXT = re.compile(r" ?(?:\d|[½¼¾]|[IVXLC]+\b)")
CAPITAL_NEXT = re.compile(r"[\"')]* +[\"'(–]*[^\W\d_a-zæøåäöüéèêòó]")
AFTER_END = re.compile(r"[\"')\s]*$")


def is_sentence(text: str) -> bool:
    """Whether a text begins with a capital: a dot at its end is then a full stop, else a part of what it ends
    with (`Vi kjøpte epler osv.` against `pga. bl.a. osv.`)."""
    return next((letter.isupper() for letter in text if letter.isalpha()), False)


def stop_after(text: str, end: int, may_end: bool = True) -> str:
    """The full stop that stays where an abbreviation with its dot ends at a position, or nothing.

    Given: may_end, whether it is of a kind that ends sentences, so that a capital after it begins a new one.
    """
    if AFTER_END.match(text, end):
        return "." if is_sentence(text) else ""
    return "." if may_end and CAPITAL_NEXT.match(text, end) else ""


def _cased(written: str, spoken: str) -> str:
    return spoken[0].upper() + spoken[1:] if written[0].isupper() else spoken


def _full(form: tuple[str, str], style: Style) -> str:
    return style.pick(*form)


def abbreviations(text: str, style: Style) -> str:
    """`f.eks.` is `for eksempel`; before a number also `s.`, `kap.`; `mill.` goes by the number before it."""
    if "/" in text:
        text = SLASHED.sub(lambda found: _slashed(found, style), text)
    text = _undotted(text, style)
    if "." not in text:
        return text
    text = SPACED_FORM.sub(lambda found: f"{found[1].replace(' ', '')}.", text)

    def dotted(found: re.Match[str]) -> str:
        written = found[1] or found[2]
        key = written.lower()
        number = bool(NUMBER_NEXT.match(text, found.end()))
        form = ANYWHERE.get(key) or (_beside_number(key, text, found) if number else None)
        if form is None:
            return found[0]
        if key == "kr" and AMOUNT_BEFORE.search(text, 0, found.start()):
            return found[0]  # 200 kr. 3 av dem: the rule for money knows whether a sentence ends
        if key == "kl" and not number and ORDINAL_BEFORE.search(text, 0, found.start()):
            form = ("klasse", "klasse")  # 1. kl.
        stop = stop_after(text, found.end(), key in FINAL) if found[0].endswith(".") else ""
        if key in REAL_WORDS and (AFTER_END.match(text, found.end()) or CAPITAL_NEXT.match(text, found.end())):
            return found[0]
        space = " " if text[found.end() : found.end() + 1].isdigit() else ""
        return _cased(written, _full(form, style)) + stop + space

    text = SAINT.sub("Sankt", DOTTED.sub(dotted, text))
    return INITIALS.sub(lambda found: " ".join(found[1].replace(".", "")) + stop_after(text, found.end(), False), text)


def _beside_number(key: str, text: str, found: re.Match[str]) -> tuple[str, str] | None:
    """The form before a number: a year, the day of a month, or any."""
    if key == "d" and YEAR_NEXT.match(text, found.end()):
        return ("død", "død")  # d. 1906; but d. 17. mai
    if key in BEFORE_YEAR:
        return BEFORE_YEAR[key] if YEAR_NEXT.match(text, found.end()) else None
    if key in BEFORE_DAY:
        # `Det gjør man. 3. juni kom han.` has the word man
        word = key in ("man", "tor") and WORD_BEFORE.search(text, 0, found.start())
        return BEFORE_DAY[key] if DAY_NEXT.match(text, found.end()) and not word else None
    return BEFORE_NUMBER.get(key)


def _undotted(text: str, style: Style) -> str:
    text = BARE.sub(lambda found: _full(UNDOTTED[found[1]], style), text)
    if any(letter.isdigit() for letter in text):
        text = BARE_BEFORE_NUMBER.sub(
            lambda found: _cased(found[1], _full(UNDOTTED_BEFORE_NUMBER[found[1].lower()], style)) + " ", text
        ).replace("  ", " ")
    return text


def _slashed(found: re.Match[str], style: Style) -> str:
    if not found[1]:
        return _cased(found[0], "tur-retur")
    word = {"m": "med", "u": style.pick("uten", "utan"), "v": "ved"}[found[1].lower()]
    return f"{_cased(found[1], word)} "


def counted(text: str, style: Style) -> str:
    """`1 mrd.` is one `milliard`, `2 mrd.` are `milliarder`; without a number they are many, after `per` one."""
    if not any(name in text for name in COUNTED):
        return text

    def form(name: str, one: bool) -> str:
        forms = COUNTED[name]
        return style.pick(*forms[::2]) if one else style.pick(*forms[1::2])

    def stop(found: re.Match[str]) -> str:
        return stop_after(found.string, found.end()) if found[0].endswith(".") else ""

    text = COUNT.sub(lambda found: f"{found[1]} {form(found[2], is_one(found[1]))}{stop(found)}", text)
    return UNCOUNTED.sub(lambda found: (found[1] or "") + form(found[2], bool(found[1])) + stop(found), text)
