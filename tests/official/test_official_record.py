"""Exports against what the official package made of the same weights (docs/official-package.md).

The official package can not be installed beside kathrine: its codes, the names of its modules and its token ids were
recorded once, by docs/proof/official_half.py, and are exact.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import frozen_exports as frozen
import kathrine_half as half
import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors
from tiny_training import workspace

from kathrine_checkpoint import load_adapter
from kathrine_qwen3_tts.checkpoint import LAYOUT_VERSION
from kathrine_qwen3_tts.text import TextTokenizer, target_template

RECORD = Path(__file__).resolve().parents[1] / "data" / "official"
FACTS = json.loads((RECORD / "codes.json").read_text(encoding="utf-8"))
CODES = load_file(RECORD / "codes.safetensors")
CHECKPOINTS = tuple(frozen.SEEDS)
EXPORTS = ("adapter", "merged", "merged_bf16")
NAMED = "custom_voice"
"""Speaks in voices of its own, so what is asked of it is asked of no other."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("official")


@pytest.fixture(scope="module")
def cases(folder):
    return {key: case for name in CHECKPOINTS for key, case in frozen.frozen_cases(name, folder).items()}


def check_codes(name: str, case: dict, folder: Path) -> None:
    """kathrine says from an export what the official package said from it, request by request."""
    made = half.speak(case, folder / "voice.wav", workspace(), FACTS["frames"])
    assert case["requests"].keys() == {key.removeprefix(f"{name}/") for key in CODES if key.startswith(f"{name}/")}
    for request in case["requests"]:
        assert np.array_equal(made[request], CODES[f"{name}/{request}"]), (name, request)


def check_names(checkpoint: str, names: Iterable[str]) -> None:
    """Every name is one of the official model's state dict."""
    unknown = set(names) - set(FACTS["names"][checkpoint])
    assert not unknown, sorted(unknown)


def module_weights(adapter_keys: Iterable[str]) -> set[str]:
    """The weights that an adapter's keys belong to, where PEFT is put around the whole model."""
    weights = set()
    for key in adapter_keys:
        assert key.startswith("base_model.model."), key
        weights.add(key.removeprefix("base_model.model.").rsplit(".lora_", 1)[0] + ".weight")
    return weights


# --------------------------------------------------------------------------- codes


@pytest.mark.parametrize("export", [*EXPORTS, NAMED])
@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_an_export_says_what_the_official_package_says(cases, folder, checkpoint, export) -> None:
    name = f"{checkpoint} {export}"
    check_codes(name, cases[name], folder)


def test_what_is_recorded_is_not_what_the_base_says() -> None:
    """Else the comparison could not see a lost update."""
    bases = [key for key in CODES if " base/" in key]
    assert len(bases) == 4 and {key.split()[0] for key in bases} == set(CHECKPOINTS)
    for key in bases:
        for export in EXPORTS:
            assert not np.array_equal(CODES[key], CODES[key.replace(" base/", f" {export}/")]), (key, export)


def test_the_record_holds_every_export_with_its_tag() -> None:
    assert all(len(codes) > 0 and codes.shape[1] == 16 for codes in CODES.values())
    tagged = [key for key in CODES if "speaker, norwegian" in key]
    assert len(tagged) == 2 * len(CHECKPOINTS) * len(EXPORTS)
    named = [key for key in CODES if f" {NAMED}/" in key]
    assert len(named) == 2 * len(CHECKPOINTS) and all("/solveig, norwegian" in key for key in named)


# --------------------------------------------------------------------------- what must turn it red


@pytest.mark.parametrize("part", ["text_projection", "lora"])
def test_a_part_left_out_of_the_adapter_is_seen(cases, folder, monkeypatch, part) -> None:
    name = "tiny-1b7 adapter"
    monkeypatch.setattr(half, "load_adapter", lambda model, place: load_adapter(model, place, without=[part]))
    with pytest.raises(AssertionError, match="norwegian"):
        check_codes(name, cases[name], folder)


def altered(case: dict, target: Path, shift: int) -> dict:
    """A copy of a merged export whose configuration names another row for the tag."""
    shutil.copytree(case["folder"], target)
    path = target / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["talker_config"]["codec_language_id"][half.TAG] += shift
    path.write_text(json.dumps(config), encoding="utf-8")
    return {**case, "folder": target}


