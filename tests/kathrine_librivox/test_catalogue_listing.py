"""The list of books: asked page by page and kept, refreshed, read from a dump; and what a book is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from librivox_shelf import book, fill
from servers.librivox import LibrivoxServer

from kathrine import KathrineError
from kathrine_librivox.catalogue import listing
from kathrine_librivox.catalogue.books import book_of, item_of, seconds_of
from kathrine_librivox.catalogue.listing import Catalogue, read_dump, wanted_entries
from kathrine_librivox.catalogue.rights import protected, rights_warning, year_of
from kathrine_librivox.catalogue.web import Web


@pytest.fixture
def site():
    with LibrivoxServer() as server:
        yield fill(server)


def catalogue(site: LibrivoxServer, folder: Path, dump: Path | None = None, offline: bool = False) -> Catalogue:
    return Catalogue(Web(1000, offline, print), site.url, folder, dump)


def pages(site: LibrivoxServer) -> list[str]:
    return [request.query for request in site.log if "extended" not in request.query]


def test_the_list_is_asked_page_by_page_until_the_404_and_kept(site, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 7)
    entries = catalogue(site, tmp_path).entries(refresh=False)
    assert [int(raw["id"]) for raw in entries] == [*range(1, 21), 101, 102, 103, 104]
    assert [request.status for request in site.log] == [200] * 4 + [404]
    assert "offset=7&" in pages(site)[1] and "sections" not in entries[20] and "description" not in entries[20]
    assert catalogue(site, tmp_path, offline=True).entries(refresh=False) == entries and len(site.log) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["books.json"]


def test_a_server_that_gives_smaller_pages_sets_the_pace(site, tmp_path):
    site.largest_page = 5
    assert len(catalogue(site, tmp_path).entries(refresh=False)) == 24 and len(pages(site)) == 6


def test_a_listing_that_failed_goes_on_with_its_page(site, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 10)
    site.largest_page = 10
    site.at("/api/", 3, lambda: site.fail("/api/feed/audiobooks/", 403))
    with pytest.raises(KathrineError, match="403"):
        catalogue(site, tmp_path).entries(refresh=False)
    assert len(catalogue(site, tmp_path).entries(refresh=False)) == 24
    offsets = [query.split("offset=")[1].split("&")[0] for query in pages(site)]
    assert offsets == ["0", "10", "20", "20", "24"]


def test_a_refresh_asks_for_what_is_new(site, tmp_path):
    shelf = catalogue(site, tmp_path)
    before = shelf.entries(refresh=False)
    assert shelf.book(102).title == "Fjellet"
    now = json.loads((tmp_path / "books.json").read_text("utf-8"))["asked"]
    assert shelf.entries(refresh=True) == before
    site.books += [book(105, "Ny bok", [], site.url, since=now), book(102, "Fjellet, ny", [], site.url, since=now)]
    site.books = [raw for raw in site.books if raw["title"] != "Fjellet"]
    entries = shelf.entries(refresh=True)
    assert len(entries) == len(before) + 1 and entries[-1]["title"] == "Ny bok"
    assert shelf.book(102).title == "Fjellet, ny"  # what changed is asked for anew
    since = [query for query in pages(site) if "since=" in query]
    assert len(since) == 3 and f"since={int(now - listing.OVERLAP)}&" in since[0]


def test_no_books_and_no_answer_are_refused(site, tmp_path):
    site.books.clear()
    with pytest.raises(KathrineError, match="lists no books"):
        catalogue(site, tmp_path).entries(refresh=False)
    with pytest.raises(KathrineError, match="LibriVox has no book 7"):
        catalogue(site, tmp_path).book(7)
    with pytest.raises(KathrineError, match="nothing may be fetched"):
        catalogue(site, tmp_path / "other", offline=True).entries(refresh=False)


def test_languages_are_filtered_here_and_unreleased_books_left_out(site, tmp_path):
    entries = catalogue(site, tmp_path).entries(refresh=False)
    assert [raw["id"] for raw in wanted_entries(entries, ["norwegian"])] == ["101", "102"]
    assert [raw["id"] for raw in wanted_entries(entries, ["Norwegian", "Nynorsk"])] == ["101", "102", "104"]
    assert wanted_entries(entries, ["no"]) == []


@pytest.mark.parametrize("form", ["books", "list", "numbers", "lines"])
def test_a_dump_is_read_in_every_form(site, tmp_path, form):
    books = [{k: v for k, v in raw.items() if k != "since"} for raw in site.books]
    path = tmp_path / "dump.json"
    made = {"books": {"books": books}, "list": books, "numbers": {raw["id"]: raw for raw in books}}
    lines = "\n".join(json.dumps(raw) for raw in books) + "\n"
    path.write_text(lines if form == "lines" else json.dumps(made[form]), encoding="utf-8")
    shelf = catalogue(site, tmp_path / "kept", dump=path, offline=True)
    assert len(shelf.entries(refresh=False)) == 24
    assert len(shelf.book(101).sections) == 3 and not site.log


def test_a_dump_without_sections_is_completed_by_the_api(site, tmp_path):
    path = tmp_path / "dump.json"
    path.write_text(json.dumps({"id": 101, "title": "Smeden", "language": "Norwegian"}), encoding="utf-8")
    shelf = catalogue(site, tmp_path / "kept", dump=path)
    assert len(wanted_entries(shelf.entries(refresh=False), ["Norwegian"])) == 1
    assert len(shelf.book(101).sections) == 3
    assert [request.query for request in site.log] == ["id=101&extended=1&format=json"]
    assert len(shelf.book(101).sections) == 3 and len(site.log) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"b"', "dump.json:2: not JSON"),
        ('"hei"', "no list of books"),
        ('[{"id": 1, "title": "a"}, {"title": "b"}]', "entry 2 is no book with a number"),
    ],
)
def test_what_is_no_dump_is_refused_with_its_place(tmp_path, content, message):
    (tmp_path / "dump.json").write_text(content, encoding="utf-8")
    with pytest.raises(KathrineError, match=message):
        read_dump(tmp_path / "dump.json")
    with pytest.raises(KathrineError, match="can not be read"):
        read_dump(tmp_path / "none.json")


def test_a_book_has_its_numbers_names_and_places():
    raw = book(5, "Smeden &amp; co", ["smeden_01_lie", "smeden_02_lie"], "")
    raw["sections"].reverse()
    raw["sections"][0]["readers"].append({"reader_id": "", "display_name": "nobody"})
    made = book_of(raw)
    assert (made.id, made.title, made.code, made.item) == (5, "Smeden & co", "nb", "smeden_librivox")
    assert [section.number for section in made.sections] == [1, 2]
    assert made.sections[1].readers[0].speaker == "librivox-7001" and len(made.sections[1].readers) == 1
    assert made.sections[0].seconds == pytest.approx(made.seconds / 2, abs=5)
    assert (
        book_of({**raw, "language": "Nynorsk"}).code == "nn" and book_of({**raw, "language": "Latin"}).code == "latin"
    )
    assert book_of({**raw, "sections": {"1": raw["sections"][0]}, "authors": False, "translators": None}).authors == ()
    with pytest.raises(KathrineError, match="book 5 can not be read"):
        book_of({**raw, "sections": [{"title": "no number"}]})


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("148.68", 148.68),
        ("2:28", 148),
        ("1:02:03", 3723),
        (90, 90),
        ("0", None),
        ("", None),
        (None, None),
        ("a:b", None),
    ],
)
def test_every_notation_of_a_length_is_read(told, seconds):
    assert seconds_of(told) == seconds


@pytest.mark.parametrize(
    ("raw", "item"),
    [
        ({"url_iarchive": "http://www.archive.org/details/smeden_1234_librivox"}, "smeden_1234_librivox"),
        ({"url_zip_file": "https://archive.org/compress/a.b_c/formats=64KBPS%20MP3"}, "a.b_c"),
        ({"sections": [{"listen_url": "https://www.archive.org/download/x1/y_64kb.mp3"}]}, "x1"),
        ({"url_iarchive": "https://archive.org/details/..", "url_zip_file": ""}, ""),
        ({"url_iarchive": "https://archive.org/details/%2e%2e"}, ""),
        ({}, ""),
    ],
)
def test_the_item_is_found_in_any_address(raw, item):
    assert item_of(raw) == item


def test_who_died_less_than_seventy_years_ago_is_named_with_years():
    people = [
        {"first_name": "Jonas", "last_name": "Lie", "dob": "1833", "dod": "1908"},
        {"first_name": "Sigrid", "last_name": "Undset", "dob": "1882", "dod": "1949"},
        {"first_name": "Somebody", "last_name": "Else", "dob": "", "dod": ""},
    ]
    translators = [{"first_name": "Tora", "last_name": "Oversetter", "dob": "1901", "dod": "1980"}]
    made = book_of(book(7, "En bok", [], "") | {"authors": people, "translators": translators})
    assert protected(made, 2019) == [
        "Sigrid Undset (author, 1882-1949)",
        "Somebody Else (author, ?-?)",
        "Tora Oversetter (translator, 1901-1980)",
    ]
    # The rights end with the seventieth year after the year of death.
    assert "Undset" not in rights_warning(made, 2020) and "Oversetter (translator" in rights_warning(made, 2050)
    assert "book 7 (En bok)" in rights_warning(made, 2020)
    assert rights_warning(book_of(book(8, "Fri", [], "")), 2026) == ""
    assert [year_of(text) for text in ("1906", "c. 1906", "65 BC", "", "unknown")] == [1906, 1906, -65, None, None]
