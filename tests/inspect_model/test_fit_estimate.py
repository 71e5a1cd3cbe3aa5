"""What the estimate is made of before any step: layers, batches, time, advice, and the command itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from step_memory import released_config

from kathrine import KathrineError
from kathrine.cli.check import command
from kathrine.inspect import fit_table as table
from kathrine.inspect.fit import peak, static_bytes
from kathrine.inspect.fit_estimate import advise, as_json, fit_of, known, setting_of
from kathrine.inspect.fit_load import longest_seconds, mean_seconds, usual_load, worst_load
from kathrine.inspect.fit_table import GPUS, find_gpu
from kathrine.inspect.fit_time import duration, updates_of
from kathrine.recipe import load_recipe
from kathrine.recipe.plan import make_plan
from kathrine.testing import toy_recipe
from kathrine.types import Body, DataSize
from kathrine.workspace import Workspace
from kathrine_csm import CsmFamily
from kathrine_qwen3_tts import Qwen3TtsFamily
from kathrine_qwen3_tts.bodies import model_bodies
from kathrine_qwen3_tts.config import read_config
from kathrine_qwen3_tts.tiny import DATA

RATE = 12.5


def planned(folder: Path, *sets: str, name: str = "kathrine:base"):
    workspace = Workspace(folder)
    return make_plan(load_recipe(name, sets=sets), workspace), workspace


# ---- bodies


def test_bodies_of_the_released_models_are_known_without_a_network(tmp_path):
    for name, hidden, inner in (("0.6B", 1024, 3072), ("1.7B", 2048, 6144)):
        family = Qwen3TtsFamily(Qwen3TtsFamily.Options(checkpoint=f"Qwen/Qwen3-TTS-12Hz-{name}-Base"))
        talker, sub_talker = family.bodies(Workspace(tmp_path))
        assert (talker.layers, talker.hidden, talker.inner, talker.vocabulary) == (28, hidden, inner, 3072)
        assert (talker.queries, talker.keys, talker.head) == (2048, 1024, 128)
        assert (sub_talker.layers, sub_talker.hidden, sub_talker.inner, sub_talker.vocabulary) == (5, 1024, 3072, 2048)
        assert (sub_talker.queries, sub_talker.keys, sub_talker.head) == (2048, 1024, 128)
        assert talker.positions is None and (sub_talker.positions, sub_talker.heads) == (16, 15)


@pytest.mark.parametrize("config", ["tiny", "0.6B", "1.7B"])
def test_bodies_agree_with_every_parameter(config):
    """Weights of all layers and heads, counted from the body's sizes, equal the census of the whole model."""
    from kathrine_qwen3_tts.facts import model_specs

    found = read_config(DATA) if config == "tiny" else released_config(f"Qwen3-TTS-12Hz-{config}-Base")
    specs = model_specs(found)
    for body in model_bodies(found):
        matrices = body.hidden * (2 * body.queries + 2 * body.keys + 3 * body.inner)
        layer = matrices + 2 * body.hidden + 2 * body.head
        assert sum(spec.count for spec in specs if spec.part == body.part) == body.layers * layer + body.hidden
        heads = sum(spec.count for spec in specs if spec.part == body.head_part)
        assert heads == body.heads * body.vocabulary * body.hidden
        assert {part for part in (*body.before, *body.tables) if part != "language_tag"} <= {
            *(spec.part for spec in specs),
            "sub_talker_projection",
        }


@pytest.mark.parametrize("checkpoint", [CsmFamily.tiny, "sesame/csm-1b"])
def test_bodies_of_csm_agree_with_every_parameter(checkpoint, tmp_path):
    family = CsmFamily(CsmFamily.Options(checkpoint=checkpoint))
    specs, bodies = family.parameters(Workspace(tmp_path)), family.bodies(Workspace(tmp_path))
    for body in bodies:
        layer = body.hidden * (2 * body.queries + 2 * body.keys + 3 * body.inner) + 2 * body.hidden
        assert not body.head_norms
        assert sum(spec.count for spec in specs if spec.part == body.part) == body.layers * layer + body.hidden
        heads = sum(spec.count for spec in specs if spec.part == body.head_part)
        assert heads == body.heads * body.vocabulary * body.hidden


