"""Abbreviations: written form (lower case, without spaces and the last dot) -> bokmål and nynorsk.

A form that only nynorsk uses is read in nynorsk wherever it stands. Collected from common use.
"""

from __future__ import annotations

from kathrine_norwegian.wordlist import listed

_ANYWHERE = """
adm.dir = administrerende direktør = administrerande direktør
adm = administrerende = administrerande
adv = advokat
ang = angående = angåande
anm = anmerkning = merknad
ass = assisterende = assisterande
avd = avdeling
avg = avgang
avsn = avsnitt
bd = bind
bl.a = blant annet = blant anna
bnr = bruksnummer
c/o = care of
ca = cirka
cf = jamfør
d.d = dags dato
d.v.s = det vil si = det vil seie
d.å = dette år = dette året
dir = direktør
div = diverse
dr = doktor
dr.med = doktor medicinae
dvs = det vil si = det vil seie
e.a = eller annet = eller anna
e.kr = etter Kristus
e.l = eller lignende = eller liknande
eks = eksempel = døme
ekskl = eksklusive
el.l = eller lignende = eller liknande
etc = et cetera
etg = etasje
ev = eventuelt
evt = eventuelt
f.eks = for eksempel
f.kr = før Kristus
f.m = formiddag
f.o.m = fra og med = frå og med
f.t = for tiden = for tida
ff = og følgende = og følgjande
fhv = forhenværende = tidlegare
fig = figur
forf = forfatter = forfattar
forts = fortsettelse = framhald
frk = frøken
gj.sn = gjennomsnitt = gjennomsnitt
gnr = gårdsnummer = gardsnummer
g.nr = gårdsnummer = gardsnummer
h.h.v = henholdsvis = høvesvis
hhv = henholdsvis = høvesvis
hr = herr
i.e = det vil si = det vil seie
ibid = ibidem
ifb = i forbindelse = i samband
ifm = i forbindelse med = i samband med
ift = i forhold til = i høve til
iht = i henhold til = i samsvar med
i.h.t = i henhold til = i samsvar med
inkl = inklusive
innb = innbyggere = innbyggjarar
innst = innstilling
jf = jamfør
jfr = jamfør
jr = junior
kfr = konferer
kgl = kongelig = kongeleg
kl = klokka
kst = konstituert
lign = lignende = liknande
m.a = blant annet = mellom anna
m.a.o = med andre ord
m.fl = med flere = med fleire
m.h.t = med hensyn til = med omsyn til
m.m = med mer = med meir
m.o.h = meter over havet
m.t.p = med tanke på
m.v = med videre = med vidare
maks = maksimum
mfl = med flere = med fleire
mht = med hensyn til = med omsyn til
moh = meter over havet
mr = mister
mob = mobil
mva = merverdiavgift = meirverdiavgift
mtp = med tanke på
mv = med videre = med vidare
nr = nummer
o.a = og annet = og anna
o.d = og det = og det
o.fl = og flere = og fleire
o.l = og lignende = og liknande
o.m.a = og mange andre
o.s.b = og så videre = og så bortetter
o.s.fr = og så fremdeles = og så framleis
o.s.v = og så videre = og så vidare
obs = observer
off = offentlig = offentleg
osb = og så videre = og så bortetter
osv = og så videre = og så vidare
org.nr = organisasjonsnummer
p.a = per år
p.g.a = på grunn av
p.t = for tiden = for tida
pga = på grunn av
pkt = punkt
pr = per
postnr = postnummer
kontonr = kontonummer
prof = professor
ref = referanse
rv = riksvei = riksveg
fv = fylkesvei = fylkesveg
s.k = såkalt = såkalla
sml = sammenlign = samanlikn
spm = spørsmål
sr = senior
st.meld = stortingsmelding
st.prp = stortingsproposisjon
ot.prp = odelstingsproposisjon
meld.st = melding til Stortinget
dok = dokument
prop = proposisjon
str = størrelse = storleik
t.d = til dømes
t.o.m = til og med
tab = tabell
tlf = telefon
tlf.nr = telefonnummer
tr = trykt
u.å = uten år = utan år
utg = utgave = utgåve
v.h.a = ved hjelp av
vedr = vedrørende = vedrørande
vgs = videregående skole = vidaregåande skule
vha = ved hjelp av
vs = versus
årg = årgang
årh = århundre = hundreår
øv = øvre
"""
_BEFORE_NUMBER = """
art = artikkel
f = født = fødd
fom = fra og med = frå og med
d = den
hft = hefte
kap = kapittel
kr = kr
r = rad
s = side
sp = spalte
sek = sekund
tom = til og med
v = vers
vol = volum
"""
_BEFORE_YEAR = """
jan = januar
feb = februar
febr = februar
mar = mars
apr = april
jun = juni
jul = juli
aug = august
sep = september
sept = september
okt = oktober
nov = november
des = desember
"""
"""Also names and words, and a rule for dates reads them after a day: here only before a year, `i jan. 2020`."""
_BEFORE_DAY = """
man = mandag = måndag
tir = tirsdag = tysdag
tirs = tirsdag = tysdag
tys = tysdag
ons = onsdag
tor = torsdag
tors = torsdag
fre = fredag
lør = lørdag = laurdag
laur = laurdag
søn = søndag = sundag
"""
_UNDOTTED = listed("osv dvs pga mht mtp ifm ift iht jf jfr tlf ca evt vha hhv mfl osb moh inkl ekskl pr mva")
_UNDOTTED_BEFORE_NUMBER = listed("kl nr ca s kap pkt art fig tab")
FINAL = frozenset(
    listed(
        "osv osb o.s.v o.s.b o.l e.l el.l m.m m.v mv m.fl mfl o.a o.fl o.m.a etc mill mrd mia kr moh m.o.h stk innb "
        "f.kr e.kr o.d d.d d.å u.å vgs ff"
    )
)
"""These may end a sentence, so that their dot before a capital is a full stop: `epler osv. Så gikk vi.`"""
COUNTED = {
    "mill": ("million", "millioner", "million", "millionar"),
    "mrd": ("milliard", "milliarder", "milliard", "milliardar"),
    "mia": ("milliard", "milliarder", "milliard", "milliardar"),
    "bill": ("billion", "billioner", "billion", "billionar"),
    "mnd": ("måned", "måneder", "månad", "månader"),
    "stk": ("stykk", "stykker", "stykk", "stykk"),
}
"""Singular and plural in bokmål and in nynorsk: the number before decides."""
REAL_WORDS = frozenset(listed("ass prop dok eks ref tab fig dir div rv fv ang art obs maks str off"))
"""Also words: with a full stop at the end of a sentence they are those."""
SPACED = frozenset(
    listed(
        "bl.a f.eks t.d m.a o.l e.l m.m m.v m.fl o.fl o.a e.kr f.kr d.v.s o.s.v p.g.a m.a.o st.meld meld.st ot.prp "
        "dr.med"
    )
)
"""Also written with a space after the inner dots."""


def _read(table: str) -> dict[str, tuple[str, str]]:
    found = {}
    for line in table.strip().split("\n"):
        written, bokmaal, *nynorsk = (part.strip() for part in line.split(" = "))
        found[written] = (bokmaal, nynorsk[0] if nynorsk else bokmaal)
    return found


ANYWHERE = _read(_ANYWHERE)
BEFORE_NUMBER = _read(_BEFORE_NUMBER)
BEFORE_YEAR = _read(_BEFORE_YEAR)
BEFORE_DAY = _read(_BEFORE_DAY)
"""Days of the week, before the number of a day: `ons. 3. juni`."""
UNDOTTED = {name: ANYWHERE[name] for name in _UNDOTTED}
UNDOTTED_BEFORE_NUMBER = {
    name: ANYWHERE.get(name) or BEFORE_NUMBER[name] for name in _UNDOTTED_BEFORE_NUMBER if name not in _UNDOTTED
}
