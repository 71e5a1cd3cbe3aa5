from __future__ import annotations

import hashlib
import json
import re
import shutil
import tomllib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import peft
import pytest
import torch
from exported import Quiet, finished
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from tiny_training import tiny_family, tiny_model, workspace

from kathrine import KathrineError
from kathrine_checkpoint import Adapter, load_adapter, lora_for_submodule, submodule_key
from kathrine_checkpoint.adapter import peft_key, write_lora
from kathrine_checkpoint.card_metadata import base_model_id
from kathrine_checkpoint.files import complete_folder, without_secrets
from kathrine_checkpoint.manifest import base_fingerprint, write_manifest
from kathrine_freeze import Freeze, FreezeOptions
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions
from kathrine_text_projection import TextProjection

GOLD = Path(__file__).parents[1] / "data" / "gold" / "tiny-1b7"


def the_baseline(**lora: object) -> list:
    return [
        Lora(LoraOptions(lr=2e-3, **lora)),  # type: ignore[arg-type]
        TextProjection(TextProjection.Options(lr=1e-3)),
        LanguageTag(LanguageTagOptions(lr=1e-2)),
    ]


def adapter(**options: object) -> Adapter:
    return Adapter(Adapter.Options(**options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("runs") / "first", the_baseline(), language="norwegian")


@pytest.fixture(scope="module")
def export(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "adapter"
    result = adapter().export(run, folder, Quiet())
    return result


def test_the_folder_is_complete_and_says_what_was_measured(run, export) -> None:
    assert set(export.files) == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
        "manifest.json",
        "language_tag.json",
        "language_tag.safetensors",
        "recipe.toml",
        "samples/self-check.wav",
        "text_projection.bin",
        "text_projection.safetensors",
    }
    assert export.checks["difference"] <= 1e-5
    assert export.checks["loss of the run"] == run.validation_loss(run.model)
    assert not list(export.folder.parent.glob(".*"))


def test_a_fresh_model_with_the_adapter_is_the_runs_model(run, export) -> None:
    model = tiny_model()
    loaded = load_adapter(model, export.folder)
    assert (loaded.base, loaded.languages, loaded.adapters) == (
        "kathrine:tiny",
        {"norwegian": 2100},
        ("lora",),
    )
    assert run.validation_loss(model) == pytest.approx(run.validation_loss(run.model), abs=1e-6)
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    assert model.language_id("norwegian") == 2100


def test_peft_loads_the_lora_onto_the_network(run, export) -> None:
    config = json.loads((export.folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] and config["task_type"] == "FEATURE_EXTRACTION"
    assert config["target_modules"].startswith("^") and config["target_modules"].endswith("$")
    network = tiny_model().network
    wrapped = peft.PeftModel.from_pretrained(network, str(export.folder))
    mine = {name: value for name, value in run.trainable.items() if "lora_" in name}
    theirs = {name: value for name, value in wrapped.named_parameters() if "lora_" in name}
    assert len(mine) == len(theirs) > 0
    for name, value in mine.items():
        key = f"base_model.model.{name.replace('.lora.weight', '.default.weight')}"
        assert torch.equal(theirs[key].detach(), value)
    assert not any("code_predictor" in name for name in theirs)


@pytest.mark.filterwarnings("ignore::UserWarning:peft")
@pytest.mark.parametrize("options", [{"dora": True}, {"rslora": True, "r": 8, "mlp": True}])
def test_dora_and_rslora_reload(tmp_path: Path, options: dict) -> None:
    run = finished(tmp_path / "run", [Lora(LoraOptions(lr=2e-3, **options))])  # type: ignore[arg-type]
    result = adapter().export(run, tmp_path / "out", Quiet())
    assert result.checks["difference"] <= 1e-5
    wrapped = peft.PeftModel.from_pretrained(tiny_model().network, str(tmp_path / "out"))
    theirs = {
        peft_key(n.removeprefix("base_model.model."), "default") for n, _ in wrapped.named_parameters() if "lora_" in n
    }
    stored = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert theirs == stored.keys()
    state = peft.get_peft_model_state_dict(wrapped)
    assert state.keys() == stored.keys() and all(torch.equal(state[key], stored[key]) for key in stored)


def test_text_projection_is_a_state_dict_that_its_module_takes(run, export) -> None:
    model = tiny_model()
    module = model.network.talker.text_projection  # type: ignore[union-attr]
    module.load_state_dict(torch.load(export.folder / "text_projection.bin", weights_only=True))
    same = load_file(export.folder / "text_projection.safetensors")
    for key, value in module.state_dict().items():
        assert torch.equal(value, run.trainable[f"talker.text_projection.{key}"]) and torch.equal(value, same[key])


def test_weights_trained_in_place_and_two_adapters(tmp_path: Path) -> None:
    strategies = [
        Lora(LoraOptions(lr=2e-3, layers=[0, 0]), "low"),
        Lora(LoraOptions(lr=2e-3, layers=[1, 1], mlp=True, r=2), "high"),
        Freeze(FreezeOptions(lr=1e-3, parts=["sub_talker_head"], patterns=[r".*text_projection\.linear_fc2\.bias"])),
    ]
    run = finished(tmp_path / "run", strategies)
    result = adapter().export(run, tmp_path / "out", Quiet())
    assert {"adapter_config.json", "adapters/high/adapter_config.json", "trained.safetensors"} <= set(result.files)
    assert "text_projection.bin" not in result.files  # only a part of it was trained
    assert set(load_file(tmp_path / "out" / "trained.safetensors")) == set(run.claims[2].trains)
    model = tiny_model()
    loaded = load_adapter(model, tmp_path / "out")
    assert loaded.adapters == ("low", "high")
    assert run.validation_loss(model) == pytest.approx(run.validation_loss(run.model), abs=1e-6)


def test_without_lora_there_is_a_note(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", [Freeze(FreezeOptions(lr=1e-3, first_layers=1))])
    result = adapter().export(run, tmp_path / "out", Quiet())
    assert "adapter_config.json" not in result.files and "no LoRA" in result.notes[0]
    assert result.checks["difference"] <= 1e-5


def test_a_bf16_run_reloads_to_the_same_loss(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", the_baseline(), dtype="bf16", language="norwegian")
    result = adapter().export(run, tmp_path / "out", Quiet())
    assert result.checks["difference"] <= 1e-5
    stored = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert all(value.dtype == torch.float32 for value in stored.values())


def test_the_card_is_valid_and_names_base_recipe_and_hours(export) -> None:
    card = ModelCard.load(export.folder / "README.md")
    data = card.data.to_dict()
    assert data["base_model"] == "kathrine/tiny" and data["library_name"] == "peft"
    assert data["license"] == "apache-2.0" and data["language"] == ["no", "nb"]
    assert {"text-to-speech", "kathrine", "norwegian"} <= set(data["tags"])
    for words in ("39.5", "CC0-1.0", "librivox", "text_projection", "kathrine:tiny", "0.002"):
        assert words in card.text
    note = json.loads((export.folder / "manifest.json").read_text())
    assert note["base"]["checkpoint"] == "kathrine:tiny" and note["base"]["revision"]
    assert set(note["files"]) == set(export.files) - {"manifest.json"}


def test_no_path_of_this_machine_is_published(run, export) -> None:
    for name in ("README.md", "recipe.toml", "manifest.json", "adapter_config.json"):
        assert str(run.folder) not in (export.folder / name).read_text(), name
    recipe = tomllib.loads((export.folder / "recipe.toml").read_text())
    assert recipe["run"] == {"seed": 7} and recipe["data"][0]["path"] == "mine.jsonl"
    assert "splits" not in (export.folder / "README.md").read_text()


def test_others_may_read_what_their_folder_lets_them(export) -> None:
    wanted = export.folder.stat().st_mode & 0o666
    assert {(export.folder / name).stat().st_mode & 0o777 for name in export.files} == {wanted}


def test_the_base_model_of_a_card_is_never_empty(tmp_path: Path) -> None:
    assert base_model_id("Qwen/Qwen3-TTS-12Hz-0.6B-Base") == "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
    assert base_model_id(str(tmp_path / "my model")) == "local/my-model"
    assert base_model_id("kathrine:tiny") == "kathrine/tiny"


def test_an_export_of_an_earlier_run_belongs_to_that_runs_base_model(tmp_path: Path) -> None:
    note = tmp_path / "manifest.json"
    note.write_text(json.dumps({"base": {"checkpoint": "Qwen/Qwen3-TTS-12Hz-0.6B-Base"}}))
    assert base_model_id(str(tmp_path)) == "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
    note.write_text(json.dumps({"base": {"checkpoint": str(tmp_path)}}))
    assert base_model_id(str(tmp_path)) == f"local/{tmp_path.name}"
    note.write_text("[]")
    assert base_model_id(str(tmp_path)) == f"local/{tmp_path.name}"


def test_card_options(tmp_path: Path, run) -> None:
    options = {"base_model": "Qwen/Qwen3-TTS-12Hz-0.6B-Base", "license": "cc-by-4.0", "languages": ["fo"]}
    adapter(**options).export(run, tmp_path / "out", Quiet())
    data = ModelCard.load(tmp_path / "out" / "README.md").data.to_dict()
    assert (data["base_model"], data["license"], data["language"]) == (
        options["base_model"],
        "cc-by-4.0",
        ["fo"],
    )
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == options["base_model"]


@pytest.mark.parametrize(("revision", "kept"), [("0123abcd" * 5, "0123abcd" * 5), ("local", None), ("tiny-1", None)])
def test_only_a_commit_of_the_hub_is_a_revision_for_peft(run, tmp_path: Path, revision, kept) -> None:
    """A loader would ask the Hub for a branch of that name."""
    state = {"module.lora_A.weight": torch.zeros(1)}
    write_lora(run.model.network, "lora", state, tmp_path, "owner/name", revision)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["revision"] == kept


def test_another_base_is_refused(export, tmp_path: Path) -> None:
    with pytest.raises(KathrineError, match="was trained on kathrine:tiny"):
        load_adapter(tiny_model(checkpoint=GOLD), export.folder)
    model = tiny_model()
    model.originals["talker.model.norm.weight"].data[0] += 0.5
    with pytest.raises(KathrineError, match="was trained on kathrine:tiny"):
        load_adapter(model, export.folder)
    assert load_adapter(model, export.folder, check_base=False).adapters == ("lora",)


def test_the_fingerprint_does_not_depend_on_precision() -> None:
    weights = tiny_model().originals
    assert base_fingerprint(tiny_model("bf16").originals, []) == base_fingerprint(weights, [])
    assert base_fingerprint(weights, ["talker.model.norm.weight"]) != base_fingerprint(weights, [])


def test_another_revision_is_refused_and_a_local_copy_is_not(export, tmp_path: Path) -> None:
    model = tiny_model()
    commit = model.facts.revision
    model.facts = replace(model.facts, revision="0" * 40)
    with pytest.raises(KathrineError) as error:
        load_adapter(model, export.folder)
    assert f"was trained on kathrine:tiny ({commit}), not on kathrine:tiny ({'0' * 40})" in error.value.message
    assert f'checkpoint = "kathrine:tiny", revision = "{commit}"' in error.value.hint
    assert load_adapter(model, export.folder, check_base=False).adapters == ("lora",)
    copy = shutil.copytree(tiny_family().resolved(workspace()).path, tmp_path / "copy")
    model = tiny_model(checkpoint=copy)
    assert model.facts.revision == "local" and load_adapter(model, export.folder).adapters == ("lora",)


@pytest.mark.parametrize(
    ("gone", "meaning"),
    [
        ("text_projection.bin", "the accent stays the base model's"),
        ("text_projection.safetensors", "the accent stays the base model's"),
        ("language_tag.safetensors", "speaks it with that one's accent"),
        ("language_tag.json", "speaks it with that one's accent"),
        ("adapter_model.safetensors", "speaks as it did before"),
    ],
)
def test_an_adapter_without_one_of_its_parts_is_refused_with_what_that_means(export, tmp_path, gone, meaning) -> None:
    """Also where the list of files was cut to what is left, and where the manifest itself is gone."""
    folder = Path(shutil.copytree(export.folder, tmp_path / "copy"))
    (folder / gone).unlink()
    with pytest.raises(KathrineError, match=rf"{re.escape(gone)} is missing; .*{meaning}"):
        Adapter.recognise(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"][gone]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(KathrineError, match=rf"{re.escape(gone)} is missing; .*{meaning}"):
        load_adapter(tiny_model(), folder)


def test_what_is_left_of_a_folder_without_its_manifest_is_judged_by_its_recipe(export, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(export.folder, tmp_path / "copy"))
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text() + '\n[strategy.mine]\nuse = "text_projection"\n[strategy.language_tag]\n')
    (folder / "manifest.json").write_text('{"name": "of another program"}')
    facts = Adapter.recognise(folder)
    assert facts is not None and facts.parts == ("lora", "text_projection")
    for name in ("manifest.json", "text_projection.bin", "text_projection.safetensors", "language_tag.safetensors"):
        (folder / name).unlink()
    with pytest.raises(KathrineError, match=r"text_projection and language_tag are missing, .*accent stays") as error:
        Adapter.recognise(folder)
    assert "speaks it with that one's accent" in error.value.message


def test_an_altered_or_foreign_folder_is_refused(export, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(export.folder, tmp_path / "copy"))
    stored = folder / "text_projection.safetensors"
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(content)
    with pytest.raises(KathrineError, match=r"text_projection\.safetensors is altered"):
        load_adapter(tiny_model(), folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(KathrineError, match="is not valid JSON"):
        Adapter.recognise(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(KathrineError, match=r"holds no manifest\.json"):
        load_adapter(tiny_model(), tmp_path / "empty")


def test_the_manifest_says_what_the_export_was_made_of(run, export) -> None:
    manifest = json.loads((export.folder / "manifest.json").read_text())
    assert manifest["format"] == 1 and manifest["kind"] == "adapter" and manifest["family"] == "qwen3_tts"
    assert datetime.fromisoformat(manifest["created"]).tzinfo is not None
    assert manifest["run"] == {"name": "first", "profile": "smoke", "step": 10, "weights": run.weights_from}
    assert manifest["base"]["fingerprint"] == base_fingerprint(run.model.originals, manifest["trained"])
    assert {"python", "packages", "plugins"} <= manifest["versions"].keys()
    assert {"kathrine", "torch", "transformers", "peft", "safetensors"} <= manifest["versions"]["packages"].keys()
    assert manifest["corpus"]["data"][0]["hours"] == 39.5 and manifest["corpus"]["data"][0]["licence"] == ["CC0-1.0"]
    assert manifest["drift"]["parts"]["talker"] == {"relative_l2": 0.01}
    assert manifest["strategies"] == ["lora", "text_projection", "language_tag"]
    assert manifest["checks"] == export.checks and manifest["checks"]["codes"] == "as the run's"
    for name, facts in manifest["files"].items():
        content = (export.folder / name).read_bytes()
        assert facts == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}, name
    assert manifest["recipe"] == {"file": "recipe.toml", "sha256": manifest["files"]["recipe.toml"]["sha256"]}
    docs = (Path(__file__).parents[2] / "docs" / "exports.md").read_text()
    assert not [key for key in manifest if f"`{key}`" not in docs]


def test_neither_passwords_nor_numbers_without_a_form_get_into_a_manifest(run, tmp_path: Path) -> None:
    document = {
        "token": "a",
        "hub": {"api_key": "b", "url": "https://me:secret@example.org/x", "said": "hf_abcdefghijklmnop"},
        "text_tokens": [1, "x"],
    }
    shown = {"hub": {"url": "https://example.org/x", "said": "REMOVED"}, "text_tokens": [1, "x"]}
    assert without_secrets(document) == shown
    write_manifest(tmp_path, replace(run, drift={"parts": {"talker": float("nan")}}), {"kind": "test"})
    assert json.loads((tmp_path / "manifest.json").read_text())["drift"] == {"parts": {"talker": None}}


def test_the_lora_goes_onto_a_part_of_the_network_by_other_keys(run, export, tmp_path: Path) -> None:
    """As software does it that wraps the talker alone; the sub-talker has layers of the same names."""
    folder = lora_for_submodule(export.folder, "talker", tmp_path / "talker")
    whole = load_file(export.folder / "adapter_model.safetensors")
    part = load_file(folder / "adapter_model.safetensors")
    assert {submodule_key(key, "talker") for key in whole} == part.keys()
    model = tiny_model()
    load_adapter(model, export.folder, without=["lora"])
    model.network.talker = peft.PeftModel.from_pretrained(model.network.talker, str(folder)).base_model.model  # type: ignore[union-attr]
    assert run.validation_loss(model) == pytest.approx(run.validation_loss(run.model), abs=1e-6)
    adapted = [name for name, _ in model.network.named_parameters() if "lora_" in name]
    assert len(adapted) == len(part) and not any("code_predictor" in name for name in adapted)
    with pytest.raises(KathrineError, match=r"does not lie in talker\.code_predictor"):
        lora_for_submodule(export.folder, "talker.code_predictor", tmp_path / "other")
    with pytest.raises(KathrineError, match=r"has no adapter_config\.json"):
        lora_for_submodule(tmp_path, "talker", tmp_path / "other")


def test_a_reload_that_differs_stops_the_export_and_leaves_nothing(run, tmp_path: Path) -> None:
    """The self-check must be able to fail: here the trained numbers given to the exporter are not the
    model's."""
    trainable = {name: value * 1.5 for name, value in run.trainable.items()}
    with pytest.raises(KathrineError, match="after reloading"):
        adapter().export(replace(run, trainable=trainable), tmp_path / "out", Quiet())
    assert not list(tmp_path.iterdir())


def test_a_folder_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), complete_folder(tmp_path / "a") as partial:
        (partial / "file").write_text("half")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    (tmp_path / "a").mkdir()
    with complete_folder(tmp_path / "a") as partial:
        (partial / "file").write_text("whole")
    assert (tmp_path / "a" / "file").read_text() == "whole"
    with pytest.raises(KathrineError, match="already exists"), complete_folder(tmp_path / "a"):
        pass
