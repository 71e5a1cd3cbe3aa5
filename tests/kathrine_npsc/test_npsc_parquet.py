"""The Hub's Parquet export, read in parts through the real clients, where the repository has no day files."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import source_client
from npsc_fixtures import SAMPLE, sample_clips, write_export, write_script_repository
from servers.hub import Hub, run_client

REPO = "NbAiLab/NPSC"
NPSC = "kathrine_npsc.source:NpscSource"
SETTINGS = {"validation_speakers": "any", "merge_seconds": 0.0}
EXPORT = "refs/convert/parquet"
FOOTER = 65536
"""What Arrow reads of the end of a file before it knows where anything lies."""
TRAIN = "48K_mp3_bokmaal/partial-train/0000.parquet"


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> Path:
    return write_export(tmp_path_factory.mktemp("export"))


@pytest.fixture
def hub(tmp_path, export):
    """The script repository, and the export that the Hub made of it."""
    with Hub() as server:
        server.add(REPO, write_script_repository(tmp_path / "repository"))
        server.add(REPO, export, revision=EXPORT)
        yield server


def ask(hub: Hub, tmp_path: Path, wishes: dict | None = None, environment: dict | None = None, **options) -> dict:
    return source_client.ask_hub(
        hub.environment(tmp_path / "home", **(environment or {})),
        NPSC,
        {**SETTINGS, **options},
        tmp_path / "workspace",
        wishes or {},
    )


def run(root: Path, tmp_path: Path, wishes: dict | None = None, **options) -> dict:
    settings = {"root": str(root), **SETTINGS, **options}
    return source_client.run_source(NPSC, settings, tmp_path / "workspace", **(wishes or {}))


def plain(told: dict) -> list[dict]:
    assert "utterances" in told, told
    return [{**utterance, "audio": ""} for utterance in told["utterances"]]


def test_a_script_repository_is_read_from_its_export_and_the_script_never_runs(hub, tmp_path):
    told = ask(hub, tmp_path)
    assert plain(told) == plain(run(SAMPLE, tmp_path / "days"))
    clips = sample_clips("train") | sample_clips("eval")
    for utterance in told["utterances"]:
        assert Path(utterance["audio"]).read_bytes() == clips[utterance["id"]]
    (script,) = [line for line in told["said"] if "NPSC.py" in line]
    assert "never run" in script and "from version 4 on" in script
    assert any("Parquet export" in line and EXPORT in line for line in told["said"])
    assert any("cut its export" in line and "train, validation" in line for line in told["said"])
    assert told["stderr"] == "" and not [entry for entry in hub.log if entry.file.endswith(".py")]

    before = len(hub.log)
    assert ask(hub, tmp_path, {"offline": True})["utterances"] == told["utterances"]
    assert ask(hub, tmp_path, environment={"HF_HUB_OFFLINE": "1"})["utterances"] == told["utterances"]
    assert len(hub.log) == before


def test_transcripts_first_then_only_the_row_groups_of_the_plan(hub, tmp_path):
    told = ask(hub, tmp_path, {"max_hours": 30 / 3600})
    ranges = [entry for entry in hub.log if entry.method == "GET" and entry.file.endswith(".parquet")]
    assert all(entry.status == 206 for entry in ranges)
    parts = [[int(end) for end in entry.range.removeprefix("bytes=").split("-")] for entry in ranges]
    sizes = [1 + last - first for first, last in parts if 1 + last - first != FOOTER]
    assert {entry.file for entry in ranges if "test" in entry.file} == set()
    wanted = sum(Path(u["audio"]).stat().st_size for u in told["utterances"])
    assert wanted < sum(sizes) < 1.2 * wanted + 60_000
    rows = [size for size in sizes if size < 3000]
    assert len(rows) < 35 and sum(rows) < 60_000  # transcripts of 26 row groups: one request each, no audio
    days = {u["facts"]["meeting_date"] for u in told["utterances"] if u["split"] == "train"}
    assert len(days) == 1

    first = {u["audio"]: Path(u["audio"]).stat().st_mtime_ns for u in told["utterances"]}
    hub.log.clear()
    more = ask(hub, tmp_path)
    assert len(more["utterances"]) == 50 and set(first) <= {u["audio"] for u in more["utterances"]}
    assert all(Path(audio).stat().st_mtime_ns == time for audio, time in first.items())


@pytest.mark.slow
def test_the_fixture_is_in_the_true_format(hub, tmp_path):
    """`datasets` itself reads the same rows from it, and refuses the repository by its name as it refuses the real
    one."""
    code = """
