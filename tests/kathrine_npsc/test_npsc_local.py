"""The parliament corpus from local folders: the bundled sample, and copies of it with things wrong in
them."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import soundfile
from source_client import context_in, run_source

from kathrine.datafiles import bundled_sample
from kathrine_npsc.source import NpscOptions, NpscSource

NPSC = "kathrine_npsc.source:NpscSource"
SAMPLE = bundled_sample("npsc")


def run(tmp_path: Path, wishes: dict | None = None, **options) -> dict:
    """The sample's few speakers are in every split, and its cut clips are what some tests look at."""
    settings = {"root": "kathrine:npsc", "validation_speakers": "any", "merge_seconds": 0.0, **options}
    return run_source(NPSC, settings, tmp_path / "workspace", **(wishes or {}))


@pytest.fixture
def copy(tmp_path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "copy"))


def rewrite_archive(path: Path, change) -> None:
    """Write an archive again; `change` gets (name, bytes) and returns the members to write in its place."""
    members = []
    with tarfile.open(path) as old:
        for member in old:
            members += change(member.name, old.extractfile(member).read())
    with tarfile.open(path, "w:gz") as new:
        for member, content in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.size = len(content)
            new.addfile(info, io.BytesIO(content))


def test_the_sample_is_what_its_readme_says():
    total = sum(path.stat().st_size for path in SAMPLE.parent.rglob("*") if path.is_file())
    rows = [
        json.loads(line)
        for path in SAMPLE.glob("data/*/*.json")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert total < 2_000_000
    assert len(rows) == 58 and len({row["speaker_id"] for row in rows}) == 5
    assert {row["sentence_language_code"] for row in rows} == {"nb-NO", "nn-NO"}
    assert sum("<inaudible>" in row["text"] for row in rows) == 1
    assert sum("<ee>" in row["text"] for row in rows) >= 2
    assert any(any(map(str.isdigit, row["normsentence_text"])) for row in rows)


def test_a_source_gives_bokmaal_of_train_and_validation(tmp_path):
    told = run(tmp_path)
    utterances = told["utterances"]
    assert len(utterances) == 43 + 9 - 1 - 1  # without the nynorsk row and the missing clip
    assert {utterance["language"] for utterance in utterances} == {"nb"}
    assert {utterance["split"] for utterance in utterances} == {"train", "validation"}
    assert len({utterance["id"] for utterance in utterances}) == len(utterances)
    first = next(utterance for utterance in utterances if utterance["texts"]["text"].startswith("<ee> saken"))
    assert first["texts"] == {
        "text": "<ee> saken gjelder skoleveien i tjue kommuner",
        "normsentence_text": "<ee> saken gjelder skoleveien i 20 kommuner",
    }
    assert first["speaker"] == "npsc-24"
    assert first["facts"] == {
        "speaker_name": "Håkon Brattlien",
        "meeting_date": "20200107",
        "licence": "CC0-1.0",
    }
    assert Path(first["audio"]).stem == first["id"]


def test_clips_have_their_length_and_the_bandwidth_of_48_khz(tmp_path):
    import numpy as np

    spectra = []
    for utterance in run(tmp_path)["utterances"]:
        wave, rate = soundfile.read(utterance["audio"])
        assert rate == 48000
        assert len(wave) / rate == pytest.approx(utterance["seconds"], abs=0.001)
        frames = np.lib.stride_tricks.sliding_window_view(wave, 2048)[::2048] * np.hanning(2048)
        spectra.append((np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0))
    level = 10 * np.log10(np.mean(spectra, axis=0))
    assert np.flatnonzero(level > level.max() - 50).max() * 48000 / 2048 > 7000


def test_a_missing_clip_is_said_and_the_inaudible_row_is_left_to_the_gates(tmp_path):
    told = run(tmp_path)
    assert [line for line in told["warned"] if "1 clip missing from data/train/20200114_48K_mp3.tar.gz" in line]
    assert sum("<inaudible>" in utterance["texts"]["text"] for utterance in told["utterances"]) == 1
    assert told["left_out"] == {"another language": 1, "clip missing": 1}


def test_only_clips_that_end_in_the_sound_are_cut(tmp_path):
    cut = [utterance["texts"]["text"] for utterance in run(tmp_path)["utterances"] if utterance["cut"]]
    assert cut == [text for text in cut if text.startswith(("vi foreslår", "kvotene"))] and len(cut) == 2


def test_languages_are_filters_on_the_same_archives(tmp_path):
    assert [u["language"] for u in run(tmp_path, config="48K_mp3_nynorsk")["utterances"]] == ["nn"]
    assert len(run(tmp_path, config="48K_mp3")["utterances"]) == 51


def test_repeated_sentences_are_limited(tmp_path):
    opening = "stortingets møte er lovlig satt"
    texts = [utterance["texts"]["text"] for utterance in run(tmp_path, max_copies=2)["utterances"]]
    assert texts.count(opening) == 2
    assert [utterance["texts"]["text"] for utterance in run(tmp_path)["utterances"]].count(opening) == 3


def test_speakers_are_kept_by_a_part_of_their_name_or_id(tmp_path):
    named = run(tmp_path, {"speakers": ["brattLIEN"]})["utterances"]
    assert {utterance["speaker"] for utterance in named} == {"npsc-24"}
    assert {u["speaker"] for u in run(tmp_path, {"speakers": ["npsc-52"]})["utterances"]} == {"npsc-52"}
    assert "no sentence" in run(tmp_path, {"speakers": ["Nobody"]})["error"]


def test_the_order_is_the_seeds_and_the_same_every_time(tmp_path):
    def days(seed: int) -> list[str]:
        ids = [utterance["id"] for utterance in run(tmp_path, {"seed": seed})["utterances"]]
        assert ids == [utterance["id"] for utterance in run(tmp_path, {"seed": seed})["utterances"]]
        return list(dict.fromkeys(name[:8] for name in ids))

    orders = {tuple(days(seed)) for seed in range(6)}
    assert len(orders) > 1 and all(order[0] == "20200128" for order in orders)  # the held-out day comes first
    ids = [utterance["id"] for utterance in run(tmp_path)["utterances"] if utterance["id"].startswith("20200121")]
    starts = [int(name.split("_")[1]) for name in ids]
    assert starts == sorted(starts)


def test_days_can_be_named_and_unknown_ones_are_refused(tmp_path):
    named = run(tmp_path, days=["20200114"])["utterances"]
    assert {utterance["facts"]["meeting_date"] for utterance in named} == {"20200114"}
    told = run(tmp_path, days=["20200115"])
    assert "20200115" in told["error"] and "20200114" in told["hint"]
    assert "yyyymmdd" in run(tmp_path, days=["7. januar"])["error"]


def test_splits_can_be_chosen(tmp_path):
    assert {u["split"] for u in run(tmp_path, splits=["test"])["utterances"]} == {"test"}


def test_16k_is_refused_with_its_price_unless_allowed(tmp_path, copy):
    for path in copy.glob("data/*/*_48K_mp3.tar.gz"):
        path.rename(path.with_name(path.name.replace("48K", "16K")))
    source = NpscSource(NpscOptions(config="16K_mp3_bokmaal"))
    assert "5.8 kHz" in next(source.problems())
    told = run(tmp_path, root=str(copy), config="16K_mp3_bokmaal")
    assert "5.8 kHz" in told["error"] and "48K" in told["error"]
    allowed = run(tmp_path, root=str(copy), config="16K_mp3_bokmaal", allow_narrowband=True)
    assert len(allowed["utterances"]) == 50


def test_corrupt_lines_are_said_with_their_place_and_left_out(tmp_path, copy):
    path = copy / "data" / "train" / "20200107.json"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2][:-20]
    broken = json.loads(lines[4])
    broken["end_time"] = broken["start_time"] - 1
    lines[4] = json.dumps(broken)
    lines[5] = json.dumps({key: value for key, value in json.loads(lines[5]).items() if key != "sentence_text"})
    path.write_text("\n".join(lines), encoding="utf-8")
    told = run(tmp_path, root=str(copy))
    (warning,) = [line for line in told["warned"] if "3 rows" in line]
    for place, reason in ((3, ""), (5, "times are not in order"), (6, "no text in column 'sentence_text'")):
        assert f"data/train/20200107.json:{place}: {reason}" in warning
    assert len(told["utterances"]) == 47
    assert told["left_out"]["mistake in the row"] == 3


