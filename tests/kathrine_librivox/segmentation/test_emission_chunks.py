"""Emissions of a chapter are those of its parts: chunks, their seams, and models that can not be used."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from spoken_chapter import MODEL, RATE

from kathrine.errors import KathrineError
from kathrine_librivox.segmentation import emissions, open_aligner
from kathrine_librivox.segmentation.models import content_hash

HOP = 320


@pytest.fixture(scope="module")
def model():
    return emissions.load_acoustic_model(MODEL, "test", "cpu")


def sound(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.05, int(seconds * RATE))
    return (wave * (1 + np.sin(np.arange(len(wave)) / RATE * 9))).astype(np.float32)


def test_the_hop_comes_from_the_model_and_frames_are_log_probabilities(model):
    assert model.hop == HOP and model.alphabet.blank == 0 and model.alphabet.separator == 1
    found = emissions.compute_emissions(model, sound(3.0))
    assert found.dtype == np.float32 and abs(len(found) - 3 * RATE // HOP) <= 2
    assert np.exp(found).sum(1) == pytest.approx(np.ones(len(found)), abs=1e-4)


def test_chunks_fit_together(model, monkeypatch):
    """A chunk's frames are those of the whole up to what the context leaves; the network normalises each chunk."""
    wave = sound(13.7)
    whole = emissions.compute_emissions(model, wave)
    monkeypatch.setattr(emissions, "CHUNK_SECONDS", 4.0)
    sizes = []
    monkeypatch.setattr(
        emissions, "_logprobs", lambda m, w, inner=emissions._logprobs: (sizes.append(len(w)), inner(m, w))[1]
    )
    told: list[float] = []
    parts = emissions.compute_emissions(model, wave, told.append)
    assert parts.shape == whole.shape
    assert len(sizes) == 4 and max(sizes) == (4 + 2 * 2) * RATE
    assert sum(told) == pytest.approx(13.7, abs=4)
    assert np.abs(np.exp(parts) - np.exp(whole)).mean() < 0.01
    spike = sound(13.7)
    spike[: 9 * RATE] = 0
    moved = emissions.compute_emissions(model, spike)
    assert np.abs(moved[: 8 * 50] - moved[200]).max() < np.abs(moved[9 * 50 + 25 :] - moved[200]).max()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05, 0.21, 20.0, 20.03])
def test_any_length_will_do(model, seconds):
    found = emissions.compute_emissions(model, sound(seconds))
    assert len(found) <= seconds * RATE / HOP and len(found) >= seconds * RATE / HOP - 3


def test_a_model_that_hears_a_spectrogram(tmp_path):
    from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertConfig, Wav2Vec2BertForCTC

    config = Wav2Vec2BertConfig(
        vocab_size=37, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, pad_token_id=0,
        output_hidden_size=16, conv_depthwise_kernel_size=3,
    )  # fmt: skip
    Wav2Vec2BertForCTC(config).save_pretrained(tmp_path)
    SeamlessM4TFeatureExtractor().save_pretrained(tmp_path)
    for name in ("vocab.json", "tokenizer_config.json"):
        shutil.copy(MODEL / name, tmp_path)
    model = emissions.load_acoustic_model(tmp_path, "bert", "cpu")
    assert model.hop == HOP
    assert abs(len(emissions.compute_emissions(model, sound(24.0))) - 24 * 50) <= 3


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(MODEL, tmp_path / "copy")


def test_the_label_names_the_model_and_its_content(copy):
    aligner = open_aligner(str(copy), "nb", "cpu")
    assert aligner.label == f"ctc:{copy}@local-{content_hash(copy)}"
    config = json.loads((copy / "config.json").read_text("utf-8"))
    (copy / "config.json").write_text(json.dumps({**config, "hidden_dropout": 0.3}), encoding="utf-8")
    assert open_aligner(str(copy), "nb", "cpu").label != aligner.label


def test_models_that_can_not_be_used_are_named(copy, monkeypatch):
    extractor = json.loads((copy / "preprocessor_config.json").read_text("utf-8"))
    (copy / "preprocessor_config.json").write_text(json.dumps({**extractor, "sampling_rate": 8000}), encoding="utf-8")
    with pytest.raises(KathrineError, match="hears 8000 Hz"):
        open_aligner(str(copy), "nb", "cpu")
    (copy / "preprocessor_config.json").write_text(json.dumps(extractor), encoding="utf-8")
    weights = load_file(copy / "model.safetensors")
    head = {key: weights.pop(key) for key in list(weights) if key.startswith("lm_head")}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(KathrineError, match=r"2 weights are missing, such as lm_head\.bias") as refused:
        open_aligner(str(copy), "nb", "cpu")  # a model that was never taught letters
    assert "nb-wav2vec2-300m-bokmaal" in refused.value.hint
    save_file({**weights, **head}, copy / "model.safetensors", metadata={"format": "pt"})
    assert open_aligner(str(copy), "nb", "cpu").label.startswith("ctc:")
    (copy / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(KathrineError, match="can not be loaded as a CTC model"):
        open_aligner(str(copy), "nb", "cpu")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(KathrineError, match=r"no \*.safetensors"):
        open_aligner(str(copy), "nb", "cpu")
    with pytest.raises(KathrineError, match="no folder and no model id"):
        open_aligner("not a model", "nb", "cpu")
    with pytest.raises(KathrineError, match="unknown device 'tpu'"):
        open_aligner(str(MODEL), "nb", "tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(KathrineError, match="no CUDA device"):
        open_aligner(str(MODEL), "nb", "cuda")
    with pytest.raises(KathrineError, match="no default aligner for the language 'sv'"):
        open_aligner("default", "sv", "cpu")
