"""Abbreviations and signs as the words that they stand for."""

import re

ABBREVIATIONS = {
    "ang.": "angående",
    "bl.a.": "blandt andet",
    "ca.": "cirka",
    "dr.": "doktor",
    "dvs.": "det vil sige",
    "e.Kr.": "efter Kristus",
    "ekskl.": "eksklusive",
    "etc.": "et cetera",
    "evt.": "eventuelt",
    "f.eks.": "for eksempel",
    "f.Kr.": "før Kristus",
    "fx": "for eksempel",
    "hhv.": "henholdsvis",
    "iflg.": "ifølge",
    "ift.": "i forhold til",
    "inkl.": "inklusive",
    "jf.": "jævnfør",
    "kl.": "klokken",
    "m.m.": "med mere",
    "maks.": "maksimalt",
    "mht.": "med hensyn til",
    "mv.": "med videre",
    "nr.": "nummer",
    "o.l.": "og lignende",
    "osv.": "og så videre",
    "pga.": "på grund af",
    "stk.": "styk",
    "tlf.": "telefon",
    "vedr.": "vedrørende",
}
LAST = {"etc.", "m.m.", "mv.", "o.l.", "osv."}
"""Those that may end a sentence: a capital behind them begins the next one."""
BEFORE_NUMBERS = {"d.": "den", "s.": "side", "kap.": "kapitel"}
SIGNS = {"…": "...", "»": '"', "«": '"', "„": '"', "“": '"', "”": '"', "’": "'", "‘": "'", "−": "-", "—": "–"}
WORDS = {"&": "og", "+": "plus", "=": "er lig med", "§": "paragraf"}

_every = "|".join(re.escape(one) for one in sorted(ABBREVIATIONS, key=len, reverse=True))
_ABBREVIATION = re.compile(rf"(?<![\w.])({_every})(?!\w)", re.IGNORECASE)
_BEFORE_NUMBER = re.compile(r"(?<![\w.])(d\.|s\.|kap\.) ?(?=\d)", re.IGNORECASE)
_KNOWN = {one.lower(): one for one in ABBREVIATIONS}


def signs(text: str) -> str:
    """One form for each sign."""
    return text.translate(str.maketrans(SIGNS))


def sign_words(text: str) -> str:
    """Signs that are read aloud as words."""
    for sign, word in WORDS.items():
        text = re.sub(rf" ?{re.escape(sign)} ?", f" {word} ", text)
    return text.strip()


def abbreviations(text: str) -> str:
    """`bl.a.` is `blandt andet`. The dot stays where it also ends the sentence."""

    def spoken(found: re.Match[str]) -> str:
        short = _KNOWN[found[1].lower()]
        behind = text[found.end() :]
        ends = short.endswith(".") and (not behind or (short in LAST and re.match(r" [A-ZÆØÅ]", behind)))
        return like(found[1], ABBREVIATIONS[short]) + ("." if ends else "")

    text = _BEFORE_NUMBER.sub(lambda found: like(found[1], BEFORE_NUMBERS[found[1].lower()]) + " ", text)
    return _ABBREVIATION.sub(spoken, text)


def like(written: str, words: str) -> str:
    """The words, with a capital where what was written had one."""
    return words[0].upper() + words[1:] if written[0].isupper() else words


def capital(text: str) -> str:
    """A sentence that ends as one begins as one: a number at its start has become a small word."""
    return text[:1].upper() + text[1:] if text.endswith((".", "!", "?")) else text
