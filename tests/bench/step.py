"""Speed of the training step on this machine: audio-seconds per second, beside the machine's matmul rate.

Run with `make bench`, on a quiet machine. The model has 59 M parameters in the proportions of the 0.6B (talker body,
text embedding, sub-talker and tables each with its share; attention twice as wide as the hidden state), float32. The
utterances have the lengths of parliamentary speech (median 6 s). Everything is measured side by side in one run, each
figure several times in turn, and the medians are printed: compare shares and ratios, not seconds of two machines.

    plain     a hand-written loop: the same network and batches, AdamW, no accounting
    kathrine  the loop's own step module and update path

"share of matmul" is the rate of the step's matrix products (counted by torch's flop counter, forward and backward)
divided by the rate of a large float32 matrix product measured in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from copy import deepcopy

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from kathrine.components import Strategy
from kathrine.corpus.batching import pack, padding_share
from kathrine.corpus.mixture import Draw
from kathrine.recipe.tables import BatchTable
from kathrine.train.step import StepModule
from kathrine.train.trainable import Trainable, make_trainable
from kathrine.types import Example, PromptedExample
from kathrine_freeze import Freeze
from kathrine_lora import Lora
from kathrine_qwen3_tts.batches import CollatedRows
from kathrine_qwen3_tts.census import parameter_census
from kathrine_qwen3_tts.config import codec_config, read_config
from kathrine_qwen3_tts.facts import model_facts
from kathrine_qwen3_tts.model import Qwen3TtsModel
from kathrine_qwen3_tts.network import load_network
from kathrine_qwen3_tts.objective import aligned_outputs, sub_talker_loss_sums, talker_loss_sums
from kathrine_qwen3_tts.tiny import DATA
from kathrine_sub_talker import SubTalker
from kathrine_text_projection import TextProjection

FRAME_SECONDS = 0.08
WIDTH = 512
CODEBOOK_SIZE = 256


def bench_config() -> dict:
    """The 0.6B, half as wide and a quarter as deep, with smaller vocabularies; every part keeps its share."""
    config = deepcopy(read_config(DATA))
    body = {
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 128,
    }
    talker = config["talker_config"]
    talker.update(body, num_hidden_layers=7, text_hidden_size=2 * WIDTH, text_vocab_size=18944)
    talker["code_predictor_config"].update(body, num_hidden_layers=1, vocab_size=CODEBOOK_SIZE)
    config["speaker_encoder_config"]["enc_dim"] = WIDTH
    return config


def bench_model() -> Qwen3TtsModel:
    """A fresh model with the same random weights every time."""
    config = bench_config()
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: torch.ones(shape) if name.endswith("norm.weight") else torch.randn(shape, generator=generator) * 0.02
        for name, shape, _ in parameter_census(config)
    }
    network = load_network(config, weights).requires_grad_(False)
    return Qwen3TtsModel(network, model_facts(config, codec_config(DATA), "bench"), role_ids=(1, 2, 3))


def utterances(count: int) -> list[PromptedExample]:
    """Lognormal lengths between 1.5 and 15 s, five text tokens a second, half streamed, speaker form."""
    random = np.random.default_rng(0)
    items = []
    for number in range(count):
        frames = int(np.clip(random.lognormal(np.log(75), 0.5), 19, 187))
        text = tuple(int(one) for one in random.integers(0, 16000, max(2, int(frames * 0.4))))
        example = Example(
            id=str(number),
            entry="bench",
            speaker="one",
            language="",
            split="train",
            seconds=frames * FRAME_SECONDS,
            codes_FQ=random.integers(0, CODEBOOK_SIZE, (frames, 16)).astype(np.int16),
            speaker_embedding_H=None,
            text_ids={"text": text},
            spoken={},
        )
        voice = random.standard_normal(WIDTH).astype(np.float32)
        items.append(PromptedExample(example, text, voice, streamed=bool(random.integers(2))))
    return items


def batches_of(
    model: Qwen3TtsModel, items: Sequence[PromptedExample], size: int, wanted: int = 8
) -> tuple[list[CollatedRows], float]:
    """Length-bucketed batches, some of them spread over all lengths (the mix of an epoch in a fraction of its time),
    and the padding share of all."""
    by_key = {item.example.id: item for item in items}
    draws = [Draw(item.example.id, 0, 0) for item in items]
    packed = pack(draws, [model.rows(item) for item in items], BatchTable(examples=size), 0)
    chosen = [[by_key[draw.key] for draw in batch] for batch in packed]
    padding = padding_share([[model.rows(item) for item in batch] for batch in chosen])
    chosen.sort(key=lambda batch: max(model.rows(item) for item in batch))
    every = max(1, len(chosen) // wanted)
    return [model.collate(batch) for batch in chosen[every // 2 :: every][:wanted]], padding


def strategies(kind: str, parts: Sequence[str]) -> list[Strategy]:
    if kind == "full":
        return [Freeze(Freeze.Options(parts=[part for part in parts if part != "speaker_encoder"], lr=1e-5))]
    return [
        Lora(Lora.Options(r=4, alpha=8, dropout=0.1, lr=1e-5)),  # as in recipes/baseline.toml
        TextProjection(TextProjection.Options(lr=1e-5)),
    ]


class Subject:
    """One thing to be measured: a model made trainable, its optimizer, and a function for one update."""

    def __init__(self, kind: str, share: float, plain: bool = False) -> None:
        self.model = bench_model()
        chosen = strategies(kind, self.model.facts.parts)
        claims = [one.claim(self.model.specs, self.model.facts) for one in chosen]
        self.trainable: Trainable = make_trainable(self.model, chosen, claims, seed=0)
        self.parameters = list(self.trainable.parameters.values())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-5, weight_decay=0.0)
        self.loss = SubTalker(SubTalker.Options(weight=0.3, share=share))
        self.step_module = StepModule(self.model, [self.loss], ["bench"], self.parameters, processes=1)
        self.update: Callable[[CollatedRows], None] = self.plain_update if plain else self.kathrine_update
        self.model.network.train()

    def finish(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def kathrine_update(self, batch: CollatedRows) -> None:
        self.backward(batch)
        self.finish()

    def backward(self, batch: CollatedRows) -> None:
        divisors = {
            "talker": float(batch.targets),
            "sub_talker": self.loss.denominator(batch, self.model.facts),
        }
        items = int(batch.item_N.max()) + 1
        entry_B = torch.zeros(items, dtype=torch.int64)
        sums = self.step_module(batch, entry_B, divisors, lambda label: torch.Generator().manual_seed(0))
        sums.scalar.backward()
        sums.device.tolist()

    def plain_update(self, batch: CollatedRows) -> None:
        network = self.model.network
        outputs = aligned_outputs(network, batch)
        talker, targets = talker_loss_sums(outputs)
        sub_talker, pairs = sub_talker_loss_sums(network, outputs.hidden_MH, outputs.codes_MQ)
        (talker / targets + 0.3 * sub_talker / pairs).backward()
        self.finish()

    def gigaflop_per_second_of_audio(self, batch: CollatedRows) -> float:
        with FlopCounterMode(display=False) as counter:
            self.backward(batch)
        self.optimizer.zero_grad(set_to_none=True)
        return counter.get_total_flops() / (batch.target_frames * FRAME_SECONDS) / 1e9

    def rate(self, batches: Sequence[CollatedRows]) -> float:
        """Audio-seconds per second over these batches."""
        began = time.perf_counter()
        for batch in batches:
            self.update(batch)
        return sum(batch.target_frames for batch in batches) * FRAME_SECONDS / (time.perf_counter() - began)


def matmul_rate(size: int = 1024, times: int = 24) -> float:
    """Float32 matrix products, in GFLOP/s."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    began = time.perf_counter()
    for _ in range(times):
        left @ right
    return times * 2 * size**3 / (time.perf_counter() - began) / 1e9


