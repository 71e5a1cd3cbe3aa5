"""Which file is a section's recording, and that only a whole one is kept: size, md5, decoded length."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from librivox_shelf import RATE, mp3, recording, seconds, wave, without_table
from servers.librivox import LibrivoxServer

from kathrine import KathrineError
from kathrine_librivox.catalogue.archive import ArchiveFile, Item, item_of_answer, read_item, recordings_of
from kathrine_librivox.catalogue.books import Section
from kathrine_librivox.catalogue.recordings import Recording, SectionRejected, agree, fetch_recording
from kathrine_librivox.catalogue.web import Web

STEM = "smeden_01_lie"
NAME = f"{STEM}.mp3"
NODE = f"it/{NAME}"


@pytest.fixture
def site():
    with LibrivoxServer() as server:
        server.add_item("it", {NAME: recording(STEM)})
        yield server


class Fetching:
    """Fetches one file of the server's only item; keeps what was said."""

    def __init__(self, site: LibrivoxServer, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.warned: list[str] = []
        self.moved = 0.0

    def __call__(
        self, promised: tuple = (None,), offline: bool = False, retry: bool = False, **facts: Any
    ) -> Recording:
        described = {**self.site.items["it"]["files"][0], **facts}
        answer = {"metadata": {}, "files": [described]}
        item = item_of_answer("it", answer)
        assert item is not None
        web = Web(1000, offline, print)
        return fetch_recording(
            web, self.site.url, item, item.files[0], promised, self.folder, self.warned.append, self.count, retry
        )

    def count(self, amount: float) -> None:
        self.moved += amount


@pytest.fixture
def fetch(site, tmp_path) -> Fetching:
    return Fetching(site, tmp_path / "it")


def test_a_recording_is_fetched_once_and_measured(site, fetch):
    made = fetch((seconds(STEM), None))
    assert made.path.read_bytes() == recording(STEM) and made.seconds == pytest.approx(seconds(STEM), abs=0.1)
    assert made.md5 == hashlib.md5(recording(STEM)).hexdigest() and made.rate == RATE
    assert fetch.moved == len(recording(STEM)) and not list(made.path.parent.glob("*.part"))
    before = len(site.log)
    assert fetch((seconds(STEM), None), offline=True) == made and len(site.log) == before


def test_a_body_that_breaks_off_is_completed(site, fetch):
    site.cut(NODE, 1000, 5000)
    assert fetch().path.read_bytes() == recording(STEM)
    assert [r.range for r in site.log if r.path.startswith("/nodes/")] == ["", "bytes=1000-", "bytes=6000-"]


def test_a_beginning_that_lay_there_is_used(site, fetch):
    fetch.folder.mkdir()
    (fetch.folder / f"{NAME}.part").write_bytes(recording(STEM)[:7000])
    assert fetch().path.read_bytes() == recording(STEM)
    assert fetch.moved == len(recording(STEM)) - 7000


def test_a_complete_part_is_checked_and_kept_without_a_request(site, fetch):
    fetch.folder.mkdir()
    (fetch.folder / f"{NAME}.part").write_bytes(recording(STEM))
    assert fetch().path.read_bytes() == recording(STEM) and not site.log


def test_a_damaged_beginning_is_found_by_its_md5_and_fetched_again(site, fetch):
    fetch.folder.mkdir()
    (fetch.folder / f"{NAME}.part").write_bytes(b"x" * 7000)
    assert fetch().path.read_bytes() == recording(STEM)
    assert len(fetch.warned) == 1 and "md5" in fetch.warned[0] and "once more" in fetch.warned[0]


def test_a_wrong_md5_is_fetched_once_more_then_rejected_and_remembered(site, fetch):
    other = recording(STEM)[:-2000] + b"\0" * 2000
    site.damage(NODE, other)
    assert fetch().path.read_bytes() == recording(STEM)
    (fetch.folder / NAME).unlink()
    site.damage(NODE, other, other, other)
    for _ in range(2):
        with pytest.raises(SectionRejected, match="damaged download: its md5") as caught:
            fetch()
        assert caught.value.reason == "damaged download"
    assert len(site.paths("/nodes/")) == 4 and not list(fetch.folder.glob("*.part"))
    site.others.clear()
    assert fetch(retry=True).path.read_bytes() == recording(STEM)


def test_another_size_is_found_where_the_archive_names_no_md5(site, fetch):
    with pytest.raises(SectionRejected, match=r"damaged download: .* bytes came instead of 5000"):
        fetch(md5="", size="5000")
    assert len(site.paths("/nodes/")) == 2


def test_half_a_file_decodes_and_is_found_by_its_length(site, fetch):
    half = recording(STEM)[: len(recording(STEM)) // 2]
    site.contents[NODE] = half
    digest = hashlib.md5(half).hexdigest()
    with pytest.raises(SectionRejected, match=r"length differs: \d+ s can be decoded where \d+ s are promised"):
        fetch((None, seconds(STEM)), md5=digest, size=str(len(half)))
    assert len(site.paths("/nodes/")) == 1  # the right bytes: they would only come again
    # Nobody names size or md5: the length alone finds it, and it is fetched once more.
    with pytest.raises(SectionRejected, match="length differs"):
        fetch((seconds(STEM),), md5="", size="")
    assert len(site.paths("/nodes/")) == 3


def test_a_variable_rate_without_a_table_is_found_by_its_length(site, fetch):
    """libsndfile takes the rate of the first frame for all of them: it stops early, without a word."""
    import io

    import numpy as np
    import soundfile

    rng = np.random.default_rng(3)
    loud, quiet = 0.2 * rng.standard_normal(5 * RATE), np.zeros(25 * RATE)
    whole = mp3(np.concatenate([loud, quiet, loud]).astype(np.float32), mode="VARIABLE")
    bare = without_table(whole)
    assert (
        len(soundfile.read(io.BytesIO(bare))[0]) / RATE < 25 and len(soundfile.read(io.BytesIO(whole))[0]) / RATE > 34
    )
    facts = {"md5": hashlib.md5(bare).hexdigest(), "size": str(len(bare)), "length": "35.1"}
    site.contents[NODE] = bare
    with pytest.raises(SectionRejected, match="length differs"):
        fetch((35.1, 35.0), **facts)
    site.contents[NODE] = whole
    facts = {"md5": hashlib.md5(whole).hexdigest(), "size": str(len(whole)), "length": "35.1"}
    assert fetch((35.1, 35.0), **facts).seconds == pytest.approx(35, abs=0.2)


def test_the_length_of_an_older_upload_does_not_reject_a_file_that_the_archive_describes(fetch):
    assert fetch((seconds(STEM), 3 * seconds(STEM))).seconds == pytest.approx(seconds(STEM), abs=0.1)


def test_a_length_may_differ_by_one_percent_and_two_seconds():
    assert agree(1000, 1011.9) and agree(1000, 988.2) and not agree(1000, 1012.2) and not agree(10, 13)


def test_what_is_no_sound_is_rejected(site, fetch):
    site.contents[NODE] = b"<html>sorry</html>" * 100
    facts = {"md5": hashlib.md5(site.contents[NODE]).hexdigest(), "size": "1800"}
    with pytest.raises(SectionRejected, match="unreadable recording"):
        fetch(**facts)


def test_a_file_that_is_gone_is_rejected_and_a_refusal_stops(site, fetch):
    del site.contents[NODE]
    for _ in range(2):
        with pytest.raises(SectionRejected, match="no recording"):
            fetch()
    assert len(site.log) == 2  # the redirect and its target, once
    site.fail(f"/download/{NODE}", 403)
    with pytest.raises(KathrineError, match="may not be read") as caught:
        fetch(retry=True)
    assert "`books`" in caught.value.hint


def test_a_file_below_a_folder_stays_below_the_item(site, tmp_path):
    site.add_item("deep", {f"sub/{NAME}": recording(STEM)})
    item = read_item(Web(1000, False, print), site.url, "deep", tmp_path, False)
    assert item is not None
    web = Web(1000, False, print)
    made = fetch_recording(web, site.url, item, item.files[0], (), tmp_path / "deep", print, lambda amount: None)
    assert made.path == tmp_path / "deep" / "sub" / NAME


# --------------------------------------------------------------------------- items and their files


def file(name: str, format: str = "128Kbps MP3", original: bool = False, track: int | None = None) -> ArchiveFile:
    return ArchiveFile(name, original, format, "", None, None, track)


def section(number: int = 1, url: str = f"https://archive.org/download/it/{STEM}_64kb.mp3", name: str = "") -> Section:
    return Section(number, "", url, name, None, ())


def test_the_readers_own_upload_comes_first_and_64_kbit_last():
    files = [
        file(f"{STEM}_64kb.mp3", "64Kbps MP3"),
        file(f"{STEM}_vbr.mp3", "VBR MP3"),
        file(f"{STEM}_128kb.mp3"),
        file(f"{STEM}.mp3", "VBR MP3", original=True),
        file("other_01.mp3", original=True),
    ]
    order = [file.name for file in recordings_of(section(), files)]
    assert order == [f"{STEM}.mp3", f"{STEM}_128kb.mp3", f"{STEM}_vbr.mp3", f"{STEM}_64kb.mp3"]
    assert file(f"{STEM}_64kb.mp3", "64Kbps MP3").narrow and file(f"{STEM}_64kb.mp3", "").narrow
    assert not file(f"{STEM}.mp3", "VBR MP3").narrow
    assert file("a.mp3", "64Kbps MP3", original=True).rank == 4  # an original of 64 kbit/s is no better than that


def test_a_section_is_found_by_its_name_else_by_its_track():
    files = [file("a_1.mp3", track=1), file("a_1_64kb.mp3", "64Kbps MP3", track=1), file("a_2.mp3", track=2)]
    assert recordings_of(section(2), files) == [files[2]]
    assert recordings_of(section(1), files) == files[:2]
    assert recordings_of(section(3), files) == []
    assert recordings_of(section(9, url="", name="A_2.mp3"), files) == [files[2]]
    assert recordings_of(section(1), [*files, file("b_1.mp3", track=1)]) == []  # two recordings say that they are it


def test_an_item_is_asked_for_once_and_names_outside_are_never_fetched(site, tmp_path):
    web = Web(1000, False, print)
    site.add_item("odd", {"../../x.mp3": b"1", "/etc/y.mp3": b"2", "ok.mp3": b"3", "notes.txt": b"4"})
    item = read_item(web, site.url, "odd", tmp_path, False)
    assert isinstance(item, Item) and [one.name for one in item.files] == ["ok.mp3"]
    assert item.unsafe == ("../../x.mp3", "/etc/y.mp3") and item.licence == "public domain (LibriVox)"
    assert read_item(Web(1000, True, print), site.url, "odd", tmp_path, False) == item and len(site.log) == 1
    assert read_item(web, site.url, "unknown", tmp_path, False) is None  # archive.org answers {}
    site.fail("/metadata/gone", 404)
    assert read_item(web, site.url, "gone", tmp_path, False) is None
    assert read_item(web, site.url, "unknown", tmp_path, False) is None and len(site.log) == 3
    read_item(web, site.url, "odd", tmp_path, refresh=True)
    assert len(site.log) == 4
    with pytest.raises(KathrineError, match="no identifier"):
        read_item(web, site.url, "../x", tmp_path, False)


def test_waves_of_the_shelf_are_what_the_tests_think():
    assert 15 < len(wave("bok1", range(0, 4))) / RATE < 40
