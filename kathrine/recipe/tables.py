"""The kernel's own tables of a recipe. What a component adds to it stands beside the component.

Field docstrings are the documentation of the recipe reference and of `kathrine schema`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from kathrine.components import Options
from kathrine.recipe.quality import QualityOptions


class RunTable(Options):
    """`[run]`: the run itself."""

    name: str = ""
    """Name of the run; empty takes the recipe's file name."""
    folder: str = ""
    """Run folder; empty takes `runs/NAME` below the current folder."""
    seed: int = Field(default=1234, ge=0)
    """The one seed: data order, prompt forms, new weights, dropout and sampled frames all follow from it."""
    offline: bool = False
    """Fetch nothing; use only what lies in the workspace already."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs; auto takes CUDA where there is one."""


class DataTable(Options):
    """`[[data]]`: one use of a source. The source's own options stand in the same table."""

    source: str
    """Which source: a name from `kathrine plugins`."""
    name: str = ""
    """Name of this entry, unique in the recipe; empty takes the source's name."""
    share: float | None = Field(default=None, gt=0)
    """Weight of this entry where entries are blended; none on every entry: in proportion to their utterances.
    """
    max_hours: float | None = Field(default=None, gt=0)
    """Take no more than this much accepted audio."""
    speakers: list[str] = Field(default_factory=list)
    """Keep only speakers whose name contains one of these, upper and lower case alike; empty keeps all."""
    speaker_cap_minutes: float | None = Field(default=None, gt=0)
    """Take no more than this much accepted audio of one speaker."""
    speaker_floor_minutes: float = Field(default=0.0, ge=0)
    """Leave out speakers with less accepted audio than this."""
    variants: dict[str, float] = Field(default_factory=lambda: {"text": 1.0})
    """Written forms of the transcript to train on, with their shares; drawn per utterance and epoch."""
    reference: Literal["another", "fixed", "file"] = "another"
    """Recording that gives the voice: another utterance of the speaker drawn per epoch, one that stays the
    same for each utterance, or the file of `reference_file`. Never the utterance itself."""
    reference_file: str = Field(default="", json_schema_extra={"path": True})
    """The recording for `reference = "file"`."""
    validation_share: float = Field(default=0.05, ge=0, lt=1)
    """Share of utterances held out where the source brings no validation split of its own."""


class PrepareTable(QualityOptions):
    """`[prepare]`: from recordings to the prepared corpus."""

    trim: bool = True
    """Cut silence at both ends down to `pad_ms`."""
    trim_db: float = Field(default=45.0, gt=0)
    """Silence at the ends: this much under the peak."""
    pad_ms: float = Field(default=100.0, ge=0)
    """Silence left at each end by `trim`."""
    highpass_hz: float = Field(default=50.0, ge=0)
    """Remove rumble below this frequency; 0 turns it off."""
    loudness_lufs: float = Field(default=-23.0, le=0)
    """Bring every utterance to this loudness (ITU-R BS.1770); 0 leaves loudness alone."""
    peak_db: float = Field(default=-1.0, le=0)
    """Peak limit in dBFS: the gain is reduced, nothing is clipped."""
    single_utterance_speakers: Literal["drop", "own"] = "drop"
    """Utterances without another one of their speaker: leave them out, or let them be their own reference
    (which teaches the model to copy)."""
    batch: int = Field(default=16, ge=1)
    """Utterances encoded at once, at most."""
    batch_seconds: float = Field(default=160.0, gt=0)
    """Seconds of (padded) audio encoded at once, at most: what bounds the memory."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where codec and speaker encoder run."""
    workers: int = Field(default=0, ge=0)
    """Processes that decode and condition recordings; 0: one for each core, 8 at most, and none while there are fewer
    than 64 recordings to listen to."""


class PromptTable(Options):
    """`[prompt]`: the forms in which utterances are put to the model, drawn for each utterance and epoch."""

    streamed: float = Field(default=0.5, ge=0, le=1)
    """Share with the text beside the frames (the default of voice cloning); the rest has it whole in front.
    """
    in_context: float = Field(default=0.3, ge=0, le=1)
    """Share with a reference recording and its text in the prompt; the rest has its speaker embedding only.
    """
    language_tag: float = Field(default=0.9, ge=0, le=1)
    """Share with the language tag; the rest is left to auto. Without a tag for the language all is auto."""
    max_reference_seconds: float = Field(default=8.0, gt=0)
    """Longest recording used as an in-context reference; an utterance without one that fits keeps the
    embedding.
    """


class BatchTable(Options):
    """`batch = {examples = N}` or `batch = {frames = N}`."""

    examples: int | None = Field(default=None, ge=1)
    """Utterances in one forward pass, over all processes together."""
    frames: int | None = Field(default=None, ge=1)
    """Input rows of the padded rectangle in one forward pass, over all processes together, at most."""

    @model_validator(mode="after")
    def one_of_two(self) -> BatchTable:
        if (self.examples is None) == (self.frames is None):
            raise ValueError(
                "give exactly one of examples and frames: batch = { frames = N } takes the place of the other"
            )
        return self


