"""Acronyms that are read as words, those that are spelled although they do not look it, and words in capitals."""

from __future__ import annotations

from kathrine_norwegian.wordlist import listed

_WORDS = """
NATO Nato|NAV Nav|UNESCO Unesco|UNICEF Unicef|SINTEF Sintef|NORAD Norad|OPEC Opec|NASA Nasa|AIDS aids|HIV hiv
FAFO Fafo|NUPI Nupi|PRIO Prio|IKEA Ikea|MOMA Moma|COVID covid|PIN pin|SIM sim|RAM ram|GIF gif|LAN lan|VAR var
NOKAS Nokas|NORSAR Norsar|NINA Nina|NIVA Niva|NIBIO Nibio|NILU Nilu|DIFI Difi|ENOVA Enova|STATOIL Statoil|EFTA Efta
ASEAN Asean|FIFA Fifa|UEFA Uefa|GATT Gatt|SALT Salt|OSSE Osse|SWIFT Swift|SARS sars|MERS mers|LASER laser|RADAR radar
MOMS moms|FIDE Fide|ECOSOC Ecosoc|INTERPOL Interpol|EUROPOL Europol|FRONTEX Frontex|KRIPOS Kripos
ØKOKRIM Økokrim|NOVA Nova|NIFU Nifu|SIFO Sifo|NOKUT Nokut|VOX Vox|MAREANO Mareano|OK okei|NORCE Norce
TINE Tine|ELKEM Elkem|YARA Yara|DAGBLADET Dagbladet|AFTENPOSTEN Aftenposten|LEGO Lego|VOLVO Volvo|BAFTA Bafta
MENSA Mensa|ANSA Ansa|NEMO Nemo|PISA Pisa|COP Cop|UNIX Unix|ASCII Ascii|BIOS Bios|CAPTCHA Captcha
WADA Wada|KOLS kols|FOMO fomo|YOLO yolo|ROV rov
"""
SPELLED = frozenset(listed("FrP Frp KrF Krf Ap Sp PhD UiO UiB UiT UiA UiS DnB StL LHBTIQ LHBTQI"))
"""Spelled although they have small letters, or are long."""
_CAPITALS = """
ikke aldri du jeg han hun det den er på og må skal ja nei alt alle ingen nå så her der hva hvem hvor hvorfor vi dere de
meg deg oss min din sin vil kan var har ut inn opp ned bare helt veldig en ei et at av men om til fra med for som da
ikkje eg ho kva kven kor kvifor me dykk dei noko nokon alltid ferdig stopp hjelp slutt start viktig gratis ny nye
stor stort liten mer mest flere først sist siden kapittel del første andre tredje prolog epilog slutten og eller
"""


def _words() -> dict[str, str]:
    pairs = (entry.split(" ", 1) for line in _WORDS.strip().split("\n") for entry in line.split("|"))
    return {written: spoken for written, spoken in pairs}


WORDS = _words()
"""Acronym -> how it is written when it is read as a word."""
CAPITALS = frozenset(_CAPITALS.split())
"""Words that are written in capitals for emphasis or in headings."""
LETTER_NAMES = {
    "A": "a", "B": "be", "C": "se", "D": "de", "E": "e", "F": "eff", "G": "ge", "H": "hå", "I": "i", "J": "je",
    "K": "kå", "L": "ell", "M": "emm", "N": "enn", "O": "o", "P": "pe", "Q": "ku", "R": "ær", "S": "ess",
    "T": "te", "U": "u", "V": "ve", "W": "dobbelt-ve", "X": "eks", "Y": "y", "Z": "sett", "Æ": "æ", "Ø": "ø",
    "Å": "å",
}  # fmt: skip
"""Names of the letters, for `spell = "names"`."""
