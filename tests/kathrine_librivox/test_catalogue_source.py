"""The source of the catalogue from options to utterances, against a loopback LibriVox and archive.org."""

from __future__ import annotations

import difflib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from librivox_shelf import book, book_text, fill, mp3, options_of, recording, seconds, sentences, wave
from servers.librivox import LibrivoxServer
from source_client import run_source

from kathrine import Workspace
from kathrine.corpus.audio import read_audio
from kathrine.corpus.prepare import prepare
from kathrine.datafiles import safe_name
from kathrine.progress import SilentProgress
from kathrine.recipe import load_recipe
from kathrine.recipe.tomlwriter import toml_text
from kathrine_librivox.catalogue_source import CatalogueOptions, CatalogueSource

CATALOGUE = "kathrine_librivox.catalogue_source:CatalogueSource"
SMEDEN = ["smeden_01_lie", "smeden_02_lie", "smeden_03_lie"]
FJELLET = ["fjellet_01_lie", "fjellet_02_lie"]


@pytest.fixture
def site():
    with LibrivoxServer() as server:
        yield fill(server)


@pytest.fixture
def run(site, tmp_path, whole):
    """Runs the source. Chapters that the unbroken run cut are given to it: cutting is what takes time here."""

    def once(wishes: dict | None = None, folder: str = "ws", **options: Any) -> dict:
        chapters = tmp_path / folder / "sources" / "librivox_catalogue" / safe_name(site.url) / "chapters"
        if not chapters.is_dir():
            shutil.copytree(whole.chapters, chapters)
        return run_source(CATALOGUE, options_of(site, **options), tmp_path / folder, **(wishes or {}))

    return once


def spoken(told: dict, prefix: str) -> str:
    return " ".join(u["texts"]["text"] for u in told["utterances"] if u["id"].startswith(prefix))


def likeness(found: str, wanted: str) -> float:
    return difflib.SequenceMatcher(None, found.split(), wanted.split(), autojunk=False).ratio()


def test_chapters_become_utterances_with_their_text_voice_and_facts(whole):
    told = whole.told
    utterances = told["utterances"]
    assert len({u["id"] for u in utterances}) == len(utterances) >= 12
    for number, stem in [(101, name) for name in SMEDEN] + [(102, name) for name in FJELLET]:
        section = int(stem.split("_")[1])
        part = [u for u in utterances if u["id"].startswith(f"librivox-{number}-{section}-")]
        assert likeness(" ".join(u["texts"]["text"] for u in part), " ".join(sentences(stem))) > 0.7, stem
        assert [u["id"].split("-")[3] for u in part] == [str(n) for n in range(1, len(part) + 1)]
        assert {u["speaker"] for u in part} == {"librivox-7001" if number == 101 else "librivox-7002"}
        ends = [0.0, *(moment for u in part for moment in (u["start"], u["end"]))]
        assert ends == sorted(ends) and ends[-1] <= seconds(stem) + 0.1
        assert all(u["seconds"] == pytest.approx(u["end"] - u["start"]) for u in part)
        assert all(Path(u["audio"]).read_bytes() == recording(stem) for u in part)
    facts = dict(utterances[0]["facts"])
    assert float(facts.pop("score")) <= 1.0 and facts["aligner"]
    assert facts | {"aligner": ""} == {
        "licence": "http://creativecommons.org/publicdomain/mark/1.0/",
        "book": "101",
        "title": "Smeden",
        "author": "Jonas Lie",
        "reader": "Ingeborg Lundeby",
        "section": "1",
        "section_title": "01 - Kapittel 1",
        "url": "https://librivox.org/101/",
        "aligner": "",
    }
    assert {u["language"] for u in utterances} == {"nb"} and not any(u["split"] for u in utterances)
    assert not told["warned"] and "2 of 24 books are in Norwegian" in told["said"][0]


