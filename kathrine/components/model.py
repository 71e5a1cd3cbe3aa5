"""The kind `model`: a family of architectures, and what it loads. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from kathrine.components.base import Component, Progress
from kathrine.components.protocols import Codec, Collated
from kathrine.types import (
    Body,
    Fingerprints,
    Generated,
    ModelFacts,
    ParameterSpec,
    PromptedExample,
    RowMeaning,
    Sampling,
    SelfCheck,
    SpeechRequest,
    TalkerOutputs,
)
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import torch


class SpeechModel(ABC):
    """A loaded model. All trained computation goes through `forward`.

    facts: see ModelFacts. network: everything that has weights. specs: all parameters as the family knows them.
    originals: the parameter objects by official name, taken before any strategy touched the network; they stay
    valid when layers are wrapped and renamed.
    """

    facts: ModelFacts
    network: torch.nn.Module
    specs: tuple[ParameterSpec, ...]
    originals: dict[str, torch.nn.Parameter]

    @abstractmethod
    def rows(self, item: PromptedExample) -> int:
        """Input rows that this item takes: what batches are sorted and filled by."""

    @abstractmethod
    def collate(self, items: Sequence[PromptedExample]) -> Collated:
        """One batch on the CPU, right-padded with finite zeros."""

    @abstractmethod
    def forward(self, batch: Collated) -> TalkerOutputs:
        """One teacher-forced pass, outputs aligned with their targets."""

    def sub_talker_losses(self, hidden_MH: torch.Tensor, codes_MQ: torch.Tensor) -> torch.Tensor:
        """Cross entropy, float32 [M, Q-1] in nats, of codebooks 1.. of each frame, teacher-forced.

        Given: the hidden states and codes of `forward`, or the same selection of frames from both. Which head
        belongs to which codebook is known to the family alone, as all alignment is.
        Raises: KathrineError for a family without a sub-talker.
        """
        from kathrine.errors import KathrineError

        raise KathrineError(f"{self.facts.family} has no sub-talker", "leave loss.sub_talker out of the recipe")

    @abstractmethod
    def generate(
        self,
        requests: Sequence[SpeechRequest],
        sampling: Sampling,
        max_frames: int,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
        repeats: Callable[[Sequence[int]], bool] | None = None,
    ) -> list[Generated]:
        """Synthesise codes. max_frames is a hard budget for each request; progress gets the frames made so far.

        repeats: given the first codebook of one request so far, now and then; True ends that request there, with
        stop `repetition`. None lets it go on.
        """

    def language_id(self, language: str) -> int | None:
        """Row of the language's tag in the table `language_table()`, or None where the model has no such tag."""
        return None

    def language_table(self) -> str:
        """Official name of the table that holds language tags. Raises KathrineError where there is none."""
        from kathrine.errors import KathrineError

        raise KathrineError(f"{self.facts.family} has no language tags", "leave strategy.language_tag out")

    def voice_table(self) -> str:
        """Official name of the table in which a speaker whom the model brings has a row: that speaker's embedding.

        Raises: KathrineError where there is none.
        """
        from kathrine.errors import KathrineError

        raise KathrineError(f"{self.facts.family} brings no speakers of its own", "leave export.custom_voice out")

    def row_meanings(self) -> dict[int, RowMeaning]:
        """What the rows of `language_table()` mean; a row that is missing here is free for a new tag.

        By default: rows below the codebook's size are codes, and what `facts` says of languages and taken rows.
        """
        meanings = {row: RowMeaning("code") for row in range(self.facts.codebook_size)}
        meanings |= {row: RowMeaning("control", name) for row, name in self.facts.taken_rows.items()}
        return meanings | {row: RowMeaning("language", name) for name, row in self.facts.languages.items()}

    def add_language(self, language: str, row: int, start_H: torch.Tensor) -> torch.nn.Parameter:
        """Give the model a tag of its own for `language`: a new float32 vector put in by the prompt layout.

        Given: row, its id, at which an export writes it; start_H, its first value. Returns the parameter.
        Raises: KathrineError where the family has no tags or the row is taken.
        """
        from kathrine.errors import KathrineError

        raise KathrineError(f"{self.facts.family} has no language tags", "leave strategy.language_tag out")

    def mute_language(self, language: str) -> AbstractContextManager[None]:
        """Within it prompts that name `language` are built as auto: what the model did before it had the tag.

        Raises: KathrineError where the model has no such tag.
        """
        from kathrine.errors import KathrineError

        raise KathrineError(f"{self.facts.family} has no language tags", "leave strategy.language_tag out")

    def gradient_checkpointing(self, on: bool) -> None:  # noqa: B027  a family without it need not say so
        """Trade time for memory: recompute layers in the backward pass (non-reentrant)."""

    def self_test(self) -> list[SelfCheck]:
        """Prove the alignment on codes that the model generates itself. Empty where a family has no such test."""
        return []


