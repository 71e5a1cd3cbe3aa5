"""`kathrine inspect`: counts from the configuration alone, what a recipe trains, and the self-test's verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kathrine.cli.main import run as command_line
from kathrine.workspace import Workspace
from kathrine_qwen3_tts import Qwen3TtsFamily
from kathrine_qwen3_tts.model import Qwen3TtsModel

RELEASED = {
    "Qwen3-TTS-12Hz-0.6B-Base": (478, 914_643_008),
    "Qwen3-TTS-12Hz-1.7B-Base": (480, 1_928_677_440),
}


def inspected(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict:
    assert command_line(["inspect", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def tiny_folder() -> Path:
    family = Qwen3TtsFamily(Qwen3TtsFamily.Options(checkpoint="kathrine:tiny"))
    return family.resolved(Workspace.default()).path


@pytest.mark.parametrize("owner", ["", "Qwen/"])
@pytest.mark.parametrize("name", RELEASED)
def test_released_models_are_known_without_weights(capsys: pytest.CaptureFixture[str], name: str, owner: str) -> None:
    told = inspected(capsys, owner + name)
    assert (told["tensors"], told["parameters"]) == RELEASED[name]
    assert sum(part["parameters"] for part in told["parts"]) == told["parameters"]
    assert len(told["names"]) == told["tensors"]
    assert told["self_test"] is None


def test_a_changed_configuration_changes_the_counts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for path in tiny_folder().rglob("*.json"):
        copy = tmp_path / path.relative_to(tiny_folder())
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    before = inspected(capsys, str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    config["talker_config"]["num_hidden_layers"] += 1
    (tmp_path / "config.json").write_text(json.dumps(config))
    after = inspected(capsys, str(tmp_path))
    assert after["tensors"] > before["tensors"] and after["parameters"] > before["parameters"]
    assert before["self_test"] is None, "there are no weights in this folder"


def test_no_torch_without_weights() -> None:
    code = (
        "import sys; from kathrine.cli.main import run; run(['inspect', 'Qwen3-TTS-12Hz-0.6B-Base', '--json']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_recipe_marks_what_trains(capsys: pytest.CaptureFixture[str]) -> None:
    told = inspected(capsys, "Qwen3-TTS-12Hz-0.6B-Base", "--recipe", "kathrine:curriculum")
    training = {part["part"]: part["training"] for part in told["parts"]}
    (projection,) = training["text_projection"]
    assert (projection["parameters"], projection["lr"], projection["added"]) == (6_294_528, 4e-5, False)
    assert training["text_embedding"] == [] and training["codec_head"] == []
    assert told["trained"] == sum(one["parameters"] for part in training.values() for one in part)
    assert told["optimizer_bytes"] == 16 * told["trained"]


def test_the_self_test_runs_where_weights_are(capsys: pytest.CaptureFixture[str]) -> None:
    told = inspected(capsys, "kathrine:tiny")
    assert told["self_test"]["passed"] and len(told["self_test"]["checks"]) >= 4
    assert command_line(["inspect", "kathrine:tiny", "--tree"]) == 0
    shown = capsys.readouterr().out
    assert "FAIL" not in shown and "self-test: pass" in shown and "0..2 x3" in shown


def test_a_failed_self_test_is_told_and_exits_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kathrine_qwen3_tts import objective

    monkeypatch.setattr(objective, "deciding_rows", lambda batch: batch.target_row_N - 1)
    told = inspected(capsys, "kathrine:tiny", code=1)
    assert not told["self_test"]["passed"]
    assert command_line(["inspect", "kathrine:tiny"]) == 1
    assert "FAIL" in capsys.readouterr().out


def test_a_run_is_tested_with_what_it_trained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    changes = ["run.folder", str(folder), "curriculum.source_first.first_epochs", "0.2"]
    sets = [f"{key}={value}" for key, value in zip(changes[::2], changes[1::2], strict=True)]
    sets += ["curriculum.source_first.epochs=0.2", "speak.count=0"]
    arguments = [part for one in sets for part in ("--set", one)]
    assert command_line(["run", "kathrine:curriculum", "--profile", "smoke", *arguments]) == 0
    capsys.readouterr()
    loaded: list[Qwen3TtsModel] = []
    original = Qwen3TtsModel.self_test
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Qwen3TtsModel, "self_test", lambda self: (loaded.append(self), original(self))[1])
        told = inspected(capsys, str(folder))
    assert told["self_test"]["passed"] and told["trained"] > 0
    (model,) = loaded
    assert model.language_id("norwegian") == 2100
    adapters = {name: value for name, value in model.network.named_parameters() if "lora_B" in name}
    assert adapters and all(bool(value.abs().max() > 0) for value in adapters.values())


def test_nothing_by_that_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["inspect", "no/such-model"]) == 2
    error = capsys.readouterr().err
    assert "no/such-model" in error and "kathrine:tiny" in error
