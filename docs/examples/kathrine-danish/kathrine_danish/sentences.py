"""Sentences to listen to, hardest sounds first, written as they are spoken.

Soft d; pairs that only the stød tells apart; the vowels, of which Danish has some twenty; r and soft g that melt into
them; long compounds; numbers that count twenties; a question, one word, and a sentence of more than 200 letters.
"""

SENTENCES = (
    "Rødgrød med fløde på et rødt fad er det bedste, jeg ved.",
    "Hunden løb, men hun blev stående ved vandet og ventede.",
    "Manden ved, at man ikke må gå ud i mosen alene.",
    "Min mor troede aldrig på historien om det gamle mord.",
    "Læseren læser, og den, der læser højt, er mange læseres ven.",
    "Bønder spiser bønner, og bønnen bliver bedt før maden.",
    "Vend dig om, min ven, og se, hvem der venter ved døren.",
    "Maden stod på gaden, mens bladene faldt ned over badebroen.",
    "Å, sagde hun, der er en ø i åen, og på øen er der et æble.",
    "Æ og ø og å er de tre sidste bogstaver, og de er de sværeste.",
    "Der løb en høne over højen, hvor en hund hørte den hoste.",
    "Vi så en måge over havet, og bølgerne slog mod den høje mole.",
    "Ræven rev en reol ned og rullede rundt i rørene.",
    "Bageren bager kager til sine naboer hver eneste lørdag morgen.",
    "Uger og år går, og vejen bag skoven bliver ved med at bøje.",
    "Kirken i Køge har et kor, som kan synge kanon klokken fem.",
    "Hvorfor kommer du først hjem nu?",
    "Speciallægepraksisplanlægningsudvalget holdt møde om sygehusene.",
    "Hun er halvtreds, han er tres, og deres bedstemor fylder halvfems.",
    "Fireogfirs, femoghalvfjerds og seksogtres er tal, som alle skal øve sig på.",
    "Regningen lød på to hundrede og femogtyve kroner og halvtreds øre.",
    "Søren Kierkegaard og Karen Blixen har begge boet nord for København.",
    "Ja.",
    "Nej, hold nu op, det er jo slet ikke rigtigt!",
    "Det år var vinteren så lang, at isen lå tungt over fjorden helt til påske, at hestene måtte blive i stalden fra "
    "november, og at de gamle, som ellers aldrig klagede, sad tæt sammen om ovnen og fortalte om deres ungdoms somre.",
)