class ModelFamily(Component):
    """One architecture: everything that is known about it lives here. `[model.NAME]` in a recipe.

    Options must have `checkpoint` (a folder, a Hub id, or a name that the family embeds) and `revision`.
    """

    kind = "model"
    library: ClassVar[str] = ""
    """Package that loads its checkpoints without kathrine, by the name that the Hub files models under; empty where
    there is none."""
    tiny: ClassVar[str] = ""
    """The `checkpoint` that the family embeds: a few small layers for tests and smoke profiles, built in the workspace
    without network; empty where it has none."""

    @abstractmethod
    def facts(self, workspace: Workspace) -> ModelFacts | None:
        """From the configuration alone, without weights, network or torch; None where it is not at hand.

        Raises: OtherFamilyError for a checkpoint of another family, so that the others are asked.
        """

    @abstractmethod
    def parameters(self, workspace: Workspace) -> tuple[ParameterSpec, ...] | None:
        """Every parameter, in pure Python, equal to the real model's; None where the config is not at hand."""

    def bodies(self, workspace: Workspace) -> tuple[Body, ...] | None:
        """The stacks of transformer layers in the order of the forward pass, from the configuration alone: what the
        memory and the time of a step are estimated from. None where the config is not at hand, and for a family that is
        not made of such layers: its estimate is then weights and optimizer alone."""
        return None

    def at_hand(self, workspace: Workspace) -> bool:
        """Whether `fetch` would have nothing to download."""
        return True

    def reachable(self, workspace: Workspace) -> Iterable[str] | None:
        """Sentences about why `fetch` could not download a checkpoint that is not at hand; empty where it could.

        One short request, nothing is fetched. None where a family does not say. Raises: KathrineError, which counts as
        such a sentence.
        """
        return None

    @abstractmethod
    def fetch(self, workspace: Workspace, progress: Progress, offline: bool = False) -> None:
        """Bring the checkpoint here and check every file before any work; twice is harmless.

        Raises: KathrineError naming the file that is missing or broken, or, where it can not be downloaded
        (offline: may not be), one sentence and the remedy.
        """

    @abstractmethod
    def fingerprints(self, workspace: Workspace) -> Fingerprints:
        """Keys of the three caches; needs the fetched files, not the loaded model."""

    @abstractmethod
    def open_codec(self, workspace: Workspace, device: str = "cpu", decode_only: bool = False) -> Codec:
        """The speech tokenizer, in float32."""

    @abstractmethod
    def open_text(self, workspace: Workspace) -> Callable[[str], tuple[int, ...]]:
        """A function from spoken text to token ids of its body."""

    def open_text_tokens(self, workspace: Workspace) -> Callable[[str], tuple[tuple[int, bytes], ...]] | None:
        """A function from spoken text to its tokens: id, and the bytes that it stands for, which joined are the text in
        UTF-8. None for a family that can not tell: then it is not known which letters fall apart."""
        return None

    def open_speaker_encoder(
        self, workspace: Workspace, device: str = "cpu"
    ) -> Callable[[np.ndarray], np.ndarray] | None:
        """A function from a wave to its speaker embedding float32 [H], or None for a family without one."""
        return None

    @abstractmethod
    def load(self, workspace: Workspace, device: str = "cpu", dtype: str = "fp32") -> SpeechModel:
        """The model with frozen weights in `dtype` ("fp32" or "bf16"), in eval mode."""

    def voice_rows(
        self, workspace: Workspace, wanted: Mapping[str, int | None], languages: Mapping[str, int]
    ) -> tuple[dict[str, int], list[str]]:
        """Where speakers can be added to those that the model brings.

        Given: wanted, by name the row, None for the next one that is free; languages, tags that will be added too.
        Returns: the row of each name, and a sentence for everything that stands against it; where the configuration
        is not at hand, no rows and what is known without it. Needs no torch.
        """
        return {}, [f"model.{self.name} brings no speakers of its own: use export.merged"]

    def write_checkpoint(
        self,
        workspace: Workspace,
        folder: Path,
        weights: Mapping[str, torch.Tensor],
        dtype: str,
        languages: Mapping[str, int],
        *,
        max_shard_bytes: int = 0,
        voices: Mapping[str, int] | None = None,
        keep_base: bool = True,
    ) -> tuple[str, ...]:
        """A complete checkpoint in the official layout, written atomically; returns its files.

        Given: weights, float32 by official name; languages, tags to add to the configuration; max_shard_bytes, above
        which weights are divided into several files (0: never); voices, speakers to add to those that the model
        brings, by name the row, whose embeddings stand in `weights` already; keep_base, whether a model with voices
        still takes other voices from recordings. Raises: KathrineError for a family that can not.
        """
        from kathrine.errors import KathrineError

        raise KathrineError(f"model.{self.name} can not write checkpoints", "use another exporter")

    def code_elsewhere(self, place: str, text: str, language: str, speaker: str = "") -> str:
        """Python for a card that speaks with a complete checkpoint of this family in the package `library`.

        Given: place and text, Python expressions for the checkpoint's folder or id and for what is said; language, its
        tag, empty for none; speaker, one of the checkpoint's own voices, empty where a recording gives the voice.
        Returns: empty without such a package.
        """
        return ""

    def adapter_elsewhere(
        self, base: str, folder: str, text: str, parts: Collection[str], languages: Mapping[str, int]
    ) -> str:
        """The same for an adapter: Python that puts it onto a model of that package.

        Given: base, folder and text, Python expressions for the base model, the adapter's folder and what is said;
        parts, as `AdapterFacts.parts`; languages, tags that it brings, by name the row.
        """
        return ""