def test_a_family_without_a_configuration_or_without_such_layers_says_nothing(tmp_path):
    away = Qwen3TtsFamily(Qwen3TtsFamily.Options(checkpoint="somebody/unknown"))
    assert away.bodies(Workspace(tmp_path)) is None
    recipe = toy_recipe(tmp_path)
    assert recipe.model.bodies(Workspace(tmp_path)) is None
    with pytest.raises(KathrineError, match=r"not known for the model family toy"):
        fit_of(make_plan(recipe, Workspace(tmp_path)), Workspace(tmp_path), find_gpu("24GB"))
    plan, workspace = planned(tmp_path, "model.qwen3_tts.checkpoint=somebody/unknown")
    with pytest.raises(KathrineError, match=r"somebody/unknown is not at hand"):
        fit_of(plan, workspace, find_gpu("24GB"))


# ---- batches


def test_the_largest_batch_of_utterances(tmp_path):
    recipe = planned(tmp_path)[0].recipe
    load = worst_load(recipe, RATE, 15.0)
    # 23 s of target and reference, 115 tokens, and the prompt
    assert (load.items, load.longest) == (4, 288 + 115 + table.PROMPT_ROWS)
    assert (load.rows, load.targets, load.frames) == (4 * load.longest, 4 * 189, 4 * 188)
    plain = planned(tmp_path, "prompt.in_context=0", "prompt.streamed=1")[0].recipe
    assert worst_load(plain, RATE, 15.0).longest == 188 + table.PROMPT_ROWS


def test_the_largest_batch_of_rows(tmp_path):
    recipe = planned(tmp_path, "train.batch={frames=2000}")[0].recipe
    load = worst_load(recipe, RATE, 15.0)
    assert (load.rows, load.items, load.frames) == (2000, 10, 1880)
    usual = usual_load(recipe, RATE, 6.0)
    assert usual.rows <= 2000 and usual.items > load.items


def test_lengths_come_from_the_corpus_where_it_is_prepared(tmp_path):
    recipe = planned(tmp_path)[0].recipe
    assert longest_seconds(recipe, None) == (15.0, False)
    facts = {"entries": {"npsc": {"splits": {"train": {"utterances": 10, "seconds": 80.0, "longest_seconds": 12.5}}}}}
    assert longest_seconds(recipe, facts) == (12.5, True)
    del facts["entries"]["npsc"]["splits"]["train"]["longest_seconds"]
    assert longest_seconds(recipe, facts) == (15.0, False)
    assert mean_seconds([DataSize("npsc", None, 10, 80.0)]) == (8.0, True)
    assert mean_seconds([DataSize("npsc", None, None, None)]) == (table.SECONDS_PER_UTTERANCE, False)


# ---- memory


def test_what_lies_there_always(tmp_path):
    plan, workspace = planned(tmp_path)
    setting = setting_of(plan.recipe, known(plan.recipe, workspace), gpu=True)
    projection = 2048 * 2048 + 2048 + 1024 * 2048 + 1024
    frozen, trained, moments = static_bytes(setting)
    assert frozen == 2 * (plan.model_parameters - projection)
    assert trained == 4 * plan.trained_parameters + 2 * projection  # with the projection's first values
    assert moments == 8 * plan.trained_parameters
    assert static_bytes(replace(setting, ema=True))[1] == trained + 4 * plan.trained_parameters


