"""Log-mel and speaker embedding against the official package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.config import known_config, parameter_census
from kathrine_qwen3_tts.fingerprints import speaker_fingerprint
from kathrine_qwen3_tts.speaker import (
    SpeakerEncoder,
    load_speaker_encoder,
    log_mel,
    speaker_embedding,
)

GOLD = Path(__file__).parent.parent / "data" / "gold"
CHECKPOINTS = ("tiny-0b6", "tiny-1b7")
TOLERANCE = 2e-5


def gold(name: str):
    cases = json.loads((GOLD / f"{name}.gold" / "cases.json").read_text(encoding="utf-8"))
    return cases, load_file(GOLD / f"{name}.gold" / "gold.safetensors")


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_mel_and_embedding_equal_the_official_ones(name):
    cases, tensors = gold(name)
    encoder = load_speaker_encoder(GOLD / name)
    assert len(cases["speaker"]) == 3
    for case in cases["speaker"]:
        wave = tensors[f"clip/{case['clip']}/wave_int16"].astype(np.float32) / 32768
        mel_TM = log_mel(wave)
        assert mel_TM.shape == (case["mel_frames"], 128)
        np.testing.assert_allclose(mel_TM.numpy(), tensors[case["mel"]], atol=TOLERANCE, rtol=0)
        vector = speaker_embedding(encoder, wave)
        assert vector.dtype == np.float32
        np.testing.assert_allclose(vector, tensors[case["xvector"]], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_end_to_end_cases_start_from_the_same_embedding(name):
    cases, tensors = gold(name)
    encoder = load_speaker_encoder(GOLD / name)
    found = [case for case in cases["generation"] if case["ref_audio"]]
    assert len(found) == 2
    for case in found:
        wave = tensors[f"clip/{case['ref_audio']['clip']}/wave_int16"].astype(np.float32) / 32768
        expected = tensors[case["sequences"][0]["xvector"]]
        np.testing.assert_allclose(speaker_embedding(encoder, wave), expected, atol=TOLERANCE, rtol=0)


def test_padding_moves_the_embedding():
    _, tensors = gold("tiny-0b6")
    encoder = load_speaker_encoder(GOLD / "tiny-0b6")
    wave = tensors["clip/c_odd/wave_int16"].astype(np.float32) / 32768
    padded = np.concatenate([wave, np.zeros(20 * 256, np.float32)])
    assert np.abs(speaker_embedding(encoder, wave) - speaker_embedding(encoder, padded)).max() > 1e-3


def test_the_shortest_recording_works_and_a_shorter_one_is_refused():
    encoder = load_speaker_encoder(GOLD / "tiny-0b6")
    noise = np.random.default_rng(0).normal(0, 0.1, encoder.shortest_samples).astype(np.float32)
    assert np.isfinite(speaker_embedding(encoder, noise)).all()
    with pytest.raises(KathrineError, match="too short for a speaker embedding"):
        speaker_embedding(encoder, noise[:-1])
    with pytest.raises(KathrineError, match="too short for a spectrogram"):
        log_mel(noise[:100])


def test_released_encoder_has_the_published_keys():
    config = known_config("Qwen3-TTS-12Hz-0.6B-Base")
    with torch.device("meta"):
        state = SpeakerEncoder(config).state_dict()
    expected = {
        name.removeprefix("speaker_encoder."): shape
        for name, shape, part in parameter_census(config)
        if part == "speaker_encoder"
    }
    assert len(expected) == 76
    assert {name: tuple(value.shape) for name, value in state.items()} == expected


def test_fingerprints_tell_encoders_apart():
    assert speaker_fingerprint(GOLD / "tiny-0b6") == speaker_fingerprint(GOLD / "tiny-0b6")
    assert speaker_fingerprint(GOLD / "tiny-0b6") != speaker_fingerprint(GOLD / "tiny-1b7")


def test_other_model_types_have_no_speaker_encoder(tmp_path):
    config = json.loads((GOLD / "tiny-0b6" / "config.json").read_text(encoding="utf-8"))
    config["tts_model_type"] = "custom_voice"
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(KathrineError, match="custom_voice checkpoint"):
        load_speaker_encoder(tmp_path)
