"""Makes the small acoustic model beside this file: a Wav2Vec2ForCTC that learnt letters from espeak speech.

Run from the repository's root, once: `PYTHONPATH=.:plugins python tests/data/ctc_espeak/make_model.py`. It
needs espeak-ng and about fifteen minutes of one core. The alignment tests load the result as they would load
any model of the Hub; their text is not in the training text (training_text.txt and its words in other orders).

The front end begins as a mel-spaced bank of band filters (10 Hz apart at the low end), since a network of this
size would need far more speech to find one. Everything is trained, and nothing is told of where letters lie.
"""

from __future__ import annotations

import io
import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

from kathrine_espeak.engine import find_engine

HERE = Path(__file__).resolve().parent
RATE = 16000
SECONDS = 8
VOICES = (("nb", 160, 50), ("nb+m1", 150, 40), ("nb+f2", 170, 55))
SHUFFLED = 240
"""Lines made of the training text's words in random order, so that the network learns sounds, not sentences."""
LETTERS = "abcdefghijklmnopqrstuvwxyzæøåéóôüö"
VOCABULARY = {"[PAD]": 0, "|": 1, "[UNK]": 2, **{letter: 3 + n for n, letter in enumerate(LETTERS)}}


def training_lines(rng: np.random.Generator) -> list[str]:
    lines = (HERE / "training_text.txt").read_text("utf-8").split("\n")
    lines = [line for line in lines if line.strip()]
    words = sorted({word for line in lines for word in re.findall(r"\w+", line.lower())})
    shuffled = [" ".join(rng.choice(words, size=int(rng.integers(3, 10)))) + "." for _ in range(SHUFFLED)]
    return lines + shuffled


def speak(line: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    wave, rate = soundfile.read(io.BytesIO(find_engine().speak(line, voice, speed, pitch)), dtype="float32")
    wave = soxr.resample(wave, rate, RATE)
    loud = np.flatnonzero(np.abs(wave) > 1e-3)
    return wave[loud[0] : loud[-1] + 1]


def labels_of(line: str) -> list[int]:
    return [VOCABULARY[c] for c in "|".join(re.findall(r"[^\W\d_]+", line.lower()))]


def example(clips: list, rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """SECONDS of clips with pauses between them, noise under all, and their labels."""
    room, parts, labels = SECONDS * RATE, [], []
    while True:
        pause = int(rng.uniform(0.1, 0.9) * RATE)
        wave, ids = clips[rng.integers(len(clips))]
        if pause + len(wave) + RATE // 10 > room:
            break
        parts += [np.zeros(pause, dtype=np.float32), wave]
        labels += ([1] if labels else []) + ids
        room -= pause + len(wave)
    parts.append(np.zeros(room, dtype=np.float32))
    wave = np.concatenate(parts) * rng.uniform(0.4, 1.2)
    wave += rng.normal(0, 10 ** rng.uniform(-4, -2.5), len(wave)).astype(np.float32)
    return ((wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)).astype(np.float32), labels


def band_filters(count: int, size: int) -> torch.Tensor:
    """Windowed tones whose centres are equally far apart in mel, [count, 1, size]."""
    top = 2595 * np.log10(1 + 7500 / 700)
    centres = 700 * (10 ** (np.linspace(2595 * np.log10(1 + 120 / 700), top, count) / 2595) - 1)
    time_K = (np.arange(size) - size / 2) / RATE
    bank = np.cos(2 * np.pi * centres[:, None] * time_K) * np.hanning(size)
    return torch.from_numpy(bank / np.linalg.norm(bank, axis=1, keepdims=True)).float()[:, None]


def build() -> Wav2Vec2ForCTC:
    config = Wav2Vec2Config(
        vocab_size=len(VOCABULARY), hidden_size=96, num_hidden_layers=3, num_attention_heads=4, intermediate_size=192,
        conv_dim=(48, 64, 96), conv_kernel=(256, 20, 3), conv_stride=(16, 10, 2), conv_bias=True,
        feat_extract_norm="group", num_feat_extract_layers=3, num_conv_pos_embeddings=31, num_conv_pos_embedding_groups=8,
        do_stable_layer_norm=True, apply_spec_augment=False, layerdrop=0.0, hidden_dropout=0.05, attention_dropout=0.0,
        activation_dropout=0.0, feat_proj_dropout=0.0, final_dropout=0.0, ctc_loss_reduction="sum",
        ctc_zero_infinity=True, pad_token_id=0, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    model = Wav2Vec2ForCTC(config)
    layers = model.wav2vec2.feature_extractor.conv_layers
    with torch.no_grad():
        layers[0].conv.weight.copy_(band_filters(48, 256))
        layers[0].conv.bias.zero_()
        layers[1].conv.weight.mul_(0.3)
        for channel in range(48):
            layers[1].conv.weight[channel, channel] += 1 / 20
    return model


def main(minutes: float) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    lines = training_lines(rng)
    clips = [(speak(line, *VOICES[n % len(VOICES)]), labels_of(line)) for n, line in enumerate(lines)]
    clips += [(speak(line, *VOICES[0]), labels_of(line)) for line in lines[: len(lines) // 2]]
    clips = [clip for clip in clips if len(clip[0]) < 0.85 * SECONDS * RATE]
    print(f"{len(clips)} clips, {sum(len(w) for w, _ in clips) / RATE / 60:.1f} min", flush=True)
    model = build()
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01, betas=(0.9, 0.98))
    began, step, batch = time.monotonic(), 0, 6
    model.train()
    while (share := (time.monotonic() - began) / 60 / minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 60) * (0.02 + 0.98 * (1 - share))
        pairs = [example(clips, rng) for _ in range(batch)]
        longest = max(len(ids) for _, ids in pairs)
        labels = torch.full((batch, longest), -100)
        for row, (_, ids) in enumerate(pairs):
            labels[row, : len(ids)] = torch.tensor(ids)
        out = model(torch.from_numpy(np.stack([wave for wave, _ in pairs])), labels=labels)
        loss = out.loss / sum(len(ids) for _, ids in pairs)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 20 == 0:
            print(f"{step} {(time.monotonic() - began) / 60:.1f} min: {loss.item():.3f} nats a letter", flush=True)
    model.eval().half()
    model.save_pretrained(HERE)
    (HERE / "vocab.json").write_text(json.dumps(VOCABULARY, ensure_ascii=False), encoding="utf-8")
    tokenizer = Wav2Vec2CTCTokenizer(
        str(HERE / "vocab.json"), unk_token="[UNK]", pad_token="[PAD]", bos_token=None, eos_token=None,
        word_delimiter_token="|", do_lower_case=True,
    )  # fmt: skip
    tokenizer.save_pretrained(HERE)
    Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True, return_attention_mask=False).save_pretrained(HERE)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 14.0)
