"""Text to sentences, in bokmål and nynorsk, with places that lead back into the text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kathrine_librivox.segmentation.sentences import LONGEST, split_sentences

CASES = [
    ("Hun kom. Han gikk.", ["Hun kom.", "Han gikk."]),
    ("Kva sa du? Eg høyrde ingenting! Det var stilt …", ["Kva sa du?", "Eg høyrde ingenting!", "Det var stilt …"]),
    ("Han ble født 3. mai 1905. Kongen kom.", ["Han ble født 3. mai 1905.", "Kongen kom."]),
    ("Det hende den 17. Mai. Alle song.", ["Det hende den 17. Mai.", "Alle song."]),
    ("Han red. Boksen var tom. Den var min. En rev. Slutt", ["Han red.", "Boksen var tom.", "Den var min.", "En rev.",
                                                             "Slutt"]),
    ("Den 2. gangen lo hun.", ["Den 2. gangen lo hun."]),
    ("Dr. Holm bodde hos fru Berg i ca. 3 år, bl.a. om vinteren. Så dro han.",
     ["Dr. Holm bodde hos fru Berg i ca. 3 år, bl.a. om vinteren.", "Så dro han."]),
    ("Dei åt brød, smør osv. Etterpå sov dei.", ["Dei åt brød, smør osv.", "Etterpå sov dei."]),
    ("Dei åt brød osv. og sov.", ["Dei åt brød osv. og sov."]),
    ("H. Ibsen og B. Bjørnson møttes. De lo.", ["H. Ibsen og B. Bjørnson møttes.", "De lo."]),
    ("«Kom!» ropte hun. «Nei», sa han. «Aldri.» Så gikk de.",
     ["«Kom!» ropte hun.", "«Nei», sa han.", "«Aldri.»", "Så gikk de."]),
    ("– Kom nå! – Ja vel, sa ho. – Straks.", ["– Kom nå!", "– Ja vel, sa ho.", "– Straks."]),
    ('"Hvor?" spurte han. "Der!" Hun pekte.', ['"Hvor?" spurte han.', '"Der!"', "Hun pekte."]),
    ("Han nølte ... og gikk. Kom ... Vent!", ["Han nølte ... og gikk.", "Kom ...", "Vent!"]),
    ("Linjen er\nbrutt her.\n\nNytt avsnitt\n\n  Siste.  ", ["Linjen er brutt her.", "Nytt avsnitt", "Siste."]),
    ("Windows.\r\n\r\nOgså et avsnitt", ["Windows.", "Også et avsnitt"]),
    ("* * *\n\n— — —\n\n...", []),
    ("", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text[:20] for text, _ in CASES])
def test_sentences(text, expected):
    assert [one.text for one in split_sentences(text)] == expected


def test_a_paragraph_ends_with_its_last_sentence():
    ends = [one.paragraph_end for one in split_sentences("Tittel\n\nEn. To.\nTre.\n\nFire.")]
    assert ends == [True, False, False, True, True]


def test_a_text_without_an_end_is_divided_at_a_clause_or_a_space():
    clauses = ", ".join(f"ledd nummer {n} i rekka" for n in range(60))
    pieces = split_sentences(clauses)
    assert len(pieces) > 2 and all(len(one.text) <= LONGEST for one in pieces)
    assert all(one.text.endswith(",") for one in pieces[:-1])
    assert " ".join(one.text for one in pieces) == clauses
    assert all(len(one.text) <= LONGEST for one in split_sentences("ord " * 1000))
    assert len(split_sentences("a" * 1200)) == 3


@given(st.text(alphabet='aB .!?…«»"\n-3é', max_size=80))
def test_every_letter_is_in_exactly_one_sentence_at_its_place(text):
    found = split_sentences(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    assert all(" ".join(text[one.start : one.end].split()) == one.text for one in found)
    said = [character for character in text if character.isalnum()]
    assert [c for one in found for c in text[one.start : one.end] if c.isalnum()] == said
