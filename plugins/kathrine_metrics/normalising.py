"""What two texts are brought to before they are compared: one versioned form, the same for both sides.

Letters keep their marks: å, æ and ø are letters, and `på` is not `pa`. Steps, in this order: NFC; ordinals and numbers
to words, where the language has rules; signs to words; lower case; everything but letters, digits and apostrophes
within words to spaces; fixed variants of the same word to one of them. Compounds written as several words are folded
later, when words are aligned.
"""

from __future__ import annotations

import re
import unicodedata

from kathrine_metrics.numerals import HUNDREDS, LARGEST, NN_ORDINALS, NO_ORDINALS, WORDS, norwegian_year

VERSION = "text-1"
"""Stored with every error rate: rates of different versions can not be compared."""

GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:[ \u00a0\u202f.]\d{3})+(?![\d])")
GROUPED_ENGLISH = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)")
DECIMAL = re.compile(r"(?<!\d)(\d+)[.,](\d+)(?![\d.,]\d)")
ORDINAL = re.compile(r"(?<!\d)(\d{1,2})\.(?=\s[a-zæøå])")
NUMBER = re.compile(r"\d+")
APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'"})
NOT_WORDS = re.compile(r"[^\w']|_")
LOOSE_APOSTROPHE = re.compile(r"(?<![^\W\d_])'|'(?![^\W\d_])")

POINT = {"no": "komma", "nn": "komma", "en": "point", "de": "komma"}
SIGNS: dict[str, dict[str, str]] = {
    "no": {"%": "prosent", "&": "og", "+": "pluss", "§": "paragraf", "°": "grader"},
    "nn": {"%": "prosent", "&": "og", "+": "pluss", "§": "paragraf", "°": "grader"},
    "en": {"%": "percent", "&": "and", "+": "plus", "°": "degrees"},
    "de": {"%": "prozent", "&": "und", "+": "plus", "°": "grad"},
}
NORWEGIAN_VARIANTS = {
    "tyve": "tjue", "syv": "sju", "tredve": "tretti", "okei": "ok", "ett hundre": "hundre", "et hundre": "hundre",
    "ett tusen": "tusen", "et tusen": "tusen",
}  # fmt: skip
VARIANTS: dict[str, dict[str, str]] = {
    "no": NORWEGIAN_VARIANTS,
    "nn": {**NORWEGIAN_VARIANTS, "eitt hundre": "hundre", "eit hundre": "hundre", "eitt tusen": "tusen",
           "eit tusen": "tusen"},
    "en": {"mr": "mister", "mrs": "missus", "dr": "doctor", "okay": "ok"},
    "de": {"okay": "ok", "dr": "doktor"},
}  # fmt: skip
"""Forms of a word that sound alike or mean the same reading, -> the one that is compared. Endings in a and en are
different words, and stay."""
ACCENTS = str.maketrans("éèêëóòôáàâ", "eeeeoooaaa")
"""Accents that Norwegian writes or leaves out (idé, allé, én)."""


def normalise(text: str, code: str = "") -> str:
    """A text in the form in which it is compared. code: ISO 639 code of its language; without rules for it numbers and
    signs stay as they are. The same function for what should be said and for what was heard."""
    code = {"nb": "no"}.get(code, code)
    text = unicodedata.normalize("NFC", text).translate(APOSTROPHES)
    text = numbers_in_words(text, code)
    for sign, word in SIGNS.get(code, {}).items():
        text = text.replace(sign, f" {word} ")
    text = text.lower()
    if code in ("no", "nn"):
        text = text.translate(ACCENTS)
    if code == "de":
        text = text.replace("ß", "ss")
    text = LOOSE_APOSTROPHE.sub(" ", NOT_WORDS.sub(" ", text))
    return " ".join(fold_variants(text.split(), VARIANTS.get(code, {})))


def fold_variants(words: list[str], variants: dict[str, str]) -> list[str]:
    """Each word, or pair of words, that has a variant as that."""
    folded: list[str] = []
    place = 0
    while place < len(words):
        pair = " ".join(words[place : place + 2])
        if pair in variants and place + 1 < len(words):
            folded.append(variants[pair])
            place += 2
        else:
            folded.append(variants.get(words[place], words[place]))
            place += 1
    return folded


def numbers_in_words(text: str, code: str) -> str:
    """Digits to words in a language that has rules here, else the text as it is; numbers above a thousand million
    keep their digits."""
    words = WORDS.get(code)
    if words is None:
        return text
    grouped = GROUPED_ENGLISH if code == "en" else GROUPED

    def whole(digits: str, may_be_year: bool = False) -> str:
        number = int(digits)
        if number > LARGEST:
            return digits
        if may_be_year and number in HUNDREDS and code in ("no", "nn"):
            return norwegian_year(number, "ein" if code == "nn" else "en")
        return words(number)

    text = grouped.sub(lambda match: f" {whole(re.sub(r'[^0-9]', '', match[0]))} ", text)
    if code in ("no", "nn"):
        text = ORDINAL.sub(lambda match: f" {ordinal(int(match[1]), code) or match[1]} ", text)
    text = DECIMAL.sub(
        lambda match: f" {whole(match[1])} {POINT[code]} {' '.join(whole(digit) for digit in match[2])} ", text
    )
    return NUMBER.sub(lambda match: f" {whole(match[0], len(match[0]) == 4)} ", text)


def ordinal(number: int, code: str) -> str:
    """A day's number in words, first to thirty-first; empty beyond."""
    names = NO_ORDINALS.split()
    if not 1 <= number < len(names):
        return ""
    return NN_ORDINALS.get(number, names[number]) if code == "nn" else names[number]