def help_seconds(times: int = 5) -> float:
    """Median wall time of `kathrine --help`."""
    command = [sys.executable, "-m", "kathrine", "--help"]
    took = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (default 5)")
    parser.add_argument("--batch", type=int, default=8, help="utterances in a batch (default 8)")
    parser.add_argument("--utterances", type=int, default=2048, help="utterances that padding is told of")
    arguments = parser.parse_args()
    subjects = {
        "plain loop, full fine-tuning": Subject("full", 1.0, plain=True),
        "kathrine, full fine-tuning": Subject("full", 1.0),
        "kathrine, LoRA + text_projection": Subject("adapters", 1.0),
        "kathrine, LoRA + text_projection, sub-talker 1/4": Subject("adapters", 0.25),
    }
    some = next(iter(subjects.values())).model
    count = sum(tensor.numel() for tensor in some.originals.values())
    batches, padding = batches_of(some, utterances(arguments.utterances), arguments.batch)
    work = {name: subject.gigaflop_per_second_of_audio(batches[4]) for name, subject in subjects.items()}
    rates: dict[str, list[float]] = {name: [] for name in subjects}
    shares: dict[str, list[float]] = {name: [] for name in subjects}
    matmul = []
    for subject in subjects.values():
        subject.rate(batches[3:5])
    for _ in range(arguments.rounds):
        for name, subject in subjects.items():
            machine = matmul_rate()
            matmul.append(machine)
            rates[name].append(subject.rate(batches))
            shares[name].append(rates[name][-1] * work[name] / machine)
    print(f"{count / 1e6:.1f} M parameters, {torch.get_num_threads()} threads, {arguments.rounds} rounds, medians")
    print(f"padding {padding:.2%} of the rows of {arguments.utterances} utterances in batches of {arguments.batch}")
    print(f"matmul {statistics.median(matmul):.0f} GFLOP/s ({min(matmul):.0f} to {max(matmul):.0f})")
    print(f"kathrine --help {help_seconds():.2f} s (goal 0.3 s)")
    base = rates["plain loop, full fine-tuning"]
    print(f"{'':50}{'audio s/s':>10}{'share of matmul':>17}{'against plain':>15}")
    for name in subjects:
        ratio = statistics.median(mine / plain for mine, plain in zip(rates[name], base, strict=True))
        rate, share = statistics.median(rates[name]), statistics.median(shares[name])
        print(f"{name:50}{rate:>10.1f}{share:>17.0%}{ratio:>15.2f}")


if __name__ == "__main__":
    main()
