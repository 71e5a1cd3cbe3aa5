"""Older spelling: where aa is no å, and (with `modernise`) today's form of old words.

Old words are Danish-Norwegian of the nineteenth and early twentieth century, as in old editions of the classics.
"""

from __future__ import annotations

from kathrine_norwegian.wordlist import listed

KEPT_AA = listed(
    "kanaan isaa aaron haakon afrikaans naan bazaar salaam baal saab maastricht haag aachen aalto transvaal"
)
"""Beginnings of names and loan words that keep aa."""
FIRST_PARTS = listed(
    "ekstra firma tema data pizza kamera villa soya media agenda mamma pappa papa kola sofa drama skjema klima gala "
    "propaganda fana karma kanna leasa rosa lama opera arena mafia kina vanilla banana paprika avokado veranda panda "
    "kultura alfa beta gamma delta mega tera kilova lava massa sauna jakka hocka norma finna sosia astma plasma koma "
    "china afrika amerika europa asia russia polka salsa diva"
)
"""First parts of compounds that end in a: `ekstraarbeid`, `firmaavtale` have no å."""
_MODERN = """
af av | blev ble | bleve ble | bog bok | bogen boken | bøger bøker | efter etter | efterat etter_at
endnu ennå | endvidere enn_videre | fik fikk | fandt fant | fader far | forat for_at | gaa gå | gik gikk
hvad hva | hende henne | hendes hennes | hvorledes hvordan | lidt litt | liden liten | mand mann
manden mannen | mænd menn | mig meg | dig deg | sig seg | moder mor | nogen noen | noget noe | nogle noen
nu nå | paa på | rig rik | sagde sa | siger sier | sprog språk | sproget språket | stod sto | tilbage tilbake
tog tok | ud ut | uden uten | ude ute | vand vann | vandet vannet | vilde ville | skulde skulle | kunde kunne
igjennem gjennom | gjennem gjennom | saadan sånn | sådan sånn | thi for | iblandt iblant | ligesom liksom
sne snø | sneen snøen | tidt titt | veed vet | voxen voksen | strax straks | øie øye | øine øyne
øinene øynene | høi høy | høit høyt | tyve tjue | tredive tretti | halvtreds femti | tresindstyve seksti
hjærte hjerte | hjærtet hjertet | tænkte tenkte | tænke tenke | mærke merke | værden verden
"""
MODERN = {
    old: new.replace("_", " ")
    for line in _MODERN.strip().split("\n")
    for old, new in (entry.split() for entry in line.split("|"))
}
"""Old word -> today's."""
NOUNS = frozenset(
    listed(
        "mand kone barn børn dreng pige gutt jente hus gaard gård vei fjeld fjell fjord skog sjø hav båt baad "
        "hest ko ku hund kat katt fugl fisk dag nat natt morgen aften kveld vinter sommer høst vår vaar år aar "
        "time stund tid liv død hjerte hånd haand fod fot hode hoved øie øye øine øyne mund munn stemme ord sang "
        "bok bog brev dør vindu vindue stue kjøkken bord stol seng ild lys mørke sol måne maane stjerne himmel "
        "jord sten stein vand vann regn sne snø is konge dronning prest bonde soldat fader moder broder søster "
        "mor far bror søn sønn datter ven venn fiende folk land by bygd kirke kirken manden mannen huset gaarden "
        "gården veien skogen fjeldet fjellet håbet haabet håb håp glæde glede sorg kjærlighed kjærlighet frygt "
        "frykt sjæl sjel gud"
    )
)
"""Common nouns that old texts write with a capital."""