@pytest.mark.slow
def test_an_acoustic_model_finds_every_sentence_that_it_keeps(site, tmp_path):
    """A text in one piece with a paragraph that nobody read, shared out by what each section left; the small model of
    the segmentation's tests."""
    model = Path(__file__).resolve().parents[1] / "data" / "ctc_espeak"
    parts = [" ".join(sentences(stem)) for stem in FJELLET]
    (tmp_path / "f.txt").write_text(
        "\n\n".join([parts[0], "Forlagets adresse er Storgata.", parts[1]]), encoding="utf-8"
    )
    options = options_of(site, books=[102], aligner_model=str(model), texts={"102": str(tmp_path / "f.txt")})
    told = run_source(CATALOGUE, options, tmp_path / "ws")
    found = [(u["facts"]["section"], u["texts"]["text"]) for u in told["utterances"]]
    wanted = [(str(number), text) for number, stem in enumerate(FJELLET, start=1) for text in sentences(stem)]
    assert set(found) <= set(wanted) and len(found) >= len(wanted) - 2
    assert told["utterances"][0]["facts"]["aligner"].startswith("ctc:")


def test_the_kernel_can_cut_every_part(whole):
    for utterance in whole.told["utterances"]:
        wave_NC, rate = read_audio(Path(utterance["audio"]), utterance["start"], utterance["end"], utterance["seconds"])
        assert len(wave_NC) / rate == pytest.approx(utterance["seconds"], abs=0.01)
        assert np.abs(wave_NC).max() > 0.05


def test_each_thing_is_asked_for_once_and_nothing_that_is_not_wanted(whole):
    wanted = ["/api/feed/audiobooks/"] * 3  # one page of the list (its end is a 404), two books
    wanted += ["/texts/smeden.txt", "/metadata/smeden_librivox", "/texts/fjellet.html", "/metadata/fjellet_librivox"]
    wanted += [f"/nodes/smeden_librivox/{stem}.mp3" for stem in SMEDEN]
    wanted += [f"/nodes/fjellet_librivox/{stem}.mp3" for stem in FJELLET]
    assert sorted(whole.paths) == sorted(wanted)


def test_a_second_run_with_or_without_a_network_asks_nothing(run, site, tmp_path):
    told = run()
    count = len(site.log)
    for wishes in ({}, {"offline": True}):
        again = run(wishes)
        assert again["utterances"] == told["utterances"] and len(site.log) == count
    assert "nothing may be fetched" in run({"offline": True}, folder="other")["error"]
    assert len(site.log) == count


def test_a_refresh_asks_for_new_books_only(run, site, tmp_path):
    told = run()
    files = len(site.paths("/nodes/"))
    now = json.loads(next((tmp_path / "ws").rglob("books.json")).read_text("utf-8"))["asked"]
    site.books.append(
        book(105, "Smeden igjen", SMEDEN[:1], site.url, since=now, url_text_source=f"{site.url}/texts/x.txt")
    )
    site.add_text("x.txt", " ".join(sentences(SMEDEN[0])))
    assert run()["utterances"] == told["utterances"]
    more = run(refresh=True)["utterances"]
    assert len(more) > len(told["utterances"]) and more[: len(told["utterances"])] == told["utterances"]
    assert len(site.paths("/nodes/")) == files  # its item is one that is here


def test_readers_are_kept_by_name_or_id_and_their_books_only(run, site, tmp_path):
    told = run({"speakers": ["AASMO"]})
    assert {u["speaker"] for u in told["utterances"]} == {"librivox-7002"}
    assert not [path for path in site.paths() if "smeden" in path]
    assert run({"speakers": ["librivox-7002"]})["utterances"] == told["utterances"]
    nobody = run({"speakers": ["Nobody"]})
    assert "read by Nobody" in nobody["error"] and "Ingeborg Lundeby (3)" in nobody["hint"]


def test_max_hours_and_the_cap_end_the_reading(run, site, tmp_path):
    told = run({"max_hours": 10 / 3600})
    assert {u["facts"]["section"] for u in told["utterances"]} == {"1"} and len(site.paths("/nodes/")) == 1
    capped = run({"max_hours": 20 / 3600, "speaker_cap_minutes": 10 / 60})["utterances"]
    speakers = [u["speaker"] for u in capped]
    assert "librivox-7002" in speakers  # the first reader counts up to the cap, and no further


