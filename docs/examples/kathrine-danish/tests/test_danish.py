"""Danish is read aloud as it is said, and refused where it is not known how."""

import pytest

from kathrine_danish.language import Danish
from kathrine_danish.numbers import cardinal, ordinal, year

SPOKEN = {
    "F.eks. kl. 14.30.": "For eksempel klokken fjorten tredive.",
    "Vi har æbler, pærer osv.": "Vi har æbler, pærer og så videre.",
    "Vi har æbler osv. Han har pærer.": "Vi har æbler og så videre. Han har pærer.",
    "bl.a. dvs. ca. pga. fx": "blandt andet det vil sige cirka på grund af for eksempel",
    "s. 12 i kap. 3": "side tolv i kapitel tre",
    "kl. 8.05 d. 1. maj": "klokken otte nul fem den første maj",
    "kl. 9-17": "klokken ni til sytten",
    "i dag 14:30": "i dag fjorten tredive",
    "d. 5/6-1849": "den femte juni atten hundrede og niogfyrre",
    "den 24.12.2025": "den fireogtyvende december to tusind og femogtyve",
    "2024-06-03": "tredje juni to tusind og fireogtyve",
    "3. jun. og d. 3/6": "tredje juni og den tredje i sjette",
    "kr. 1.225,50": "tusind to hundrede og femogtyve kroner og halvtreds øre",
    "1 kr. og 1.000,- og 50 øre": "en krone og tusind kroner og halvtreds øre",
    "1.000,- kr. i alt": "tusind kroner i alt",
    "Prisen er 100 kr. Han betalte.": "Prisen er hundrede kroner. Han betalte.",
    "3,25 mio. kr. og 1 mia.": "tre komma femogtyve millioner kroner og en milliard",
    "20 € eller $5": "tyve euro eller fem dollar",
    "5-7 % og 0,05": "fem til syv procent og nul komma nul fem",
    "-5 °C og 100 km/t": "minus fem grader og hundrede kilometer i timen",
    "1 min. og ½ l mælk": "et minut og en halv liter mælk",
    "21 mænd og 1 barn": "enogtyve mænd og et barn",
    "3. klasse, Christian 4.": "Tredje klasse, Christian den fjerde.",
    "1960'erne og 50'erne": "nitten hundrede og tresserne og halvtredserne",
    "en 17-årig": "en syttenårig",
    "nr. 007": "nummer nul nul syv",
    "99 kom.": "Nioghalvfems kom.",
    "Bach & søn, § 3": "Bach og søn, paragraf tre",
    "»Ja«, sagde hun": '"Ja", sagde hun',
}
REFUSED = {
    "3/7 af dem": "may be a date or a fraction",
    "31.2.2024": "no day of the calendar",
    "32. maj": "no month has a day 32",
    "d. 3/13": "there is no month 13",
    "klokken 25": "no time of the day",
    "A4": "no rule reads A4",
    "fra 10.05": "no rule reads 10.05",
    "for 100. gang": "has no ordinal here",
    "10'erne": "has no name of its own",
    "1000000000000": "too large",
    "smørrebrød™": "not in the alphabet: '™'",
    "щ": "not in the alphabet",
}


@pytest.mark.parametrize("written", SPOKEN)
def test_it_is_spoken(written):
    assert Danish().normalise(written).text == SPOKEN[written]


@pytest.mark.parametrize("written", REFUSED)
def test_it_is_refused_with_a_reason(written):
    answer = Danish().normalise(written)
    assert REFUSED[written] in answer.rejected and not answer.text


def test_numbers_count_twenties():
    said = [cardinal(tens) for tens in range(20, 100, 10)]
    assert said == ["tyve", "tredive", "fyrre", "halvtreds", "tres", "halvfjerds", "firs", "halvfems"]
    assert (cardinal(1), cardinal(1, "et"), cardinal(101, "et")) == ("en", "et", "hundrede og et")
    assert cardinal(2_000_175) == "to millioner et hundrede og femoghalvfjerds"
    assert cardinal(1_100_000_000) == "en milliard hundrede millioner"
    assert (ordinal(2), ordinal(30), ordinal(72)) == ("anden", "tredivte", "tooghalvfjerdsindstyvende")
    assert (year(1900), year(1864), year(2024)) == (
        "nitten hundrede",
        "atten hundrede og fireogtres",
        "to tusind og fireogtyve",
    )


def test_every_number_has_words_of_its_own():
    words = [cardinal(number) for number in range(10_000)]
    assert len(set(words)) == len(words)
    assert not any(character.isdigit() for text in words for character in text)


def test_sentences():
    language = Danish()
    assert len(language.test_sentences()) >= 20 and len(language.evaluation_sentences()) >= 100
    assert not set(language.test_sentences()) & set(language.evaluation_sentences())
    assert language.code() == "da" and language.tag() == "danish"
