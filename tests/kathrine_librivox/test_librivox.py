"""Read-aloud books by metadata.csv and files: from folders, and through the real client from a loopback
Hub."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import soundfile
import source_client
from servers.hub import Hub
from source_client import run_source

from kathrine.datafiles import bundled_sample
from kathrine_librivox.table import licence_of_card, slug

LIBRIVOX = "kathrine_librivox.source:LibrivoxSource"
REPO = "NbAiLab/nb-librivox"
SAMPLE = bundled_sample("nb-librivox")


def run(tmp_path: Path, wishes: dict | None = None, **options) -> dict:
    options = {"root": "kathrine:nb-librivox", **options}
    return run_source(LIBRIVOX, options, tmp_path / "workspace", **(wishes or {}))


@pytest.fixture
def copy(tmp_path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "copy"))


@pytest.fixture
def hub(copy):
    with Hub() as server:
        server.add(REPO, copy)
        yield server


def ask(hub: Hub, tmp_path: Path, wishes: dict | None = None, environment: dict | None = None, **options) -> dict:
    return source_client.ask_hub(
        hub.environment(tmp_path / "home", **(environment or {})),
        LIBRIVOX,
        options,
        tmp_path / "ws",
        wishes or {},
    )


def test_every_row_becomes_an_utterance(tmp_path):
    utterances = run(tmp_path)["utterances"]
    assert len(utterances) == 26 and len({utterance["id"] for utterance in utterances}) == 26
    assert {utterance["speaker"] for utterance in utterances} == {
        "librivox-ingeborg-lundeby",
        "librivox-sverre-aasmo",
    }
    first = utterances[0]
    assert first["id"] == "data_bok1_0000" and first["split"] is None and not first["cut"]
    assert first["texts"] == {"text": "Det var en gang en smed som bodde ved en dyp, svart sjø."}
    assert first["facts"] == {"licence": "cc0-1.0", "speaker_name": "Ingeborg Lundeby"}
    for utterance in utterances:
        assert soundfile.info(utterance["audio"]).duration == pytest.approx(utterance["seconds"])
        assert 1.4 < utterance["seconds"] < 6


def test_readers_are_kept_by_a_part_of_their_name(tmp_path):
    assert {u["speaker"] for u in run(tmp_path, {"speakers": ["AASMO"]})["utterances"]} == {"librivox-sverre-aasmo"}
    told = run(tmp_path, {"speakers": ["Nobody"]})
    assert "Nobody" in told["error"] and "Sverre Aasmo (13)" in told["hint"]


def test_max_hours_and_the_cap_end_the_walk(tmp_path):
    limited = run(tmp_path, {"max_hours": 20 / 3600})["utterances"]
    total = sum(utterance["seconds"] for utterance in limited)
    assert 23 <= total < 23 + limited[-1]["seconds"]
    capped = run(tmp_path, {"max_hours": 18 / 3600, "speaker_cap_minutes": 10 / 60})["utterances"]
    speakers = [utterance["speaker"] for utterance in capped]
    assert speakers.count("librivox-ingeborg-lundeby") == 13  # kept for the gates, counted up to the cap
    assert 2 <= speakers.count("librivox-sverre-aasmo") < 13


def test_other_columns_become_facts(tmp_path, copy):
    rows = list(csv.reader((copy / "metadata.csv").open(encoding="utf-8", newline="")))
    with (copy / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*rows[0], "book"], *([*row, "Boken, første del"] for row in rows[1:])])
    assert run(tmp_path, root=str(copy))["utterances"][3]["facts"]["book"] == "Boken, første del"


def test_rows_with_a_problem_are_said_with_their_place(tmp_path, copy):
    with (copy / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write("../secret.mp3,hei,Ingeborg Lundeby\n/etc/passwd,hei,Ingeborg Lundeby\ndata/bok1_0000.mp3,hei,X\n")
        file.write("data/other.mp3,hei\ndata/nobody.mp3,hei,\ndata/lost.mp3,hei,Sverre Aasmo\n")
    told = run(tmp_path, root=str(copy))
    (warning,) = [line for line in told["warned"] if "5 rows" in line]
    assert "metadata.csv:28: file_name '../secret.mp3' points outside" in warning
    assert "metadata.csv:29: file_name '/etc/passwd' points outside" in warning
    assert "metadata.csv:30: the same clip as line 2" in warning
    assert "metadata.csv:31: the row has too many or too few columns" in warning
    assert "metadata.csv:32: no speaker_name" in warning
    assert any("1 recordings of the table do not exist, the first is data/lost.mp3" in line for line in told["warned"])
    assert len(told["utterances"]) == 26


def test_a_table_without_a_column_or_no_table_is_refused(tmp_path, copy):
    (copy / "metadata.csv").write_text("file,text\na,b\n", encoding="utf-8")
    assert "file_name, speaker_name" in run(tmp_path, root=str(copy))["error"]
    (copy / "metadata.csv").write_bytes(b"file_name,text,speaker_name\na,\xe6\xf8,b\n")
    assert "UTF-8" in run(tmp_path, root=str(copy))["error"]
    (copy / "metadata.csv").unlink()
    assert "metadata.csv" in run(tmp_path, root=str(copy))["error"]


def test_the_table_may_lie_in_a_folder(tmp_path, copy):
    (copy / "all").mkdir()
    (copy / "metadata.csv").rename(copy / "all" / "metadata.csv")
    (copy / "data").rename(copy / "all" / "data")
    told = run(tmp_path, root=str(copy), metadata="all/metadata.csv")
    assert len(told["utterances"]) == 26 and told["utterances"][0]["id"] == "data_bok1_0000"


def test_a_recording_that_does_not_decode_is_left_to_prepare(tmp_path, copy):
    (copy / "data" / "bok1_0003.mp3").write_bytes(b"no sound")
    broken = next(u for u in run(tmp_path, root=str(copy))["utterances"] if u["id"] == "data_bok1_0003")
    assert broken["seconds"] is None


def test_a_recording_that_changed_is_measured_again(tmp_path, copy):
    before = run(tmp_path, root=str(copy))["utterances"][0]["seconds"]
    wave, rate = soundfile.read(copy / "data" / "bok1_0000.mp3")
    soundfile.write(copy / "data" / "bok1_0000.mp3", wave[: len(wave) // 2], rate, format="MP3")
    assert run(tmp_path, root=str(copy))["utterances"][0]["seconds"] < 0.6 * before


def test_the_hub_gives_the_same_and_only_what_is_needed(hub, copy, tmp_path):
    wishes = {"max_hours": 20 / 3600, "speakers": ["Sverre"]}
    told = ask(hub, tmp_path, wishes)
    local = run_source(LIBRIVOX, {"root": str(copy)}, tmp_path / "elsewhere", **wishes)
    assert [u["id"] for u in told["utterances"]] == [u["id"] for u in local["utterances"]]
    fetched = hub.fetched(".mp3")
    assert all("/bok2_" in name for name in fetched)
    assert len(told["utterances"]) <= len(fetched) <= len(told["utterances"]) + 3 < 13
    assert told["stderr"] == ""
    heavy = {"torchcodec", "torchaudio", "librosa", "datasets", "torch", "transformers"}
    assert not heavy & set(told["modules"])

    before = len(hub.log)
    for more in ({"offline": True}, {}):
        assert ask(hub, tmp_path, {**wishes, **more})["utterances"] == told["utterances"]
    assert ask(hub, tmp_path, wishes, {"HF_HUB_OFFLINE": "1"})["utterances"] == told["utterances"]
    assert len(hub.log) == before


def test_a_download_that_was_stopped_goes_on(hub, tmp_path):
    ask(hub, tmp_path, {"max_hours": 20 / 3600})
    first = hub.fetched(".mp3")
    hub.truncate("data/bok2_0005.mp3", keep=2000)
    told = ask(hub, tmp_path)
    assert len(told["utterances"]) == 26
    later = hub.fetched(".mp3")[len(first) :]
    assert not set(first) & set(later) and later.count("data/bok2_0005.mp3") == 2


def test_a_card_without_a_licence_is_said_to_be_seen(hub, copy, tmp_path):
    (copy / "README.md").write_text("---\nlanguage: nb\n---\nlicense: not here\n", encoding="utf-8")
    hub.add(REPO, copy)
    assert ask(hub, tmp_path)["utterances"][0]["facts"]["licence"] == "see card"


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: cc0-1.0\n---\n", "cc0-1.0"),
        ("---\ntags: [x]\nlicense: 'apache-2.0'\n---\ntext", "apache-2.0"),
        ("no front matter\nlicense: mit", "see card"),
    ],
)
def test_the_licence_stands_in_the_front_matter(card, licence):
    assert licence_of_card(card) == licence


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Kari  Ødegård", "kari-ødegård"), ("Å. B. Ås-Lie", "å-b-ås-lie"), ("...", "unnamed")],
)
def test_names_become_ids(name, expected):
    assert slug(name) == expected


def test_the_language_is_an_option_of_the_entry(tmp_path):
    assert {u["language"] for u in run(tmp_path, language="nn")["utterances"]} == {"nn"}


def test_rows_with_mistakes_are_counted(tmp_path, copy):
    with (copy / "metadata.csv").open("a", encoding="utf-8", newline="") as file:
        file.write("../outside.wav,Dette er en setning.,Ingeborg Lundeby\n")
    told = run(tmp_path, root=str(copy))
    assert len(told["utterances"]) == 26 and told["left_out"] == {"mistake in the row": 1}
