"""The parliament corpus through the real Hub client, against a Hub on the loopback interface."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import source_client
from servers.hub import Hub

from kathrine.datafiles import bundled_sample

REPO = "NbAiLab/NPSC"
NPSC = "kathrine_npsc.source:NpscSource"
SETTINGS = {"validation_speakers": "any", "merge_seconds": 0.0}
"""The sample's few speakers are in every split; joined clips have their own tests."""


@pytest.fixture
def hub(tmp_path):
    """The sample as the Hub would hold it, with the script of the real repository beside it."""
    folder = Path(shutil.copytree(bundled_sample("npsc"), tmp_path / "npsc"))
    (folder / "NPSC.py").write_text("raise SystemExit('the script was run')\n", encoding="utf-8")
    with Hub() as server:
        server.folder = folder
        server.revision = server.add(REPO, folder)
        yield server


def ask(hub: Hub, tmp_path: Path, wishes: dict | None = None, environment: dict | None = None, **options) -> dict:
    """Prepare and list in a process of its own."""
    return source_client.ask_hub(
        hub.environment(tmp_path / "home", **(environment or {})),
        NPSC,
        {**SETTINGS, **options},
        tmp_path / "workspace",
        wishes or {},
    )


def test_only_the_days_of_the_plan_are_fetched_and_the_second_run_needs_no_network(hub, tmp_path):
    wishes = {"max_hours": 30 / 3600}
    told = ask(hub, tmp_path, wishes)
    assert told["stderr"] == ""  # no bars, no news of the client
    archives = hub.fetched("_48K_mp3.tar.gz")
    assert len(archives) == 2 and archives[0].startswith("data/eval/") and archives[1].startswith("data/train/")
    assert sorted(hub.fetched(".json")) == sorted(
        path.relative_to(hub.folder).as_posix() for path in hub.folder.glob("data/[te][rv]a*/*.json")
    )
    assert not [entry for entry in hub.log if entry.file.endswith(".py")]
    assert {u["facts"]["meeting_date"] for u in told["utterances"]} == {name.split("/")[2][:8] for name in archives}

    before = len(hub.log)
    assert ask(hub, tmp_path, wishes)["utterances"] == told["utterances"]
    assert len(hub.log) == before  # what was listed once is kept: the same commit, no request
    again = ask(hub, tmp_path, {**wishes, "offline": True})
    assert again["utterances"] == told["utterances"]
    assert ask(hub, tmp_path, wishes, {"HF_HUB_OFFLINE": "1"})["utterances"] == told["utterances"]
    assert len(hub.log) == before


def test_nothing_that_decodes_audio_for_datasets_is_imported(hub, tmp_path):
    told = ask(hub, tmp_path)
    assert len(told["utterances"]) == 50
    heavy = {"torchcodec", "torchaudio", "librosa", "datasets", "torch", "transformers"}
    assert not heavy & set(told["modules"])


def test_hub_and_folder_give_the_same_utterances(hub, tmp_path):
    local = source_client.run_source(NPSC, {"root": str(hub.folder), **SETTINGS}, tmp_path / "elsewhere")
    remote = ask(hub, tmp_path)

    def plain(told: dict) -> list[dict]:
        return [{**utterance, "audio": Path(utterance["audio"]).name} for utterance in told["utterances"]]

    assert plain(remote) == plain(local)


def test_more_hours_later_fetch_only_what_is_new(hub, tmp_path):
    ask(hub, tmp_path, {"max_hours": 30 / 3600})
    first = set(hub.fetched(".tar.gz"))
    ask(hub, tmp_path)
    assert len(hub.fetched(".tar.gz")) == len(set(hub.fetched(".tar.gz"))) == 4
    assert first < set(hub.fetched(".tar.gz"))


def test_offline_before_anything_was_fetched_says_what_to_do(hub, tmp_path):
    told = ask(hub, tmp_path, {"offline": True})
    assert "nothing may be fetched" in told["error"] and "kathrine prepare" in told["hint"]
    assert hub.log == []


def test_offline_with_a_day_missing_names_the_day(hub, tmp_path):
    ask(hub, tmp_path, {"max_hours": 30 / 3600})
    told = ask(hub, tmp_path, {"offline": True})
    assert "_48K_mp3.tar.gz" in told["error"] and "network" in told["hint"]


def test_a_body_that_breaks_off_is_completed_and_a_503_is_tried_again(hub, tmp_path):
    whole = ask(hub, tmp_path / "quiet")["utterances"]
    hub.log.clear()
    broken = "data/train/20200107_48K_mp3.tar.gz"
    hub.truncate(broken, keep=50_000)
    hub.fail("data/train/20200114_48K_mp3.tar.gz", 503)
    told = ask(hub, tmp_path)
    assert "utterances" in told, told
    assert [u["id"] for u in told["utterances"]] == [u["id"] for u in whole]
    requests = [entry for entry in hub.log if entry.file == broken and entry.method == "GET"]
    assert len(requests) == 2  # the client keeps what it has in pieces of 10 MB: small files begin again
    for utterance in told["utterances"]:
        (other,) = [u["audio"] for u in whole if u["id"] == utterance["id"]]
        assert Path(utterance["audio"]).read_bytes() == Path(other).read_bytes()
    assert 503 in [entry.status for entry in hub.log] and any("busy" in line for line in told["said"])


