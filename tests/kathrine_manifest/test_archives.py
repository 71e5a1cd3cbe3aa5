"""Recordings in archives beside the tables, and archives that are not to be trusted."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import published
import pytest
from layouts import read, sound_bytes, tar, write_lines

from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress

SAMTALE = {"archives": ["data/*_bm_*.tar.gz"], "columns": {"text": "verbatim"}, "only": {"orthography": ["bm"]}}


def test_tables_and_archives_are_joined_by_name(tmp_path: Path) -> None:
    progress = SilentProgress()
    found = read(published.nb_samtale(tmp_path / "top"), tmp_path / "ws", progress, **SAMTALE)
    assert [(u.split, u.speaker, u.text) for u in found] == [
        ("test", "P0", "øh Hei på deg."),
        ("train", "P0", "øh Hei på deg."),
        ("train", "P0", "øh Nå går vi hjem."),
        ("validation", "P0", "øh Hei på deg."),
    ]
    for utterance in found:
        number = int(utterance.id.split("_")[0].removeprefix("nb-"))
        assert utterance.audio.read_bytes() == sound_bytes(number)
    assert "8 rows, 0 problems, 4 left out by only" in progress.said[0]
    names = {path.name.split("@")[0] for path in (tmp_path / "ws").rglob("archives/*")}
    assert names == {f"data--{split}_bm_1.tar.gz" for split in ("train", "validation", "test")}


def test_no_more_archives_are_unpacked_than_max_hours_needs(tmp_path: Path) -> None:
    top = published.nst(tmp_path / "top")
    options = {
        "files": ["*_close-*"],
        "archives": ["*_close-*.tar.gz"],
        "keys": {"audio": "{pid}_{file}", "speaker": "Speaker_ID"},
        "skip_texts": [r"\\[A-Z]"],
    }
    everything = read(top, tmp_path / "ws", **options, splits=["train"])
    assert [(u.speaker, u.audio.suffix) for u in everything] == [("#1", ".mp3")] * 2 + [("#2", ".mp3")] * 2
    progress = SilentProgress()
    wishes = {"max_hours": 3 / 3600}
    found = read(top, tmp_path / "some", progress, **options, splits=["train"], wishes=wishes)
    assert [u.speaker for u in found] == ["#1", "#1"]
    assert "manifest: 1 of 2 archives are not needed for max_hours" in progress.said
    assert any("2 left out by max_hours" in line for line in progress.said) and progress.warned == []
    assert len(list((tmp_path / "some").rglob("archives/*"))) == 1


def test_a_recording_that_no_archive_holds_is_told(tmp_path: Path) -> None:
    tar(
        tmp_path / "top" / "a.tar",
        {"x/a.wav": sound_bytes(0), "y/b.wav": sound_bytes(1), "z/b.wav": sound_bytes(2)},
        "w",
    )
    rows = [{"audio": name, "text": "Ja"} for name in ("a.wav", "b.wav", "z/b.wav", "c.wav", "x/a.flac")]
    write_lines(tmp_path / "top" / "m.jsonl", *rows)
    progress = SilentProgress()
    found = read(tmp_path / "top", tmp_path / "ws", progress, archives=["*.tar"])
    assert [u.audio.is_file() for u in found] == [True, False, True, False, True]  # b.wav alone may be either
    assert found[2].audio.read_bytes() == sound_bytes(2) and found[4].audio == found[0].audio
    assert "2 recordings do not exist" in progress.warned[0] and "m.jsonl:4" in progress.warned[0]
    with pytest.raises(KathrineError, match=r"has no archive b\*.tar"):
        read(tmp_path / "top", tmp_path / "ws", archives=["b*.tar"])


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("../x.wav", tarfile.REGTYPE, "points outside of the archive"),
        ("/etc/x.wav", tarfile.REGTYPE, "points outside of the archive"),
        ("a\\..\\..\\x.wav", tarfile.REGTYPE, "points outside of the archive"),
        ("x.wav", tarfile.SYMTYPE, "is a link or a device"),
        ("x.wav", tarfile.LNKTYPE, "is a link or a device"),
        ("x.wav", tarfile.FIFOTYPE, "is a link or a device"),
    ],
)
def test_members_that_lead_elsewhere_are_refused(name: str, kind: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    with tarfile.open(tmp_path / "top" / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info, io.BytesIO(b""))
    write_lines(tmp_path / "top" / "m.jsonl", {"audio": "x.wav", "text": "Ja"})
    with pytest.raises(KathrineError, match=said):
        read(tmp_path / "top", tmp_path / "ws", archives=["*.tar.gz"])
    assert not [path for path in (tmp_path / "ws").rglob("*") if path.is_symlink() or path.suffix == ".wav"]


def test_a_damaged_archive_is_named_and_nothing_half_stays(tmp_path: Path) -> None:
    top = published.nb_samtale(tmp_path / "top")
    path = top / "data" / "train_bm_1.tar.gz"
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(KathrineError, match=r"data/train_bm_1.tar.gz of .* is damaged") as error:
        read(top, tmp_path / "ws", **SAMTALE)
    assert "what is unpacked already is kept" in error.value.hint
    assert not list((tmp_path / "ws").rglob("archives/data--train_bm_1.tar.gz@*/index.json"))
