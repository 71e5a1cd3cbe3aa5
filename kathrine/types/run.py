"""What is claimed, planned, reported and made in a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kathrine.types.model import ParameterSpec, Stop

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Claim:
    """What a strategy asks for, by parameter name on the untouched model.

    trains: trained in place. adapts: stay frozen, their effect is changed by `adds`. adds: new parameters, named
    as they are stored in a checkpoint. A name in two claims is an error that names both strategies.
    """

    strategy: str
    trains: tuple[str, ...]
    adapts: tuple[str, ...]
    adds: tuple[ParameterSpec, ...]
    lr: float
    weight_decay: float


# --------------------------------------------------------------------------- curriculum


@dataclass(frozen=True, slots=True)
class DataSize:
    """A data entry as a curriculum sees it. Sizes count training utterances; None before prepare."""

    name: str
    share: float | None
    utterances: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: shares of the data entries (sum 1), its length, and factors on the learning rates.

    Exactly one of steps and epochs is set. An epoch of a blend = as many draws as its entries have utterances
    together. lr_scale: by strategy label, or "*" for all that
    have none of their own; missing means 1.
    """

    name: str
    shares: Mapping[str, float]
    steps: int | None = None
    epochs: float | None = None
    lr_scale: Mapping[str, float] = field(default_factory=dict)


# --------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a watcher is told once. `resumed_from` is the step of the checkpoint that the run goes on from."""

    folder: Path
    recipe: Mapping[str, Any]
    stages: tuple[Stage, ...]
    total_steps: int
    trained_parameters: int
    world_size: int
    resumed_from: int | None = None


@dataclass(frozen=True, slots=True)
class StepReport:
    """One optimizer update. Every field of `metrics` is a pure function of recipe, data and seed; time is not.

    metrics: flat name -> number, what metrics.jsonl stores. timing: seconds, audio_seconds_per_second, eta,
    memory_bytes; never part of metrics, so that resumed and unbroken runs write the same metrics.
    """

    step: int
    epoch: float
    stage: str
    metrics: Mapping[str, float | int | str | None]
    timing: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Held-out losses. metrics: flat names such as `validation.npsc.talker`, `validation.form.in_context.talker`.

    score: the mean held-out talker loss. improved: this is the best checkpoint so far, by the recipe's rule; why: why
    it is or is not.
    """

    step: int
    stage: str
    metrics: Mapping[str, float | int | str | None]
    score: float
    improved: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class SamplesReport:
    """Test sentences spoken by a checkpoint. folder: holds the WAVs and `reference.wav` above it. takes: what was
    measured on each (`kathrine.speech.takes.Take`), with its `text` and `file`. metrics: flat names such as
    `samples.flagged`."""

    step: int
    stage: str
    folder: Path
    takes: tuple[Mapping[str, Any], ...]
    metrics: Mapping[str, float | int]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A finished checkpoint folder. reasons: why it is kept (`last`, `best`, `epoch 2`, `every`)."""

    folder: Path
    step: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended. error: one sentence, only with status `failed`. signal: what interrupted it, or 0.
    reason: why the best checkpoint is the best one, or why none is; empty where nothing was validated. undone: what an
    exporter could not do, though all it works from is on disk."""

    status: Literal["finished", "stopped_early", "interrupted", "failed"]
    step: int
    best: Path | None = None
    error: str = ""
    signal: int = 0
    reason: str = ""
    undone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """What an adapter folder says of itself. checkpoint, revision: of the base model that it belongs to; empty where
    it does not say. parts: what can be left out when it is put onto a model (`lora`, `text_projection`...). languages:
    tags that it brings, by name the row. notes: what a user should know of it."""

    folder: Path
    checkpoint: str
    revision: str
    parts: tuple[str, ...]
    languages: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A sentence that was said once. codes_TQ: int [T, Q]. wave: float32 [N], mono, at sample_rate. stop: why it ended;
    flags: what is wrong with it, if anything, each a key of `kathrine.speech.checks.ADVICE`."""

    text: str
    codes_TQ: np.ndarray
    wave: np.ndarray
    sample_rate: int
    stop: Stop
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an exporter made. checks: name -> measured value or sentence; notes: what the user should know; undone: what
    it could not do and somebody can do later, such as an upload; empty where all is well."""

    exporter: str
    folder: Path
    files: tuple[str, ...]
    checks: Mapping[str, float | str]
    notes: tuple[str, ...] = ()
    undone: str = ""
