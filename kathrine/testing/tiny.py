"""The tiny model that a family embeds, and items to put through it: made up, and the same every time.

Legend: N target rows of a batch, M target frames, Q codebooks, H width.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kathrine.catalog import Catalog
from kathrine.components import ModelFamily, SpeechModel, Strategy
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.testing.places import catalog_with_toys
from kathrine.types import Claim, Example, PromptedExample
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import torch

FRAMES = (9, 6, 7, 5)
"""Lengths of the made-up items: no two alike, so that a batch of them has padding."""
LETTERS = "abcdefghijklmnoprstuvy"


def tiny_family(name: str, catalog: Catalog | None = None, **options: Any) -> ModelFamily:
    """The family of this name, set to the checkpoint that it embeds.

    Given: catalog, default all that is installed or registered, and the toy family; options, further ones of
    `[model.NAME]`. Raises: KathrineError for an unknown name, and for a family that embeds no checkpoint.
    """
    family = (catalog or catalog_with_toys()).component("model", name)
    assert issubclass(family, ModelFamily)
    if not family.tiny:
        raise KathrineError(
            f"model.{name} embeds no tiny checkpoint", f"set {family.__name__}.tiny to the name of one that it builds"
        )
    return family(family.Options.model_validate({"checkpoint": family.tiny, **options}))


def tiny_model(
    name: str,
    dtype: str = "fp32",
    workspace: Workspace | None = None,
    catalog: Catalog | None = None,
    **options: Any,
) -> SpeechModel:
    """The tiny model that a family embeds, loaded on the CPU.

    Given: name of the family, as in `[model.NAME]`; dtype, "fp32" or "bf16"; workspace, default the user's: what is
    built there once is used again; catalog and options as `tiny_family`.
    """
    family, place = tiny_family(name, catalog, **options), workspace or Workspace.default()
    family.fetch(place, SilentProgress(), offline=True)
    return family.load(place, dtype=dtype)


def made_up_wave(name: str, seconds: float, rate: int) -> np.ndarray:
    """A wave float32 [samples] of a voice-like sound in noise; it follows from its name."""
    import numpy as np

    random = np.random.default_rng(zlib.crc32(name.encode()))
    time = np.arange(int(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * random.uniform(90, 220) * k * time) / k for k in range(1, 9))
    return (0.1 * voice + 0.01 * random.standard_normal(len(time))).astype(np.float32)


def made_up_text(name: str, words: int = 3) -> str:
    """Some words of small letters; they follow from the name."""
    import random

    draw = random.Random(name)
    return " ".join("".join(draw.choices(LETTERS, k=draw.randint(2, 5))) for _ in range(words))


def made_up_items(
    family: ModelFamily,
    workspace: Workspace,
    language: str | None = None,
    frames: Sequence[int] = FRAMES,
) -> list[PromptedExample]:
    """Items of one batch: every second with its text in front, every third with an in-context reference, the last
    without an end of speech.

    Given: language, the name of a tag that all of them ask for, or None. Codes are drawn, voices come from the
    family's own speaker encoder, texts from its tokenizer.
    """
    import numpy as np

    facts = family.facts(workspace)
    assert facts is not None, f"model.{family.label} has no facts"
    tokens, encoder = family.open_text(workspace), family.open_speaker_encoder(workspace)

    def example(name: str, count: int) -> Example:
        random = np.random.default_rng(zlib.crc32(name.encode()))
        text = made_up_text(name)
        return Example(
            id=name,
            entry="made_up",
            speaker="s0",
            language=language or "",
            split="train",
            seconds=count / facts.frames_per_second,
            codes_FQ=random.integers(0, facts.codebook_size, (count, facts.codebooks)).astype(np.int16),
            speaker_embedding_H=encoder(made_up_wave(name, 1.0, facts.sample_rate)) if encoder else None,
            text_ids={"text": tokens(text)},
            spoken={"text": text},
        )

    reference, items = example("reference", 3), []
    for number, count in enumerate(frames):
        made, in_context = example(f"item {number}", count), number % 3 == 2
        items.append(
            PromptedExample(
                example=made,
                text_ids=made.text_ids["text"],
                speaker_embedding_H=made.speaker_embedding_H,
                reference=reference if in_context else None,
                reference_text_ids=reference.text_ids["text"] if in_context else (),
                language=language,
                streamed=number % 2 == 0,
                end=number < len(frames) - 1 or number == 0,
            )
        )
    return items


# --------------------------------------------------------------------------- what a model makes of them


def losses_of(model: SpeechModel, items: Sequence[PromptedExample]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Cross entropy in nats, float32: the talker's [N], and the sub-talker's [M, Q-1] or None without one."""
    import torch.nn.functional as F

    outputs = model.forward(model.collate(items))
    talker_N = F.cross_entropy(outputs.logits_NV.float(), outputs.targets_N, reduction="none")
    if outputs.hidden_MH is None:
        return talker_N, None
    try:
        return talker_N, model.sub_talker_losses(outputs.hidden_MH, outputs.codes_MQ)
    except KathrineError:  # a family without a sub-talker says so
        return talker_N, None


