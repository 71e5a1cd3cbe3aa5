"""Nynorsk examples by family of rules: what is written => what is spoken."""

EXAMPLES = {
    "signs": """
        Ho – som var der – gjekk heim. => Ho, som var der, gjekk heim.
        «Ja», sa ho … => "Ja", sa ho ...
    """,
    "tags": """
        <ee> det er <QQ> bra => det er bra
    """,
    "abbreviations": """
        t.d. og m.a. => til dømes og mellom anna
        Vi kjøpte eple, pærer osb. => Vi kjøpte eple, pærer og så bortetter.
        dvs. bl.a. osv. => det vil seie blant anna og så vidare
        m.fl., o.l. og m.m. => med fleire, og liknande og med meir
        mht. lova iht. vedtaket => med omsyn til lova i samsvar med vedtaket
        jf. kap. 2, s. 9 => jamfør kapittel to, side ni
        i 44 f.Kr. => i førtifire før Kristus
        3 mrd. og 1 mill. => tre milliardar og éin million
    """,
    "dates": """
        den 7. mai 1945 => den sjuande mai nittenførtifem
        17.05.1814 => syttande i femte attenfjorten
        den 8/9 => den åttande i niande
        20.–23. juni => tjuande til tjuetredje juni
        30. januar 2001 => trettiande januar totusenogein
    """,
    "times": """
        kl. 14.30 => klokka fjorten tretti
        kl. 1 => klokka eitt
        kl. 9–16 => klokka ni til seksten
        kl. 21.05 => klokka tjueein null fem
    """,
    "money": """
        1 kr => éi krone
        kr 1,50 => éi krone og femti øre
        21 kr => tjueei kroner
        2–4 000 kr => to til fire tusen kroner
        £1 og $1 => eitt pund og éin dollar
    """,
    "units": """
        1 kg og 1 km => eitt kilo og éin kilometer
        5 min. => fem minutt
        100 kWh => hundre kilowattimar
        40 % => førti prosent
        -7 °C => minus sju grader
        3 × 4 m => tre gonger fire meter
        6 mnd. => seks månader
    """,
    "ordinals": """
        1. og 2. plass => første og andre plass
        21. => tjueførste
        den 13. dagen => den trettande dagen
        Haakon den 7. => Haakon den sjuande.
        100. gong => hundrede gong
        1000. gong => tusande gong
    """,
    "ranges": """
        2-3 år => to til tre år
        §§ 3-5 => paragrafane tre til fem
        Noreg vann 3–0. => Noreg vann tre null.
        1939–45 => nittentrettini til førtifem
    """,
    "fractions": """
        1/2 time => ein halv time
        2 1/2 år => to og eit halvt år
        3/4 => tre firedelar
        1/3 => ein tredel
    """,
    "years": """
        i 1901 => i nittenhundreogein
        1800- og 1900-talet => attenhundre- og nittenhundretalet
        1990-åra => nittennittiåra
        1500 elevar => eitt tusen fem hundre elevar
        i 1905 og 2021 => i nittenhundreogfem og tjuetjueein
    """,
    "phones": """
        tlf. 51 22 31 07 => telefon femtiein tjueto trettiein null sju
    """,
    "cardinals": """
        måndag 1.2. og laur. 3. juni => måndag første i andre og laurdag tredje juni
        10 cm x 20 cm og 2 kr 50 øre => ti centimeter gonger tjue centimeter og to kroner og femti øre
        1 år, 1 gong og 1 veke => eitt år, éin gong og éi veke
        2 500 000 menneske => to millionar fem hundre tusen menneske
        1 234 bilar => eitt tusen to hundre og trettifire bilar
        101 => hundre og éin
        21 hus => tjueeitt hus
        17-åring => syttenåring
        7,1 => sju komma éin
    """,
    "names": """
        E18 og NRK1 => E atten og N R K éin
        ho/han => ho eller han
    """,
    "acronyms": """
        NRK, NATO og KrF => N R K, Nato og K R F
        EIN MÅ IKKJE GJERE DET => Ein må ikkje gjere det
    """,
    "roman": """
        Harald V, kap. IV => Harald den femte, kapittel fire
        Pius XII => Pius den tolvte
    """,
    "older_spelling": """
        Haapet om aa naa fjellet => Håpet om å nå fjellet
    """,
}