@pytest.mark.parametrize("evil", ["../evil.mp3", "/evil.mp3", "a/../../evil.mp3", "..\\evil.mp3"])
def test_an_archive_that_points_outside_is_refused_by_name(tmp_path, copy, evil):
    archive = copy / "data" / "train" / "20200107_48K_mp3.tar.gz"
    rewrite_archive(archive, lambda name, content: [(name, content), (evil, b"x")])
    told = run(tmp_path, root=str(copy))
    assert evil in told["error"] and "20200107_48K_mp3.tar.gz" in told["error"]
    assert not list(tmp_path.rglob("evil.mp3"))


def test_an_archive_with_a_link_is_refused(tmp_path, copy):
    archive = copy / "data" / "train" / "20200107_48K_mp3.tar.gz"
    link = tarfile.TarInfo("audio/link.mp3")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    rewrite_archive(archive, lambda name, content: [(name, content)])
    with tarfile.open(archive, "r:gz") as old:
        members = [(member, old.extractfile(member).read()) for member in old]
    with tarfile.open(archive, "w:gz") as new:
        for member, content in members:
            new.addfile(member, io.BytesIO(content))
        new.addfile(link)
    assert "audio/link.mp3" in run(tmp_path, root=str(copy))["error"]


def test_folder_and_extension_of_members_do_not_matter_nor_does_a_row_without_audio(tmp_path, copy):
    expected = [utterance["id"] for utterance in run(tmp_path)["utterances"]]
    archive = copy / "data" / "train" / "20200121_48K_mp3.tar.gz"
    rewrite_archive(archive, lambda name, content: [(f"deep/er/{Path(name).stem}.MP3", content)])
    path = copy / "data" / "train" / "20200121.json"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows):
        stem = Path(row.pop("audio")["path"]).stem
        if number % 2:
            row["audio_file"] = f"{stem}.wav"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = run(tmp_path, root=str(copy))["utterances"]
    assert sorted(utterance["id"] for utterance in found) == sorted(expected)