def objective(model: SpeechModel, items: Sequence[PromptedExample]) -> torch.Tensor:
    """One number that every part of the model has a share in: both losses, averaged and added."""
    talker_N, sub_MQ = losses_of(model, items)
    return talker_N.mean() + (sub_MQ.mean() if sub_MQ is not None else 0.0)


def computed(model: SpeechModel, items: Sequence[PromptedExample]) -> dict[str, torch.Tensor]:
    """Everything that a model computes from these items, in eval mode and without gradients, by name."""
    import torch

    model.network.eval()
    with torch.no_grad():
        outputs = model.forward(model.collate(items))
        talker_N, sub_MQ = losses_of(model, items)
    found = {"logits": outputs.logits_NV, "talker losses": talker_N}
    if outputs.hidden_MH is not None:
        found["hidden states"] = outputs.hidden_MH
    if sub_MQ is not None:
        found["sub-talker losses"] = sub_MQ
    return {name: value.detach().clone() for name, value in found.items()}


def different(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], tolerance: float = 0.0) -> str:
    """Which of the named tensors differ, and by how much, or an empty string.

    Given: tolerance, the largest difference that is allowed, relative to the largest value of the first; 0 asks for
    the same bits.
    """
    import torch

    told = []
    for name, one in first.items():
        two = second[name]
        if one.shape != two.shape:
            told.append(f"{name} have shape {list(two.shape)} instead of {list(one.shape)}")
        elif not torch.equal(one, two):
            largest = float((one.double() - two.double()).abs().max())
            if not largest <= tolerance * max(1.0, float(one.double().abs().max())):
                told.append(f"{name} differ by up to {largest:.3g}")
    return ", ".join(told)


def claimed_and_applied(
    model: SpeechModel, strategies: Sequence[Strategy], seed: int = 1
) -> tuple[list[Claim], dict[str, torch.nn.Parameter]]:
    """As a run does it: everything frozen, all claims, then applied in order and verified. Returns: the claims, and
    the trained parameters by checkpoint name."""
    from kathrine.train.trainable import make_trainable

    claims = [strategy.claim(model.specs, model.facts) for strategy in strategies]
    trainable = make_trainable(model, strategies, claims, seed)
    return claims, trainable.parameters


def trained_a_little(
    model: SpeechModel,
    items: Sequence[PromptedExample],
    parameters: Mapping[str, torch.nn.Parameter],
    steps: int = 3,
    lr: float = 1e-2,
) -> None:
    """A few real updates (AdamW without weight decay) on `objective`; leaves the model in eval mode."""
    import torch

    optimizer = torch.optim.AdamW(list(parameters.values()), lr=lr, weight_decay=0.0)
    model.network.train()
    with torch.random.fork_rng(devices=[]):
        for step in range(steps):
            torch.manual_seed(step)
            optimizer.zero_grad()
            objective(model, items).backward()
            optimizer.step()
    optimizer.zero_grad()
    model.network.eval()