def test_a_tag_one_row_further_is_seen(cases, folder, tmp_path) -> None:
    name = "tiny-1b7 merged"
    check_codes(name, altered(cases[name], tmp_path / "same", 0), folder)
    with pytest.raises(AssertionError, match="norwegian"):
        check_codes(name, altered(cases[name], tmp_path / "shifted", 1), folder)


def test_a_voice_one_row_further_is_seen(cases, folder, tmp_path) -> None:
    name = f"tiny-0b6 {NAMED}"
    case = altered(cases[name], tmp_path / "shifted", 0)
    config = json.loads((case["folder"] / "config.json").read_text(encoding="utf-8"))
    config["talker_config"]["spk_id"]["solveig"] += 1
    (case["folder"] / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(AssertionError, match="solveig"):
        check_codes(name, case, folder)


def test_a_projection_of_the_base_in_a_merged_export_is_seen(cases, folder, tmp_path) -> None:
    from safetensors.torch import save_file

    name = "tiny-0b6 merged"
    case = altered(cases[name], tmp_path / "old", 0)
    first = load_tensors(case["base"] / "model.safetensors")
    stored = load_tensors(case["folder"] / "model.safetensors")
    old = {key: value.float() for key, value in first.items() if "text_projection" in key}
    assert len(old) == 4 and not any(value.equal(stored[key]) for key, value in old.items())
    save_file({**stored, **old}, case["folder"] / "model.safetensors")
    with pytest.raises(AssertionError, match="speaker"):
        check_codes(name, case, folder)


# --------------------------------------------------------------------------- names, ids, files


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_every_exported_name_is_one_of_the_official_model(cases, checkpoint) -> None:
    official = set(FACTS["names"][checkpoint])
    for export in ("merged", "merged_bf16"):
        assert set(load_tensors(cases[f"{checkpoint} {export}"]["folder"] / "model.safetensors")) == official
    named = set(load_tensors(cases[f"{checkpoint} {NAMED}"]["folder"] / "model.safetensors"))
    assert named == {name for name in official if not name.startswith("speaker_encoder.")}
    adapter = cases[f"{checkpoint} adapter"]["folder"]
    keys = load_tensors(adapter / "adapter_model.safetensors")
    check_names(checkpoint, module_weights(keys))
    projection = load_tensors(adapter / "text_projection.safetensors")
    whole = {f"talker.text_projection.{key}" for key in projection}
    assert whole == {name for name in official if name.startswith("talker.text_projection.")}
    with pytest.raises(AssertionError, match=r"layers\.0"):
        check_names(checkpoint, module_weights(key.replace("talker.model", "talker") for key in keys))


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_an_export_gives_the_official_token_ids(cases, checkpoint) -> None:
    for export in ("merged", "merged_bf16"):
        place = cases[f"{checkpoint} {export}"]["folder"]
        tokenizer = TextTokenizer(place)
        assert set(FACTS["ids"]) == set(half.TEXTS) and set("æøåÆØÅ") <= set("".join(half.TEXTS))
        for text, ids in FACTS["ids"].items():
            assert tokenizer.encode(target_template(text)) == ids, text
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        assert tokenizer.special_tokens["<tts_text_bos>"] == config["tts_bos_token_id"]
        assert tokenizer.special_tokens["<|im_start|>"] == config["im_start_token_id"] == FACTS["ids"][half.SHORT][0]


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_an_export_keeps_the_official_loader_from_guessing_the_tokenizer(cases, checkpoint) -> None:
    """Newer or no versions there make it take another model's splitting pattern for local folders."""
    assert LAYOUT_VERSION == "4.57.0" and FACTS["versions"]["transformers"] == "4.57.3"
    for export in ("merged", "merged_bf16"):
        config = json.loads((cases[f"{checkpoint} {export}"]["folder"] / "config.json").read_text(encoding="utf-8"))
        assert config["transformers_version"] == LAYOUT_VERSION
        assert config["talker_config"]["codec_language_id"][half.TAG] == frozen.ROW