def test_a_damaged_archive_of_a_local_folder_is_refused_by_name(tmp_path, copy):
    archive = copy / "data" / "train" / "20200107_48K_mp3.tar.gz"
    archive.write_bytes(archive.read_bytes()[:5000])
    told = run(tmp_path, root=str(copy))
    assert "data/train/20200107_48K_mp3.tar.gz" in told["error"] and "damaged" in told["error"]


def test_a_clip_that_does_not_decode_is_yielded_for_the_gates(tmp_path, copy):
    archive = copy / "data" / "train" / "20200107_48K_mp3.tar.gz"
    rewrite_archive(archive, lambda name, content: [(name, b"no sound" * 50 if "_30000_" in name else content)])
    told = run(tmp_path, root=str(copy))
    assert len(told["utterances"]) == 50


def test_what_is_unpacked_stays_and_what_is_half_unpacked_is_done_again(tmp_path):
    first = run(tmp_path)["utterances"]
    times = {utterance["audio"]: Path(utterance["audio"]).stat().st_mtime_ns for utterance in first}
    day = Path(first[-1]["audio"]).parent
    day.rename(day.with_name(day.name + ".part"))  # as if killed before the rename
    second = run(tmp_path)["utterances"]
    assert second == first
    assert not day.with_name(day.name + ".part").exists()
    for audio, time in times.items():
        assert (Path(audio).stat().st_mtime_ns == time) == (Path(audio).parent != day)


def test_an_archive_that_changed_is_unpacked_again(tmp_path, copy):
    before = run(tmp_path, root=str(copy))["utterances"]
    rewrite_archive(
        copy / "data" / "train" / "20200107_48K_mp3.tar.gz",
        lambda name, content: [] if "_30000_" in name else [(name, content)],
    )
    assert len(run(tmp_path, root=str(copy))["utterances"]) == len(before) - 1


@pytest.mark.parametrize("root", ["no/such/folder/at/all", "no folder", "kathrine:unknown"])
def test_a_root_that_is_nothing_is_refused(tmp_path, root):
    assert root.removeprefix("kathrine:") in run(tmp_path, root=root)["error"]


def test_a_folder_in_another_layout_is_refused(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "NPSC.py").write_text("raise SystemExit('was run')", encoding="utf-8")
    told = run(tmp_path, root=str(tmp_path / "other"))
    assert "no day files" in told["error"] and "never run" in told["hint"]


def test_the_component_loads_without_anything_heavy():
    code = "import sys, kathrine_npsc; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    heavy = {"torch", "transformers", "datasets", "pyarrow", "soundfile", "numpy", "huggingface_hub"}
    assert not heavy & {name.partition(".")[0] for name in done.stdout.split()}


def test_the_source_can_be_asked_again_for_the_same_context(tmp_path):
    context = context_in(tmp_path, "npsc")
    source = NpscSource(NpscOptions(root="kathrine:npsc", validation_speakers="any"))
    source.prepare(context)
    assert [u.id for u in source.utterances(context)] == [u.id for u in source.utterances(context)]


def test_other_columns_can_be_variants_and_text_must_be_one(tmp_path):
    told = run(tmp_path, fields={"text": "normsentence_text", "words": "sentence_text"})
    both = next(u["texts"] for u in told["utterances"] if "20 kommuner" in u["texts"]["text"])
    assert both["words"].endswith("i tjue kommuner")
    assert "variant 'text'" in run(tmp_path, fields={"words": "sentence_text"})["error"]
    assert "transsentence" in run(tmp_path, fields={"text": "transsentence"})["warned"][0]


def test_held_out_hours_bound_the_held_out_speech(tmp_path):
    held_out = [u for u in run(tmp_path, held_out_hours=12 / 3600)["utterances"] if u["split"] == "validation"]
    assert 9 < sum(utterance["seconds"] for utterance in held_out) < 16
