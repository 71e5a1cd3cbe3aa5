"""Texts of books: what is taken away, where they come from, and which part belongs to which section."""

from __future__ import annotations

import pytest
from librivox_shelf import book, book_text, fill, gutenberg, page
from servers.librivox import LibrivoxServer

from kathrine import KathrineError
from kathrine.corpus.text import letters
from kathrine_librivox.catalogue.book_texts import BookTexts
from kathrine_librivox.catalogue.books import Section, book_of
from kathrine_librivox.catalogue.portions import landmarks, number_of, share_out, words_of
from kathrine_librivox.catalogue.texts import decoded, plain_address, plain_text, text_at
from kathrine_librivox.catalogue.web import NotThere, Web

BODY = "Det var en gang en lang setning som ingen kunne lese uten å puste. " * 8
MORE = BODY.replace("gang", "dag")


@pytest.fixture
def site():
    with LibrivoxServer() as server:
        yield fill(server)


def test_gutenbergs_header_credits_and_licence_are_taken_away():
    assert plain_text(gutenberg()) == "SMEDEN\n\n" + book_text("smeden")
    old = "Header\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\nHei.\n\n"
    assert plain_text(old + "End of Project Gutenberg's X\nmore") == "Hei."
    assert plain_text("Ingen ramme.\n\nTo avsnitt.") == "Ingen ramme.\n\nTo avsnitt."
    asterisks = "x\n***START OF THIS PROJECT GUTENBERG EBOOK A***\nHei.\n***END OF THIS PROJECT GUTENBERG EBOOK A***\ny"
    assert plain_text(asterisks) == "Hei."


def test_marks_of_the_transcriber_are_taken_away_and_spelling_is_not():
    written = "Han _sagde_ det =høit=.[12] [Illustration: En Hest] snake_case a=b\n\n* * * * *\n\nAf Hjertet, Aa ja!"
    assert plain_text(written) == "Han sagde det høit.  snake_case a=b\n\nAf Hjertet, Aa ja!"


def test_a_page_is_what_it_shows():
    assert plain_text(page()) == book_text("fjellet", headings=False)
    shown = plain_text("<html><body><h2>I.</h2>Hei<br>du &aring;<script>x()</script><div>Ny<p>Til</div></html>")
    assert shown == "I.\n\nHei\ndu å\n\nNy\n\nTil"


def test_older_files_are_western_and_what_is_no_text_is_refused():
    assert decoded("blåbær".encode("cp1252"), "a") == "blåbær" == decoded("blåbær".encode("utf-8-sig"), "a")
    for content in (b"PK\x03\x04zip", b"%PDF-1.4", b"a\x00b"):
        with pytest.raises(KathrineError, match=r"book\.epub is no plain text"):
            decoded(content, "book.epub")


def test_a_text_is_fetched_once_or_read_from_a_file(site, tmp_path):
    web = Web(1000, False, print)
    for _ in range(2):
        text = text_at(f"{site.url}/texts/smeden.txt", web, tmp_path / "kept", site.url)
    assert text.endswith(book_text("smeden")) and len(site.log) == 1
    (tmp_path / "a.txt").write_text("Hei du.", encoding="utf-8")
    assert text_at(str(tmp_path / "a.txt"), web, tmp_path, site.url) == "Hei du."
    with pytest.raises(KathrineError, match=r"no text .*none\.txt"):
        text_at(str(tmp_path / "none.txt"), web, tmp_path, site.url)
    with pytest.raises(NotThere):
        text_at(f"{site.url}/texts/none.txt", web, tmp_path, site.url)
    with pytest.raises(KathrineError, match="no address of the web"):
        text_at("file:///etc/passwd", web, tmp_path, site.url)


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://www.gutenberg.org/ebooks/123", "http://g/ebooks/123.txt.utf-8"),
        ("https://gutenberg.org/etext/123", "http://g/ebooks/123.txt.utf-8"),
        ("https://www.gutenberg.org/files/123/123-h/123-h.htm", "http://g/ebooks/123.txt.utf-8"),
        ("https://www.gutenberg.org/files/123/123-0.txt", "https://www.gutenberg.org/files/123/123-0.txt"),
        ("https://runeberg.org/files/123/", "https://runeberg.org/files/123/"),
    ],
)
def test_gutenbergs_pages_stand_for_their_plain_text(url, plain):
    assert plain_address(url, "http://g/") == plain


# --------------------------------------------------------------------------- the text of a book


def texts(site: LibrivoxServer, tmp_path, named: dict | None = None, offline: bool = False, refresh: bool = False):
    return BookTexts(Web(1000, offline, print), tmp_path / "texts", site.url, named or {}, refresh)


def test_the_recipes_text_comes_before_the_catalogues(site, tmp_path):
    (tmp_path / "mine.txt").write_text(BODY * 3, encoding="utf-8")
    made, told = book_of(site.books[20]), []
    assert "KAPITTEL" in (texts(site, tmp_path).of(made, told.append) or "")
    named = {"101": str(tmp_path / "mine.txt")}
    assert texts(site, tmp_path, named, offline=True).of(made, told.append) == (BODY * 3).strip() and not told
    assert texts(site, tmp_path).of(book_of(book(9, "Uten", [], "")), told.append) is None and not told


