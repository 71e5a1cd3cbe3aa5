"""The page about exports does what it says: its code is run, in order, on an export of the tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from exported import Quiet, finished
from page_runner import blocks
from safetensors.torch import load_file
from tiny_training import workspace

from kathrine_checkpoint import Adapter
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions
from kathrine_text_projection import TextProjection

PAGE = Path(__file__).resolve().parents[2] / "docs" / "exports.md"
BASE = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    strategies = [
        Lora(LoraOptions(lr=2e-3)),
        TextProjection(TextProjection.Options(lr=1e-3)),
        LanguageTag(LanguageTagOptions(lr=1e-2)),
    ]
    run = finished(tmp_path / "run", strategies, language="norwegian")
    Adapter().export(run, tmp_path / "runs" / "curriculum" / "export" / "adapter", Quiet())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(workspace().root))
    voice = 0.1 * np.sin(np.arange(24000) / 20).astype(np.float32)
    soundfile.write("reference.wav", voice, 24000)

    texts = [block.text for block in blocks(PAGE, "python")]
    pages = [code for code in texts if "load_dataset" not in code]  # that one is run on a corpus
    assert len(pages) == 4 and BASE in pages[0]
    names: dict = {}
    for code in pages:
        exec(compile(code.replace(BASE, "kathrine:tiny"), str(PAGE), "exec"), names)
        if code is pages[0]:
            assert run.validation_loss(names["model"]) == pytest.approx(run.validation_loss(run.model), abs=1e-6)
        if code is pages[2]:  # what PEFT and the two files give is the run's model too
            assert run.validation_loss(names["model"]) == pytest.approx(run.validation_loss(run.model), abs=1e-6)
    assert "kathrine:tiny ('lora',) {'norwegian': 2100}" in capsys.readouterr().out
    spoken, rate = soundfile.read("spoken.wav")
    assert rate == 24000 and len(spoken) == len(names["spoken"].codes_TQ) * 1920
    # PEFT around the talker alone: all but the tag, which the page leaves to its reader
    model, folder = names["model"], names["folder"]
    model.add_language("norwegian", 2100, load_file(folder / "language_tag.safetensors")["norwegian"])
    assert run.validation_loss(model) == pytest.approx(run.validation_loss(run.model), abs=1e-6)
