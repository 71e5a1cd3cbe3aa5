"""What a model is known by, gives and is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import torch


Stop = Literal["end", "budget", "repetition"]
"""Why synthesis ended: the model decided so, its frame budget was used up, or it went round in circles."""


PromptForm = Literal["speaker", "in_context", "plain"]
TextLayout = Literal["streamed", "whole"]


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter of a model, known without its weights. `part` is the family's role name for it.

    layer: index of the talker layer that it lies in. position: which of the like pieces of its part, from 0, where that
    is no talker layer: a layer of the sub-talker, a head, a table of codes. piece: what it is within its layer or part,
    such as attention, mlp or norms; empty where a part is one thing.
    """

    name: str
    shape: tuple[int, ...]
    part: str
    layer: int | None = None
    position: int | None = None
    piece: str = ""

    @property
    def count(self) -> int:
        total = 1
        for size in self.shape:
            total *= size
        return total


@dataclass(frozen=True, slots=True)
class Body:
    """One stack of transformer layers of a model, with the heads that read it: what memory and time of a step follow
    from.

    Layers: normalised attention with normalised queries and keys, and a gated MLP. part: role of the
    layers; head_part: of the heads. hidden: width between layers; inner: of the MLP; queries, keys: of all query
    heads together, and of the keys (the values are as wide); head: of one attention head. vocabulary: logits of one
    head. positions: how many positions each target frame takes in it, or None where it runs over the input rows.
    heads: how many logit rows each target has. before: parts in front of it; where one of them trains, the gradient
    runs through all layers. tables: parts that are looked up, not multiplied. head_norms: whether queries and keys are
    normalised.
    """

    part: str
    head_part: str
    layers: int
    hidden: int
    inner: int
    queries: int
    keys: int
    head: int
    vocabulary: int
    positions: int | None = None
    heads: int = 1
    before: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    head_norms: bool = True


@dataclass(frozen=True, slots=True)
class RowMeaning:
    """What a row of the table of language tags means. kind: code, control, language or speaker; unused for a row that
    means nothing and can not hold a tag either. name: which one, where it has a name."""

    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the kernel may know of a model. Rates: Hz and frames per second.

    parts: role names in the order in which a person reads the model. languages: row of each language tag by name.
    taken_rows: rows of the table of language tags that mean something already, and what. free_rows: rows of it that are
    known to be free for a new language, the best one first. released: whether its weights
    are known to be trained ones; a run then refuses a checkpoint that does not fit real speech. prompt_forms: ways in
    which a prompt can say whose voice it wants: `speaker` (a speaker embedding), `in_context` (a recording and its
    text), `plain` (not at all); the first is that of a prompt without a recording. text_layouts: `streamed` (text
    beside the frames), `whole` (in front of them); the first is used where nobody asks. language_tags: whether a prompt
    can name a language at all. end_is_frame: whether the end of speech is a frame of codes like all others, which the
    sub-talker learns too.
    """

    family: str
    checkpoint: str
    revision: str
    sample_rate: int
    samples_per_frame: int
    codebooks: int
    codebook_size: int
    parts: tuple[str, ...]
    languages: Mapping[str, int] = field(default_factory=dict)
    taken_rows: Mapping[int, str] = field(default_factory=dict)
    speakers: tuple[str, ...] = ()
    released: bool = False
    prompt_forms: tuple[PromptForm, ...] = ("speaker", "in_context")
    text_layouts: tuple[TextLayout, ...] = ("streamed", "whole")
    language_tags: bool = True
    end_is_frame: bool = False
    free_rows: tuple[int, ...] = ()

    @property
    def frames_per_second(self) -> float:
        return self.sample_rate / self.samples_per_frame

    @property
    def clones_in_context(self) -> bool:
        """Whether a recording together with its text is the only way to say whose voice is wanted."""
        return "in_context" in self.prompt_forms and "speaker" not in self.prompt_forms

    def form_of(self, in_context: bool) -> PromptForm:
        """The form of a prompt with or without a recording, as reports name it."""
        return "in_context" if in_context else self.prompt_forms[0]


@dataclass(slots=True, eq=False)
class TalkerOutputs:
    """What one teacher-forced pass gives, aligned where it is born: row n of every tensor belongs together.

    logits_NV: float, codec logits of the rows that have a target. targets_N: int64. item_N: int64, which item of
    the batch a target belongs to. hidden_MH: the hidden state that PREDICTS target frame m (never the frame's
    own row), or None where a family gives none. codes_MQ: int64, the target frames. item_M: int64.
    base_logits_NV: float32, the same logits before any training, set by the kernel where a loss `needs_base`.
    """

    logits_NV: torch.Tensor
    targets_N: torch.Tensor
    item_N: torch.Tensor
    hidden_MH: torch.Tensor | None
    codes_MQ: torch.Tensor
    item_M: torch.Tensor
    base_logits_NV: torch.Tensor | None = None


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
    stop: Stop


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