def test_more_of_everything_takes_more(tmp_path):
    plan, workspace = planned(tmp_path)
    found = known(plan.recipe, workspace)
    usual = setting_of(plan.recipe, found, gpu=True)
    need = peak(usual).total
    load = usual.load
    larger = replace(load, items=8, rows=2 * load.rows, targets=2 * load.targets, frames=2 * load.frames)
    for more in ({"ema": True}, {"base": True}, {"mixed": False}, {"load": larger}, {"accumulation": 1}):
        other = peak(replace(usual, **more)).total
        assert other < need if more == {"accumulation": 1} else other > need, more
    for less in ({"checkpointing": True}, {"sub_share": 0.25}, {"sub_share": 0.0}):
        assert peak(replace(usual, **less)).total < need, less
    # dropout's mask is a byte on CUDA and four on the CPU
    assert peak(replace(usual, gpu=False)).total > need - table.GPU_WORKSPACE


def test_layers_that_no_gradient_reaches_keep_nothing(tmp_path):
    from kathrine.inspect.fit_layers import layers_of

    last = ("strategy.text_projection.enabled=false", "strategy.lora.layers=[26, 27]")
    plan, workspace = planned(tmp_path, *last)
    setting = setting_of(plan.recipe, known(plan.recipe, workspace), gpu=True)
    talker, sub_talker = setting.bodies
    kept = [layer.kept > 0 for layer in layers_of(setting, talker)]
    assert kept == [False] * 26 + [True] * 2
    assert all(layer.kept > 0 for layer in layers_of(setting, sub_talker))


# ---- time


def test_time_follows_from_rate_and_length(tmp_path):
    plan, workspace = planned(tmp_path, "train.steps=700")
    found = known(plan.recipe, workspace)
    setting = setting_of(plan.recipe, found, True, usual_load(plan.recipe, RATE, 6.0))
    fast, slow = (duration(setting, plan, find_gpu(name)) for name in ("H100", "RTX 3060"))
    assert fast.updates == 700 and fast.operations == slow.operations
    assert slow.seconds / fast.seconds == pytest.approx(989 / 25.5)
    assert fast.seconds == pytest.approx(fast.operations / (989e12 * table.UTILISATION))
    assert fast.hours == pytest.approx(fast.seconds * 700 / 3600)
    assert duration(setting, plan, find_gpu("24GB")).seconds is None
    old = duration(setting, plan, find_gpu("T4"))
    assert old.emulated and old.seconds == pytest.approx(old.operations / (8.1e12 * table.UTILISATION))


def test_the_run_is_as_long_as_its_data(tmp_path):
    plan, _ = planned(tmp_path)
    assert updates_of(plan, 4) is None
    known_size = replace(plan, data=(DataSize("npsc", None, 24_000, 144_000.0),))
    assert updates_of(known_size, 4) == 5 * 24_000 // 16


# ---- advice


def test_advice_goes_on_until_it_fits_and_changes_the_update_last(tmp_path):
    plan, workspace = planned(tmp_path, "train.batch.examples=12", "train.precision=fp32")
    found = known(plan.recipe, workspace)
    need = peak(setting_of(plan.recipe, found, True)).total
    told = list(advise(plan.recipe, found, usable=1))
    words = [one.change for one in told]
    for part, word in zip(words, ("gradient_checkpointing", "examples = 6", "examples = 3", "examples = 1", "share"),
                          strict=False):  # fmt: skip
        assert word in part
    assert "train.accumulation = 48 (the same update)" in words[3]
    assert "prepare.max_seconds = 10 and prompt.max_reference_seconds = 5" in words
    assert "do not train text_projection in place" in words[-1]
    sizes = [need, *(one.bytes for one in told)]
    assert sizes == sorted(sizes, reverse=True)
    assert not any(one.fits for one in told)
    enough = list(advise(plan.recipe, found, usable=told[1].bytes))
    assert [one.fits for one in enough] == [False, True]


def test_advice_on_a_batch_of_rows_never_cuts_below_one_utterance(tmp_path):
    plan, workspace = planned(tmp_path, "train.batch={frames=1800}")
    words = [one.change for one in advise(plan.recipe, known(plan.recipe, workspace), usable=1)]
    assert any("frames = 900" in word for word in words)
    assert not any("frames = 112 " in word for word in words)
    assert sum("frames = 450" in word for word in words) == 1


