"""Older spelling: where aa is no å, and (with `modernise`) today's form of old words.

Old words are Danish-Norwegian of the nineteenth and early twentieth century, as in old editions of the classics.
"""

from __future__ import annotations

KEPT_AA = frozenset(
    "kanaan kanaans isaak isaac isaaks isaacs aaron aarons haakon haakons afrikaans naan bazaar bazaaren salaam baal "
    "baals saab saaben maastricht haag abrahaam aachen balaam laase maar transvaal transvaals".split()
)
"""Names and loan words that keep aa."""
FIRST_PARTS = (
    "ekstra firma tema data pizza kamera villa soya media agenda mamma pappa papa kola sofa drama skjema klima gala "
    "propaganda fana karma kanna leasa rosa lama opera arena mafia kina vanilla banana paprika avokado veranda panda "
    "kultura alfa beta gamma delta mega tera kilova lava massa sauna jakka hocka norma finna sosia astma plasma koma "
    "china afrika amerika europa asia russia polka salsa diva"
).split()
"""First parts of compounds that end in a: `ekstraarbeid`, `firmaavtale` have no å."""
MODERN = {
    "af": "av",
    "aften": "aften",
    "blev": "ble",
    "bleve": "ble",
    "brød": "brød",
    "bog": "bok",
    "bogen": "boken",
    "bøger": "bøker",
    "dag": "dag",
    "efter": "etter",
    "efterat": "etter at",
    "endnu": "ennå",
    "ei": "ei",
    "eie": "eie",
    "endvidere": "enn videre",
    "fik": "fikk",
    "fandt": "fant",
    "fader": "far",
    "forat": "for at",
    "gaa": "gå",
    "gjør": "gjør",
    "gik": "gikk",
    "hvad": "hva",
    "hende": "henne",
    "hendes": "hennes",
    "hjem": "hjem",
    "hvorledes": "hvordan",
    "ikke": "ikke",
    "imellem": "imellem",
    "kirke": "kirke",
    "lidt": "litt",
    "liden": "liten",
    "mand": "mann",
    "manden": "mannen",
    "mænd": "menn",
    "meget": "meget",
    "mig": "meg",
    "dig": "deg",
    "sig": "seg",
    "moder": "mor",
    "nogen": "noen",
    "noget": "noe",
    "nogle": "noen",
    "nu": "nå",
    "og": "og",
    "paa": "på",
    "rig": "rik",
    "sagde": "sa",
    "siger": "sier",
    "sprog": "språk",
    "sproget": "språket",
    "stod": "sto",
    "syntes": "syntes",
    "tilbage": "tilbake",
    "tog": "tok",
    "ud": "ut",
    "uden": "uten",
    "ude": "ute",
    "vand": "vann",
    "vandet": "vannet",
    "vilde": "ville",
    "skulde": "skulle",
    "kunde": "kunne",
    "være": "være",
    "veien": "veien",
    "igjen": "igjen",
    "igjennem": "gjennom",
    "gjennem": "gjennom",
    "saadan": "sånn",
    "sådan": "sånn",
    "thi": "for",
    "hos": "hos",
    "idet": "idet",
    "iblandt": "iblant",
    "ligesom": "liksom",
    "neppe": "neppe",
    "selv": "selv",
    "sne": "snø",
    "sneen": "snøen",
    "tidt": "titt",
    "undertiden": "undertiden",
    "vet": "vet",
    "veed": "vet",
    "ved": "ved",
    "voxen": "voksen",
    "straks": "straks",
    "strax": "straks",
    "øie": "øye",
    "øine": "øyne",
    "øinene": "øynene",
    "høi": "høy",
    "høit": "høyt",
    "søster": "søster",
    "tyve": "tjue",
    "tredive": "tretti",
    "halvtreds": "femti",
    "tresindstyve": "seksti",
    "virkelig": "virkelig",
    "hjærte": "hjerte",
    "hjærtet": "hjertet",
    "hjerte": "hjerte",
    "kjær": "kjær",
    "tænkte": "tenkte",
    "tænke": "tenke",
    "mærke": "merke",
    "værden": "verden",
    "gjerne": "gjerne",
}
MODERN = {old: new for old, new in MODERN.items() if old != new}
NOUNS = frozenset(
    "mand kone barn børn dreng pige gutt jente hus gaard gård vei fjeld fjell fjord skog sjø hav båt baad hest ko ku "
    "hund kat katt fugl fisk dag nat natt morgen aften kveld vinter sommer høst vår vaar år aar time stund tid liv død "
    "hjerte hånd haand fod fot hode hoved øie øye øine øyne mund munn stemme ord sang bok bog brev dør vindu vindue "
    "stue kjøkken bord stol seng ild lys mørke sol måne maane stjerne himmel jord sten stein vand vann regn sne snø is "
    "konge dronning prest bonde soldat fader moder broder søster mor far bror søn sønn datter ven venn fiende folk land "
    "by bygd kirke kirken manden mannen huset gaarden gården veien skogen fjeldet fjellet håbet haabet håb håp glæde "
    "glede sorg kjærlighed kjærlighet frygt frykt sjæl sjel gud".split()
)
"""Common nouns that old texts write with a capital."""
