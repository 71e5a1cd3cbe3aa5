"""The embedded model: the same bytes each time, loaded like a real one, healthy activations and sound."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from kathrine_qwen3_tts.checkpoint import TINY, read_tensors, resolve
from kathrine_qwen3_tts.codec import load_codec
from kathrine_qwen3_tts.config import read_config
from kathrine_qwen3_tts.integrity import find_problems
from kathrine_qwen3_tts.speaker import load_speaker_encoder, speaker_embedding
from kathrine_qwen3_tts.text import TextTokenizer
from kathrine_qwen3_tts.tiny import build_tiny, tiny_checkpoint

GOLD = Path(__file__).parent.parent / "data" / "gold"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return resolve(TINY, tmp_path_factory.mktemp("workspace")).path


def voice(pitch: float, seconds: float, seed: int = 0) -> np.ndarray:
    """Something like a voice: harmonics of a wandering pitch under moving formants, with pauses."""
    generator = np.random.default_rng(seed)
    time_N = np.arange(int(seconds * 24000)) / 24000
    phase_N = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 2.3 * time_N))) / 24000
    wave_N = np.zeros_like(time_N)
    for harmonic in range(1, 25):
        formant_N = 700 + 400 * np.sin(2 * np.pi * (1.7 + pitch / 200) * time_N + seed)
        wave_N += np.exp(-(((harmonic * pitch - formant_N) / 500) ** 2)) * np.sin(harmonic * phase_N)
    wave_N *= np.clip(np.sin(2 * np.pi * 1.3 * time_N) + 0.7, 0, 1)
    wave_N += generator.normal(0, 0.02, len(time_N))
    return (0.07 * wave_N / np.sqrt((wave_N**2).mean())).astype(np.float32)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_it_builds_fast_sound_and_the_same_each_time(tmp_path, tiny):
    started = time.monotonic()
    again = build_tiny(tmp_path / "again")
    assert time.monotonic() - started < 3
    assert digests(again) == digests(tiny)
    assert len(digests(again)) == 11
    assert find_problems(again) == []
    assert sum(path.stat().st_size for path in again.rglob("*") if path.is_file()) < 4_000_000


def test_it_is_built_once_also_by_several_at_a_time(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda _: tiny_checkpoint(tmp_path), range(4)))
    assert len(folders) == 1
    (folder,) = folders
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert tiny_checkpoint(tmp_path) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_an_older_complete_build_is_kept(tmp_path, tiny):
    folder = build_tiny(tmp_path / "tiny")
    before = digests(folder)
    assert build_tiny(folder) == folder
    assert digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_it_loads_like_a_released_checkpoint(tiny):
    from kathrine_qwen3_tts.network import load_network

    config = read_config(tiny)
    network = load_network(config, dict(read_tensors(tiny)))
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    assert config["tts_model_type"] == "base"
    assert "norwegian" not in config["talker_config"]["codec_language_id"]
    assert config["talker_config"]["codec_eos_token_id"] == 2150


def test_its_tokenizer_covers_norwegian(tiny):
    tokenizer, config = TextTokenizer(tiny), read_config(tiny)
    text = "Blåbær og rømmegrøt på ØYA, sa Kåre; čáhci, \u201cja\u201d – 12 % 😀"
    assert tokenizer.decode(tokenizer.body(text)) == text
    assert tokenizer.vocabulary_size <= config["talker_config"]["text_vocab_size"]
    assert list(tokenizer.special_tokens) == list(TextTokenizer(GOLD / "tiny-0b6").special_tokens)
    for key, token in {
        "im_start_token_id": "<|im_start|>",
        "im_end_token_id": "<|im_end|>",
        "tts_pad_token_id": "<tts_pad>",
        "tts_bos_token_id": "<tts_text_bos>",
        "tts_eos_token_id": "<tts_text_eod>",
    }.items():
        assert tokenizer.special_tokens[token] == config[key]
    assert tokenizer.role_ids == (config["im_start_token_id"], config["assistant_token_id"], 198)
    words = "dette er en prøve og vi ser på saken"
    assert len(tokenizer.body(words)) < 3 * len(words.split())


def test_codes_follow_the_audio_and_decode_to_audible_sound(tiny):
    codec = load_codec(tiny)
    waves = [voice(110, 4, 1), voice(210, 4, 2)]
    started = time.monotonic()
    codec.encode([np.concatenate([waves[0], waves[1], waves[0]])[:240000]])
    assert time.monotonic() - started < 1
    codes = codec.encode(waves)
    assert len(codes[0]) == 50
    assert (codes[0] == codes[1]).mean() < 0.2
    for codes_FQ in codes:
        assert all(len(set(column)) > 20 for column in codes_FQ.T)
        wave = codec.decode(codes_FQ)
        assert 0.01 < np.sqrt((wave**2).mean()) < 0.3
        assert np.abs(wave).max() < 1
    rows_differ = codec.decode(codes[0])[:1920] - codec.decode(codes[1])[:1920]
    assert np.abs(rows_differ).max() > 0.01


def test_speaker_embeddings_tell_voices_apart(tiny):
    encoder = load_speaker_encoder(tiny)
    first, second, other = (
        speaker_embedding(encoder, wave) for wave in (voice(110, 3, 1), voice(110, 2, 1), voice(230, 3, 2))
    )
    assert first.shape == (64,)
    assert 0.2 < np.sqrt((first**2).mean()) < 2

    def cosine(left, right):
        return left @ right / np.linalg.norm(left) / np.linalg.norm(right)

    assert cosine(first, second) > cosine(first, other)


def test_sampled_generation_stays_within_the_codebook(tiny):
    from kathrine.types import Sampling
    from kathrine_qwen3_tts.generation import generate
    from kathrine_qwen3_tts.layout import Prompt
    from kathrine_qwen3_tts.network import load_network

    network = load_network(read_config(tiny), dict(read_tensors(tiny)))
    tokenizer = TextTokenizer(tiny)
    vector = speaker_embedding(load_speaker_encoder(tiny), voice(110, 2))
    prompts = [
        Prompt(tokenizer.role_ids, tokenizer.body(text), speaker_embedding=vector, streamed=streamed)
        for text in ("Det var en gang en konge.", "Hei!")
        for streamed in (True, False)
    ]
    for sampling in (Sampling(), Sampling(greedy=True, sub_greedy=True)):
        for made in generate(network, prompts, sampling, max_frames=25, seed=3):
            assert made.codes_TQ.max() < 128
            assert len(set(made.codes_TQ[:, 0])) > 5


def test_the_self_test_passes_on_it(tiny):
    from kathrine_qwen3_tts.network import load_network
    from kathrine_qwen3_tts.selftest import self_test

    checks = self_test(load_network(read_config(tiny), dict(read_tensors(tiny))))
    assert checks
    assert all(check.passed for check in checks), checks
