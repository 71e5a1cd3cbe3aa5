"""Units: written form -> bokmål singular and plural, nynorsk plural, gender.

Also the currencies. Words that are the same in all forms are given once.
"""

from __future__ import annotations

from kathrine_norwegian.words import Gender

_UNITS = """
%|prosent|prosent|prosent|m
pst.|prosent|prosent|prosent|m
pst|prosent|prosent|prosent|m
‰|promille|promille|promille|m
°C|grad|grader|grader|m
°F|grad fahrenheit|grader fahrenheit|grader fahrenheit|m
°|grad|grader|grader|m
km|kilometer
m|meter
dm|desimeter
cm|centimeter
mm|millimeter
μm|mikrometer
nm|nanometer
km²|kvadratkilometer
m²|kvadratmeter
cm²|kvadratcentimeter
km2|kvadratkilometer
m2|kvadratmeter
cm2|kvadratcentimeter
kvm|kvadratmeter
kvkm|kvadratkilometer
m³|kubikkmeter
m3|kubikkmeter
cm³|kubikkcentimeter
cm3|kubikkcentimeter
daa|dekar|dekar|dekar|n
ha|hektar|hektar|hektar|n
kg|kilo|kilo|kilo|n
hg|hekto|hekto|hekto|n
g|gram|gram|gram|n
mg|milligram|milligram|milligram|n
μg|mikrogram|mikrogram|mikrogram|n
l|liter
dl|desiliter
cl|centiliter
ml|milliliter
min|minutt|minutter|minutt|n
min.|minutt|minutter|minutt|n
sek|sekund|sekunder|sekund|n
sek.|sekund|sekunder|sekund|n
ms|millisekund|millisekunder|millisekund|n
W|watt
kW|kilowatt
MW|megawatt
GW|gigawatt
TW|terawatt
Wh|wattime|wattimer|wattimar|m
kWh|kilowattime|kilowattimer|kilowattimar|m
MWh|megawattime|megawattimer|megawattimar|m
GWh|gigawattime|gigawattimer|gigawattimar|m
TWh|terawattime|terawattimer|terawattimar|m
V|volt
kV|kilovolt
mAh|milliamperetime|milliamperetimer|milliamperetimar|m
Hz|hertz
kHz|kilohertz
MHz|megahertz
GHz|gigahertz
dB|desibel
kB|kilobyte
MB|megabyte
GB|gigabyte
TB|terabyte
kbit|kilobit
Mbit|megabit
Gbit|gigabit
kcal|kilokalori|kilokalorier|kilokaloriar|m
kJ|kilojoule
MJ|megajoule
hk|hestekraft|hestekrefter|hestekrefter|m
bar|bar
mbar|millibar
hPa|hektopascal
Pa|pascal
kPa|kilopascal
"""
_PER = {
    "t": ("i timen", "i timen"),
    "h": ("i timen", "i timen"),
    "s": ("i sekundet", "i sekundet"),
    "sek": ("i sekundet", "i sekundet"),
    "min": ("i minuttet", "i minuttet"),
    "år": ("i året", "i året"),
    "døgn": ("i døgnet", "i døgnet"),
    "dag": ("per dag", "per dag"),
    "mnd": ("i måneden", "i månaden"),
    "uke": ("i uka", "i uka"),
    "veke": ("i veka", "i veka"),
    "stk": ("per stykk", "per stykk"),
    "pers": ("per person", "per person"),
}
"""What stands after a slash, where it is not `per` and the unit's singular."""

Unit = tuple[str, str, str, Gender]
"""Singular, plural, nynorsk plural, gender."""


def _read(table: str) -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for line in table.strip().split("\n"):
        written, *forms = line.split("|")
        one = forms[0]
        many, many_nn, gender = forms[1:] if len(forms) > 1 else (one, one, "m")
        found[written] = (one, many, many_nn, gender)  # type: ignore[assignment]
    return found


UNITS = _read(_UNITS)
PER = _PER
CURRENCIES: dict[str, tuple[Unit, str, str]] = {
    "kr": (("krone", "kroner", "kroner", "f"), "øre", "øre"),
    "€": (("euro", "euro", "euro", "m"), "cent", "cent"),
    "$": (("dollar", "dollar", "dollar", "m"), "cent", "cent"),
    "£": (("pund", "pund", "pund", "n"), "pence", "pence"),
    "¥": (("yen", "yen", "yen", "m"), "sen", "sen"),
    "SEK": (("svensk krone", "svenske kroner", "svenske kroner", "f"), "øre", "øre"),
    "DKK": (("dansk krone", "danske kroner", "danske kroner", "f"), "øre", "øre"),
    "CHF": (("sveitsisk franc", "sveitsiske franc", "sveitsiske franc", "m"), "centime", "centimes"),
}
"""Sign -> main unit, and its hundredth in singular and plural."""
ALIASES = {"kr.": "kr", "Kr": "kr", "Kr.": "kr", "NOK": "kr", "krone": "kr", "kroner": "kr", "EUR": "€", "euro": "€"}
ALIASES |= {"USD": "$", "US$": "$", "dollar": "$", "GBP": "£", "pund": "£", "JPY": "¥"}
