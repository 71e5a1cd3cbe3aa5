"""A trained tiny run as exporters get it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny_training import claim_and_apply, made_up, prompted, tiny_family, train, workspace

from kathrine import FinishedRun, ModelFamily, PlannedRun, SpeechModel, Strategy
from kathrine.components.finish import Speaking
from kathrine.train.folder import versions
from kathrine.types import Sampling, SpeechRequest, Spoken
from kathrine_librivox.source import LibrivoxSource
from kathrine_npsc.source import NpscSource


class Quiet:
    """A Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Callable[..., None]]:
        yield lambda amount=1.0, description=None: None

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.warned.append(message)


def held_out(language: str | None) -> Callable[[SpeechModel], float]:
    def loss(model: SpeechModel) -> float:
        model.network.eval()
        with torch.no_grad():
            outputs = model.forward(model.collate(prompted(model, language)))
        return float(torch.nn.functional.cross_entropy(outputs.logits_NV.float(), outputs.targets_N))

    return loss


def text_gain(language: str | None) -> Callable[[SpeechModel], float | None]:
    def gain(model: SpeechModel) -> float:
        items = prompted(model, language)
        texts = [item.text_ids for item in items]
        wrong = [replace(item, text_ids=text) for item, text in zip(items, [*texts[1:], texts[0]], strict=True)]
        model.network.eval()
        with torch.no_grad():
            losses = []
            for some in (items, wrong):
                outputs = model.forward(model.collate(some))
                losses.append(float(torch.nn.functional.cross_entropy(outputs.logits_NV.float(), outputs.targets_N)))
        return losses[1] - losses[0]

    return gain


def speaking(language: str | None, frames: int = 6) -> Speaking:
    def speak(
        model: SpeechModel, family: ModelFamily, speaker: str | None = None, embedding_H: np.ndarray | None = None
    ) -> Spoken:
        voice = embedding_H if embedding_H is not None else made_up(model, "voice", 5).speaker_embedding_H
        request = SpeechRequest(
            (11, 12, 13), None if speaker else voice, speaker=speaker, language=language, streamed=True
        )
        (made,) = model.generate([request], Sampling(greedy=True, sub_greedy=True), frames)
        (wave,) = family.open_codec(workspace(), decode_only=True).decode([made.codes_TQ])
        return Spoken("Hei.", made.codes_TQ, wave, model.facts.sample_rate, made.stop, ())

    return speak


def planned(name: str, recipe: dict[str, Any], language: str | None, family: ModelFamily | None = None) -> PlannedRun:
    """What was known before a run on two corpora."""
    return PlannedRun(
        name=name,
        document=recipe,
        workspace=workspace(),
        family=family or tiny_family(),
        language=language or "",
        sources={"npsc": NpscSource(), "librivox": LibrivoxSource()},
        exporters=(),
        codes=("no", "nb") if language == "norwegian" else (),
    )


def finished(
    folder: Path,
    strategies: list[Strategy],
    *,
    dtype: str = "fp32",
    steps: int = 10,
    language: str | None = None,
    checkpoint: str | Path = "kathrine:tiny",
    training: Callable[..., object] = train,
) -> FinishedRun:
    family = tiny_family(checkpoint)
    model = family.load(workspace(), dtype=dtype)
    claims, trained = claim_and_apply(model, strategies)
    training(model, claims, trained, steps, language=language)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {
        "run": {"folder": str(folder), "seed": 7},
        "model": {"qwen3_tts": {"checkpoint": "kathrine:tiny"}},
        "data": [{"source": "manifest", "path": str(folder / "mine.jsonl")}],
    }
    return FinishedRun(
        folder=folder,
        plan=planned(folder.name, recipe, language, family),
        recipe=recipe,
        workspace=workspace(),
        family=family,
        model=model,
        strategies=strategies,
        claims=claims,
        trainable={name: value.detach().float().cpu() for name, value in trained.items()},
        weights_from=f"trained weights of the last checkpoint, step {steps}",
        step=steps,
        validation_loss=held_out(language),
        text_gain=text_gain(language),
        speak=speaking(language),
        language=language or "",
        data=[
            {"name": "npsc", "hours": 39.5, "licence": ["CC0-1.0"], "splits": {"train": {"utterances": 3}}},
            {"name": "librivox", "hours": 4.25, "licence": "PD"},
        ],
        profile="smoke",
        versions=versions(),
        drift={"parts": {"talker": {"relative_l2": 0.01}}, "not_measured": {}},
    )
