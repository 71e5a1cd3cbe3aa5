"""Sentences to listen to, hardest sounds first. Written for kathrine; numbers are written out.

kj, skj and tj, retroflex rt, rd, rn, rl and rs, æ ø å, long compounds, names, one word, and a sentence of
more than 200 letters.
"""

SENTENCES: dict[str, tuple[str, ...]] = {
    "nb": (
        "Kjære Kjersti kjøpte tjue kilo skjell i Skjåk og kjørte dem hjem i en skjev kjerre.",
        "Tjeneren skjenket kjølig kjernemelk mens skjæra skrek i det tjukke skjæret.",
        "Sjefen sjokkerte sjåføren da han sjekket skjemaet for skjønnhetsfeil.",
        "Bardun, garn og perler lå på det svarte bordet ved siden av et barn som het Bård.",
        "Kornet er mørkt der fjorden svinger nord for gården, og første lørdag i mars er bjørka bar.",
        "Æresgjesten spiste blåbærgrøt og røkt ørret på en øde øy ytterst i havgapet.",
        "Å gå på åsen i tåke er både vått, rått og vågalt.",
        "Menneskerettighetsorganisasjonene krevde en arbeidsmiljøundersøkelse ved småbåthavna.",
        "Fylkestrafikksikkerhetsutvalget holdt møte om sykkelveier og gangfelt.",
        "Hun ble født den tredje mai nittenhundreogåttisju, klokka fire om natten.",
        "Regningen kom på to tusen fem hundre og trettiseks kroner og femti øre.",
        "Øystein Bjørnstjerne Aasheim møtte Ragnhild Fjeldstad på stasjonen i Mosjøen.",
        "Ja.",
        "Hva sa du egentlig da hun spurte om du ville bli med til Tromsø?",
        "Nei, kom ikke hit med sånt tull!",
        "Bønder og bønner, tanken og tanken, loven og låven: tonen skiller ord fra hverandre.",
        "Det regner, sa han lavt, men solen skinner alltid et eller annet sted.",
        "Gutten gikk langs gjerdet og gjespet mens geita gjømte seg bak hjørnet.",
        "Vinteren var så hard det året at isen lå langt ut i fjorden, at hestene måtte stå inne fra november "
        "til påske, og at de gamle i bygda, som ellers aldri klaget over noe, satt tett sammen rundt ovnen "
        "og fortalte hverandre om somrene de hadde hatt da de selv var unge og lettbeinte.",
        "Takk for at du hørte på; nå er det din tur til å fortelle.",
    ),
    "nn": (
        "Kjære Kjersti kjøpte tjue kilo skjel i Skjåk og køyrde dei heim i ei skeiv kjerre.",
        "Tenaren skjenkte kjøleg kjernemjølk medan skjora skreik i den tjukke skodda.",
        "Sjefen sjokkerte sjåføren då han sjekka skjemaet for skjønnheitsfeil.",
        "Bardun, garn og perler låg på det svarte bordet ved sida av eit barn som heitte Bård.",
        "Kornet er mørkt der fjorden svingar nord for garden, og første laurdag i mars er bjørka berr.",
        "Æresgjesten åt blåbærgraut og røykt aure på ei aud øy ytst i havgapet.",
        "Å gå på åsen i tåke er både vått, rått og vågalt.",
        "Menneskerettsorganisasjonane kravde ei arbeidsmiljøundersøking ved småbåthamna.",
        "Fylkestrafikktryggleiksutvalet heldt møte om sykkelvegar og gangfelt.",
        "Ho vart fødd den tredje mai nittenhundreogåttisju, klokka fire om natta.",
        "Rekninga kom på to tusen fem hundre og trettiseks kroner og femti øre.",
        "Øystein Bjørnstjerne Aasheim møtte Ragnhild Fjeldstad på stasjonen i Mosjøen.",
        "Ja.",
        "Kva sa du eigentleg då ho spurde om du ville vere med til Tromsø?",
        "Nei, kom ikkje hit med slikt tull!",
        "Bønder og bøner, tanken og tankane, lova og låven: tonen skil ord frå kvarandre.",
        "Det regnar, sa han lågt, men sola skin alltid ein eller annan stad.",
        "Guten gjekk langs gjerdet og geispa medan geita gøymde seg bak hjørnet.",
        "Vinteren var så hard det året at isen låg langt ut i fjorden, at hestane måtte stå inne frå "
        "november til påske, og at dei gamle i bygda, som elles aldri klaga over noko, sat tett saman rundt "
        "omnen og fortalde kvarandre om somrane dei hadde hatt då dei sjølve var unge og lettbeinte.",
        "Takk for at du høyrde på; no er det din tur til å fortelje.",
    ),
}
