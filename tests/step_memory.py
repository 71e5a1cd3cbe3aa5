"""The memory that a training step really takes, measured: what tests and the benchmark compare the estimate with.

On the CPU every storage that an operation gives is counted from its birth to its end, so the peak is exact to the
byte; what kernels take for themselves inside of one operation is not seen. On CUDA torch's own allocator is asked.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kathrine.components import Loss, SpeechModel, Strategy
from kathrine.inspect.fit_layers import Load, Setting
from kathrine.recipe.tables import TrainTable
from kathrine.train.base import BaseModel
from kathrine.train.optimizer import Average, clipped_norm, make_optimizer
from kathrine.train.step import StepModule
from kathrine.train.trainable import make_trainable
from kathrine.types import Body, Example, PromptedExample
from kathrine_qwen3_tts.bodies import model_bodies
from kathrine_qwen3_tts.census import parameter_census
from kathrine_qwen3_tts.config import codec_config, known_config
from kathrine_qwen3_tts.facts import model_facts
from kathrine_qwen3_tts.model import DTYPES, Qwen3TtsModel
from kathrine_qwen3_tts.network import load_network
from kathrine_qwen3_tts.tiny import DATA

FRAMES_PER_SECOND = 12.5


class Peak(TorchDispatchMode):
    """Counts live storages. live, peak: bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen: dict[int, int] = {}

    def note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return
        self._seen[key] = size
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.live -= self._seen.pop(key)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.note(leaf)
        return out


def released_config(
    name: str, layers: int | None = None, sub_layers: int | None = None, text_rows: int | None = None
) -> dict[str, Any]:
    """The configuration of a released model, with fewer layers and a shorter text table where these are given."""
    config = deepcopy(known_config(name))
    assert config is not None
    talker = config["talker_config"]
    if layers is not None:
        talker["num_hidden_layers"] = layers
    if sub_layers is not None:
        talker["code_predictor_config"]["num_hidden_layers"] = sub_layers
    if text_rows is not None:
        talker["text_vocab_size"] = text_rows
        for place, key in enumerate(("tts_bos_token_id", "tts_eos_token_id", "tts_pad_token_id"), start=1):
            config[key] = text_rows - place
    return config


def random_model(config: dict[str, Any], precision: str, device: str = "cpu") -> Qwen3TtsModel:
    """A model of these sizes with random weights."""
    generator = torch.Generator().manual_seed(0)
    dtype = DTYPES[precision]
    weights = {}
    for name, shape, _ in parameter_census(config):
        one = name.endswith("norm.weight")
        weights[name] = torch.ones(shape, dtype=dtype) if one else torch.empty(shape, dtype=dtype)
        if not one:
            weights[name].normal_(0, 0.02, generator=generator)
    network = load_network(deepcopy(config), weights, dtype, device).requires_grad_(False)
    return Qwen3TtsModel(network, model_facts(config, codec_config(DATA), "random"), (1, 2, 3), precision)


def made_up_items(config: dict[str, Any], count: int, seconds: float) -> list[PromptedExample]:
    """Utterances of one length, their text whole in front of every other one."""
    random = np.random.default_rng(0)
    talker = config["talker_config"]
    codes, width = talker["code_predictor_config"]["vocab_size"], talker["hidden_size"]
    frames, items = round(seconds * FRAMES_PER_SECOND), []
    text = tuple(range(max(2, round(seconds * 5))))
    for number in range(count):
        example = Example(
            id=str(number),
            entry="made_up",
            speaker="one",
            language="",
            split="train",
            seconds=seconds,
            codes_FQ=random.integers(0, codes, (frames, talker["num_code_groups"])).astype(np.int16),
            speaker_embedding_H=None,
            text_ids={"text": text},
            spoken={},
        )
        voice = random.standard_normal(width).astype(np.float32)
        items.append(PromptedExample(example, text, voice, streamed=bool(number % 2)))
    return items


@dataclass(frozen=True)
class Measured:
    """peak: bytes at the highest point of the second update. setting: what the estimate is asked with."""

    peak: int
    setting: Setting


def measured(
    config: dict[str, Any],
    strategies: Sequence[Strategy],
    losses: Sequence[Loss],
    *,
    precision: str,
    checkpointing: bool = False,
    accumulation: int = 1,
    ema: float = 0.0,
    utterances: int = 2,
    seconds: float = 3.0,
    device: str = "cpu",
) -> Measured:
    """A random Qwen3-TTS of these sizes: see `measured_step`."""
    return measured_step(
        random_model(config, precision, device),
        model_bodies(config),
        made_up_items(config, utterances, seconds),
        strategies,
        losses,
        precision=precision,
        checkpointing=checkpointing,
        accumulation=accumulation,
        ema=ema,
        device=device,
    )


def measured_step(
    model: SpeechModel,
    bodies: tuple[Body, ...],
    items: Sequence[PromptedExample],
    strategies: Sequence[Strategy],
    losses: Sequence[Loss],
    *,
    precision: str,
    checkpointing: bool = False,
    accumulation: int = 1,
    ema: float = 0.0,
    device: str = "cpu",
) -> Measured:
    """Two updates of a model with the loop's own parts; moments are there from the second one on."""
    if checkpointing:
        model.gradient_checkpointing(True)
    claims = [strategy.claim(model.specs, model.facts) for strategy in strategies]
    trainable = make_trainable(model, strategies, claims, seed=0)
    parameters = list(trainable.parameters.values())
    table = TrainTable(precision=precision, ema=ema)
    optimizer = make_optimizer(trainable.claims, trainable.by_strategy, table)
    average = Average(trainable.parameters, ema) if ema else None
    base = BaseModel.of(model, strategies, losses)
    module = StepModule(model, losses, ["made_up"], parameters, 1, base if base.wanted else None)
    batch = model.collate(items).to(device)
    divisors = {"talker": float(batch.targets * accumulation)}
    divisors |= {loss.label: loss.denominator(batch, model.facts) * accumulation for loss in losses}
    model.network.train()

    def forward() -> Any:
        entry_B = torch.zeros(len(items), dtype=torch.int64, device=device)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):  # as Accelerate wraps it
            made = torch.Generator(device=device).manual_seed(0)
            return module(batch, entry_B, divisors, lambda label: made, base.collate(items, batch))

    def update() -> None:
        for _ in range(accumulation):
            sums = forward()
            sums.scalar.backward()
            del sums
        clipped_norm(parameters, 1.0)
        optimizer.step()
        if average is not None:
            average.update()
        optimizer.zero_grad(set_to_none=True)

    if device == "cpu":
        with Peak() as counter:
            kept = [one for strategy in strategies for one in getattr(strategy, "_kept", {}).values()]
            averages = [] if average is None else list(average.weights.values())
            for tensor in (*model.network.parameters(), *model.network.buffers(), *kept, *averages):
                counter.note(tensor.data)
            update()
            counter.peak = counter.live
            update()
        peak = counter.peak
    else:
        update()
        torch.cuda.reset_peak_memory_stats()
        update()
        peak = torch.cuda.max_memory_allocated()
    longest = batch.padded_rows // batch.items
    setting = Setting(
        bodies=bodies,
        specs=model.specs,
        claims=tuple(claims),
        strategies={strategy.label: strategy for strategy in strategies},
        load=Load(batch.items, batch.padded_rows, longest, batch.targets, batch.target_frames),
        mixed=precision == "bf16",
        checkpointing=checkpointing,
        ema=ema > 0,
        sub_share=sum(loss.sub_talker_share() for loss in losses),
        base=base.wanted,
        accumulation=accumulation,
        gpu=device != "cpu",
    )
    return Measured(peak, setting)
