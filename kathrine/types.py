"""The frozen dataclasses that flow through a run, in the order in which they appear.

Shapes: F frames of one utterance, Q codebooks, H width of the talker's hidden state, N target rows of a batch
(every frame of every utterance, and the end of speech), M target frames of a batch, V codec vocabulary.
This module imports no torch: tensors are annotated by name only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import torch

Split = Literal["train", "validation", "test"]

# --------------------------------------------------------------------------- data


@dataclass(frozen=True, slots=True)
class Utterance:
    """One spoken sentence as a source knows it: a row of the manifest.

    `id` is unique and stable within its source (a second run gives the same ids). `audio` is a file that
    libsndfile reads; `start` and `end` (seconds) cut a part out of it. `texts` holds every written form of the
    transcript by variant name; the variant "text" always exists. `codes` is set where the row already holds
    encoded audio. `cut` marks a clip whose end is not in a pause. `reference` is a recording fixed by the
    source for this row. `facts` is carried along for reports (licence, dialect, book, meeting...).
    """

    id: str
    audio: Path | None
    texts: Mapping[str, str]
    speaker: str
    language: str = ""
    split: Split | None = None
    start: float | None = None
    end: float | None = None
    seconds: float | None = None
    reference: Path | None = None
    codes: tuple[tuple[int, ...], ...] | None = None
    cut: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.texts["text"]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """An encoded utterance: a row of the prepared corpus.

    codes_FQ: int16 [F, Q], the utterance's own codes. speaker_embedding_H: float32 [H], its own, or None for a
    family without a speaker encoder. text_ids: token ids of the spoken text, by variant. spoken: the same as
    text, by variant. reference: id of the example that is fixed as this one's reference, or None.
    """

    id: str
    entry: str
    speaker: str
    language: str
    split: Split
    seconds: float
    codes_FQ: np.ndarray
    speaker_embedding_H: np.ndarray | None
    text_ids: Mapping[str, tuple[int, ...]]
    spoken: Mapping[str, str]
    cut: bool = False
    reference: str | None = None

    @property
    def key(self) -> str:
        """Unique within a prepared corpus."""
        return f"{self.entry}/{self.id}"

    @property
    def frames(self) -> int:
        return int(self.codes_FQ.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class PromptedExample:
    """An example with every choice made that turns it into one row of a batch.

    text_ids: the drawn variant (or another utterance's, when text gain is measured). speaker_embedding_H: the
    reference's, never the target's own. reference: set when the prompt is in-context: its codes and text come
    before the target. language: name for the language tag, or None for auto. streamed: text beside the frames,
    or whole in front of them. end: whether the end of speech is a target.
    """

    example: Example
    text_ids: tuple[int, ...]
    speaker_embedding_H: np.ndarray | None
    reference: Example | None = None
    reference_text_ids: tuple[int, ...] = ()
    language: str | None = None
    streamed: bool = True
    end: bool = True

    @property
    def form(self) -> str:
        """The prompt form, as reports name it: `speaker` or `in_context`."""
        return "in_context" if self.reference is not None else "speaker"

    @property
    def layout(self) -> str:
        """The text layout, as reports name it: `streamed` or `whole`."""
        return "streamed" if self.streamed else "whole"


# --------------------------------------------------------------------------- model


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter of a model, known without its weights. `part` is the family's role name for it."""

    name: str
    shape: tuple[int, ...]
    part: str
    layer: int | None = None

    @property
    def count(self) -> int:
        total = 1
        for size in self.shape:
            total *= size
        return total


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the kernel may know of a model. Rates: Hz and frames per second.

    parts: role names in the order in which a person reads the model. released: whether its weights are known to be
    trained ones; a run then refuses a checkpoint that does not fit real speech.
    """

    family: str
    checkpoint: str
    revision: str
    sample_rate: int
    samples_per_frame: int
    codebooks: int
    codebook_size: int
    parts: tuple[str, ...]
    languages: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    released: bool = False

    @property
    def frames_per_second(self) -> float:
        return self.sample_rate / self.samples_per_frame


@dataclass(slots=True, eq=False)
class TalkerOutputs:
    """What one teacher-forced pass gives, aligned where it is born: row n of every tensor belongs together.

    logits_NV: float, codec logits of the rows that have a target. targets_N: int64. item_N: int64, which item of
    the batch a target belongs to. hidden_MH: the hidden state that PREDICTS target frame m (never the frame's
    own row), or None where a family gives none. codes_MQ: int64, the target frames. item_M: int64.
    """

    logits_NV: torch.Tensor
    targets_N: torch.Tensor
    item_N: torch.Tensor
    hidden_MH: torch.Tensor | None
    codes_MQ: torch.Tensor
    item_M: torch.Tensor


@dataclass(slots=True, eq=False)
class LossTerm:
    """A loss before division: float32 scalar `total`, to be divided by the step's `denominator`.

    sums_B: float32 [items], the same by item of the batch (detached), or None where it is not known.
    counts_B: float32 [items], what each item contributes to the denominator.
    covered / coverable: frames the loss looked at, of those it could have.
    """

    total: torch.Tensor
    covered: int
    coverable: int
    sums_B: torch.Tensor | None = None
    counts_B: torch.Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SpeechRequest:
    """What to synthesise. Either a speaker embedding, or a speaker's name, or (family permitting) neither.

    text_ids: token ids of the spoken text. reference_codes_RQ and reference_text_ids: set together for in-context
    cloning. language: name for the language tag, or None for auto. instruct_ids: token ids of an instruction.
    """

    text_ids: tuple[int, ...]
    speaker_embedding_H: np.ndarray | None = None
    speaker: str | None = None
    language: str | None = None
    streamed: bool = True
    reference_codes_RQ: np.ndarray | None = None
    reference_text_ids: tuple[int, ...] = ()
    instruct_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How codes are drawn. greedy ignores temperature, top_k and top_p of the talker, sub_greedy the sub-talker's."""

    greedy: bool = False
    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.05
    sub_greedy: bool = False
    sub_temperature: float = 0.9
    sub_top_k: int = 50
    sub_top_p: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """One synthesised utterance. codes_TQ: int16 [T, Q]; stop: why it ended; reference frames are not in it."""

    codes_TQ: np.ndarray
    stop: Literal["end", "budget"]


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """One line of a self-test. measured and limit are printed beside each other; explanation is one sentence."""

    name: str
    passed: bool
    measured: float
    limit: float
    explanation: str


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What the cached facts of an utterance depend on in a model: one string each, equal exactly when the
    results are. speaker is empty for a family without a speaker encoder."""

    codec: str
    speaker: str
    text: str


# --------------------------------------------------------------------------- strategies


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

    score: the number that `best` minimises. improved: it is the lowest so far.
    """

    step: int
    stage: str
    metrics: Mapping[str, float | int | str | None]
    score: float
    improved: bool


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A finished checkpoint folder. reasons: why it is kept (`last`, `best`, `epoch 2`, `every`)."""

    folder: Path
    step: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended. error: one sentence, only with status `failed`. signal: what interrupted it, or 0."""

    status: Literal["finished", "stopped_early", "interrupted", "failed"]
    step: int
    best: Path | None = None
    error: str = ""
    signal: int = 0


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an exporter made. checks: name -> measured value or sentence; notes: what the user should know."""

    exporter: str
    folder: Path
    files: tuple[str, ...]
    checks: Mapping[str, float | str]
    notes: tuple[str, ...] = ()