def test_a_text_that_is_gone_is_said_and_not_asked_for_again(site, tmp_path):
    raw, told = {**site.books[20], "url_text_source": f"{site.url}/texts/none"}, []
    assert texts(site, tmp_path).of(book_of(raw), told.append) is None
    assert len(told) == 1 and "book 101 (Smeden)" in told[0] and "404" in told[0]
    assert texts(site, tmp_path, offline=True).of(book_of(raw), told.append) is None and len(site.log) == 1
    texts(site, tmp_path, refresh=True).of(book_of(raw), told.append)
    assert len(site.log) == 2
    with pytest.raises(KathrineError, match="none does not exist") as caught:
        texts(site, tmp_path, {"101": f"{site.url}/texts/none"}).of(book_of(raw), told.append)
    assert "texts = { 101" in caught.value.hint


def test_a_server_that_refuses_a_text_says_what_to_do(site, tmp_path):
    site.fail("/texts/smeden.txt", 403)
    with pytest.raises(KathrineError, match=r"book 101 .*may not be read") as caught:
        texts(site, tmp_path).of(book_of(site.books[20]), print)
    assert "get the text with a browser" in caught.value.hint


def test_a_title_page_is_no_text(site, tmp_path):
    site.contents["texts/smeden.txt"] = b"<html><body><h1>Smeden</h1><a href='/read'>Les</a></body></html>"
    told = []
    assert texts(site, tmp_path).of(book_of(site.books[20]), told.append) is None
    assert "has 9 letters for" in told[0] and "/texts/smeden.txt" in told[0]
    named = {"101": f"{site.url}/texts/smeden.txt"}
    assert texts(site, tmp_path, named).of(book_of(site.books[20]), told.append) == "Smeden\n\nLes"


# --------------------------------------------------------------------------- sections and headings


def sections(*titles: str, seconds: float | None = None) -> list[Section]:
    return [Section(number, title, "", "", seconds, ()) for number, title in enumerate(titles, start=1)]


def test_sections_begin_at_their_headings():
    text = f"TITTEL\n\nINNHOLD\n\nI.\n\nII.\n\nKAPITTEL I.\n\n{BODY}\n\nKAPITTEL II.\n\n{MORE}"
    runs = share_out(text, sections("01 - Kapittel 1", "02 - Kapittel 2"))
    assert [run.sections for run in runs] == [(0,), (1,)]
    assert runs[0].text.startswith("KAPITTEL I.") and runs[0].text.rstrip().endswith(BODY.strip())
    assert runs[1].text == f"KAPITTEL II.\n\n{MORE}"


def test_a_table_of_contents_is_no_landmark():
    names = ["Ørneredet", "Under isen", "Hjemover"]
    contents = "\n\n".join(f"{name.upper()}" for name in names)
    text = f"INNHOLD\n\n{contents}\n\n" + "\n\n".join(f"{name}\n\n{BODY}" for name in names)
    places = landmarks(text, [f"{n:02d} - {name}" for n, name in enumerate(names, start=1)])
    assert all(place is not None and text[place:].startswith(name) for place, name in zip(places, names, strict=True))
    assert all(len(run.sections) == 1 for run in share_out(text, sections(*names)))


def test_sections_without_a_heading_share_what_lies_between():
    text = f"Forord\n\n{BODY}\n\n{MORE}\n\nTredje kapitel\n\n{BODY}"
    runs = share_out(text, sections("Forord", "Kapittel 1-2", "Kapittel 3"))
    assert [run.sections for run in runs] == [(0, 1), (2,)]
    assert MORE.strip() in runs[0].text and runs[1].text.startswith("Tredje kapitel")
    late = share_out(text, sections("Uten navn", "Også uten", "Kapittel 3"))
    assert [run.sections for run in late] == [(0, 1), (2,)] and late[0].text.startswith("Forord")


def test_a_book_without_headings_is_one_run():
    assert [run.sections for run in share_out(BODY, sections("1", "2"))] == [(0, 1)]


def test_landmarks_that_contradict_the_recordings_are_not_believed():
    text = f"KAPITTEL I.\n\n{BODY * 40}\n\nKAPITTEL II.\n\n{MORE}"
    assert letters(BODY) > 300
    assert len(share_out(text, sections("Kapittel 1", "Kapittel 2"))) == 2
    runs = share_out(text, sections("Kapittel 1", "Kapittel 2", seconds=600))
    assert [run.sections for run in runs] == [(0, 1)] and runs[0].text == text


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("KAPITTEL IV.", "#4"),
        ("Kap. 12: Hjemover", "#12"),
        ("01 - Kapittel 3-5", "#3"),
        ("Tredje Kapitel.", "#3"),
        ("XIV.", "#14"),
        ("7", "#7"),
        ("Femte sang", "#5"),
        ("en del av saken", ""),
        ("Kapittel", ""),
        ("Mix", ""),
        ("IIII", ""),
    ],
)
def test_numbers_of_chapters(line, number):
    assert number_of(line) == number


@pytest.mark.parametrize(
    ("line", "words"),
    [("01 - Terje Vigen", "terje vigen"), ("TERJE  VIGEN.", "terje vigen"), ("XII.", ""), ("3", ""), ("Å", "")],
)
def test_words_of_titles(line, words):
    assert words_of(line) == words
