"""A finished run on the tiny model of any family, as exporters get it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.components import FinishedRun, ModelFamily, SpeechModel, Strategy
from kathrine.components.finish import Speaking
from kathrine.testing.tiny import claimed_and_applied, made_up_items, trained_a_little
from kathrine.types import PromptedExample, Sampling, SpeechRequest, Spoken
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

SPOKEN_FRAMES = 6


def finished_run(
    folder: Path, family: ModelFamily, strategies: Sequence[Strategy], workspace: Workspace, steps: int = 3
) -> FinishedRun:
    """A run as exporters get it: the strategies applied to the family's model and trained for a few steps.

    Given: folder, made where it is not there. Its recipe names files of this machine, as those of real runs do.
    """
    from kathrine.train.folder import versions
    from kathrine.train.measured import text_gain, validation_loss

    model = family.load(workspace)
    language = next((name for strategy in strategies for name in strategy.languages()), None)
    items = made_up_items(family, workspace, language)
    claims, trained = claimed_and_applied(model, strategies)
    trained_a_little(model, items, trained, steps)
    folder.mkdir(parents=True, exist_ok=True)
    options = family.options.model_dump(mode="json", exclude_none=True)
    return FinishedRun(
        folder=folder,
        recipe={
            "run": {"folder": str(folder), "seed": 7},
            "model": {family.name: options},
            "data": [{"source": "manifest", "path": str(folder / "mine.jsonl"), "name": "mine"}],
            "strategy": {one.label: one.options.model_dump(mode="json", exclude_none=True) for one in strategies},
        },
        workspace=workspace,
        family=family,
        model=model,
        strategies=list(strategies),
        claims=claims,
        trainable={name: value.detach().float().cpu() for name, value in trained.items()},
        weights_from=f"trained weights of the last checkpoint, step {steps}",
        step=steps,
        validation_loss=validation_loss(items),
        text_gain=text_gain(list(zip(items, swapped(items), strict=True))),
        speak=speaking(workspace, items[0]),
        language=language or "",
        data=[{"name": "mine", "hours": 1.5, "licence": "CC0-1.0", "splits": {"train": 3}}],
        profile="smoke",
        versions=versions(),
        drift={"parts": {}, "not_measured": {}},
    )


def swapped(items: Sequence[PromptedExample]) -> list[PromptedExample]:
    """The same items, each with the text of the one after it."""
    others = [*items[1:], items[0]]
    return [replace(item, text_ids=other.text_ids) for item, other in zip(items, others, strict=True)]


def speaking(workspace: Workspace, item: PromptedExample) -> Speaking:
    """What says the text of an item greedily, in its voice or in the one that is asked for."""

    def speak(
        model: SpeechModel, family: ModelFamily, speaker: str | None = None, embedding_H: np.ndarray | None = None
    ) -> Spoken:
        voice_H = None if speaker else item.speaker_embedding_H if embedding_H is None else embedding_H
        request = SpeechRequest(item.text_ids, voice_H, speaker, item.language)
        (made,) = model.generate([request], Sampling(greedy=True, sub_greedy=True), SPOKEN_FRAMES)
        (wave,) = family.open_codec(workspace, decode_only=True).decode([made.codes_TQ])
        return Spoken(item.example.spoken["text"], made.codes_TQ, wave, model.facts.sample_rate, made.stop, ())

    return speak
