"""Bokmål examples by family of rules: what is written => what is spoken. All about numbers."""

NUMBERS = {
    "dates": """
        11. september 2001 => ellevte september totusenogen
        17.05.1814 => syttende i femte attenfjorten
        Den 17/5 feirer vi. => Den syttende i femte feirer vi.
        17/5 => syttende i femte
        17/5-2020 => syttende i femte tjuetjue
        2014-06-05 => femte i sjette tjuefjorten
        fra 20.–25. juni => fra tjuende til tjuefemte juni
        3. jan. og 24. des. => tredje januar og tjuefjerde desember
        17.mai => syttende mai
        1. Mai => første mai
        den 31.12. var det fest => den trettiførste i tolvte var det fest
        5.6.14 => femte i sjette fjorten
        versjon 3.11.2 => versjon tre punkt elleve punkt to
        7. juni 1905. => sjuende juni nittenhundreogfem.
        1.1.2020-31.12.2020 => første i første tjuetjue til trettiførste i tolvte tjuetjue
        12. august–16. august => tolvte august til sekstende august
        Vi møtes mandag 1.2. => Vi møtes mandag første i andre.
        mandag 1.2. => mandag første i andre
        Kontoret er stengt onsdag 24.12. => Kontoret er stengt onsdag tjuefjerde i tolvte.
        Vi åpner tirsdag 3.6. Da er alt klart. => Vi åpner tirsdag tredje i sjette. Da er alt klart.
        fredag 24.12 kl. 18 => fredag tjuefjerde i tolvte klokka atten
        fra 24.12 kl. 18 => fra tjuefjerde i tolvte klokka atten
        lørdag 1.2 er det fest => lørdag første i andre er det fest
        mandag 1.2.2020 => mandag første i andre tjuetjue
        Se punkt 1.2. => Se punkt én punkt to.
        Bussen går mandag 12.30. => Bussen går mandag tolv tretti.
        mandag 10.10 => mandag ti ti
        natt til 1. nyttårsdag => natt til første nyttårsdag
    """,
    "times": """
        kl 9 => klokka ni
        kl. 24.00 => klokka tjuefire
        kl. 00.15 => klokka null femten
        kl. 1 => klokka ett
        kl. 1300 og kl. 0715 => klokka tretten og klokka sju femten
        kl. 9–16 => klokka ni til seksten
        10.30-11.15 => ti tretti til elleve femten
        kl. 10.30–11.15 => klokka ti tretti til elleve femten
        Møtet begynner kl. 10.12. => Møtet begynner klokka ti tolv.
        13:45 => tretten førtifem
        klokken 8.30 => klokken åtte tretti
        halv 1 => halv ett
        kl. 14.00 => klokka fjorten
        Kl. 12:30:15 => Klokka tolv tretti femten
        fra 08.00 til 15.45 => fra åtte til femten førtifem
        Bussen går 12.30. => Bussen går tolv tretti.
        kapittel 12.30 => kapittel tolv punkt tretti
        21.00-nyhetene => tjueen-nyhetene
        kl. 21.01 => klokka tjueen null én
    """,
    "money": """
        100 kr => hundre kroner
        1 kr og 21 kr => én krone og tjueen kroner
        kr 1.000,- => ett tusen kroner
        100,- => hundre kroner
        $5 og 5 $ => fem dollar og fem dollar
        € 3,50 => tre euro og femti cent
        £1 => ett pund
        kr 0,50 => femti øre
        kr 15,00 => femten kroner
        kr 2,5 mrd. => to komma fem milliarder kroner
        100–200 kr => hundre til to hundre kroner
        50 kr/kg og 900 kr/t => femti kroner per kilo og ni hundre kroner i timen
        Det koster 500 kr. Det er mye. => Det koster fem hundre kroner. Det er mye.
        tall i mill. kr => tall i millioner kroner
        kr -50 => minus femti kroner
        200 NOK og 10 EUR => to hundre kroner og ti euro
        1500 kroner => ett tusen fem hundre kroner
        70 dollar/fat => sytti dollar per fat
        12.345,67 kroner => tolv tusen tre hundre og førtifem kroner og sekstisju øre
        19,90 kroner => nitten kroner og nitti øre
        1 mill. og 2 mill. kroner => én million og to millioner kroner
        2000 kr => to tusen kroner
        Det kostet 2 kr 50 øre. => Det kostet to kroner og femti øre.
        12 kroner og 5 øre => tolv kroner og fem øre
        Vi fikk 100 kr 5 ganger => Vi fikk hundre kroner fem ganger
        Jeg skylder deg 200 kr. 3 av dem er her. => Jeg skylder deg to hundre kroner. Tre av dem er her.
        5 millioner kr 3 ganger => fem millioner kroner tre ganger
        100 USD 5 ganger og 5 € 3 ganger => hundre dollar fem ganger og fem euro tre ganger
        kr 100 kr 200 => hundre kroner to hundre kroner
        i 2019 $5 => i tjuenitten fem dollar
        kr 12.50–15.50 => tolv komma femti til femten komma femti kroner
        kr 2.50 => to kroner og femti øre
        Kr 12.50 per stk. => tolv kroner og femti øre per stykk.
        Det koster 12.50 kr. => Det koster tolv kroner og femti øre.
        kr 12.500 og kr 2.5 => tolv tusen fem hundre kroner og to komma fem kroner
        Vi åpner 12.50. => Vi åpner tolv femti.
        Det koster kr. 200. => Det koster to hundre kroner.
    """,
    "units": """
        10–20 % => ti til tjue prosent
        0,5 % => null komma fem prosent
        1 kg, 2 kg => ett kilo, to kilo
        25 m² og 3 m3 => tjuefem kvadratmeter og tre kubikkmeter
        5 min. og 1 min => fem minutter og ett minutt
        −10 °C til -5 °C => minus ti grader til minus fem grader
        –5 grader => minus fem grader
        15 m/s => femten meter i sekundet
        100 kWh/m² => hundre kilowattimer per kvadratmeter
        ½ l => en halv liter
        1,5–2 km => én komma fem til to kilometer
        37,5° => trettisju komma fem grader
        5 %-regelen => fem prosent-regelen
        2 stk. => to stykker
        12 V og 50 Hz => tolv volt og femti hertz
        5kg => fem kilo
        10 cm x 20 cm => ti centimeter ganger tjue centimeter
        2 X 5 => to ganger fem
        2 m × 3 m => to meter ganger tre meter
        3 × 4 m => tre ganger fire meter
        Farten var 80 km/t. => Farten var åtti kilometer i timen.
        6 mnd. => seks måneder
        3 ‰ => tre promille
        sank til –12 grader => sank til minus tolv grader
        10 kr pr kg => ti kroner per kilo
        500 MB => fem hundre megabyte
    """,
    "ordinals": """
        2. verdenskrig => andre verdenskrig
        den 2. Verdenskrig => den andre Verdenskrig
        5., 6. og 7. trinn => femte, sjette og sjuende trinn
        21. => tjueførste
        Han bor i 3. etasje. => Han bor i tredje etasje.
        Hun kom på plass nr. 21. => Hun kom på plass nummer tjueen.
        Haakon den 7. => Haakon den sjuende.
        100. gang => hundrede gang
        101. gang => hundre og første gang
        1.-plass og 5.plass => førsteplass og femteplass
        20.-25. plass => tjuende til tjuefemte plass
        Vi var 3. Det holdt. => Vi var tre. Det holdt.
        § 5, 1. ledd => paragraf fem, første ledd
        kapittel 1. Norge => kapittel én. Norge
    """,
    "ranges": """
        2-3 år => to til tre år
        §§ 3-5 => paragrafene tre til fem
        § 3-5 => paragraf tre fem
        1914–18 => nittenfjorten til atten
        1939–1945 => nittentrettini til nittenførtifem
        Norge vant 3–0. => Norge vant tre null.
        Det sto 1–1. => Det sto én én.
        en 2–1-seier => en to én-seier
        kampen endte 1-2 => kampen endte én to
        slo dem 3-4 ganger => slo dem tre til fire ganger
        målet er 2-3 år => målet er to til tre år
        målestokk 1:50 000 => målestokk én til femti tusen
        1:2 => én til to
        sesongen 2014/15 => sesongen tjuefjorten femten
        4-4-2 => fire fire to
        mellom 10 – 12 år => mellom ti til tolv år
        i perioden 1990 – 2000 => i perioden nittennitti til totusen
        kl. 10.00 – 12.30 => klokka ti til tolv tretti
        5%-10% av dem => fem prosent til ti prosent av dem
        10 % – 20 % => ti prosent til tjue prosent
        5 km – 10 km => fem kilometer til ti kilometer
        60 km/t - 80 km/t => seksti kilometer i timen til åtti kilometer i timen
        100 kr–1 200 kr => hundre kroner til ett tusen to hundre kroner
        Vi gikk 5 km – det var langt. => Vi gikk fem kilometer, det var langt.
        5 - 10 personer => fem til ti personer
        2–4 000 => to til fire tusen
        s. 12–15 og 20–25 => side tolv til femten og tjue til tjuefem
    """,
    "fractions": """
        ½ time => en halv time
        1/2 år => et halvt år
        2½ => to og en halv
        3/4 av dem => tre firedeler av dem
        1/3 => en tredel
        ¾ => tre firedeler
        2 1/2 år => to og et halvt år
        24/7 => tjuefire sju
        1/10 => en tidel
        0/1 => null delt på én
        5/3 => femte i tredje
    """,
    "years": """
        1800- og 1900-tallet => attenhundre- og nittenhundretallet
        1990-åra og 1980-årene => nittennittiåra og nittenåttiårene
        50-tallet => femtitallet
        i 1500 meter => i ett tusen fem hundre meter
        1500 mennesker => ett tusen fem hundre mennesker
        2000 år => to tusen år
        våren 1940 => våren nittenførti
        født 1901 => født nittenhundreogen
        2000-tallet => totusentallet
        2014-budsjettet => tjuefjorten-budsjettet
        1100 og 1066 => ellevehundre og ett tusen og sekstiseks
        (1814) => (attenfjorten)
        Det var i 1905. => Det var i nittenhundreogfem.
        2099 og 2100 => tjuenittini og to tusen ett hundre
        i 2014 leder hun => i tjuefjorten leder hun
        1200 deltakere => ett tusen to hundre deltakere
    """,
    "phones": """
        +47 22 22 22 22 => pluss førtisju tjueto tjueto tjueto tjueto
        22 22 22 22 => tjueto tjueto tjueto tjueto
        telefon 02800 => telefon null to åtte null null
        tlf. 90012345 => telefon nitti null én tjuetre førtifem
        mobil 900 12 345 => mobil ni hundre tolv tre hundre og førtifem
        ring 113 => ring én én tre
        tlf. 2000 1900 => telefon to null null null én ni null null
        Tlf.: 22 05 00 10 => Telefon: tjueto null fem null null ti
    """,
    "cardinals": """
        1 000 000 => én million
        0,5 => null komma fem
        3,14 og 3,05 og 3,141 => tre komma fjorten og tre komma null fem og tre komma én fire én
        100, 101 og 110 => hundre, hundre og én og hundre og ti
        1000 => ett tusen
        1.000 => ett tusen
        1005 => ett tusen og fem
        12345 => tolv tusen tre hundre og førtifem
        007 => null null sju
        100-årsjubileum => hundreårsjubileum
        17-åring og 1-åring => syttenåring og ettåring
        2- og 3-åringer => to- og treåringer
        1 hus og 1 mann => ett hus og én mann
        21 barn => tjueett barn
        kapittel 3.5 => kapittel tre punkt fem
        192.168.0.1 => hundre og nittito punkt hundre og sekstiåtte punkt null punkt én
        -7 => minus sju
        10² og 2,5³ => ti i andre og to komma fem i tredje
        2 + 2 = 4 => to pluss to er lik fire
        3 045 600 901 => tre milliarder førtifem millioner seks hundre tusen ni hundre og én
        1500-meter => femtenhundre-meter
        10-er, 8-er og 1-er => tier, åtter og ener
        10 000-meter => titusenmeter
        Covid 19-pandemien => Covid nitten-pandemien
        PIN-kode 1234 => pin-kode ett tusen to hundre og trettifire
        1000 takk => ett tusen takk
    """,
}
