"""The source `manifest`: real files, read as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kathrine.components import SourceContext
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.types import Utterance
from kathrine.workspace import Workspace
from kathrine_manifest import Manifest, ManifestOptions
from kathrine_manifest.rows import DEFAULT_KEYS, stable_id


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, progress: SilentProgress | None = None, **options: Any) -> list[Utterance]:
    source = Manifest(ManifestOptions(path=str(path), **options))
    assert list(source.problems()) == []
    context = SourceContext(path.parent / "work", Workspace(path.parent / "ws"), progress or SilentProgress(), 1)
    source.prepare(context)
    source.prepare(context)
    found = list(source.utterances(context))
    assert found == list(source.utterances(context))
    return found


def test_default_keys_and_paths_beside_the_manifest(tmp_path: Path) -> None:
    row = {
        "audio": "clips/a.wav",
        "text": "Hei på deg.",
        "speaker": "ola",
        "language": "norwegian",
        "split": "dev",
    }
    found = read(write(tmp_path / "m.jsonl", row, {"audio": "/abs/b.wav", "text": "Ja"}))
    assert found[0].audio == tmp_path / "clips" / "a.wav" and found[1].audio == Path("/abs/b.wav")
    assert (found[0].text, found[0].speaker, found[0].language) == ("Hei på deg.", "ola", "norwegian")
    assert found[0].split == "validation" and found[1].split is None
    assert found[1].speaker == "speaker" and found[1].language == ""


def test_options_fill_what_rows_leave_out(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    path = write(tmp_path / "m.jsonl", {"audio": "a.wav", "text": "Ja", "digits": "1", "speaker": 7})
    found = read(path, root=str(tmp_path / "else"), language="norwegian", licence="CC0-1.0", texts={"digits": "digits"})
    assert found[0].audio == tmp_path / "else" / "a.wav" and found[0].facts == {"licence": "CC0-1.0"}
    assert found[0].texts == {"text": "Ja", "digits": "1"} and found[0].speaker == "7"
    assert found[0].language == "norwegian"


def test_rows_of_the_official_trainer(tmp_path: Path) -> None:
    codes = [[1, 2], [3, 4]]
    rows = [
        {"audio": "a.wav", "text": "Ja", "ref_audio": "ref.wav", "audio_codes": codes},
        {"audio": "b.wav", "text": "Nei", "ref_audio": "ref.wav", "audio_codes": [1, 2, 3, 4]},
    ]
    found = read(write(tmp_path / "m.jsonl", *rows))
    assert found[0].codes == ((1, 2), (3, 4)) and found[1].codes == ((1, 2, 3, 4),)
    assert found[0].reference == tmp_path / "ref.wav"


def test_rows_of_nemo(tmp_path: Path) -> None:
    row = {"audio_filepath": "long.wav", "text": "Ja", "offset": 1.5, "duration": 2.0}
    found = read(write(tmp_path / "m.jsonl", row), keys={"audio": "audio_filepath", "start": "offset"})
    assert (found[0].audio, found[0].start, found[0].end) == (tmp_path / "long.wav", 1.5, 3.5)


def test_ids_are_given_or_follow_from_path_and_part(tmp_path: Path) -> None:
    rows = [
        {"audio": "a.wav", "text": "Ja", "start": 0, "end": 1},
        {"audio": "a.wav", "text": "Nei", "start": 1, "end": 2},
        {"id": "mine", "audio": "a.wav", "text": "Jo"},
        {"text": "Uten lyd", "audio_codes": [[1]]},
    ]
    found = read(write(tmp_path / "m.jsonl", *rows))
    ids = [utterance.id for utterance in found]
    assert len(set(ids)) == 4 and ids[2] == "mine" and ids[0].startswith("a-")
    moved = write(tmp_path / "moved.jsonl", *reversed(rows))
    assert [utterance.id for utterance in read(moved)] == ids[::-1]
    # A golden value: ids that change would make every cached corpus another one.
    assert stable_id("a.wav", 0.0, 1.0, "Ja") == ids[0] == "a-c97278e40a"


def test_all_mistakes_at_once_with_file_and_line(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.jsonl",
        {"audio": "a.wav", "text": "Ja"},
        "{broken\n",
        "\n",
        [1],
        {"audio": "b.wav"},
        {"text": "uten lyd"},
        {"audio": 1.5, "text": "x"},
        {"audio": "c.wav", "text": "x", "duration": "2"},
        {"audio": "d.wav", "text": "x", "start": 3, "end": 2},
        {"audio": "e.wav", "text": "x", "split": "trian"},
        {"audio": "a.wav", "text": "Ja igjen"},
        {"text": "x", "audio_codes": [[1, 2.5]]},
        {"text": "x", "audio_codes": "1 2"},
    )
    with pytest.raises(KathrineError) as error:
        read(path)
    told = str(error.value)
    for line in (
        "11 mistakes in the manifest",
        "m.jsonl:2: not JSON",
        "m.jsonl:4: a line has to hold a JSON object",
        "m.jsonl:5: no 'text'",
        "m.jsonl:6: neither 'audio' nor 'audio_codes'",
        "m.jsonl:7: 'audio' has to be a string, not 1.5",
        "m.jsonl:8: 'duration' has to be a number of seconds, not \"2\"",
        "m.jsonl:9: ends at 2.0 s",
        "m.jsonl:10: split 'trian'",
        "m.jsonl:11: the id 'a-",
        "stands in line 1 already",
        "m.jsonl:12: 'audio_codes' has to hold frames of integers",
        "m.jsonl:13: 'audio_codes' has to be a list",
    ):
        assert line in told, line


def test_many_mistakes_are_cut_short_and_bytes_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"audio": "a.wav", "text": "med BOM"}\n' + b"\xff\n" * 30)
    with pytest.raises(KathrineError, match="and 10 more") as error:
        read(path)
    mistakes, counted = str(error.value).split("and what would be left out and counted:")
    assert "m.jsonl:2: not UTF-8" in mistakes and "m.jsonl:1:" not in mistakes
    assert "m.jsonl:1: there is no recording" in counted  # told at once, not after the others are mended


def test_keys_that_nobody_reads_are_named(tmp_path: Path) -> None:
    progress = SilentProgress()
    read(
        write(
            tmp_path / "m.jsonl",
            *[{"id": str(n), "audio": "a", "text": "x", "speakr": "o"} for n in range(3)],
        ),
        progress,
    )
    assert progress.said[-1] == "m.jsonl: 'speakr' is not read (3 rows)"


def test_check_finds_what_is_wrong_with_options(tmp_path: Path) -> None:
    source = Manifest(ManifestOptions(path=str(tmp_path / "no.jsonl"), keys={"sound": "wav"}, texts={"text": "t"}))
    told = list(source.problems())
    assert any("there is no field 'sound'" in line and "audio" in line for line in told)
    assert any("does not exist" in line for line in told) and any("variant 'text'" in line for line in told)
    with pytest.raises(KathrineError, match="does not exist"):
        source.prepare(SourceContext(tmp_path, Workspace(tmp_path), SilentProgress(), 1))


def test_the_readme_names_every_field_and_option() -> None:
    import kathrine_manifest

    readme = (Path(kathrine_manifest.__file__).parent / "README.md").read_text(encoding="utf-8")
    for key in DEFAULT_KEYS.values():
        assert f"`{key}`" in readme, key
    for option in ManifestOptions.model_fields:
        assert option in readme, option