class TrainTable(Options):
    """`[train]`: the loop."""

    epochs: float | None = Field(default=None, ge=0)
    """Length of a run without a curriculum, in passes over the data; 0 takes back an inherited value."""
    steps: int | None = Field(default=None, ge=0)
    """Length of a run without a curriculum, in optimizer updates; 0 takes back an inherited value."""
    batch: BatchTable = Field(default_factory=lambda: BatchTable(examples=4))
    """Size of one forward pass."""
    accumulation: int = Field(default=4, ge=1)
    """Forward passes per optimizer update."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """bf16: autocast, frozen weights in bf16, trained ones in fp32."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning rates after the warm-up."""
    warmup_steps: int = Field(default=50, ge=0)
    """Updates over which learning rates rise from 0."""
    final_lr_share: float = Field(default=0.1, ge=0, le=1)
    """Where cosine ends, as a share of the peak."""
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(
        default_factory=lambda: [0.9, 0.999], min_length=2, max_length=2
    )
    """AdamW's betas."""
    eps: float = Field(default=1e-8, gt=0)
    """AdamW's epsilon."""
    clip: float = Field(default=1.0, ge=0)
    """Largest gradient norm; 0 turns clipping off (the norm is still reported)."""
    gradient_checkpointing: bool = False
    """Recompute layers in the backward pass: less memory, more time."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of an average of the trained weights kept in float32; 0 turns it off. When on, validation, best
    and export use it."""
    max_skipped: int = Field(default=10, ge=1)
    """Stop after this many updates in a row that were skipped because a number was not finite."""
    checkpoint_every: int = Field(default=500, ge=1)
    """Updates between checkpoints."""
    keep_last: int = Field(default=2, ge=1)
    """Newest checkpoints kept."""
    keep_epochs: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)
    """Epochs whose last checkpoint is kept for good (early epochs often sound best)."""
    keep_every: int = Field(default=0, ge=0)
    """Keep the checkpoint of every so many updates for good; 0: none."""

    export_from: Literal["best", "last"] = "best"
    """Checkpoint that samples and exports are made from: the best one by `validation.best_by`, or the newest."""

    @field_validator("epochs", "steps")
    @classmethod
    def zero_is_unset(cls, value: float | None) -> float | None:
        return value or None

    @model_validator(mode="after")
    def one_length(self) -> TrainTable:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give epochs or steps, not both")
        return self


class ValidationTable(Options):
    """`[validation]`: held-out losses."""

    every: int = Field(default=250, ge=1)
    """Updates between validations; one more is made before the first update and one at each stage's end."""
    utterances: int = Field(default=64, ge=1)
    """Held-out utterances per data entry, at most; the same ones every time."""
    text_gain_utterances: int = Field(default=16, ge=0)
    """Of these, how many are also scored with another utterance's text."""
    patience: int = Field(default=0, ge=0)
    """Stop early after this many validations without a better score; 0: never."""
    min_delta: float = Field(default=0.0, ge=0)
    """What counts as better."""
    stop: Literal["run", "stage"] = "run"
    """What early stopping ends."""
    best_by: Literal["flags_then_loss", "loss"] = "flags_then_loss"
    """Which checkpoint is the best one. flags_then_loss: as few flagged test sentences as possible, and among equals
    the lowest held-out loss; more than 5 % flagged is never the best. loss: the lowest held-out loss alone."""


class SpeakTable(Options):
    """`[speak]`: test sentences, spoken while the run trains and at its end."""

    sentences: list[str] = Field(default_factory=list)
    """What to say, all of it; empty takes the first `count` of the language's test sentences."""
    count: int = Field(default=20, ge=0)
    """How many of the language's sentences; 0 turns speaking off."""
    every: int = Field(default=0, ge=0)
    """Updates between two times that they are spoken; 0: with every validation, which is what lets the choice of the
    best checkpoint go by them."""
    reference_file: str = Field(default="", json_schema_extra={"path": True})
    """Recording that gives the voice; empty takes a held-out utterance of the first data entry."""
    max_seconds: float = Field(default=20.0, gt=0)
    """Hard budget of one sentence."""
    greedy: bool = False
    """Always take the most likely code; temperatures are then refused, not ignored."""
    temperature: float | None = Field(default=None, gt=0)
    """Sampling temperature of talker and sub-talker; the default is the checkpoint's 0.9."""
    top_k: int | None = Field(default=None, ge=1)
    """Codes to draw from; the default is the checkpoint's 50."""

    @model_validator(mode="after")
    def no_contradiction(self) -> SpeakTable:
        if self.greedy and (self.temperature is not None or self.top_k is not None):
            raise ValueError("greedy ignores temperature and top_k: leave them out, or set greedy = false")
        return self


KERNEL_TABLES: dict[str, type[Options]] = {
    "run": RunTable,
    "prepare": PrepareTable,
    "prompt": PromptTable,
    "train": TrainTable,
    "validation": ValidationTable,
    "speak": SpeakTable,
}
"""Tables of a recipe that belong to the kernel, beside `[[data]]`, `extends`, `[profile]` and the kinds' own.
"""

KIND_TABLES: dict[str, str] = {
    "model": "model",
    "language": "language",
    "strategy": "strategy",
    "loss": "loss",
    "curriculum": "curriculum",
    "evaluate": "metric",
    "track": "tracker",
    "export": "exporter",
}
"""Table name of a recipe -> kind of component."""