def test_full_training_is_told_to_train_less(tmp_path):
    sets = ("strategy.text_projection.enabled=false", "strategy.lora.enabled=false", "strategy.freeze.lr=1e-6",
            'strategy.freeze.parts=["text_embedding", "talker"]')  # fmt: skip
    plan, workspace = planned(tmp_path, *sets)
    fit = fit_of(plan, workspace, find_gpu("12GB"))
    assert fit.verdict == "does not fit"
    assert any("do not train talker in place" in one.change for one in fit.advice)


# ---- the command


def checked(tmp_path, monkeypatch, *arguments):
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner().invoke(command, ["kathrine:base", *arguments], standalone_mode=False)


def test_the_command_tells_parts_verdict_and_doubt(tmp_path, monkeypatch):
    told = checked(tmp_path, monkeypatch, "--fit", "24GB").output
    for words in ("frozen weights", "activations of 4 utterances", "usable of 24 GB", "24 GB: fits",
                  "not verified on a GPU", "name a GPU", "longest utterance 15 s, by prepare.max_seconds"):  # fmt: skip
        assert words in told, words
    assert "h for 1,000 updates" in checked(tmp_path, monkeypatch, "--fit", "RTX 4090").output
    assert "h for 700 updates" in checked(tmp_path, monkeypatch, "--fit", "4090", "--set", "train.steps=700").output
    assert "only emulates bf16" in checked(tmp_path, monkeypatch, "--fit", "T4").output


def test_the_command_advises_for_16_gb(tmp_path, monkeypatch):
    many = ("--set", "train.batch.examples=32")
    told = checked(tmp_path, monkeypatch, "--fit", "16GB", *many).output
    assert "16 GB: does not fit" in told and "train.gradient_checkpointing = true" in told and ", fits" in told
    told = checked(tmp_path, monkeypatch, "--fit", "2GB", *many).output
    assert "that is not enough: take a GPU of" in told


def test_json(tmp_path, monkeypatch):
    told = json.loads(checked(tmp_path, monkeypatch, "--fit", "RTX 4090", "--json").output)
    fit = told["fit"]
    assert fit["verdict"] == "fits" and fit["verified_on_gpu"] is False and fit["advice"] == []
    assert sum(fit["parts"].values()) == fit["peak_bytes"] < fit["usable_bytes"] < fit["gpu_bytes"]
    assert fit["hours"] is None and fit["seconds_per_update"] > 0
    assert "fit" not in json.loads(checked(tmp_path, monkeypatch, "--json").output)
    plan, workspace = planned(tmp_path)
    assert as_json(fit_of(plan, workspace, find_gpu("RTX 4090"))) == fit
    page = (Path(__file__).resolve().parents[2] / "docs" / "fit.md").read_text(encoding="utf-8")
    assert [key for key in (*fit, *fit["parts"], *fit["batch"]) if f"`{key}`" not in page] == []


def test_every_gpu_of_the_table_and_every_coefficient_stand_in_the_page():
    page = (Path(__file__).resolve().parents[2] / "docs" / "fit.md").read_text(encoding="utf-8")
    for gpu in GPUS:
        rate = "-" if gpu.bf16 is None else f"{gpu.bf16 / 1e12:g}"
        assert f"| {gpu.name} | {gpu.bytes // 2**30} | {rate} | {gpu.fp32 / 1e12:g} |" in page, gpu.name
    for name in ("NORM_BACKWARD", "GATED", "HEAD_KEPT", "HEAD_BACKWARD", "BASE_KEPT", "BASE_FORWARD", "CPU_STEP"):
        assert f"`{name}` | {getattr(table, name)} |" in page, name


def test_a_body_is_a_plain_value():
    body = Body("talker", "head", 2, 8, 16, 8, 4, 4, 100)
    assert body == replace(body) and body.positions is None and body.heads == 1
