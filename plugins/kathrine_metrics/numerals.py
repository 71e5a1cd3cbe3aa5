"""Whole numbers in words, for comparing texts: Norwegian (both forms), English and German.

Not how a number is best read aloud, but one fixed form of it, so that `2536` and the same number written out are equal.
"""

from __future__ import annotations

from collections.abc import Callable

NO_ONES = "null en to tre fire fem seks sju åtte ni ti elleve tolv tretten fjorten femten seksten sytten atten nitten"
NO_TENS = "tjue tretti førti femti seksti sytti åtti nitti"
EN_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
EN_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
DE_ONES = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
)
DE_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
NO_ORDINALS = (
    "null første andre tredje fjerde femte sjette sjuende åttende niende tiende ellevte tolvte trettende fjortende "
    "femtende sekstende syttende attende nittende tjuende tjueførste tjueandre tjuetredje tjuefjerde tjuefemte "
    "tjuesjette tjuesjuende tjueåttende tjueniende trettiende trettiførste"
)
NN_ORDINALS = {7: "sjuande", 8: "åttande", 9: "niande", 10: "tiande", 13: "trettande", 14: "fjortande", 15: "femtande"}
LARGEST = 999_999_999
HUNDREDS = range(1100, 2000)
"""Read as years where they are written without a space: nitten hundre og fem."""


def norwegian(number: int, one: str = "en") -> str:
    """A whole number in words as in bokmål. one: its form of `1` before nouns, ein in nynorsk."""
    ones = NO_ONES.split()
    ones[1] = one
    if number < 20:
        return ones[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return NO_TENS.split()[tens - 2] + (ones[rest] if rest else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        words = f"{ones[hundreds]} hundre" if hundreds > 1 else "hundre"
        return f"{words} og {norwegian(rest, one)}" if rest else words
    for size, name, plural in (
        (1_000_000, "million", "millioner" if one == "en" else "millionar"),
        (1000, "tusen", ""),
    ):
        if number >= size:
            many, rest = divmod(number, size)
            words = (
                f"{norwegian(many, one)} {plural or name}" if many > 1 else name if size == 1000 else f"{one} {name}"
            )
            if not rest:
                return words
            return f"{words} {'og ' if rest < 100 else ''}{norwegian(rest, one)}"
    raise AssertionError("a number of 1000 or more has thousands")


def norwegian_year(number: int, one: str = "en") -> str:
    """1100 to 1999 by hundreds: nitten hundre og fem."""
    hundreds, rest = divmod(number, 100)
    words = f"{norwegian(hundreds, one)} hundre"
    return f"{words} og {norwegian(rest, one)}" if rest else words


def english(number: int) -> str:
    """A whole number in words, without `and`."""
    ones = EN_ONES.split()
    if number < 20:
        return ones[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return EN_TENS.split()[tens - 2] + (f" {ones[rest]}" if rest else "")
    for size, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            many, rest = divmod(number, size)
            return f"{english(many)} {name}" + (f" {english(rest)}" if rest else "")
    raise AssertionError("a number of 100 or more has hundreds")


def german(number: int, one: str = "eins") -> str:
    """A whole number in words, below a million as one word."""
    ones = DE_ONES.split()
    ones[1] = one
    if number < 20:
        return ones[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        name = DE_TENS.split()[tens - 2]
        return f"{german(rest, 'ein')}und{name}" if rest else name
    for size, name in ((1000, "tausend"), (100, "hundert")):
        if size <= number < 1_000_000:
            many, rest = divmod(number, size)
            return f"{german(many, 'ein')}{name}" + (german(rest) if rest else "")
    many, rest = divmod(number, 1_000_000)
    words = f"{german(many)} millionen" if many > 1 else "eine million"
    return f"{words} {german(rest)}" if rest else words


WORDS: dict[str, Callable[[int], str]] = {
    "no": norwegian,
    "nb": norwegian,
    "nn": lambda number: norwegian(number, "ein"),
    "en": english,
    "de": german,
}
"""Language code -> a number up to `LARGEST` in words."""
