"""A loaded Qwen3-TTS as the kernel trains and asks it: layout, objective and generation behind one door.

Legend: N talker targets, M target frames, Q codebooks, H talker width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from kathrine.components import SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import (
    Generated,
    ModelFacts,
    PromptedExample,
    RowMeaning,
    Sampling,
    SelfCheck,
    SpeechRequest,
    TalkerOutputs,
)
from kathrine_qwen3_tts.batches import CollatedRows, collate
from kathrine_qwen3_tts.checkpoint import read_tensors
from kathrine_qwen3_tts.config import read_config, taken_rows
from kathrine_qwen3_tts.facts import model_specs
from kathrine_qwen3_tts.generation import generate
from kathrine_qwen3_tts.layout import (
    Prompt,
    control_ids,
    language_id,
    row_count,
    speaker_id,
    training_rows,
)
from kathrine_qwen3_tts.network import TtsNetwork, load_network
from kathrine_qwen3_tts.objective import aligned_outputs, sub_talker_losses
from kathrine_qwen3_tts.selftest import self_test
from kathrine_qwen3_tts.text import TextTokenizer

TAG_TABLE = "talker.model.codec_embedding.weight"
TAG_ROWS = 1024
"""The last rows of the codec embedding are for control ids, language tags and speakers; no code is among
them."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Qwen3TtsModel(SpeechModel):
    """Network, tokenizer facts and configuration of one checkpoint.

    A model whose frozen weights are bf16 computes under autocast, whoever calls it, so that weights
    trained in float32 fit beside them.
    """

    def __init__(self, network: TtsNetwork, facts: ModelFacts, role_ids: Sequence[int], dtype: str = "fp32") -> None:
        self.network: TtsNetwork = network
        self.facts = facts
        self.config: dict[str, Any] = network.config
        self.specs = model_specs(network.config)
        named = dict(network.named_parameters())
        self.originals = {spec.name: named[spec.name] for spec in self.specs}
        self.role_ids = tuple(role_ids)
        self.dtype = dtype
        self._control = control_ids(network.config)
        self._muted: set[str] = set()

    def _computing(self) -> AbstractContextManager[Any]:
        device = self.network.device.type
        if self.dtype == "fp32" or torch.is_autocast_enabled(device):
            return nullcontext()
        return torch.autocast(device, dtype=torch.bfloat16)

    # ---- training

    def _tag(self, language: str | None, speaker: str | None = None) -> int | None:
        name = None if language is None or language.lower() in self._muted else language
        return language_id(self.config, name, speaker)

    def prompt(self, item: PromptedExample) -> Prompt:
        """The prompt of one training item; a reference's text and frames stand in front of the target's."""
        reference = item.reference
        return Prompt(
            role_ids=self.role_ids,
            body_ids=(*(item.reference_text_ids if reference else ()), *item.text_ids),
            language_id=self._tag(item.language),
            speaker_embedding=item.speaker_embedding_H,
            streamed=item.streamed,
            reference_codes=reference.codes_FQ if reference else None,
        )

    def rows(self, item: PromptedExample) -> int:
        return row_count(self.prompt(item), item.example.frames)

    def collate(self, items: Sequence[PromptedExample]) -> CollatedRows:
        return collate(
            [training_rows(self.prompt(item), item.example.codes_FQ, self._control, item.end) for item in items]
        )

    def forward(self, batch: Any) -> TalkerOutputs:
        with self._computing():
            return aligned_outputs(self.network, batch)

    def sub_talker_losses(self, hidden_MH: torch.Tensor, codes_MQ: torch.Tensor) -> torch.Tensor:
        with self._computing():
            return sub_talker_losses(self.network.sub_talker_logits(hidden_MH, codes_MQ), codes_MQ)

    def gradient_checkpointing(self, on: bool) -> None:
        self.network.set_gradient_checkpointing(on)

    # ---- language tags

    def language_id(self, language: str) -> int | None:
        name = language.lower()
        known = {key.lower(): int(row) for key, row in self.config["talker_config"]["codec_language_id"].items()}
        return None if name in self._muted else known.get(name)

    def language_table(self) -> str:
        return TAG_TABLE

    def voice_table(self) -> str:
        return TAG_TABLE

    def row_meanings(self) -> dict[int, RowMeaning]:
        first = self.originals[TAG_TABLE].shape[0] - TAG_ROWS
        codes = self.facts.codebook_size
        meanings = {row: RowMeaning("code" if row < codes else "unused") for row in range(first)}
        for row, told in taken_rows(self.config).items():
            kind, _, name = told.removeprefix("the ").partition(" ")
            meanings[row] = RowMeaning(kind, name.removeprefix("id "))
        return meanings

    def add_language(self, language: str, row: int, start_H: torch.Tensor) -> torch.nn.Parameter:
        table_VH = self.originals[TAG_TABLE]
        first, last = table_VH.shape[0] - TAG_ROWS, table_VH.shape[0] - 1
        if not first <= row <= last:
            raise KathrineError(
                f"row {row} can not hold a language tag",
                f"choose a free row between {first} and {last}, such as 2100",
            )
        taken = taken_rows(self.config).get(row)
        if taken is not None and self.language_id(language) != row:
            raise KathrineError(
                f"row {row} is taken by {taken}", "choose a free row; 2100 is free in the released models"
            )
        if start_H.shape != table_VH.shape[1:]:
            raise KathrineError(
                f"a tag of shape {list(start_H.shape)} does not fit a model of width {table_VH.shape[1]}",
                "train the tag on a model of this size",
            )
        vector_H = torch.nn.Parameter(start_H.detach().float().to(table_VH.device).clone())
        self.network.language_tag_vectors[str(row)] = vector_H
        self.config["talker_config"]["codec_language_id"][language.lower()] = row
        return vector_H

    @contextmanager
    def mute_language(self, language: str) -> Iterator[None]:
        name = language.lower()
        if self.language_id(name) is None and name not in self._muted:
            raise KathrineError(f"the model has no language tag for {language!r}", "add it first")
        before = set(self._muted)
        self._muted.add(name)
        try:
            yield
        finally:
            self._muted = before

    # ---- speech

    def request_prompt(self, request: SpeechRequest) -> Prompt:
        """The prompt of one synthesis request.

        Raises: KathrineError for a language or speaker that the model does not know, and for a reference that
        lacks its codes or its text.
        """
        reference = request.reference_codes_RQ
        if (reference is None) != (not request.reference_text_ids):
            raise KathrineError(
                "an in-context reference needs both its codes and its text",
                "give both, or neither to use the voice alone",
            )
        return Prompt(
            role_ids=self.role_ids,
            body_ids=(*request.reference_text_ids, *request.text_ids),
            instruct_ids=request.instruct_ids,
            language_id=self._tag(request.language, request.speaker),
            speaker_embedding=request.speaker_embedding_H,
            speaker_id=None if request.speaker is None else speaker_id(self.config, request.speaker),
            streamed=request.streamed,
            reference_codes=reference,
        )

    def generate(
        self,
        requests: Sequence[SpeechRequest],
        sampling: Sampling,
        max_frames: int,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
        repeats: Callable[[Sequence[int]], bool] | None = None,
    ) -> list[Generated]:
        prompts = [self.request_prompt(request) for request in requests]
        with self._computing():
            return generate(self.network, prompts, sampling, max_frames, seed, progress, repeats)

    def self_test(self) -> list[SelfCheck]:
        with self._computing():
            return self_test(self.network)


def load_model(folder: Path, facts: ModelFacts, device: str = "cpu", dtype: str = "fp32") -> Qwen3TtsModel:
    """Load a checkpoint folder, all weights frozen and in `dtype` ("fp32" or "bf16"), in eval mode.

    Raises: KathrineError for a dtype of another name and for weights that do not fit the configuration.
    """
    if dtype not in DTYPES:
        raise KathrineError(f"precision {dtype!r} is not known", f"use one of {', '.join(DTYPES)}")
    # a copy: adding a language tag writes into it
    config = deepcopy(read_config(folder))
    network = load_network(config, dict(read_tensors(folder)), DTYPES[dtype], device).requires_grad_(False)
    network.config = config
    return Qwen3TtsModel(network, facts, TextTokenizer(folder).role_ids, dtype)