def test_sections_of_others_are_read_for_the_place_in_the_text(run, site, tmp_path):
    """The second book has no headings: where its second section begins is known once the first is read."""
    site.books[21]["sections"][0]["readers"] = [{"reader_id": "7009", "display_name": "En Annen"}]
    told = run({"speakers": ["Aasmo"]}, books=[102])
    assert {u["facts"]["section"] for u in told["utterances"]} == {"2"}
    assert likeness(spoken(told, "librivox-102-2"), " ".join(sentences(FJELLET[1]))) > 0.7
    assert len(site.paths("/nodes/")) == 2
    # With headings the first one is not fetched at all.
    site.books[20]["sections"][0]["readers"] = [{"reader_id": "7009", "display_name": "En Annen"}]
    run({"speakers": ["Ingeborg"]}, books=[101])
    assert f"/nodes/smeden_librivox/{SMEDEN[0]}.mp3" not in site.paths()


def test_two_readers_in_one_book_are_two_voices_and_two_in_one_section_nobodys(run, site, tmp_path):
    other = {"reader_id": "7009", "display_name": "En Annen"}
    site.books[20]["sections"][1]["readers"] = [other]
    site.books[20]["sections"][2]["readers"].append(other)
    told = run(books=[101])
    assert {(u["facts"]["section"], u["speaker"]) for u in told["utterances"]} == {
        ("1", "librivox-7001"),
        ("2", "librivox-7009"),
    }
    site.books[20]["sections"][2]["readers"].remove(other)
    (warning,) = told["warned"]
    assert "1 section is left out, several readers:" in warning and "Ingeborg Lundeby, En Annen" in warning


def test_a_recording_that_can_not_be_used_is_counted_and_the_rest_goes_on(run, site, tmp_path):
    node = f"smeden_librivox/{SMEDEN[1]}.mp3"
    bad = recording(SMEDEN[1])[:-500] + b"\0" * 500
    site.damage(node, bad, bad)
    del site.contents[f"smeden_librivox/{SMEDEN[2]}.mp3"]
    told = run(books=[101])
    assert {u["facts"]["section"] for u in told["utterances"]} == {"1"}
    assert any("fetched once more" in line for line in told["warned"])
    assert any(
        f"1 section is left out, damaged download:\n  section 2: {SMEDEN[1]}.mp3: its md5" in line
        for line in told["warned"]
    )
    assert any("1 section is left out, no recording:\n  section 3" in line for line in told["warned"])
    sections = {reason: count for reason, count in told["left_out"].items() if reason.startswith("section: ")}
    assert sections == {"section: damaged download": 1, "section: no recording": 1}
    count = len(site.log)
    assert run({"offline": True}, books=[101])["utterances"] == told["utterances"]
    assert len(site.log) == count
    site.others.clear()
    site.contents[f"smeden_librivox/{SMEDEN[2]}.mp3"] = recording(SMEDEN[2])
    again = run(refresh=True, books=[101])
    assert {u["facts"]["section"] for u in again["utterances"]} == {"1", "2", "3"}


def test_another_coding_is_taken_where_the_best_one_is_not_whole(run, site, tmp_path):
    """An original of variable rate without a table of its length, as readers upload them: its copy is whole."""
    site.damage(f"smeden_librivox/{SMEDEN[0]}.mp3", b"bad", b"bad")
    site.contents[f"smeden_librivox/{SMEDEN[0]}_64kb.mp3"] = small = recording(SMEDEN[0]) + b"\0"
    for described in site.items["smeden_librivox"]["files"]:
        if described["name"] == f"{SMEDEN[0]}_64kb.mp3":
            described |= {"md5": hashlib.md5(small).hexdigest(), "size": str(len(small))}
    told = run(books=[101])
    assert {u["facts"]["section"] for u in told["utterances"]} == {"1", "2", "3"}
    assert Path(told["utterances"][0]["audio"]).name == f"{SMEDEN[0]}_64kb.mp3"
    assert any("1 section is only there in 64 kbit/s" in line for line in told["warned"])


def test_after_a_lost_section_the_place_in_the_text_is_lost(run, site, tmp_path):
    del site.contents[f"fjellet_librivox/{FJELLET[0]}.mp3"]
    told = run()
    assert {u["facts"]["book"] for u in told["utterances"]} == {"101"}
    assert any("place in the text lost" in line for line in told["warned"])
    alone = run(books=[102])
    assert "no section of 1 books gave an utterance (1 no recording, 1 place in the text lost" in alone["error"]


