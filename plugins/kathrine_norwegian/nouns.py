"""Nouns that a number stands before: their gender decides the form of 1, and that four digits are no year."""

from __future__ import annotations

import re

from kathrine_norwegian.style import Style
from kathrine_norwegian.words import Gender

NEUTER = frozenset(
    """
    år halvår kvartal tiår hundreår århundre årtusen årsverk årstall døgn minutt sekund øyeblikk hundre tusen barn
    menneske medlem dyr hus land fylke møte tall poeng prosentpoeng spørsmål svar forslag vedtak tiltak krav mål slag
    skritt steg trinn nivå sted eksempel eksemplar stykke kilo kilogram gram milligram tonn hekto mikrogram hektar
    dekar bind kapittel avsnitt ledd punkt bilde brev ord kort rom bord fly tog skip egg eple skudd par sett parti
    mandat sete lag kjønn alternativ ben bein øye liv dødsfall tilfelle besøk forsøk oppdrag prosjekt selskap firma
    universitet sykehus problem spill søksmål stortingsvalg valg vers bud pund kryss hjul hull blad glass lys
    """.split()
) | frozenset("hundreår tusenår augneblikk mellomrom døme eksempel stykke sjukehus spel eple auge bilete".split())
FEMININE_NN = frozenset(
    """
    krone veke natt helg stund bok side rekkje gruppe avdeling kvinne jente mor hytte bygd øy elv mil line rad linje
    rolle kake flaske ku geit dør oppgåve utgåve løype tid dotter syster klokke melding lov rute hand ei
    """.split()
)
PLURALS = frozenset(
    """
    år barn mennesker menneske personer menn kvinner kroner euro dollar pund øre meter kilometer mil kilo gram tonn
    liter grader prosent dager timer minutter sekunder uker måneder medlemmer elever studenter innbyggere ansatte
    stemmer plasser boliger biler hus dyr sider ord poeng ganger deltakere deltakarar passasjerer passasjerar soldater
    soldatar jobber jobbar årsverk mål stykker sauer sauar kyr hester hestar båter båtar fly skip enheter einingar
    personar folk dagar timar veker månader medlemer elevar studentar innbyggjarar tilsette røyster plassar
    gonger mål millioner millionar tusen hundre kvadratmeter
    """.split()
)
"""Counted things: `2000 mennesker` is no year, whatever stands before it."""
NO_PLURAL = frozenset(
    "er var blir ble har hadde etter eller under over men da når der som får kommer gir sier ser står går ligger "
    "leder leier heter kunne skulle ville måtte alle".split()
)
NOUN = re.compile(r" ?([a-zæøå]+)")
PLURAL_ENDING = re.compile(r"[a-zæøå]{2,}(?:er|ere|ar|arar|or|ene|ane)$")
HALF_NEUTER = re.compile(r"(?:halv|kvart på|kvart over|klokka|klokken|klokka er|klokken er) $", re.IGNORECASE)


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
    return bool(noun) and noun[1] in PLURALS  # type: ignore[index]


def plural_follows(text: str, position: int) -> bool:
    """Whether what follows has the look of a noun in the plural."""
    noun = NOUN.match(text, position)
    return bool(noun) and noun[1] not in NO_PLURAL and (  # type: ignore[index]
        noun[1] in PLURALS or bool(PLURAL_ENDING.match(noun[1]))  # type: ignore[index]
    )
