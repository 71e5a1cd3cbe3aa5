"""Corpora of the Hub through the real client, against a Hub on the loopback interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import layouts
import published
import pytest
import source_client
from layouts import LAYOUTS, TEXTS, sound, write_lines
from servers.hub import Hub

REPO = "owner/corpus"
MANIFEST = "kathrine_manifest.source:Manifest"


@pytest.fixture
def hub():
    with Hub() as server:
        yield server


def ask(hub: Hub, tmp_path: Path, wishes: dict | None = None, environment: dict | None = None, **options: Any) -> dict:
    """Prepare and list in a process of its own."""
    return source_client.ask_hub(
        hub.environment(tmp_path / "home", **(environment or {})),
        MANIFEST,
        {"path": REPO, **options},
        tmp_path / "workspace",
        wishes or {},
    )


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "nemo"])
def test_every_layout_is_read_from_the_hub_as_from_a_folder(name: str, hub: Hub, tmp_path: Path) -> None:
    top = LAYOUTS[name](tmp_path / "top")
    hub.add(REPO, top)
    told = ask(hub, tmp_path)
    assert "utterances" in told, told
    assert told["stderr"] == "" and told["warned"] == []
    local = source_client.run_source(MANIFEST, {"path": str(top)}, tmp_path / "elsewhere")

    def plain(told: dict) -> list[dict]:
        return [{**one, "audio": Path(one["audio"]).name} for one in told["utterances"]]

    assert plain(told) == plain(local)
    for one, other in zip(told["utterances"], local["utterances"], strict=True):
        assert Path(one["audio"]).read_bytes() == Path(other["audio"]).read_bytes()
    heavy = {"torchcodec", "torchaudio", "librosa", "datasets", "torch", "transformers"}
    assert not heavy & set(told["modules"])


@pytest.mark.parametrize("name", ["audiofolder", "parquet"])
def test_the_second_run_needs_no_network(name: str, hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, LAYOUTS[name](tmp_path / "top"))
    told = ask(hub, tmp_path)
    before = len(hub.log)
    assert ask(hub, tmp_path)["utterances"] == told["utterances"]
    assert ask(hub, tmp_path, {"offline": True})["utterances"] == told["utterances"]
    assert len(hub.log) == before  # what was listed and fetched once is kept


def test_no_more_recordings_are_fetched_than_max_hours_needs(hub: Hub, tmp_path: Path) -> None:
    top = tmp_path / "top"
    rows = []
    for number in range(40):
        sound(top / "clips" / f"{number}.wav", number)
        rows.append({"file_name": f"clips/{number}.wav", "text": "Ja", "speaker": f"s{number % 2}"})
    write_lines(top / "metadata.jsonl", *rows)
    hub.add(REPO, top)
    told = ask(hub, tmp_path, {"max_hours": 10 / 3600})
    assert len(told["utterances"]) == 6  # 2 s each; 10 s and 15 %
    assert len(hub.fetched(".wav")) == 16  # one batch
    fetched = hub.fetched(".wav")
    again = ask(hub, tmp_path, {"max_hours": 10 / 3600, "offline": True})
    assert again["utterances"] == told["utterances"] and hub.fetched(".wav") == fetched
    whole = ask(hub, tmp_path)
    assert len(whole["utterances"]) == 40 and sorted(hub.fetched(".wav")) == sorted(set(hub.fetched(".wav")))


def test_only_the_shards_that_are_wanted_are_fetched(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "main").mkdir()
    published.fleurs(tmp_path / "main", tmp_path / "export")
    hub.add(REPO, tmp_path / "main")
    hub.add(REPO, tmp_path / "export", revision="refs/convert/parquet")
    told = ask(hub, tmp_path, files=["nb_no/*"], columns={"text": "raw_transcription"}, no_speaker="each")
    assert "utterances" in told, told
    assert [one["texts"]["text"] for one in told["utterances"]] == [*TEXTS[:2], *TEXTS[:2], *TEXTS[:3]]
    assert [one["split"] for one in told["utterances"]] == ["validation"] * 2 + ["test"] * 2 + ["train"] * 3
    assert len({one["id"] for one in told["utterances"]}) == len({one["speaker"] for one in told["utterances"]}) == 7
    assert {one["facts"]["licence"] for one in told["utterances"]} == {"cc-by-4.0"}
    assert {name.split("/")[0] for name in hub.fetched(".parquet")} == {"nb_no"}
    assert not hub.fetched(".py") and not hub.fetched(".tar.gz")
    assert any("refs/convert/parquet" in line for line in told["said"])
    few = ask(hub, tmp_path / "few", files=["nb_no/*"], columns={"text": "raw_transcription"}, splits=["test"])
    assert [one["split"] for one in few["utterances"]] == ["test"] * 2


def test_a_body_that_breaks_off_is_completed_and_a_503_is_tried_again(hub: Hub, tmp_path: Path) -> None:
    top = layouts.parquet(tmp_path / "top")
    hub.add(REPO, top)
    hub.truncate("train-00000-of-00002.parquet", keep=5000)
    hub.fail("train-00001-of-00002.parquet", 503)
    told = ask(hub, tmp_path)
    assert [one["texts"]["text"] for one in told["utterances"]] == list(TEXTS)
    assert 503 in [entry.status for entry in hub.log] and any("busy" in line for line in told["said"])


def test_redirects_are_followed_and_wrong_bytes_are_fetched_again(hub: Hub, tmp_path: Path) -> None:
    top = layouts.parquet(tmp_path / "top")
    hub.add(REPO, top)
    hub.redirect("train-00000-of-00002.parquet")
    hub.corrupt("train-00001-of-00002.parquet", first=40)
    told = ask(hub, tmp_path)
    assert [one["texts"]["text"] for one in told["utterances"]] == list(TEXTS)
    assert 302 in [entry.status for entry in hub.log]
    for number, one in enumerate(told["utterances"]):
        assert Path(one["audio"]).read_bytes() == layouts.sound_bytes(number)
    assert hub.fetched("train-00001-of-00002.parquet") == ["train-00001-of-00002.parquet"] * 2


def test_wrong_bytes_that_stay_are_refused_by_name(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, published.nb_samtale(tmp_path / "top"))
    hub.corrupt("data/train_bm_1.tar.gz", first=40, times=9)
    told = ask(hub, tmp_path, archives=["data/*_bm_*"], format="jsonl", only={"orthography": ["bm"]})
    assert "data/train_bm_1.tar.gz" in told["error"] and "damaged" in told["error"] and told["hint"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "owner/corpse"}, "no dataset owner/corpse"),
        ({"revision": "v9"}, "no such revision"),
        ({"path": "closed/corpus"}, "terms"),
        ({"path": "other/layout"}, "no format is recognised in other/layout (README.md)"),
    ],
)
def test_what_the_hub_refuses_becomes_one_sentence(hub: Hub, tmp_path: Path, options: dict, said: str) -> None:
    top = layouts.jsonl(tmp_path / "top")
    hub.add(REPO, top)
    hub.add("closed/corpus", top, gated=True)
    write_lines(tmp_path / "other" / "README.md", "# empty")
    hub.add("other/layout", tmp_path / "other")
    told = ask(hub, tmp_path, **options)
    assert said in told["error"] and told["hint"]


def test_a_file_that_may_not_be_read_is_named(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, layouts.jsonl(tmp_path / "top"))
    hub.fail("data/1.ogg", 401, times=9)
    told = ask(hub, tmp_path)
    assert "data/1.ogg" in told["error"] and told["hint"]


def test_paths_of_somebody_elses_machine_mean_nothing_here(hub: Hub, tmp_path: Path) -> None:
    rows = [
        {"audio": "/etc/passwd", "text": "Ja"},
        {"audio": "../../x.wav", "text": "Ja"},
        {"audio": "a.wav", "text": ""},
    ]
    write_lines(tmp_path / "top" / "train.jsonl", *rows)
    sound(tmp_path / "top" / "a.wav")
    hub.add(REPO, tmp_path / "top")
    told = ask(hub, tmp_path)
    assert "train.jsonl:1: '/etc/passwd' is an absolute path in a dataset of the Hub" in told["error"]
    assert "train.jsonl:2: '../../x.wav' points outside of the dataset" in told["error"]
    assert "train.jsonl:3" not in told["error"].split("and what would be left out and counted:")[0]


def test_offline_before_anything_was_fetched_says_what_to_do(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, layouts.jsonl(tmp_path / "top"))
    told = ask(hub, tmp_path, {"offline": True})
    assert "nothing may be fetched" in told["error"] and "kathrine prepare" in told["hint"]
    assert hub.log == []