def test_an_archive_that_is_damaged_on_disk_is_fetched_once_more(hub, tmp_path):
    ask(hub, tmp_path, {"max_hours": 30 / 3600})
    (name,) = [name for name in hub.fetched(".tar.gz") if "/train/" in name]
    blob = next(path for path in (tmp_path / "workspace" / "hub").rglob(Path(name).name))
    content = blob.read_bytes()
    blob.resolve().write_bytes(content[: len(content) // 2])
    for index in (tmp_path / "workspace" / "sources").rglob("train/*/index.json"):
        shutil.rmtree(index.parent)
    told = ask(hub, tmp_path, {"max_hours": 30 / 3600})
    assert any("damaged" in line and name in line for line in told["warned"])
    assert len(told["utterances"]) > 10
    assert hub.fetched(".tar.gz").count(name) == 2


def test_an_archive_that_stays_damaged_is_refused_by_name(hub, tmp_path):
    for path in hub.folder.glob("data/train/*.tar.gz"):
        path.write_bytes(path.read_bytes()[:9000])
    hub.add(REPO, hub.folder)
    told = ask(hub, tmp_path)
    assert "_48K_mp3.tar.gz" in told["error"] and "damaged" in told["error"]


def test_a_branch_that_moves_does_not_change_what_was_begun(hub, tmp_path):
    before = ask(hub, tmp_path)["utterances"]
    (hub.folder / "data" / "train" / "20200107.json").write_text("", encoding="utf-8")
    hub.add(REPO, hub.folder)
    assert ask(hub, tmp_path)["utterances"] == before
    fresh = ask(hub, tmp_path / "fresh")
    assert len(fresh["utterances"]) < len(before)


def test_a_revision_can_be_a_branch_or_a_commit(hub, tmp_path):
    small = Path(shutil.copytree(hub.folder, tmp_path / "small"))
    for path in small.glob("data/train/2020012*"):
        path.unlink()
    made = hub.add(REPO, small, revision="refs/pr/7")
    by_branch = ask(hub, tmp_path, revision="refs/pr/7")["utterances"]
    by_commit = ask(hub, tmp_path / "commit", revision=made.sha)["utterances"]
    assert [u["id"] for u in by_branch] == [u["id"] for u in by_commit] and len(by_branch) == 36


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"root": "NbAiLab/NPSK"}, "no dataset NbAiLab/NPSK"),
        ({"revision": "v9"}, "no such revision"),
        ({"root": "closed/corpus"}, "terms"),
        ({"root": "other/layout"}, "no day files"),
    ],
)
def test_what_the_hub_refuses_becomes_one_sentence(hub, tmp_path, options, expected):
    hub.add("closed/corpus", hub.folder, gated=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("# empty\n", encoding="utf-8")
    hub.add("other/layout", tmp_path / "other")
    told = ask(hub, tmp_path, **options)
    assert expected in told["error"] and told["hint"]


def test_without_a_network_it_fails_soon_with_a_remedy(hub, tmp_path):
    import time

    start = time.monotonic()
    told = ask(hub, tmp_path, environment={"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert "could not be fetched" in told["error"] and "local folder" in told["hint"]
    assert time.monotonic() - start < 40


def test_a_redirect_is_followed_and_wrong_bytes_of_the_right_length_are_fetched_again(hub, tmp_path):
    name = "data/train/20200107_48K_mp3.tar.gz"
    whole = {path.name: path.read_bytes() for path in hub.folder.glob("data/train/*.gz")}
    hub.redirect(name)
    hub.corrupt(name, first=1000)
    told = ask(hub, tmp_path)
    assert len(told["utterances"]) == 50 and 302 in [entry.status for entry in hub.log]
    assert any(name in line and "SHA-256" in line for line in told["said"])
    assert hub.fetched(".tar.gz").count(name) == 2
    blob = next(path for path in (tmp_path / "workspace" / "hub").rglob(Path(name).name))
    assert blob.read_bytes() == whole[blob.name]


def test_an_archive_that_keeps_coming_damaged_is_refused_and_what_is_whole_is_kept(hub, tmp_path):
    name = "data/train/20200114_48K_mp3.tar.gz"
    hub.corrupt(name, first=1000, times=99)
    told = ask(hub, tmp_path)
    assert name in told["error"] and "SHA-256" in told["error"] and "kept" in told["hint"]
    hub.corruptions.clear()
    hub.log.clear()
    assert len(ask(hub, tmp_path)["utterances"]) == 50
    assert name in hub.fetched(".tar.gz") and len(hub.fetched(".tar.gz")) == len(set(hub.fetched(".tar.gz"))) < 4


@pytest.mark.parametrize(("status", "expected"), [(401, "log in"), (404, "try again")])
def test_a_day_that_is_refused_is_named_with_the_remedy(hub, tmp_path, status, expected):
    name = "data/train/20200114.json"
    hub.fail(name, status, times=99)
    told = ask(hub, tmp_path)
    assert name in told["error"] and expected in told["hint"]
