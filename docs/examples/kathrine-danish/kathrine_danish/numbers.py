"""Danish numbers as words. Units come before tens, and from fifty on tens count twenties: tres is three of them,
halvtreds half of the third, that is two and a half. Ordinals say the twenties in full: halvtredsindstyvende."""

from kathrine.textrules import NotSpoken

SMALL = (
    *("nul", "en", "to", "tre", "fire", "fem", "seks", "syv", "otte", "ni", "ti", "elleve", "tolv", "tretten"),
    *("fjorten", "femten", "seksten", "sytten", "atten", "nitten"),
)
TENS = ("", "", "tyve", "tredive", "fyrre", "halvtreds", "tres", "halvfjerds", "firs", "halvfems")
SMALL_ORDINALS = (
    *("nulte", "første", "anden", "tredje", "fjerde", "femte", "sjette", "syvende", "ottende", "niende", "tiende"),
    *("ellevte", "tolvte", "trettende", "fjortende", "femtende", "sekstende", "syttende", "attende", "nittende"),
)
TENS_ORDINALS = (
    *("", "", "tyvende", "tredivte", "fyrretyvende", "halvtredsindstyvende", "tresindstyvende"),
    *("halvfjerdsindstyvende", "firsindstyvende", "halvfemsindstyvende"),
)
LARGE = ((10**9, "milliard", "milliarder"), (10**6, "million", "millioner"))


def cardinal(number: int, one: str = "en") -> str:
    """A number from 0 as words: 1864 is `tusind otte hundrede og fireogtres`.

    Given: one, `en` or `et`, by the gender of what is counted. Raises: NotSpoken for a thousand milliards and more.
    """
    if number < 20:
        return one if number == 1 else SMALL[number]
    if number < 100:
        tens, unit = divmod(number, 10)
        return f"{SMALL[unit]}og{TENS[tens]}" if unit else TENS[tens]
    if number >= 10**12:
        raise NotSpoken(f"{number} is too large to be read aloud")
    parts = []
    for size, singular, plural in LARGE:
        count, number = divmod(number, size)
        if count:
            parts.append(f"{cardinal(count)} {singular if count == 1 else plural}")
    thousands, number = divmod(number, 1000)
    if thousands:
        parts.append("tusind" if thousands == 1 and not parts else f"{cardinal(thousands, 'et')} tusind")
    hundreds, number = divmod(number, 100)
    if hundreds:
        parts.append("hundrede" if hundreds == 1 and not parts else f"{cardinal(hundreds, 'et')} hundrede")
    if number:
        parts.append(f"og {cardinal(number, one)}")
    return " ".join(parts)


def year(number: int) -> str:
    """A number that is written as years are: from 1100 to 1999 in hundreds, `atten hundrede og fireogtres`."""
    if not 1100 <= number < 2000:
        return cardinal(number)
    hundreds, rest = divmod(number, 100)
    return f"{cardinal(hundreds)} hundrede" + (f" og {cardinal(rest)}" if rest else "")


def ordinal(number: int) -> str:
    """`tredje`, `enogtredivte`, from 1 to 99. Raises: NotSpoken beyond: nobody says those without reading twice."""
    if not 1 <= number < 100:
        raise NotSpoken(f"{number}. has no ordinal here: write it out")
    if number < 20:
        return SMALL_ORDINALS[number]
    tens, unit = divmod(number, 10)
    return f"{SMALL[unit]}og{TENS_ORDINALS[tens]}" if unit else TENS_ORDINALS[tens]


def decade(tens: int) -> str:
    """The years of a decade: 6 is `tresserne`. Raises: NotSpoken for the first two, which have no such name."""
    if not 2 <= tens <= 9:
        raise NotSpoken(f"{tens}0'erne has no name of its own: write it out")
    stem = TENS[tens]
    return f"{stem}serne" if stem == "tres" else f"{stem}erne" if stem.endswith("s") else f"{stem}rne"
