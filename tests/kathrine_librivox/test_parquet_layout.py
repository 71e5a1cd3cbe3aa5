"""The segmented set as the Hub exports it to Parquet: from a folder, and through the real client from a loopback
Hub."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import source_client
from servers.hub import Hub
from source_client import run_source

from kathrine.datafiles import bundled_sample

LIBRIVOX = "kathrine_librivox.source:LibrivoxSource"
REPO = "NbAiLab/nb-librivox"
SAMPLE = bundled_sample("nb-librivox")
EXPORT = "default/train/0000.parquet"


def rows_of_sample() -> list[dict]:
    with (SAMPLE / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {
            "audio": {"bytes": (SAMPLE / row["file_name"]).read_bytes(), "path": Path(row["file_name"]).name},
            "text": row["text"],
            "speaker_name": row["speaker_name"],
            "book": row["file_name"][5:9],
        }
        for row in rows
    ]


def write_export(folder: Path, rows: list[dict], name: str = EXPORT, **renamed: str) -> Path:
    """A folder as the Hub's converter leaves it: features in the schema, row groups of ten."""
    table = pyarrow.Table.from_pylist(rows).rename_columns([renamed.get(column, column) for column in rows[0]])
    features = {"info": {"features": {"audio": {"sampling_rate": 22050, "_type": "Audio"}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, folder / name, row_group_size=10)
    return folder


@pytest.fixture
def export(tmp_path) -> Path:
    return write_export(tmp_path / "export", rows_of_sample())


def run(tmp_path: Path, root: Path, wishes: dict | None = None, **options) -> dict:
    return run_source(LIBRIVOX, {"root": str(root), **options}, tmp_path / "ws", **(wishes or {}))


def clips(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "ws").rglob("parquet-*/*.mp3"))


@pytest.mark.parametrize("layout", ["auto", "parquet"])
def test_rows_become_utterances_and_recordings_files(tmp_path, export, layout):
    told = run(tmp_path, export, layout=layout)
    table = run_source(LIBRIVOX, {"root": str(SAMPLE)}, tmp_path / "other")["utterances"]
    assert len(told["utterances"]) == 26 and not told["warned"]
    for made, other in zip(told["utterances"], table, strict=True):
        assert Path(made["audio"]).read_bytes() == Path(other["audio"]).read_bytes()
        assert (made["texts"], made["speaker"], made["seconds"]) == (other["texts"], other["speaker"], other["seconds"])
    assert told["utterances"][14]["id"] == "bok2_0001" and told["utterances"][14]["facts"]["book"] == "bok2"


def test_only_recordings_of_wanted_readers_are_written_out(tmp_path, export):
    wishes = {"speakers": ["aasmo"], "max_hours": 10 / 3600}
    told = run(tmp_path, export, wishes)
    assert {u["speaker"] for u in told["utterances"]} == {"librivox-sverre-aasmo"}
    assert 3 <= len(told["utterances"]) < 13
    written = clips(tmp_path)
    # Rows 13 to 25 are his: the row groups of ten that begin with row 10 and row 20.
    assert all(path.name.startswith("bok2") for path in written) and len(written) in (7, 13)
    times = [path.stat().st_mtime_ns for path in written]
    assert run(tmp_path, export, wishes)["utterances"] == told["utterances"]
    assert [path.stat().st_mtime_ns for path in clips(tmp_path)] == times


def test_a_row_group_that_was_half_written_out_is_completed(tmp_path, export):
    told = run(tmp_path, export)
    lost = clips(tmp_path)[3:20]
    kept = clips(tmp_path)[0].stat().st_mtime_ns
    for path in lost:
        path.unlink()
    lost[0].with_name(f".{lost[0].name}.77.part").write_bytes(b"half")
    assert run(tmp_path, export)["utterances"] == told["utterances"]
    assert clips(tmp_path)[0].stat().st_mtime_ns == kept


def test_a_new_export_is_written_out_anew(tmp_path, export):
    before = {u["audio"] for u in run(tmp_path, export)["utterances"]}
    write_export(export, rows_of_sample()[:13])
    after = run(tmp_path, export)["utterances"]
    assert len(after) == 13 and not before & {u["audio"] for u in after}


def test_rows_with_a_problem_are_said_with_their_place(tmp_path):
    rows = rows_of_sample()[:6]
    rows[1]["audio"]["path"] = "../../secret.mp3"
    rows[2]["speaker_name"] = "  "
    rows[3]["audio"]["path"] = rows[0]["audio"]["path"]
    rows[4]["audio"]["path"] = None
    told = run(tmp_path, write_export(tmp_path / "odd", rows))
    (warning,) = told["warned"]
    assert "3 rows of the table" in warning
    assert f"{EXPORT}:2: path '../../secret.mp3' points outside" in warning
    assert f"{EXPORT}:3: no speaker_name" in warning and f"{EXPORT}:4: the same clip as {EXPORT}:1" in warning
    assert [u["id"] for u in told["utterances"]] == ["bok1_0000", "row_000005", "bok1_0005"]
    assert not list(tmp_path.rglob("secret*"))


def test_a_recording_without_bytes_is_left_to_prepare(tmp_path):
    rows = rows_of_sample()[:3]
    rows[1]["audio"]["bytes"] = None
    told = run(tmp_path, write_export(tmp_path / "odd", rows))
    assert [u["seconds"] is None for u in told["utterances"]] == [False, True, False]


def test_columns_go_by_other_names_and_a_missing_one_is_named(tmp_path):
    rows = rows_of_sample()[:3]
    other = write_export(tmp_path / "other", rows, audio="file", speaker_name="speaker", text="sentence")
    assert len(run(tmp_path, other)["utterances"]) == 3
    without = write_export(tmp_path / "without", rows, speaker_name="who", audio="sound")
    told = run(tmp_path, without)
    assert "no column with a reader (speaker_name or speaker or reader)" in told["error"] and "sound" in told["hint"]


def test_what_is_no_parquet_or_not_there_is_refused(tmp_path, export):
    whole = (export / EXPORT).read_bytes()
    (export / EXPORT).write_bytes(whole[: len(whole) // 2])
    assert "not all of it" in run(tmp_path, export)["error"]
    assert "no Parquet file" in run(tmp_path, SAMPLE, layout="parquet")["error"]
    assert "metadata.csv" in run(tmp_path, export, layout="table")["error"]
    (tmp_path / "empty").mkdir()
    assert "no metadata.csv and no Parquet file" in run(tmp_path, tmp_path / "empty")["error"]


@pytest.fixture
def hub(export):
    with Hub() as server:
        server.add(REPO, SAMPLE)
        server.add(REPO, export, revision="refs/convert/parquet")
        yield server


def ask(hub: Hub, tmp_path: Path, wishes: dict | None = None, **options) -> dict:
    environment = hub.environment(tmp_path / "home")
    return source_client.ask_hub(environment, LIBRIVOX, options, tmp_path / "ws", wishes or {})


def test_the_hub_keeps_its_export_on_a_branch_of_its_own(hub, export, tmp_path):
    hub.truncate(EXPORT, keep=5000)
    told = ask(hub, tmp_path, layout="parquet")
    assert len(told["utterances"]) == 26 and told["utterances"][0]["facts"]["licence"] == "cc0-1.0"
    assert set(hub.fetched()) == {"README.md", EXPORT}
    assert not {"torchcodec", "datasets", "torch"} & set(told["modules"])
    before = len(hub.log)
    for wishes in ({}, {"offline": True}):
        assert ask(hub, tmp_path, wishes, layout="parquet")["utterances"] == told["utterances"]
    assert len(hub.log) == before
    # Where there is a table, looking finds the table: its recordings are fetched one by one.
    chosen = ask(hub, tmp_path / "auto", {"max_hours": 6 / 3600})
    assert chosen["utterances"][0]["id"] == "data_bok1_0000" and hub.fetched().count(EXPORT) == 2


def test_a_hub_dataset_without_a_table_is_looked_up_on_the_branch(hub, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n", encoding="utf-8")
    hub.add(REPO, bare)
    told = ask(hub, tmp_path)
    assert len(told["utterances"]) == 26 and told["utterances"][0]["facts"]["licence"] == "cc-by-4.0"


@pytest.mark.slow
def test_memory_does_not_hold_the_export(tmp_path):
    """60 MB of recordings in one row group are written out with a few MB at a time."""
    rows = [
        {"audio": {"bytes": bytes([n]) * 1_000_000, "path": f"{n}.mp3"}, "text": "hei", "speaker_name": "Kari"}
        for n in range(60)
    ]
    folder = tmp_path / "big"
    folder.mkdir()
    table = pyarrow.Table.from_pylist(rows)
    pyarrow.parquet.write_table(
        table, folder / "big.parquet", row_group_size=60, compression="none", use_dictionary=False
    )
    del rows, table
    code = (
        "import resource, sys; from pathlib import Path; import pyarrow.parquet, soundfile;"
        "import source_client as client; before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "told = client.run_source(sys.argv[1], {'root': sys.argv[2]}, Path(sys.argv[3]));"
        "print(len(told['utterances']), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    from servers.hub import run_client

    with Hub() as server:
        environment = server.environment(tmp_path / "home")
    done = run_client(code, environment, LIBRIVOX, str(folder), str(tmp_path / "ws"))
    assert done.returncode == 0, done.stderr
    count, kilobytes = map(int, done.stdout.split())
    assert count == 60 and kilobytes < 45_000, kilobytes
