"""Bokmål examples by family of rules: what is written => what is spoken. Numbers have a file of their own."""

from examples_nb_numbers import NUMBERS

EXAMPLES = {
    **NUMBERS,
    "signs": """
        Han – som var der – gikk hjem. => Han, som var der, gikk hjem.
        – Kom inn, sa hun. => Kom inn, sa hun.
        - Kom inn! - Nei! => Kom inn! Nei!
        jeg vet ikke — => jeg vet ikke,
        „Ja“, sa ‘Ola’ => "Ja", sa 'Ola'
        stor\u00adtinget\u2009er\u00a0åpent => stortinget er åpent
        ka\u030are venner => kåre venner
        «Vent …» => "Vent ..."
        i_dag og i_morgen => i dag og i morgen
        nord-norsk og «sør–norsk» => nord-norsk og "sør, norsk"
        idé, über, señor, Šarūnas og þing => idé, über, señor, Šarūnas og þing
        Han kom -- endelig -- hjem. => Han kom, endelig, hjem.
    """,
    "tags": """
        <ee> det er <mm>bra<qq> => det er bra
        det <MM> er bra => det er bra
        <ee> ja, <ee> nei => ja, nei
        ord<ee>ord => ord ord
        <laughter> godt sagt! => godt sagt!
        <ee>, og så => og så
    """,
    "abbreviations": """
        Vi kjøpte epler, pærer osv. => Vi kjøpte epler, pærer og så videre.
        Vi kjøpte epler osv. Så gikk vi. => Vi kjøpte epler og så videre. Så gikk vi.
        Det gjelder bl.a. Oslo. => Det gjelder blant annet Oslo.
        F.eks. i går => For eksempel i går
        prof. Lie og hr. Berg m.fl. => professor Lie og herr Berg med flere
        iht. loven mht. tid pga. vær => i henhold til loven med hensyn til tid på grunn av vær
        Han gikk på do. => Han gikk på do.
        Det er kult, ass. => Det er kult, ass.
        ass. direktør => assisterende direktør
        St.meld. nr. 5 og Ot.prp. nr. 12 => Stortingsmelding nummer fem og Odelstingsproposisjon nummer tolv
        Meld. St. 7 => Melding til Stortinget sju
        f. eks. her, bl. a. der => for eksempel her, blant annet der
        i 44 f.Kr. og 14 e.Kr. => i førtifire før Kristus og fjorten etter Kristus
        kl 9 og nr 3 => klokka ni og nummer tre
        dvs. ca 5 => det vil si cirka fem
        dvs at det går => det vil si at det går
        U.S.A. og J.F. Kennedy => U S A og J F Kennedy
        m/frokost, u/bad, v/siden => med frokost, uten bad, ved siden
        Flasken er tom. Ja. => Flasken er tom. Ja.
        (jf. bl.a. kap. 4) => (jamfør blant annet kapittel fire)
        600 moh. => seks hundre meter over havet
        s. 5 => side fem
        f. 1828, d. 1906 => født attentjueåtte, død nittenhundreogseks
        d. 17. mai 1814 => den syttende mai attenfjorten
        tlf.nr. mangler => telefonnummer mangler
        pr. mnd. og pr. stk. => per måned og per stykk
        bl.a her, f.eks der => blant annet her, for eksempel der
        St. Olav og Mr. Bean => Sankt Olav og Mister Bean
        i jan. 2020 => i januar tjuetjue
        Jeg heter Jan. 3 av oss er her. => Jeg heter Jan. Tre av oss er her.
        ons. 3. juni og fre. 5.6. => onsdag tredje juni og fredag femte i sjette
        Man. 3. mai => Mandag tredje mai
        Det gjør man. 3. juni kom han. => Det gjør man. Tredje juni kom han.
        kap. 3, v. 12 => kapittel tre, vers tolv
        mob. 900 10 100 => mobil ni hundre ti hundre
        avsn. 2.3 => avsnitt to punkt tre
        dr. med. Olsen og Dr.med. Lie => doktor medicinae Olsen og Doktor medicinae Lie
        Hun går i 1. kl. => Hun går i første klasse.
        Møtet er 1. kl. 14.30 => Møtet er første klokka fjorten tretti
        ca. 5 bl. 7 => cirka fem bl. sju
        org.nr. og kontonr. => organisasjonsnummer og kontonummer
    """,
    "names": """
        NRK1 => N R K én
        B12 => B tolv
        CO2 => C O to
        CO₂ => C O to
        H2O => H to O
        F-16 => F seksten
        Covid-19 => Covid nitten
        E6/E18 => E seks E atten
        5G og 3D => fem G og tre D
        A4-ark => A fire-ark
        Boeing 737 => Boeing sju hundre og trettisju
        H&M => H og M
        han/hun og/eller => han eller hun og eller
        x² => x i andre
        Berg/Dahl => Berg Dahl
    """,
    "acronyms": """
        NRKs sjef => N R Ks sjef
        TV-en og PC-er => T V-en og P C-er
        EU-land og EØS => E U-land og E Ø S
        UNESCO, UNICEF og SINTEF => Unesco, Unicef og Sintef
        AIDS og HIV => aids og hiv
        NATOs styrker => Natos styrker
        Nav og Nato => Nav og Nato
        Det er IKKE sant. => Det er ikke sant.
        STORTINGET ER ÅPENT => Stortinget er åpent
        A/S => A S
        OK! => okei!
        NATO-landene => Nato-landene
        STATSMINISTEREN sa det => Statsministeren sa det
        Frp, Ap og Sp => F R P, A P og S P
        KrF og SV => K R F og S V
        I og Å => I og Å
    """,
    "roman": """
        Henrik VIII => Henrik den åttende
        Henrik VIIIs koner => Henrik den åttendes koner
        I dag regner det => I dag regner det
        Olav V døde. => Olav den femte døde.
        Karl I av England => Karl den første av England
        Karl I dag => Karl I dag
        Johannes Paul II => Johannes Paul den andre
        det XIX. århundre => det nittende århundre
        bind II og del IV => bind to og del fire
        Apollo XI => Apollo elleve
        kapittel I => kapittel én
        Louis XIV => Louis den fjortende
        vitamin C og D => vitamin C og D
        kap. X–XII => kapittel ti til tolv
        MDCCCXIV og MDC => attenfjorten og M D C
        Kong Olav V's gate => Kong Olav den femtes gate
        I. del => første del
        MIX og CD => M I X og C D
    """,
    "older_spelling": """
        Aaret gik og Aasen kom => Året gik og Aasen kom
        Han saa paa Haakon. => Han så på Haakon.
        Aa gaa paa => Å gå på
        ekstraarbeid og firmaavtale => ekstraarbeid og firmaavtale
        afrikaans og Kanaan => afrikaans og Kanaan
        Jaaa! => Jaaa!
        kanaaneisk og aabne laase => kanaaneisk og åbne låse
        efter sprog => efter sprog
        saaledes maatte han => således måtte han
    """,
    "punctuation": """
        ja , sa han . => ja, sa han.
        ( nemlig ) => (nemlig)
        Ja,, nei => Ja, nei
        Hva?! => Hva?!
        Han kom. 17. mai dro han. 3 ble. => Han kom. Syttende mai dro han. Tre ble.
        Vent ... 2 til! => Vent ... to til!
        Ja –, nei => Ja, nei
        to   ord => to ord
    """,
}
