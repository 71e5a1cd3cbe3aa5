"""The codec against the official package: codes exact, latents and waveforms within the golden tolerances."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from safetensors.numpy import load_file
from transformers.initialization import no_init_weights

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.codec import Codec, load_codec
from kathrine_qwen3_tts.config import known_config

GOLD = Path(__file__).parent.parent / "data" / "gold"
CHECKPOINTS = ("tiny-0b6", "tiny-1b7")
LATENT, WAVE = 2e-5, 5e-5


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@lru_cache(maxsize=2)
def gold(name: str):
    cases = json.loads((GOLD / f"{name}.gold" / "cases.json").read_text(encoding="utf-8"))
    return cases, load_file(GOLD / f"{name}.gold" / "gold.safetensors")


@lru_cache(maxsize=2)
def codec_of(name: str) -> Codec:
    return load_codec(GOLD / name)


def clip(tensors, name: str) -> np.ndarray:
    return tensors[f"clip/{name}/wave_int16"].astype(np.float32) / 32768


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_single_clips_equal_the_official_codes_and_latents(name):
    cases, tensors = gold(name)
    codec = codec_of(name)
    assert len(cases["codec"]["encode"]) == 4
    for case in cases["codec"]["encode"]:
        wave = clip(tensors, case["clip"])
        codes_FQ = codec.encode([wave], pad_to_frames=False)[0]
        assert codes_FQ.dtype == np.int16
        np.testing.assert_array_equal(codes_FQ, tensors[case["codes"]])
        latents_FD = codec.latents([wave], pad_to_frames=False)[0]
        np.testing.assert_allclose(latents_FD, tensors[case["latent"]], atol=LATENT, rtol=0)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_the_unpadded_batch_equals_the_official_batch(name):
    cases, tensors = gold(name)
    case = cases["codec"]["encode_batch"]
    waves = [clip(tensors, entry) for entry in case["clips"]]
    assert len(waves) == 4
    for index, codes_FQ in enumerate(codec_of(name).encode(waves, pad_to_frames=False)):
        np.testing.assert_array_equal(codes_FQ, tensors[case["codes"][index]])
        single = tensors[f"clip/{case['clips'][index]}/codes"]
        differing = np.flatnonzero((codes_FQ != single).any(axis=1)).tolist()
        assert differing == case["frames_differing_from_single"][index]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_clips_padded_to_frames_do_not_depend_on_their_batch(name):
    cases, tensors = gold(name)
    codec = codec_of(name)
    waves = [clip(tensors, entry) for entry in cases["clips"]]
    for together, wave, entry in zip(codec.encode(waves), waves, cases["clips"], strict=True):
        np.testing.assert_array_equal(together, codec.encode([wave])[0])
        official = tensors[f"clip/{entry}/codes"]
        np.testing.assert_array_equal(together[:-1], official[:-1])
        assert len(together) == math.ceil(len(wave) / codec.samples_per_frame) == len(official)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_decoding_equals_the_official_waves(name):
    cases, tensors = gold(name)
    codec = codec_of(name)
    assert len(cases["codec"]["decode"]) == 3
    for case in cases["codec"]["decode"]:
        wave = codec.decode(tensors[case["codes"]])
        assert wave.dtype == np.float32
        np.testing.assert_allclose(wave, tensors[case["wave"]], atol=WAVE, rtol=0)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_batch_of_different_lengths_decodes_like_single_clips(name):
    cases, tensors = gold(name)
    names = cases["codec"]["decode_batch"]["names"]
    waves = codec_of(name).decode([tensors[f"decode/{entry}/codes"] for entry in names])
    assert len({len(wave) for wave in waves}) == 2
    for entry, wave in zip(names, waves, strict=True):
        np.testing.assert_allclose(wave, tensors[f"decode/{entry}/wave"], atol=WAVE, rtol=0)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_long_codes_decode_in_the_official_chunks(name):
    cases, tensors = gold(name)
    case = cases["codec"]["decode_long"]
    codec, seen = codec_of(name), []
    codes_FQ = tensors[case["codes"]]
    wave = codec.decode(codes_FQ, on_chunk=lambda done, total: seen.append((done, total)))
    assert seen == [(300, 311), (311, 311)]
    assert len(wave) == case["samples"]
    assert len(case["slices"]) == 3
    for piece in case["slices"]:
        part = wave[piece["start"] : piece["stop"]]
        np.testing.assert_allclose(part, tensors[piece["tensor"]], atol=WAVE, rtol=0)
    # Without chunks the end differs, so the slices above do test the chunking.
    with torch.no_grad():
        whole = codec.decoder(torch.from_numpy(codes_FQ.astype(np.int64))[None])[0].numpy()
    border = 300 * codec.samples_per_frame
    assert np.abs(whole[:border] - wave[:border]).max() < WAVE
    expected = case["max_abs_diff_unchunked_after_300"]
    assert np.abs(whole[border:] - wave[border:]).max() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_end_to_end_waves_follow_from_the_golden_codes(name):
    cases, tensors = gold(name)
    codec = codec_of(name)
    found = [case for case in cases["generation"] if case["ref_audio"]]
    assert len(found) == 2
    for case in found:
        sequence = case["sequences"][0]
        codes_TQ, reference = tensors[sequence["codes"]], sequence["ref_codes"]
        if reference is None:
            wave = codec.decode(codes_TQ)
        else:
            reference_RQ = tensors[reference]
            wave = clip(tensors, case["ref_audio"]["clip"])
            np.testing.assert_array_equal(codec.encode([wave], pad_to_frames=False)[0], reference_RQ)
            wave = codec.decode(np.concatenate([reference_RQ, codes_TQ]))
            wave = wave[int(len(reference_RQ) / (len(reference_RQ) + len(codes_TQ)) * len(wave)) :]
        np.testing.assert_allclose(wave, tensors[sequence["wave"]], atol=WAVE, rtol=0)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_soxr_resamples_like_the_official_loader(name):
    _, tensors = gold(name)
    resampled = soxr.resample(tensors["resample/in_16k"].astype(np.float32), 16000, 24000, quality="HQ")
    np.testing.assert_allclose(resampled, tensors["resample/out_24k"], atol=LATENT, rtol=0)


def test_attention_windows_differ_only_above_ten_seconds():
    folder = GOLD / "tiny-0b6"
    full = codec_of("tiny-0b6")
    windowed = load_codec(folder, decoder=False, window="windowed")
    generator = np.random.default_rng(3)
    long = generator.normal(0, 0.1, 16 * 24000).astype(np.float32)
    short = long[: 10 * 24000]
    np.testing.assert_array_equal(full.encode([short])[0], windowed.encode([short])[0])
    one, other = full.encode([long])[0], windowed.encode([long])[0]
    changed = int((one != other).sum())
    assert 0 < changed < one.size // 2
    np.testing.assert_array_equal(one[:125], other[:125])
    with pytest.raises(KathrineError, match="window 'half'"):
        load_codec(folder, window="half")


def test_halves_load_alone_and_say_what_they_lack():
    encoder = load_codec(GOLD / "tiny-0b6", decoder=False)
    decoder = load_codec(GOLD / "tiny-0b6" / "speech_tokenizer", encoder=False)
    assert {name.split(".")[0] for name in encoder.state_dict()} == {"encoder"}
    assert {name.split(".")[0] for name in decoder.state_dict()} == {"decoder"}
    with pytest.raises(KathrineError, match="without its decoder"):
        encoder.decode(np.zeros((1, 16), np.int16))
    with pytest.raises(KathrineError, match="without its encoder"):
        decoder.encode([np.zeros(1920, np.float32)])


def test_bad_input_is_refused_by_name():
    codec = codec_of("tiny-0b6")
    with pytest.raises(KathrineError, match=r"clip 1 .* shape \(0,\)"):
        codec.encode([np.zeros(1920, np.float32), np.zeros(0, np.float32)])
    with pytest.raises(KathrineError, match=r"shape \(2, 4\)"):
        codec.decode(np.zeros((2, 4), np.int16))
    with pytest.raises(KathrineError, match="reach from 0 to 128"):
        codec.decode(np.array([[0] * 15 + [128]], np.int16))
    assert codec.encode([]) == codec.decode([]) == []
    assert codec.decode(np.zeros((0, 16), np.int16)).shape == (0,)


def test_moving_the_codec_after_use_forgets_its_cached_tables():
    codec = load_codec(GOLD / "tiny-0b6", decoder=False)
    _, tensors = gold("tiny-0b6")
    before = codec.encode([clip(tensors, "c_exact")])[0]
    codec.to(torch.float64)
    cached = [m._embed for m in codec.modules() if hasattr(m, "_embed")]
    assert cached and all(table is None for table in cached)
    np.testing.assert_array_equal(codec.to(torch.float32).encode([clip(tensors, "c_exact")])[0], before)


def test_the_released_codec_has_the_published_tensors():
    config = known_config("Qwen3-TTS-Tokenizer-12Hz")
    with no_init_weights():
        state = Codec(config).state_dict()
    assert len(state) == 496
    assert sum(value.numel() for value in state.values()) == 170_557_441
    sizes: dict[str, int] = {}
    for key, value in state.items():
        group = ".".join(key.split(".")[:2])
        sizes[group] = sizes.get(group, 0) + value.numel()
    assert sizes == {
        "encoder.encoder": 12_628_256,
        "encoder.encoder_transformer": 25_190_400,
        "encoder.downsample": 1_048_576,
        "encoder.quantizer": 17_367_072,
        "decoder.pre_transformer": 30_427_136,
        "decoder.quantizer": 8_945_664,
        "decoder.pre_conv": 1_573_888,
        "decoder.upsample": 21_006_336,
        "decoder.decoder": 52_370_113,
    }