import hashlib, json, sys
from datasets import Audio, load_dataset
repo = sys.argv[1]
rows = []
for split in ("validation", "train"):
    where = {"data_dir": "48K_mp3_bokmaal", "revision": "refs/convert/parquet"}
    stream = load_dataset(repo, split=split, streaming=True, **where)
    for row in stream.cast_column("audio", Audio(decode=False)):
        rows.append([row["audio"]["path"], row["sentence_text"], row["normsentence_text"], row["speaker_id"],
                     row["start_time"], row["end_time"], hashlib.sha256(row["audio"]["bytes"]).hexdigest()])
try:
    load_dataset(repo, "48K_mp3_bokmaal", split="train")
    refused = ""
except RuntimeError as problem:
    refused = str(problem)
print(json.dumps([rows, refused]))
"""
    done = run_client(code, hub.environment(tmp_path / "datasets"), REPO)
    assert done.returncode == 0, done.stderr
    rows, refused = json.loads(done.stdout.strip().splitlines()[-1])
    assert "Dataset scripts are no longer supported" in refused and "NPSC.py" in refused
    theirs = {Path(row[0]).stem: [row[1], row[2], f"npsc-{row[3]}", (row[5] - row[4]) / 1000, row[6]] for row in rows}
    ours = {
        u["id"]: [
            u["texts"]["text"],
            u["texts"]["normsentence_text"],
            u["speaker"],
            u["seconds"],
            hashlib.sha256(Path(u["audio"]).read_bytes()).hexdigest(),
        ]
        for u in ask(hub, tmp_path, max_copies=9)["utterances"]
    }
    assert len(ours) == 50 and ours == theirs


def test_a_local_copy_of_the_export_is_read_too(export, tmp_path):
    told = run(export, tmp_path)
    assert len(told["utterances"]) == 50
    assert [u["language"] for u in run(export, tmp_path, config="48K_mp3_nynorsk")["utterances"]] == ["nn"]
    narrow = run(export, tmp_path, config="16K_mp3_bokmaal", allow_narrowband=True, layout="parquet")
    assert len(narrow["utterances"]) == 50 and any("5.8 kHz" in line for line in narrow["warned"])


@pytest.mark.parametrize(
    ("layout", "expected"),
    [("days", ["no day files", "yyyymmdd.json"]), ("release", ["no session folders", "_sentence_data.json"])],
)
def test_a_layout_that_is_named_and_not_there_is_refused(hub, tmp_path, layout, expected):
    told = ask(hub, tmp_path, layout=layout)
    assert expected[0] in told["error"] and expected[1] in told["hint"] and EXPORT not in told["hint"]


def test_nothing_anywhere_says_what_was_looked_for(hub, tmp_path):
    hub.add("other/empty", write_script_repository(tmp_path / "empty"))
    told = ask(hub, tmp_path, root="other/empty")
    assert "no day files and no Parquet export and no session folders" in told["error"]
    assert EXPORT in told["hint"] and "never run" in told["hint"]


def test_a_named_export_is_read_where_there_are_day_files_too(hub, tmp_path):
    hub.add(REPO, SAMPLE)
    assert ask(hub, tmp_path, {"max_hours": 30 / 3600}, layout="parquet")["utterances"]
    assert not hub.fetched(".tar.gz") and hub.fetched(".parquet")
    hub.log.clear()
    told = ask(hub, tmp_path / "auto", {"max_hours": 30 / 3600})
    assert hub.fetched(".tar.gz") and not hub.fetched(".parquet")
    assert any("holds day files" in line for line in told["said"])


def test_a_config_or_day_that_the_export_lacks_is_refused_with_what_there_is(tmp_path):
    some = write_export(tmp_path / "some", ["48K_mp3_nynorsk"])
    told = run(some, tmp_path)
    assert "48K_mp3_bokmaal" in told["error"] and "48K_mp3_nynorsk" in told["hint"]
    told = run(some, tmp_path, config="48K_mp3_nynorsk", days=["20990101"])
    assert "20990101" in told["error"] and "20200107" in told["hint"]
    shutil.rmtree(some / "48K_mp3_nynorsk" / "train")
    told = run(some, tmp_path, config="48K_mp3_nynorsk", splits=["train"])
    assert "nothing of train" in told["error"]


def test_a_redirect_a_503_and_a_body_that_breaks_off_are_got_over(hub, tmp_path):
    hub.redirect(TRAIN)
    hub.fail(TRAIN, 503, times=2)
    hub.truncate("48K_mp3_bokmaal/partial-validation/0000.parquet", keep=20, times=1)
    told = ask(hub, tmp_path)
    assert len(told["utterances"]) == 50
    assert {302, 503} <= {entry.status for entry in hub.log}


@pytest.mark.parametrize(("status", "expected"), [(401, "log in"), (404, "")])
def test_a_refusal_in_the_middle_becomes_one_sentence(hub, tmp_path, status, expected):
    hub.fail(TRAIN, status, times=99)
    told = ask(hub, tmp_path)
    assert TRAIN in told["error"] and expected in told["hint"] and told["hint"]


def test_without_ranges_whole_files_are_fetched_once(hub, tmp_path):
    hub.gives_ranges = False
    told = ask(hub, tmp_path)
    assert len(told["utterances"]) == 50
    assert any("no parts of files" in line for line in told["said"])
    whole = [e.file for e in hub.log if e.method == "GET" and e.file.endswith(".parquet") and not e.range]
    assert sorted(whole) == sorted(set(whole)) and len(whole) == 3


def test_parts_that_come_damaged_make_it_fetch_the_whole_file_and_compare_it(hub, tmp_path):
    hub.corrupt(TRAIN, times=3)
    told = ask(hub, tmp_path)
    assert len(told["utterances"]) == 50
    assert any("does not read well in parts" in line for line in told["warned"])
    assert any("came damaged" in line and "SHA-256" in line for line in told["said"])


def test_a_file_that_stays_damaged_is_refused_by_name(hub, tmp_path):
    hub.corrupt(TRAIN, times=99)
    told = ask(hub, tmp_path)
    assert TRAIN in told["error"] and "SHA-256" in told["error"] and told["hint"]
    again = ask(hub, tmp_path)
    assert TRAIN in again["error"]  # what is damaged is not taken for whole the next time
    hub.corruptions.clear()
    assert len(ask(hub, tmp_path)["utterances"]) == 50


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    some = write_export(tmp_path / "some", ["48K_mp3_bokmaal"])
    (some / TRAIN).write_bytes(b"PAR1 but no more")
    told = run(some, tmp_path)
    assert TRAIN in told["error"] and "damaged" in told["error"]


def test_rows_that_can_not_be_used_are_said_with_their_place(tmp_path):
    import pyarrow.parquet as pq

    some = write_export(tmp_path / "some", ["48K_mp3_bokmaal"], rows_a_file=99)
    table = pq.read_table(some / TRAIN)
    rows = table.to_pylist()
    rows[0]["meeting_date"] = "yesterday"
    rows[1]["audio"]["path"] = None
    rows[2]["audio"]["bytes"] = None
    rows[3]["end_time"] = rows[3]["start_time"]
    rows[5]["audio"]["path"] = rows[4]["audio"]["path"]
    pq.write_table(table.from_pylist(rows, schema=table.schema), some / TRAIN, row_group_size=3)
    told = run(some, tmp_path)
    (warning,) = [line for line in told["warned"] if "3 rows of the Parquet export are left out" in line]
    for place, reason in ((1, "meeting_date"), (4, "times are not in order"), (6, "second row")):
        assert f"{TRAIN}:{place}: " in warning and reason in warning
    assert any("1 clip missing from" in line for line in told["warned"])
    assert len(told["utterances"]) == 50 - 4
    assert any(u["id"].startswith("20200107-000000_") for u in told["utterances"])

    no_audio = table.drop_columns(["audio"])
    pq.write_table(no_audio, some / TRAIN)
    assert "no column 'audio'" in run(some, tmp_path)["error"]