def test_only_64_kbit_is_taken_with_a_warning(run, site, tmp_path):
    item = site.items["smeden_librivox"]
    small = mp3(wave("bok1", range(0, 4)))
    site.add_item("smeden_librivox", {f"{SMEDEN[0]}_64kb.mp3": small})
    site.items["smeden_librivox"]["metadata"] = item["metadata"]
    told = run(books=[101])
    assert len({u["facts"]["section"] for u in told["utterances"]}) == 1
    assert any("1 section is only there in 64 kbit/s" in line and SMEDEN[0] in line for line in told["warned"])


def test_authors_whose_rights_may_last_are_named(run, site, tmp_path):
    site.books[20]["translators"] = [{"first_name": "Tora", "last_name": "Ny", "dob": "1950", "dod": "2020"}]
    told = run(books=[101])
    assert [line for line in told["warned"] if "Tora Ny (translator, 1950-2020)" in line and "Smeden" in line]


def test_a_book_without_text_or_recordings_is_said_and_left_out(run, site, tmp_path):
    site.books[21]["url_text_source"] = ""
    site.items.pop("smeden_librivox")
    told = run()
    assert "none of 2 books can be used" in told["error"]
    assert any("book 102 (Fjellet) has no text" in line and "texts = { 102 =" in line for line in told["warned"])
    assert any("book 101 (Smeden) has no recordings on archive.org" in line for line in told["warned"])
    (tmp_path / "f.txt").write_text(book_text("fjellet", headings=False), encoding="utf-8")
    told = run(texts={"102": str(tmp_path / "f.txt"), "999": "x.txt"})
    assert {u["facts"]["book"] for u in told["utterances"]} == {"102"}
    assert any("texts names book 999" in line for line in told["warned"])


def test_books_are_taken_by_number_in_order_and_the_list_is_not_asked_for(run, site, tmp_path):
    told = run(books=[102, 101], catalogue="")
    assert list(dict.fromkeys(u["facts"]["book"] for u in told["utterances"])) == ["102", "101"]
    assert all("extended=1" in request.query for request in site.log if "/api/" in request.path)
    count = len(site.log)
    run(books=[102, 101], refresh=True)
    assert [r.query for r in site.log[count:] if "/api/" in r.path] == [
        f"id={number}&extended=1&format=json" for number in (102, 101)
    ]
    assert "book 1 (English 1) is in English" in run(books=[1])["error"]
    assert "book 103 (Ikke ferdig) is not released" in run(books=[103])["error"]
    assert "LibriVox has no book 777" in run(books=[777])["error"]


def test_languages_are_named_as_librivox_writes_them(run, site, tmp_path):
    site.books[21]["language"] = "Nynorsk"
    both = run(language=["Norwegian", "Nynorsk"])["utterances"]
    assert {(u["facts"]["book"], u["language"]) for u in both} == {("101", "nb"), ("102", "nn")}
    told = run(language="Norwegan")
    assert "did you mean 'Norwegian'" in told["error"] and "English (20)" in told["hint"]


def test_a_dump_of_the_catalogue_is_read_instead_of_the_list(run, site, tmp_path):
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps(site.books), encoding="utf-8")
    told = run(catalogue=str(dump))
    assert len({u["facts"]["book"] for u in told["utterances"]}) == 2 and not site.paths("/api/")


@pytest.mark.parametrize(("path", "status"), [("/api/feed/audiobooks/", 401), ("/metadata/smeden_librivox", 403)])
def test_a_server_that_refuses_stops_with_its_address(run, site, tmp_path, path, status):
    site.fail(path, status)
    told = run()
    assert path in told["error"] and str(status) in told["error"] and told["hint"]
    assert run()["utterances"]


def test_a_busy_server_and_broken_bodies_change_nothing(run, site, tmp_path, whole):
    for path in ("/api/feed/audiobooks/", "/metadata/smeden_librivox", "/texts/smeden.txt"):
        site.fail(path, 503)
    for stem in SMEDEN:
        site.fail(f"/download/smeden_librivox/{stem}.mp3", 503)
        site.cut(f"smeden_librivox/{stem}.mp3", 3000, 9000)
    told = run()

    def bare(utterances: list[dict]) -> list[dict]:
        return [{name: value for name, value in u.items() if name != "audio"} for u in utterances]

    assert bare(told["utterances"]) == bare(whole.told["utterances"])


