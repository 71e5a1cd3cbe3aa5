"""Checkpoints: every damaged file is named before any work; what is written loads like what was read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.checkpoint import LAYOUT_VERSION, read_tensors, resolve, write_checkpoint
from kathrine_qwen3_tts.config import parameter_census, read_config
from kathrine_qwen3_tts.integrity import PUBLISHED, find_problems, read_header, verify, weight_files
from kathrine_qwen3_tts.text import TextTokenizer

GOLD = Path(__file__).parent.parent / "data" / "gold"
CODEC_WEIGHTS = "speech_tokenizer/model.safetensors"


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    return Path(shutil.copytree(GOLD / "tiny-1b7", tmp_path / "checkpoint"))


def only_problem(folder: Path, **arguments) -> tuple[str, str]:
    problems = find_problems(folder, **arguments)
    assert len(problems) == 1, problems
    return problems[0].file, problems[0].reason


@pytest.mark.parametrize("name", ["tiny-0b6", "tiny-1b7"])
def test_golden_checkpoints_are_sound(name):
    assert find_problems(GOLD / name) == []
    assert len(PUBLISHED) == 11


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_missing_file_is_named_unless_loading_works_without_it(checkpoint, name):
    (checkpoint / name).unlink()
    if name in ("preprocessor_config.json", "speech_tokenizer/configuration.json"):
        assert find_problems(checkpoint) == []
    else:
        assert only_problem(checkpoint) == (name, "is missing")
        with pytest.raises(KathrineError, match=f"{name} is missing"):
            verify(checkpoint)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_empty_file_is_named(checkpoint, name):
    (checkpoint / name).write_bytes(b"")
    assert only_problem(checkpoint) == (name, "is empty")


@pytest.mark.parametrize("name", ["model.safetensors", CODEC_WEIGHTS])
@pytest.mark.parametrize("keep", [4, 900, -1])
def test_truncated_weights_are_named_wherever_they_end(checkpoint, name, keep):
    content = (checkpoint / name).read_bytes()
    (checkpoint / name).write_bytes(content[:keep])
    file, reason = only_problem(checkpoint)
    assert file == name
    assert "is truncated" in reason


def test_surplus_bytes_garbage_and_broken_json_are_named(checkpoint):
    weights = checkpoint / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content + b"x")
    assert "is too long" in only_problem(checkpoint)[1]
    weights.write_bytes(content[:8] + b"#" * (len(content) - 8))
    assert "damaged header" in only_problem(checkpoint)[1]
    weights.write_bytes(content)
    (checkpoint / "generation_config.json").write_text("{", encoding="utf-8")
    assert only_problem(checkpoint) == ("generation_config.json", "is not valid JSON")


def test_tensors_that_do_not_fit_the_config_are_named(checkpoint):
    path = checkpoint / "model.safetensors"
    state = load_file(path)
    removed = state.pop("talker.codec_head.weight")
    save_file(state, path)
    assert only_problem(checkpoint) == ("model.safetensors", "lacks talker.codec_head.weight")
    save_file({**state, "talker.codec_head.weight": removed[:5].clone()}, path)
    assert "holds talker.codec_head.weight as [5, 64]" in only_problem(checkpoint)[1]
    save_file({**state, "talker.codec_head.weight": removed, "lm_head.weight": removed.clone()}, path)
    assert "holds lm_head.weight, which config.json knows nothing of" in only_problem(checkpoint)[1]


def test_a_changed_byte_is_found_where_the_hash_is_known(checkpoint, tmp_path):
    path = checkpoint / "model.safetensors"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    hashes, marks = {"model.safetensors": digest}, tmp_path / "marks"
    assert find_problems(checkpoint, hashes, marks) == []
    assert [mark.name for mark in marks.iterdir()] == [digest]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    time.sleep(0.01)
    path.write_bytes(bytes(content))
    assert find_problems(checkpoint) == []
    assert "SHA-256" in only_problem(checkpoint, hashes=hashes, marks=marks)[1]


def test_a_hash_is_computed_once(checkpoint, tmp_path, monkeypatch):
    path = checkpoint / "model.safetensors"
    hashes = {"model.safetensors": hashlib.sha256(path.read_bytes()).hexdigest()}
    find_problems(checkpoint, hashes, tmp_path / "marks")
    monkeypatch.setattr("kathrine_qwen3_tts.integrity.file_hash", lambda path: pytest.fail("hashed again"))
    assert find_problems(checkpoint, hashes, tmp_path / "marks") == []


def test_files_of_a_hub_cache_carry_their_hash(checkpoint, tmp_path):
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    weights = checkpoint / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    shutil.move(weights, blobs / digest)
    weights.symlink_to(blobs / digest)
    assert find_problems(checkpoint) == []
    content = bytearray((blobs / digest).read_bytes())
    content[-1] ^= 1
    (blobs / digest).write_bytes(bytes(content))
    assert "SHA-256" in only_problem(checkpoint)[1]


def test_files_of_a_local_download_carry_their_hash(checkpoint):
    note = checkpoint / ".cache" / "huggingface" / "download" / f"{CODEC_WEIGHTS}.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{'a' * 40}\n{'0' * 64}\n1700000000.0\n", encoding="utf-8")
    assert only_problem(checkpoint)[0] == CODEC_WEIGHTS
    digest = hashlib.sha256((checkpoint / CODEC_WEIGHTS).read_bytes()).hexdigest()
    note.write_text(f"{'a' * 40}\n{digest}\n1700000000.0\n", encoding="utf-8")
    assert find_problems(checkpoint) == []


def shard(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    names = sorted(state)
    weight_map = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: state[name] for name in part}, folder / file)
        weight_map.update({name: file for name in part})
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "model.safetensors").unlink()


def test_sharded_weights_are_checked_and_read(checkpoint):
    whole = load_file(checkpoint / "model.safetensors")
    shard(checkpoint)
    assert weight_files(checkpoint) == [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    assert find_problems(checkpoint) == []
    state = dict(read_tensors(checkpoint))
    assert state.keys() == whole.keys()
    assert all(torch.equal(state[name], whole[name]) for name in whole)
    index = checkpoint / "model.safetensors.index.json"
    listed = json.loads(index.read_text())
    first = min(name for name, file in listed["weight_map"].items() if file.startswith("model-00001"))
    other = {**listed["weight_map"], first: "model-00002-of-00002.safetensors"}
    index.write_text(json.dumps({**listed, "weight_map": other}))
    why = f"does not say that {first} lies in model-00001-of-00002.safetensors"
    assert only_problem(checkpoint) == ("model.safetensors.index.json", why)
    index.write_text(json.dumps({"weight_map": dict.fromkeys(other, "../model.safetensors")}))
    assert only_problem(checkpoint)[1] == "is no index of weight files"
    index.write_text(json.dumps(listed))
    (checkpoint / "model-00002-of-00002.safetensors").unlink()
    assert only_problem(checkpoint) == ("model-00002-of-00002.safetensors", "is missing")
    (checkpoint / "model.safetensors.index.json").write_text("[1]", encoding="utf-8")
    assert only_problem(checkpoint) == ("model.safetensors.index.json", "is no index of weight files")


def test_reading_with_a_prefix_reads_only_that_part():
    names = [name for name, _ in read_tensors(GOLD / "tiny-0b6", prefix="speaker_encoder.")]
    assert len(names) == len({name for name in names if name.startswith("speaker_encoder.")}) > 0


def test_written_checkpoints_are_complete_and_bit_equal(tmp_path):
    base = GOLD / "tiny-1b7"
    out = write_checkpoint(tmp_path / "out", base, read_tensors(base))
    assert find_problems(out) == []
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == sorted(PUBLISHED)
    before, after = load_file(base / "model.safetensors"), load_file(out / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) and after[name].dtype == torch.bfloat16 for name in before)
    assert read_config(out) == {**read_config(base), "transformers_version": LAYOUT_VERSION}
    assert (out / CODEC_WEIGHTS).read_bytes() == (base / CODEC_WEIGHTS).read_bytes()
    header = (out / "model.safetensors").read_bytes()[8:600]
    assert b'"__metadata__":{"format":"pt"}' in header
    assert TextTokenizer(out).encode("Hei") == TextTokenizer(base).encode("Hei")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_custom_voice_checkpoint_is_written_from_a_patch(tmp_path):
    base = GOLD / "tiny-0b6"
    state = {name: value for name, value in read_tensors(base) if not name.startswith("speaker_encoder.")}
    patch = {"tts_model_type": "custom_voice", "talker_config": {"spk_id": {"anna": 3001}}}
    out = write_checkpoint(tmp_path / "deep" / "out", base, state, patch, dtype="fp32")
    config = read_config(out)
    assert config["talker_config"]["spk_id"] == {**read_config(base)["talker_config"]["spk_id"], "anna": 3001}
    assert config["talker_config"]["hidden_size"] == 48
    header = read_header(out / "model.safetensors")
    assert {kind for kind, _ in header.values()} == {"F32"}
    assert header.keys() == {name for name, _, _ in parameter_census(config)}


@pytest.mark.parametrize(("limit", "files"), [(0, 1), (10**9, 1), (100_000, 3)])
def test_weights_are_divided_above_the_limit_and_read_back(tmp_path, limit, files):
    base = GOLD / "tiny-1b7"
    out = write_checkpoint(tmp_path / "out", base, read_tensors(base), max_shard_bytes=limit)
    names = weight_files(out)
    assert (len(names) == 1) == (files == 1) and len(names) >= files and find_problems(out) == []
    assert (out / "model.safetensors.index.json").exists() == (files > 1)
    before, after = dict(read_tensors(base)), dict(read_tensors(out))
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value.bfloat16()) for name, value in before.items())


def test_an_incomplete_or_misplaced_write_leaves_nothing(tmp_path):
    base = GOLD / "tiny-0b6"
    state = dict(read_tensors(base))
    with pytest.raises(KathrineError, match=r"lacks talker.codec_head.weight"):
        partial = {name: value for name, value in state.items() if name != "talker.codec_head.weight"}
        write_checkpoint(tmp_path / "out", base, partial)
    with pytest.raises(KathrineError, match=r"speaker_encoder.* knows nothing of"):
        write_checkpoint(tmp_path / "out", base, state, {"tts_model_type": "custom_voice"})
    with pytest.raises(KathrineError, match="dtype 'int4'"):
        write_checkpoint(tmp_path / "out", base, state, dtype="int4")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").touch()
    with pytest.raises(KathrineError, match="already exists"):
        write_checkpoint(tmp_path / "out", base, state)


def test_a_failing_write_leaves_no_folder(tmp_path, checkpoint):
    (checkpoint / CODEC_WEIGHTS).unlink()
    with pytest.raises(KathrineError, match=f"{CODEC_WEIGHTS} is missing"):
        write_checkpoint(tmp_path / "out", checkpoint, read_tensors(checkpoint))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


# --------------------------------------------------------------------------- resolving


def test_a_local_folder_resolves_after_a_check(checkpoint, tmp_path):
    found = resolve(str(checkpoint), tmp_path / "workspace")
    assert (found.path, found.id, found.revision) == (checkpoint.resolve(), str(checkpoint), "local")
    (checkpoint / "vocab.json").unlink()
    with pytest.raises(KathrineError, match=r"vocab.json is missing"):
        resolve(str(checkpoint), tmp_path / "workspace")


@pytest.mark.parametrize("offline", [True, None])
@pytest.mark.parametrize("name", ["Qwen3-TTS-12Hz-0.6B-Base", "Qwen/Qwen3-TTS-12Hz-1.7B-Base", "someone/else"])
def test_without_network_one_sentence_and_the_remedy(tmp_path, name, offline):
    started = time.monotonic()
    with pytest.raises(KathrineError) as caught:
        resolve(name, tmp_path, offline=offline)
    assert time.monotonic() - started < 20
    assert "is not cached" in caught.value.message
    assert "\n" not in caught.value.message
    assert "--profile smoke" in caught.value.hint
    assert "local folder" in caught.value.hint


@pytest.mark.parametrize("name", ["./nowhere", "../x/y/z", "Qwen4", "kathrine:huge", ""])
def test_names_that_are_nothing_are_refused(tmp_path, name):
    with pytest.raises(KathrineError, match="neither a folder nor a Hub id"):
        resolve(name, tmp_path)


def hub_cache(workspace: Path, repository: str, source: Path, commit: str = "c" * 40) -> Path:
    """The layout in which the Hub's client keeps a download: blobs named by hash, links, and a reference."""
    home = workspace / "hub" / f"models--{repository.replace('/', '--')}"
    for path in source.rglob("*"):
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            blob, link = home / "blobs" / digest, home / "snapshots" / commit / path.relative_to(source)
            blob.parent.mkdir(parents=True, exist_ok=True)
            link.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, blob)
            link.symlink_to(os.path.relpath(blob, link.parent))
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit, encoding="utf-8")
    return home / "snapshots" / commit


def test_a_cached_download_is_used_without_network(tmp_path):
    snapshot = hub_cache(tmp_path, "someone/voice", GOLD / "tiny-0b6")
    found = resolve("someone/voice", tmp_path)
    assert (found.path, found.id, found.revision) == (snapshot, "someone/voice", "c" * 40)
    assert resolve("someone/voice", tmp_path, revision="c" * 40, offline=True).revision == "c" * 40


def test_a_damaged_cached_file_is_named_and_refused_without_network(tmp_path):
    snapshot = hub_cache(tmp_path, "someone/voice", GOLD / "tiny-0b6")
    blob = (snapshot / "model.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-10])
    with pytest.raises(KathrineError, match=r"someone/voice: model.safetensors is truncated") as caught:
        resolve("someone/voice", tmp_path)
    assert "fetch model.safetensors" in caught.value.hint
    (snapshot / "vocab.json").unlink()
    with pytest.raises(KathrineError, match=r"vocab.json is missing"):
        resolve("someone/voice", tmp_path, offline=True)
