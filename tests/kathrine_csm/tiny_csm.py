"""What the tests of CSM share: the embedded model, loaded once, and transformers' own model of the same files."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from kathrine.catalog import Catalog
from kathrine.types import Example, PromptedExample
from kathrine.workspace import Workspace
from kathrine_csm import CsmFamily
from kathrine_csm.family import CsmOptions

TINY = "kathrine:tiny-csm"


def workspace() -> Workspace:
    return Workspace.default()


def family(checkpoint: str = TINY, **options: Any) -> CsmFamily:
    return CsmFamily(CsmOptions(checkpoint=checkpoint, **options))


@functools.cache
def folder() -> Path:
    return family().resolved(workspace()).path


@functools.cache
def model() -> Any:
    """The embedded model. Do not change its weights: `family().load(workspace())` gives a fresh one."""
    return family().load(workspace())


@functools.cache
def official() -> Any:
    """The same files in `CsmForConditionalGeneration`. Do not change its weights."""
    return official_model(folder())


def official_model(place: Path) -> Any:
    import torch
    from transformers import CsmForConditionalGeneration

    from kathrine_csm.quiet import quiet

    with quiet():
        loaded, info = CsmForConditionalGeneration.from_pretrained(place, dtype=torch.float32, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    return loaded.eval()


def text(words: str) -> tuple[int, ...]:
    return family().open_text(workspace())(words)


def example(frames: int, seed: int = 0, name: str = "one", words: str = "Jeg heter Kari.") -> Example:
    facts = model().facts
    random = np.random.default_rng(seed)
    return Example(
        id=name,
        entry="toy",
        speaker="kari",
        language="norwegian",
        split="train",
        seconds=frames / facts.frames_per_second,
        codes_FQ=random.integers(0, facts.codebook_size, (frames, facts.codebooks)).astype(np.int16),
        speaker_embedding_H=None,
        text_ids={"text": text(words)},
        spoken={"text": words},
    )


def item(frames: int = 5, seed: int = 0, reference: Example | None = None, **more: Any) -> PromptedExample:
    one = example(frames, seed)
    return PromptedExample(
        example=one,
        text_ids=one.text_ids["text"],
        speaker_embedding_H=None,
        reference=reference,
        reference_text_ids=reference.text_ids["text"] if reference else (),
        streamed=False,
        **more,
    )


def wave(seconds: float, seed: int = 0) -> np.ndarray:
    """Something that changes: a gliding tone with noise, float32."""
    time = np.arange(round(24000 * seconds)) / 24000
    random = np.random.default_rng(seed)
    tone = np.sin(2 * np.pi * (150 + 60 * np.sin(3 * time)) * time) * (0.6 + 0.4 * np.sin(9 * time))
    return (0.2 * tone + 0.02 * random.standard_normal(len(time))).astype(np.float32)


def with_csm() -> Catalog:
    """What is installed here, CSM included, whether or not its entry point was there when it was installed."""
    import kathrine_csm

    catalog = Catalog.load()
    if "csm" not in catalog.names("model"):
        catalog.add(kathrine_csm, "csm")
    return catalog
