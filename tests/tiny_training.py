"""The embedded tiny model, a few made-up examples and a bare AdamW loop: what tests of strategies share."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from kathrine import Loss, SpeechModel, Strategy, Workspace
from kathrine.types import Claim, Example, PromptedExample
from kathrine_qwen3_tts import Qwen3TtsFamily


def workspace() -> Workspace:
    return Workspace.default()


def tiny_family(checkpoint: str | Path = "kathrine:tiny") -> Qwen3TtsFamily:
    return Qwen3TtsFamily(Qwen3TtsFamily.Options(checkpoint=str(checkpoint)))


def tiny_model(dtype: str = "fp32", checkpoint: str | Path = "kathrine:tiny") -> SpeechModel:
    return tiny_family(checkpoint).load(workspace(), dtype=dtype)


def made_up(model: SpeechModel, name: str, frames: int) -> Example:
    """An example whose codes, voice and text follow from its name."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    width = next(spec.shape[1] for spec in model.specs if spec.part == "codec_embedding")
    return Example(
        id=name,
        entry="made_up",
        speaker="kari",
        language="norwegian",
        split="train",
        seconds=frames * 0.08,
        codes_FQ=random.integers(0, model.facts.codebook_size, (frames, model.facts.codebooks)).astype(np.int16),
        speaker_embedding_H=random.standard_normal(width).astype(np.float32) * 0.3,
        text_ids={"text": tuple(int(id_) for id_ in random.integers(0, 200, 6))},
        spoken={"text": name},
    )


def prompted(model: SpeechModel, language: str | None = None) -> list[PromptedExample]:
    """Four items: both layouts, both prompt forms, one without an end."""
    reference = made_up(model, "reference", 3)
    items = []
    for index, frames in enumerate((9, 6, 7, 5)):
        example = made_up(model, f"utterance {index}", frames)
        in_context = index == 2
        items.append(
            PromptedExample(
                example=example,
                text_ids=example.text_ids["text"],
                speaker_embedding_H=example.speaker_embedding_H,
                reference=reference if in_context else None,
                reference_text_ids=reference.text_ids["text"] if in_context else (),
                language=language,
                streamed=index % 2 == 0,
                end=index != 3,
            )
        )
    return items


def claim_and_apply(
    model: SpeechModel, strategies: Sequence[Strategy], seed: int = 7
) -> tuple[list[Claim], dict[str, torch.nn.Parameter]]:
    """As a run does it: freeze everything, all claims first, then apply in order, then requires_grad."""
    model.network.requires_grad_(False)
    claims = [strategy.claim(model.specs, model.facts) for strategy in strategies]
    trained: dict[str, torch.nn.Parameter] = {}
    for strategy, claim in zip(strategies, claims, strict=True):
        added = strategy.apply(model, claim, seed)
        assert set(added) == {*claim.trains, *(spec.name for spec in claim.adds)}
        assert {spec.name: spec.shape for spec in claim.adds} == {
            name: tuple(parameter.shape) for name, parameter in added.items() if name not in claim.trains
        }
        trained |= added
    model.network.requires_grad_(False)
    for parameter in trained.values():
        parameter.requires_grad_(True)
    return claims, trained


def talker_loss(model: SpeechModel, language: str | None = None) -> float:
    """Teacher-forced talker loss on the made-up items, eval mode."""
    model.network.eval()
    with torch.no_grad():
        outputs = model.forward(model.collate(prompted(model, language)).to("cpu"))
    return float(torch.nn.functional.cross_entropy(outputs.logits_NV.float(), outputs.targets_N))


def train(
    model: SpeechModel,
    claims: Sequence[Claim],
    trained: dict[str, torch.nn.Parameter],
    steps: int = 20,
    losses: Sequence[Loss] = (),
    language: str | None = None,
) -> list[float]:
    """AdamW on the made-up items with each claim's own learning rate; returns the total loss of each step."""
    groups = [
        {
            "params": [trained[name] for name in (*claim.trains, *(spec.name for spec in claim.adds))],
            "lr": claim.lr,
            "weight_decay": claim.weight_decay,
        }
        for claim in claims
    ]
    optimizer = torch.optim.AdamW(groups)
    model.network.train()
    batch, history = model.collate(prompted(model, language)), []
    for step in range(steps):
        torch.manual_seed(step)
        outputs = model.forward(batch)
        total = torch.nn.functional.cross_entropy(outputs.logits_NV.float(), outputs.targets_N)
        for loss in losses:
            term = loss.term(model, batch, outputs, torch.Generator().manual_seed(step))
            assert term is not None
            total = total + loss.options.weight * term.total / loss.denominator(batch, model.facts)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(float(total.detach()))
    model.network.eval()
    return history


def snapshot(model: SpeechModel) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.originals.items()}


def same_bits(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first.dtype == second.dtype and bool(torch.equal(first, second))
