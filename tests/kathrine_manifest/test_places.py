"""Nothing outside the root is read through `..` or links, unless the recipe allows it."""

from __future__ import annotations

from pathlib import Path

import layouts
import pytest
from layouts import read, sound, write_lines

from kathrine.errors import KathrineError


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A recording that belongs to nobody here."""
    return sound(tmp_path / "outside" / "secret.wav")


def test_dots_that_leave_the_root_are_refused_with_their_line(tmp_path: Path, outside: Path) -> None:
    path = write_lines(tmp_path / "top" / "m.jsonl", {"audio": "../outside/secret.wav", "text": "Ja"})
    with pytest.raises(KathrineError, match=r"m.jsonl:1: '../outside/secret.wav' points outside of .*allow_outside"):
        read(path, tmp_path / "ws")
    (found,) = read(path, tmp_path / "ws", allow_outside=True)
    assert found.audio == outside
    (found,) = read(path, tmp_path / "ws", root=str(tmp_path / "outside" / "deep"), allow_outside=True)
    write_lines(path, {"audio": "x/../../outside/secret.wav", "text": "Ja"})
    with pytest.raises(KathrineError, match=r"points outside"):
        read(path, tmp_path / "ws")
    # In a row that has to give a voice it is no better.
    write_lines(path, {"audio": "a.wav", "ref_audio": "../outside/secret.wav", "text": "Ja"})
    with pytest.raises(KathrineError, match=r"points outside"):
        read(path, tmp_path / "ws")


def test_dots_inside_the_root_are_read(tmp_path: Path) -> None:
    top = tmp_path / "top"
    wanted = sound(top / "wav" / "a.wav")
    write_lines(top / "lists" / "train.jsonl", {"audio": "../wav/a.wav", "text": "Ja"})
    assert read(top, tmp_path / "ws")[0].audio == wanted
    with pytest.raises(KathrineError, match=r"points outside"):
        read(top / "lists" / "train.jsonl", tmp_path / "ws")
    write_lines(top / "lists" / "train.jsonl", {"audio": "wav/a.wav", "text": "Ja"})
    assert read(top / "lists" / "train.jsonl", tmp_path / "ws", root=str(top))[0].audio == wanted


def test_paths_beside_the_table_and_from_the_top_are_both_found(tmp_path: Path) -> None:
    top = tmp_path / "top"
    wanted = sound(top / "wav" / "a.wav")
    write_lines(top / "lists" / "train.jsonl", {"audio": "wav/a.wav", "text": "Ja"})
    assert read(top, tmp_path / "ws")[0].audio == wanted
    beside = sound(top / "lists" / "wav" / "a.wav")
    assert read(top, tmp_path / "ws")[0].audio == beside


def test_links_out_of_the_root_are_refused(tmp_path: Path, outside: Path) -> None:
    top = tmp_path / "top"
    sound(top / "real.wav")
    (top / "file.wav").symlink_to(outside)
    (top / "folder").symlink_to(outside.parent)
    (top / "within.wav").symlink_to(top / "real.wav")
    rows = [{"audio": name, "text": "Ja"} for name in ("file.wav", "folder/secret.wav", "within.wav")]
    path = write_lines(top / "m.jsonl", *rows)
    with pytest.raises(KathrineError) as error:
        read(path, tmp_path / "ws")
    told = str(error.value)
    assert "m.jsonl:1: 'file.wav' is a link out of" in told and "m.jsonl:2: 'folder/secret.wav' is a link" in told
    assert "m.jsonl:3" not in told
    assert len(read(path, tmp_path / "ws", allow_outside=True)) == 3
    # A root that is a link itself is the root all the same.
    (tmp_path / "linked").symlink_to(top)
    write_lines(path, rows[2])
    assert len(read(tmp_path / "linked", tmp_path / "ws")) == 1


def test_paths_in_full_are_the_writers_own_choice(tmp_path: Path, outside: Path) -> None:
    top = tmp_path / "top"
    path = write_lines(top / "m.jsonl", {"audio": str(outside), "text": "Ja", "ref_audio": str(outside)})
    (found,) = read(path, tmp_path / "ws")
    assert found.audio == found.reference == outside
    write_lines(path, {"audio": f"{top}/../outside/secret.wav", "text": "Ja"})
    with pytest.raises(KathrineError, match=r"m.jsonl:1: .* has .. in it"):
        read(path, tmp_path / "ws")
    # Below the root a link is a link, however it is named.
    (top / "file.wav").symlink_to(outside)
    write_lines(path, {"audio": str(top / "file.wav"), "text": "Ja"})
    with pytest.raises(KathrineError, match=r"is a link out of"):
        read(path, tmp_path / "ws")
    # Nor does a path through the workspace lead anywhere.
    inside = tmp_path / "ws" / "sources" / "manifest"
    write_lines(path, {"audio": f"{inside}/../../../outside/secret.wav", "text": "Ja"})
    with pytest.raises(KathrineError, match=r"has .. in it"):
        read(path, tmp_path / "ws")
    write_lines(path, {"audio": "a\0.wav", "text": "Ja"})
    with pytest.raises(KathrineError, match=r"zero byte"):
        read(path, tmp_path / "ws")


@pytest.mark.parametrize("name", ["ljspeech", "piper", "audiofolder", "nemo", "kaldi", "common_voice", "lhotse"])
def test_no_format_leads_out(name: str, tmp_path: Path, outside: Path) -> None:
    top = layouts.LAYOUTS[name](tmp_path / "top")
    tables = [path for path in top.rglob("*") if path.suffix in (".csv", ".json", ".tsv", ".scp", ".gz")]
    recordings = {"ljspeech": "LJ000", "piper": "0.wav", "audiofolder": "clips/0.mp3", "nemo": "long.flac"}
    recordings |= {"kaldi": "rec1.wav", "common_voice": "common_voice_0.mp3", "lhotse": "audio/a.wav"}
    for table in tables:
        import gzip

        packed = table.suffix == ".gz"
        text = gzip.decompress(table.read_bytes()).decode() if packed else table.read_text(encoding="utf-8")
        text = text.replace(recordings[name], "../../outside/secret.wav")
        table.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    with pytest.raises(KathrineError, match=r"points outside of"):
        read(top, tmp_path / "ws", format=name)


def test_a_table_that_is_a_link_out_is_refused(tmp_path: Path) -> None:
    top = layouts.ljspeech(tmp_path / "top")
    (tmp_path / "elsewhere.csv").write_text("LJ000|Ja\n", encoding="utf-8")
    (top / "metadata.csv").unlink()
    (top / "metadata.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(KathrineError, match=r"metadata.csv is a link out of"):
        read(top, tmp_path / "ws")
    assert len(read(top, tmp_path / "ws", allow_outside=True)) == 1
    assert len(read(top / "metadata.csv", tmp_path / "ws")) == 1  # named by the recipe itself


def test_options_that_can_not_be_meant_are_found_by_check(tmp_path: Path) -> None:
    from kathrine_manifest import Manifest, ManifestOptions

    wrong = ManifestOptions(
        path="data/rows.jsonl",
        keys={"text": "a", "audoi": "x"},
        columns={"text": "b", "speaker": ""},
        skip_texts=["("],
        encoding="utf-9",
    )
    told = "\n".join(Manifest(wrong).problems())
    for line in (
        "path: data/rows.jsonl does not exist",
        "keys: there is no field 'audoi' (did you mean 'audio'?)",
        "columns: 'speaker' names no key",
        "'text' is named in keys and in columns",
        "skip_texts: '(' is no regular expression",
        "there is no encoding 'utf-9'",
    ):
        assert line in told, line
    assert not list(Manifest(ManifestOptions(path="owner/corpus")).problems())  # an id of the Hub, known later