def test_a_new_text_cuts_again_and_fetches_nothing(run, site, tmp_path):
    (tmp_path / "a.txt").write_text(book_text("smeden"), encoding="utf-8")
    first = run(books=[101], texts={"101": str(tmp_path / "a.txt")})["utterances"]
    files, chapters = len(site.paths("/nodes/")), list((tmp_path / "ws").rglob("chapters/*.json"))
    (tmp_path / "a.txt").write_text(book_text("smeden").replace("smed", "SMED"), encoding="utf-8")
    second = run(books=[101], texts={"101": str(tmp_path / "a.txt")})["utterances"]
    assert first != second and len(site.paths("/nodes/")) == files
    assert len(list((tmp_path / "ws").rglob("chapters/*.json"))) > len(chapters) == 5


def test_mistakes_in_options_are_told_together():
    options = CatalogueOptions(
        language=[" "],
        librivox_url="librivox.org",
        books=[1],
        texts={"one": "a.txt", "2": "ftp://x/y", "1": "https://x/y"},
    )
    problems = "\n".join(CatalogueSource(options).problems())
    for part in ("librivox_url: 'librivox.org'", "language: name one", "'one' is no number", "book 2 is not among"):
        assert part in problems
    assert "'ftp://x/y' is no path and no address" in problems
    with pytest.raises(ValueError, match="greater than 0"):
        CatalogueOptions(requests_per_second=0.0)


def test_the_wave_of_a_long_chapter_is_read_block_by_block(tmp_path, monkeypatch):
    from kathrine_librivox import chapters

    monkeypatch.setattr(chapters, "BLOCK", 4000)
    tone = 0.3 * np.sin(np.arange(3 * 44100) * 2 * np.pi * 440 / 44100).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, tone], axis=1), 44100, subtype="FLOAT")
    wave_N, rate = chapters.read_wave(tmp_path / "a.wav")
    assert rate == 16000 and len(wave_N) == pytest.approx(48000, abs=2) and wave_N.dtype == np.float32
    middle = wave_N[8000:40000]
    wanted = 0.3 * np.sin(np.arange(8000, 40000) * 2 * np.pi * 440 / 16000)
    assert np.abs(middle - wanted).max() < 1e-3  # not moved in time
    soundfile.write(tmp_path / "b.wav", tone[:8000], 8000)
    assert chapters.read_wave(tmp_path / "b.wav")[1] == 8000


def test_paths_in_a_recipe_are_relative_to_it_and_addresses_stay(tmp_path):
    (tmp_path / "books").mkdir()
    path = tmp_path / "books" / "my.toml"
    path.write_text(
        'extends = "kathrine:librivox_only"\n[[data]]\nname = "librivox_catalogue"\nenabled = true\n'
        'catalogue = "dump.json"\nbooks = [7, 8]\ntexts = { 7 = "seven.txt", 8 = "https://example.org/8.txt" }\n',
        encoding="utf-8",
    )
    recipe = load_recipe(path, workspace=Workspace(tmp_path / "ws"))
    (options,) = [entry.source.options for entry in recipe.data if entry.name == "librivox_catalogue"]
    assert options.texts == {"7": str(tmp_path / "books" / "seven.txt"), "8": "https://example.org/8.txt"}
    assert options.catalogue == str(tmp_path / "books" / "dump.json")


@pytest.mark.slow
def test_prepare_makes_a_corpus_of_chapters(site, tmp_path):
    """The whole way into the kernel: parts are cut out of the chapters' files, gated, encoded by the tiny model."""
    options = options_of(site, source="librivox_catalogue", books=[102], validation_share=0.2)
    document = {"extends": "kathrine:base", "data": [{"name": "npsc", "enabled": False}, options]}
    (tmp_path / "my.toml").write_text(toml_text(document), encoding="utf-8")
    workspace, progress = Workspace(tmp_path / "ws"), SilentProgress()
    recipe = load_recipe(tmp_path / "my.toml", "smoke", ["run.offline=false"], workspace=workspace)
    corpus = prepare(recipe, workspace, progress)
    facts = corpus.facts["entries"]["librivox_catalogue"]
    assert facts["seen"] >= 6 and facts["kept"] >= 5 and facts["languages"] == ["nb"]
    assert not {"corrupt", "length differs", "duplicate"} & set(facts["rejected"])
