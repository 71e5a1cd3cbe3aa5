"""Makes the small acoustic model beside this file: a Wav2Vec2ForCTC that learnt letters from espeak speech.

Run from the repository's root, once: `PYTHONPATH=.:plugins python tests/data/ctc_espeak/make_model.py`. It
needs espeak-ng and about ten minutes of one core; with the argument 2 it does the second stage only, from the
checkpoint that lies here. The alignment tests load the result as they would load
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
SHUFFLED, INVENTED = 240, 240
"""Lines of the training text's words in random order, and lines of words that were made up letter by letter, so that
the network learns how sounds are written, not words."""
STAGES = ((560, 2e-3), (320, 1e-3))
"""Steps and highest learning rate: first on the words of the training text, then with the invented ones as well."""
BATCH = 6
LETTERS = "abcdefghijklmnopqrstuvwxyzæøåéóôüö"
VOCABULARY = {"[PAD]": 0, "|": 1, "[UNK]": 2, **{letter: 3 + n for n, letter in enumerate(LETTERS)}}


def training_lines(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Lines of known words, and lines of invented ones."""
    lines = [line for line in (HERE / "training_text.txt").read_text("utf-8").split("\n") if line.strip()]
    words = [word for line in lines for word in re.findall(r"\w+", line.lower())]
    known = sorted(set(words))
    lines += [" ".join(rng.choice(known, size=int(rng.integers(3, 10)))) + "." for _ in range(SHUFFLED)]
    invented = [" ".join(invented_word(words, rng) for _ in range(int(rng.integers(3, 9)))) for _ in range(INVENTED)]
    return lines, [f"{line}." for line in invented]


def invented_word(words: list[str], rng: np.random.Generator) -> str:
    """A word whose letters follow each other as they do in `words`: each is drawn by the two before it."""
    while True:
        word = "  "
        while not word.endswith("."):
            following = [
                f"  {known}."[place + 2]
                for known in words
                for place in range(len(known) + 1)
                if f"  {known}."[place : place + 2] == word[-2:]
            ]
            word += str(rng.choice(following))
        if 2 <= len(word) - 3 <= 12:
            return word[2:-1]


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


def spoken(lines: list[str], offset: int = 0) -> list[tuple[np.ndarray, list[int]]]:
    clips = [(speak(line, *VOICES[(n + offset) % len(VOICES)]), labels_of(line)) for n, line in enumerate(lines)]
    return [clip for clip in clips if len(clip[0]) < 0.85 * SECONDS * RATE]


def train(model: Wav2Vec2ForCTC, clips: list, steps: int, highest: float, rng: np.random.Generator) -> None:
    print(f"{len(clips)} clips, {sum(len(wave) for wave, _ in clips) / RATE / 60:.1f} min", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=highest, weight_decay=0.01, betas=(0.9, 0.98))
    began = time.monotonic()
    model.train()
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = highest * min(1.0, step / 60) * (0.02 + 0.98 * (1 - step / steps))
        pairs = [example(clips, rng) for _ in range(BATCH)]
        longest = max(len(ids) for _, ids in pairs)
        labels = torch.full((BATCH, longest), -100)
        for row, (_, ids) in enumerate(pairs):
            labels[row, : len(ids)] = torch.tensor(ids)
        out = model(torch.from_numpy(np.stack([wave for wave, _ in pairs])), labels=labels)
        loss = out.loss / sum(len(ids) for _, ids in pairs)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 20 == 0:
            print(f"{step} {(time.monotonic() - began) / 60:.1f} min: {loss.item():.3f} nats a letter", flush=True)


def save(model: Wav2Vec2ForCTC) -> None:
    """Half precision, under 1 MB."""
    copy = Wav2Vec2ForCTC(model.config)
    copy.load_state_dict(model.state_dict())
    copy.eval().half().save_pretrained(HERE)
    (HERE / "vocab.json").write_text(json.dumps(VOCABULARY, ensure_ascii=False), encoding="utf-8")
    tokenizer = Wav2Vec2CTCTokenizer(
        str(HERE / "vocab.json"), unk_token="[UNK]", pad_token="[PAD]", bos_token=None, eos_token=None,
        word_delimiter_token="|", do_lower_case=True,
    )  # fmt: skip
    tokenizer.save_pretrained(HERE)
    Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True, return_attention_mask=False).save_pretrained(HERE)


def main(first: int) -> None:
    torch.manual_seed(first)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    known, invented = training_lines(rng)
    clips = spoken(known)
    model = build() if first == 1 else Wav2Vec2ForCTC.from_pretrained(HERE, dtype=torch.float32)
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    if first == 1:
        train(model, clips, *STAGES[0], rng)
        save(model)
    train(model, clips + spoken(invented, 1) + spoken(invented[::2], 0), *STAGES[1], rng)
    save(model)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
