"""The recipes of the seed's experiments and their controls: what they differ in, and that all of them run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_pages import Page

from kathrine.cli.main import run as kathrine
from kathrine.recipe import load_recipe
from kathrine.recipe.folders import builtin_folder
from kathrine.train.folder import flat

EXPERIMENTS = ("freeze2", "freeze4", "lora_high_lr", "baseline", "curriculum", "lora_mlp", "lora_wide")
CONTROLS = ("blend", "npsc_only", "librivox_only", "npsc_hours")
SHORT = {
    "train.steps": 2,
    "train.warmup_steps": 1,
    "validation.utterances": 2,
    "validation.text_gain_utterances": 0,
    "speak.count": 1,
    "speak.max_seconds": 0.4,
}
"""Enough for every part of a run to happen once."""
LENGTHS = {
    "curriculum": ("curriculum.source_first.first_epochs=0.2", "curriculum.source_first.epochs=0.2"),
    "blend": ("curriculum.staged.stages=[{steps = 2}]",),
}


def document(name: str, profile: str | None = None) -> dict[str, Any]:
    return load_recipe(f"kathrine:{name}", profile).document


def differences(name: str, other: str, profile: str | None = None, other_profile: str | None = None) -> set[str]:
    """Keys whose values are not the same."""
    first, second = (set(flat(one)) for one in (document(name, profile), document(other, other_profile)))
    return {line.split(" = ")[0] for line in first ^ second} - {"run.name"}


def test_every_experiment_and_control_is_there() -> None:
    there = {path.stem for path in builtin_folder().glob("*.toml")}
    assert {*EXPERIMENTS, *CONTROLS} <= there


def test_each_experiment_changes_what_it_says_and_nothing_else() -> None:
    lora = {"strategy.lora.mlp"}
    assert differences("lora_mlp", "baseline") == lora
    assert differences("lora_wide", "baseline") == {"strategy.lora.r", "strategy.lora.alpha"}
    assert differences("freeze4", "freeze2") == {"strategy.freeze.first_layers"}
    trained = {key.split(".")[1] for key in differences("freeze2", "baseline")}
    assert trained == {"lora", "freeze", "text_projection"}
    changed = differences("lora_high_lr", "baseline")
    assert {key.rsplit(".", 1)[0] for key in changed} == {"strategy.lora", "strategy.text_projection", "train"}
    assert {key for key in changed if key.startswith("train.")} == {"train.keep_every"}
    assert {key.split(".")[0] for key in differences("blend", "curriculum")} == {"curriculum"}


def test_the_values_are_the_seeds() -> None:
    for name, layers in (("freeze2", 2), ("freeze4", 4)):
        strategies = document(name)["strategy"]
        assert strategies["freeze"]["first_layers"] == layers
        assert strategies["freeze"]["lr"] == strategies["text_projection"]["lr"] == 2e-6
    high = document("lora_high_lr")["strategy"]
    assert (high["lora"]["lr"], high["lora"]["r"], high["lora"]["alpha"]) == (1e-4, 32, 64.0)
    assert high["lora"]["attention"] and high["lora"]["mlp"] and "text_projection" not in high
    assert document("lora_wide")["strategy"]["lora"]["r"] == 64


def test_hours_differ_and_steps_do_not() -> None:
    hours = {}
    for profile in ("h5", "h20", "h80"):
        made = document("npsc_hours", profile)
        hours[profile] = made["data"][0]["max_hours"]
        assert made["train"]["steps"] == 3000 and "epochs" not in made["train"]
        assert differences("npsc_hours", "npsc_hours", profile, "h20") <= {"data.npsc.max_hours"}
    assert hours == {"h5": 5.0, "h20": 20.0, "h80": 80.0}


def test_a_blend_draws_each_source_as_often_as_the_curriculum() -> None:
    """For any sizes: shares and length follow from those of 60 h of NPSC and 9 h of LibriVox."""
    npsc, librivox = 60.0, 9.0
    table = document("curriculum")["curriculum"]["source_first"]
    both = table["epochs"] * (npsc + librivox)
    first = table["first_epochs"] * npsc
    (stage,) = document("blend")["curriculum"]["staged"]["stages"]
    total = first + both
    assert stage["epochs"] * (npsc + librivox) == pytest.approx(total, rel=0.03)
    assert stage["shares"]["npsc"] == pytest.approx((first + both / 2) / total, abs=0.02)
    scale = (first + both * table["lr_scale"]["lora"]) / total
    assert stage["lr_scale"]["*"] == pytest.approx(scale, abs=0.02)


@pytest.mark.slow
def test_all_of_them_run_and_are_compared_on_one_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(tmp_path / "workspace"))
    names = [*EXPERIMENTS, *CONTROLS]
    for name in names:
        length = LENGTHS.get(name, ())
        sets = [f"{key}={value}" for key, value in SHORT.items() if not (length and key == "train.steps")]
        arguments = [one for value in (*sets, *length) for one in ("--set", value)]
        folder = str(tmp_path / name)
        code = kathrine(["run", f"kathrine:{name}", "--profile", "smoke", "--folder", folder, *arguments])
        assert code == 0, f"{name}: {capsys.readouterr().err}"
        assert (tmp_path / name / "report.html").is_file()
    out = tmp_path / "compare.html"
    assert kathrine(["compare", *(str(tmp_path / name) for name in names), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    page = Page(out.read_text(encoding="utf-8"))
    page.assert_harmless()
    assert len(page.numbers["runs"]) == len(names)
    for name, told in zip(names, page.numbers["runs"], strict=True):
        assert name in told and told in page.text and told in said
    assert len(page.all("audio")) >= len(names)
    assert set(page.numbers["curves"]["Held-out talker loss"]) == set(page.numbers["runs"])
