from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from exported import Quiet, finished
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from tiny_training import made_up, prompted, tiny_family, tiny_model, workspace

from kathrine import KathrineError
from kathrine.types import Sampling, SpeechRequest
from kathrine_checkpoint import Adapter, Merged
from kathrine_checkpoint.merged import first_weights
from kathrine_checkpoint.selfcheck import Findings, compare, speak
from kathrine_freeze import Freeze, FreezeOptions
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions
from kathrine_qwen3_tts.integrity import PUBLISHED, find_problems
from kathrine_text_projection import TextProjection

TABLE = "talker.model.codec_embedding.weight"


def the_baseline(lr: float = 2e-3) -> list:
    return [
        Lora(LoraOptions(lr=lr)),
        TextProjection(TextProjection.Options(lr=lr)),
        LanguageTag(LanguageTagOptions(lr=lr)),
    ]


def merged(**options: object) -> Merged:
    return Merged(Merged.Options(**options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("runs") / "first", the_baseline(), steps=20, language="norwegian")


@pytest.fixture(scope="module")
def export(run, tmp_path_factory):
    return merged(dtype="fp32").export(run, tmp_path_factory.mktemp("export") / "merged", Quiet())


def test_fp32_is_exact(run, export) -> None:
    assert export.checks["difference"] <= 1e-5
    cosines = [value for key, value in export.checks.items() if key.startswith("update stored in")]
    assert len(cosines) == 3 and all(value == pytest.approx(1.0, abs=1e-6) for value in cosines)
    assert export.notes == ()


def test_every_unclaimed_tensor_is_bit_identical_and_every_claimed_one_moved(run, export) -> None:
    """Straight from the files: the base as it was before the run, and the export."""
    base = load_file(tiny_family().resolved(workspace()).path / "model.safetensors")
    stored = load_file(export.folder / "model.safetensors")
    claimed = {name for claim in run.claims for name in (*claim.trains, *claim.adapts)}
    assert base.keys() == stored.keys() and len(claimed) > 10
    for name, value in base.items():
        same = torch.equal(value.float(), stored[name])
        assert same == (name not in claimed | {TABLE}), name
    rows = (base[TABLE].float() != stored[TABLE]).any(dim=1).nonzero().flatten().tolist()
    assert rows == [2100]


def test_the_tag_stands_in_config_and_prompt_of_the_export(run, export) -> None:
    config = json.loads((export.folder / "config.json").read_text())
    assert config["talker_config"]["codec_language_id"]["norwegian"] == 2100
    assert config["tts_model_type"] == "base" and config["transformers_version"] == "4.57.0"
    assert set(PUBLISHED) <= set(export.files)
    model = tiny_model(checkpoint=export.folder)
    batch = model.collate(prompted(model, "norwegian"))
    assert 2100 in batch.codec_ids_C.tolist()
    assert not list(model.network.language_tag_vectors)  # type: ignore[union-attr]


def test_the_export_speaks_as_the_run_did_and_still_clones(run, export) -> None:
    family = tiny_family(export.folder)
    model = family.load(workspace())
    voice = made_up(model, "voice", 5)
    request = SpeechRequest(voice.text_ids["text"], voice.speaker_embedding_H, language="norwegian")
    greedy = Sampling(greedy=True, sub_greedy=True)
    mine = run.model.generate([request], greedy, max_frames=8)[0].codes_TQ
    theirs = model.generate([request], greedy, max_frames=8)[0].codes_TQ
    assert np.array_equal(mine, theirs) and len(mine) == 8
    wave = family.open_codec(workspace()).decode([theirs])[0]
    assert wave.shape == (8 * 1920,)
    embed = family.open_speaker_encoder(workspace())
    assert embed is not None and embed(wave).shape == voice.speaker_embedding_H.shape  # type: ignore[union-attr]
    assert all(check.passed for check in model.self_test())


def test_bf16_says_what_was_lost(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", the_baseline(lr=1e-6), steps=2, language="norwegian")
    progress = Quiet()
    result = merged().export(run, tmp_path / "out", progress)
    assert result.checks["update stored in talker"] < 0.98  # type: ignore[operator]
    assert any("talker" in note and 'dtype = "fp32"' in note for note in result.notes)
    assert len(progress.warned) == len(result.notes) > 0
    assert "difference" in result.checks
    stored = load_file(tmp_path / "out" / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("gain", "difference", "told"),
    [(0.0, 0.005, False), (0.0, 0.1, True), (2.0, 0.015, False), (2.0, 0.03, True), (0.5, 0.008, True)],
)
@pytest.mark.parametrize("what", ["loss", "text gain"])
def test_rounding_may_change_loss_and_gain_by_a_hundredth_of_the_gain(run, what, gain, difference, told) -> None:
    """Where the gain says something; else by 0.01 nat."""
    loss, other = iter([1.0, 1.0 + difference * (what == "loss")]), iter([gain, gain - difference * (what != "loss")])
    changed = replace(run, validation_loss=lambda _: next(loss), text_gain=lambda _: next(other))
    findings = compare(changed, run.model, exact=False, what="export.merged", remedy='; set dtype = "fp32"')
    assert len(findings.notes) == told
    if told:
        assert f"a {what} {difference:.4f} nat away from the run's" in findings.notes[0]
        assert ("a hundredth of the run's text gain" in findings.notes[0]) == (gain > 0.1)
        assert 'dtype = "fp32"' in findings.notes[0]
    assert findings.checks["gain difference"] == pytest.approx(difference * (what != "loss"))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("gains", [(0.5, 0.51), (0.5, float("nan"))])
def test_exactly_the_same_gain_is_wanted_of_fp32_and_a_finite_one_of_all(run, gains, exact) -> None:
    told = iter(gains)
    changed = replace(run, validation_loss=lambda _: 1.0, text_gain=lambda _: next(told))
    if exact or gains[1] != gains[1]:
        with pytest.raises(KathrineError, match="has a text gain of"):
            compare(changed, run.model, exact=exact, what="export.merged")
    else:
        assert compare(changed, run.model, exact=exact, what="export.merged").notes
    nothing = replace(run, text_gain=lambda _: None)
    assert "text gain of the run" not in compare(nothing, run.model, exact=True, what="export.merged").checks


def test_other_codes_stop_an_exact_export_and_are_told_of_a_rounded_one(run, tmp_path: Path) -> None:
    taken = run.speak(run.model, run.family)
    other = replace(taken, codes_TQ=np.roll(taken.codes_TQ, 1, axis=1), flags=("silent", "offset"))
    takes = [other, taken]
    speaking = replace(run, speak=lambda *_: takes.pop(0) if takes else None)
    with pytest.raises(KathrineError, match=r"says 'Hei\.' in other codes than the run's model, from frame 0 on"):
        speak(speaking, run.model, run.family, tmp_path, Findings(), exact=True, what="export.merged")
    assert not list(tmp_path.iterdir())
    takes[:] = [other, taken]
    findings = Findings()
    speak(speaking, run.model, run.family, tmp_path, findings, exact=False, what="export.merged")
    assert findings.checks["codes"] == f"as the run's for 0 of {len(taken.codes_TQ)} frames"
    assert findings.checks["flags"] == "silent, offset" and "flagged: silent, offset" in findings.notes[0]
    assert (tmp_path / "samples" / "self-check.wav").is_file()
    speak(speaking, run.model, run.family, tmp_path, findings, exact=True, what="export.merged")  # nothing to say
    assert "nothing was spoken" in findings.notes[-1]


def test_bf16_keeps_large_updates_in_as_many_files_as_are_wanted(run, tmp_path: Path) -> None:
    """Divided, read back by kathrine's own reader, and found whole by the integrity check."""
    result = merged(dtype="bf16", max_shard_gb=0.0003).export(run, tmp_path / "out", Quiet())
    shards = [name for name in result.files if name.startswith("model-")]
    assert len(shards) > 2 and shards[0] == f"model-00001-of-{len(shards):05d}.safetensors"
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    stored = {name: value for shard in shards for name, value in load_file(tmp_path / "out" / shard).items()}
    assert index["weight_map"].keys() == stored.keys() and "model.safetensors" not in result.files
    assert index["metadata"]["total_size"] == sum(value.nbytes for value in stored.values())
    sizes = {shard: (tmp_path / "out" / shard).stat().st_size for shard in shards}
    assert find_problems(tmp_path / "out") == [] and min(sizes.values()) < 320_000
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {name: manifest["files"][name]["bytes"] for name in shards} == sizes
    assert result.checks["update stored in text_projection"] > 0.98  # type: ignore[operator]
    assert 0 < result.checks["difference"] < 0.2  # type: ignore[operator]
    base = load_file(tiny_family().resolved(workspace()).path / "model.safetensors")
    claimed = {name for claim in run.claims for name in (*claim.trains, *claim.adapts)}
    assert all(torch.equal(base[name], stored[name]) for name in base if name not in claimed | {TABLE})


def test_a_bf16_run_is_merged_in_float32(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", the_baseline(), dtype="bf16", language="norwegian")
    result = merged(dtype="fp32").export(run, tmp_path / "out", Quiet())
    assert result.checks["difference"] < 0.05  # type: ignore[operator]
    assert all(value > 0.9999 for key, value in result.checks.items() if key.startswith("update"))  # type: ignore[operator]


@pytest.mark.parametrize("options", [{"dora": True, "mlp": True}, {"rslora": True, "r": 8}])
def test_dora_and_rslora_merge_exactly(tmp_path: Path, options: dict) -> None:
    run = finished(tmp_path / "run", [Lora(LoraOptions(lr=2e-3, **options))])
    result = merged(dtype="fp32").export(run, tmp_path / "out", Quiet())
    assert result.checks["difference"] <= 1e-5  # type: ignore[operator]


def test_in_place_weights_merge_exactly_and_first_weights_are_the_bases(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", [Freeze(FreezeOptions(lr=1e-3, last_layers=1, parts=["sub_talker"]))])
    base = load_file(tiny_family().resolved(workspace()).path / "model.safetensors")
    names = list(run.claims[0].trains)
    first = first_weights(run, names)
    for name in names:
        assert torch.equal(first[name], base[name].float())
    result = merged(dtype="fp32").export(run, tmp_path / "out", Quiet())
    assert result.checks["difference"] <= 1e-5  # type: ignore[operator]


def test_the_card_the_manifest_and_the_take(run, export) -> None:
    card = ModelCard.load(export.folder / "README.md")
    assert card.data.to_dict()["base_model_relation"] == "finetune"
    assert "norwegian" in card.text and "update stored in talker" in card.text
    manifest = json.loads((export.folder / "manifest.json").read_text())
    assert manifest["kind"] == "merged" and manifest["dtype"] == "fp32" and manifest["voices"] == {}
    assert manifest["languages"] == {"norwegian": 2100} and manifest["checks"] == export.checks
    assert {"config.json", "model.safetensors", "vocab.json", "speech_tokenizer/model.safetensors"} <= set(export.files)
    wave, rate = soundfile.read(export.folder / "samples" / "self-check.wav")
    assert rate == 24000 and len(wave) == 6 * 1920
    assert (manifest["checks"]["codes"], manifest["checks"]["flags"]) == ("as the run's", "none")


def test_a_reload_that_differs_stops_the_export_and_leaves_nothing(run, tmp_path: Path) -> None:
    calls = iter([1.0, 1.1])
    with pytest.raises(KathrineError, match="after reloading"):
        merged(dtype="fp32").export(replace(run, validation_loss=lambda _: next(calls)), tmp_path / "out", Quiet())
    assert not list(tmp_path.iterdir())


def test_a_strategy_that_can_not_be_folded_is_refused(run, tmp_path: Path) -> None:
    class Stubborn(Freeze):
        def fold_problem(self) -> str:
            return "it is too tall"

    stubborn = Stubborn(FreezeOptions(lr=1e-3, first_layers=1), "tall")
    with pytest.raises(KathrineError, match=r"strategy\.tall can not be merged: it is too tall"):
        merged().export(replace(run, strategies=[stubborn]), tmp_path / "out", Quiet())


def test_check_is_told_that_everything_has_to_fold() -> None:
    assert Merged.folds and not Adapter.folds
