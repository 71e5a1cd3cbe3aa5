"""Nouns that a number stands before: their gender decides the form of 1, and that four digits are no year."""

from __future__ import annotations

import re

from kathrine_norwegian.style import Style
from kathrine_norwegian.wordlist import listed
from kathrine_norwegian.words import Gender

NEUTER = frozenset(
    listed("""
    år halvår kvartal tiår hundreår århundre årtusen årsverk årstall døgn minutt sekund øyeblikk hundre tusen barn
    menneske medlem dyr hus land fylke møte tall poeng prosentpoeng spørsmål svar forslag vedtak tiltak krav mål slag
    skritt steg trinn nivå sted eksempel eksemplar stykke kilo kilogram gram milligram tonn hekto mikrogram hektar
    dekar bind kapittel avsnitt ledd punkt bilde brev ord kort rom bord fly tog skip egg eple skudd par sett parti
    mandat sete lag kjønn alternativ ben bein øye liv dødsfall tilfelle besøk forsøk oppdrag prosjekt selskap firma
    universitet sykehus problem spill søksmål stortingsvalg valg vers bud pund kryss hjul hull blad glass lys
    """)
) | frozenset(listed("hundreår tusenår augneblikk mellomrom døme eksempel stykke sjukehus spel eple auge bilete"))
FEMININE_NN = frozenset(
    listed("""
    krone veke natt helg stund bok side rekkje gruppe avdeling kvinne jente mor hytte bygd øy elv mil line rad linje
    rolle kake flaske ku geit dør oppgåve utgåve løype tid dotter syster klokke melding lov rute hand ei
    """)
)
PLURALS = frozenset(
    listed("""
    år barn mennesker menneske personer menn kvinner kroner euro dollar pund øre meter kilometer mil kilo gram tonn
    liter grader prosent dager timer minutter sekunder uker måneder medlemmer elever studenter innbyggere ansatte
    stemmer plasser boliger biler hus dyr sider ord poeng ganger deltakere deltakarar passasjerer passasjerar soldater
    soldatar jobber jobbar årsverk mål stykker sauer sauar kyr hester hestar båter båtar fly skip enheter einingar
    personar folk dagar timar veker månader medlemer elevar studentar innbyggjarar tilsette røyster plassar
    gonger mål millioner millionar tusen hundre kvadratmeter
    """)
)
"""Counted things: `2000 mennesker` is no year, whatever stands before it."""
NO_PLURAL = frozenset(
    listed(
        "er var blir ble har hadde etter eller under over men da når der som får kommer gir sier ser står går ligger "
        "leder leier heter kunne skulle ville måtte alle"
    )
)
NOUN = re.compile(r" ?([a-zæøå]+)")
PLURAL_ENDING = re.compile(r"[a-zæøå]{2,}(?:er|ere|ar|arar|or|ene|ane)$")


def gender_of(noun: str, style: Style) -> Gender:
    """`n` and, in nynorsk, `f` for nouns that are listed; `m` for all others."""
    if noun in NEUTER or noun.endswith(("prosentpoeng", "årsverk")):
        return "n"
    return "f" if style.variant == "nn" and noun in FEMININE_NN else "m"


def gender_after(text: str, position: int, style: Style) -> Gender:
    """The gender of the noun that follows a number ending at a position (adjectives are not looked through)."""
    noun = NOUN.match(text, position)
    return gender_of(noun[1], style) if noun else "m"


def counted(text: str, position: int) -> bool:
    """Whether a noun that is surely counted follows: one of `PLURALS`."""
    noun = NOUN.match(text, position)
    return noun is not None and noun[1] in PLURALS


def plural_follows(text: str, position: int) -> bool:
    """Whether what follows has the look of a noun in the plural."""
    noun = NOUN.match(text, position)
    if noun is None or noun[1] in NO_PLURAL:
        return False
    return noun[1] in PLURALS or PLURAL_ENDING.match(noun[1]) is not None
