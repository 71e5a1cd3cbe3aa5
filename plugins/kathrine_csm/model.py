"""A loaded CSM as the kernel trains and asks it: layout, objective and generation behind one door.

Legend: M target frames, Q codebooks, H backbone width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from kathrine.components import SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import (
    Generated,
    ModelFacts,
    PromptedExample,
    Sampling,
    SelfCheck,
    SpeechRequest,
    TalkerOutputs,
)
from kathrine_csm.checkpoint import read_tensors
from kathrine_csm.config import model_specs, read_config
from kathrine_csm.generation import generate
from kathrine_csm.layout import CollatedRows, Prompt, collate, training_rows
from kathrine_csm.network import CsmNetwork, load_network
from kathrine_csm.objective import aligned_outputs, sub_talker_losses
from kathrine_csm.selftest import self_test
from kathrine_csm.text import TextTokenizer

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class CsmModel(SpeechModel):
    """Network and tokenizer facts of one checkpoint. begin, end: text ids around every text.

    A model whose frozen weights are bf16 computes under autocast, whoever calls it, so that weights trained in float32
    fit beside them.
    """

    def __init__(self, network: CsmNetwork, facts: ModelFacts, begin: int, end: int, dtype: str = "fp32") -> None:
        self.network: CsmNetwork = network
        self.facts = facts
        self.specs = model_specs(network.config)
        self.originals = dict(network.named_parameters())
        self.begin, self.end = begin, end
        self._dtype = dtype

    def _computing(self) -> AbstractContextManager[Any]:
        device = self.network.device.type
        if self._dtype != "bf16" or torch.is_autocast_enabled(device):
            return nullcontext()
        return torch.autocast(device, torch.bfloat16)

    # ---- training

    def prompt(self, item: PromptedExample) -> Prompt:
        """The prompt of one training item. Raises: KathrineError for a language tag or a voice that is a vector."""
        return self._prompt(
            item.text_ids,
            item.reference_text_ids if item.reference is not None else (),
            item.reference.codes_FQ if item.reference is not None else None,
            item.language,
            item.speaker_embedding_H is not None,
        )

    def _prompt(
        self, text_ids: Sequence[int], reference_ids: Sequence[int], reference: Any, language: str | None, vector: bool
    ) -> Prompt:
        if language is not None:
            raise KathrineError(
                f"{self.facts.checkpoint} has no language tag for {language!r}", "it has none at all: use auto"
            )
        if vector:
            raise KathrineError(
                f"{self.facts.checkpoint} takes no speaker embedding", "give a recording and what is said in it"
            )
        return Prompt(self.begin, self.end, text_ids, reference_ids, reference)

    def rows(self, item: PromptedExample) -> int:
        return self.prompt(item).length + item.example.frames

    def collate(self, items: Sequence[PromptedExample]) -> CollatedRows:
        end_code = self.network.end_code
        return collate([training_rows(self.prompt(item), item.example.codes_FQ, end_code, item.end) for item in items])

    def forward(self, batch: Any) -> TalkerOutputs:
        with self._computing():
            return aligned_outputs(self.network, batch)

    def sub_talker_losses(self, hidden_MH: torch.Tensor, codes_MQ: torch.Tensor) -> torch.Tensor:
        with self._computing():
            return sub_talker_losses(self.network.sub_talker_logits(hidden_MH, codes_MQ), codes_MQ)

    def gradient_checkpointing(self, on: bool) -> None:
        self.network.set_gradient_checkpointing(on)

    # ---- speech

    def request_prompt(self, request: SpeechRequest) -> Prompt:
        """The prompt of one synthesis request.

        Raises: KathrineError for what CSM can not be asked for: named speakers, speaker embeddings, language tags,
        instructions, half a reference.
        """
        if request.speaker is not None:
            raise KathrineError(
                f"{self.facts.checkpoint} has no speaker named {request.speaker!r}", "give a recording and its text"
            )
        if request.instruct_ids:
            raise KathrineError(f"{self.facts.checkpoint} takes no instructions", "leave the instruction out")
        return self._prompt(
            request.text_ids,
            request.reference_text_ids,
            request.reference_codes_RQ,
            request.language,
            request.speaker_embedding_H is not None,
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
            return self_test(self.network, self.begin, self.end)


def load_model(folder: Path, facts: ModelFacts, device: str = "cpu", dtype: str = "fp32") -> CsmModel:
    """Load a checkpoint folder, all weights frozen and in `dtype` ("fp32" or "bf16"), in eval mode.

    Raises: KathrineError for a dtype of another name and for weights that do not fit the configuration.
    """
    if dtype not in DTYPES:
        raise KathrineError(f"precision {dtype!r} is not known", f"use one of {', '.join(DTYPES)}")
    network = load_network(read_config(folder), dict(read_tensors(folder)), DTYPES[dtype], device)
    tokenizer = TextTokenizer(folder)
    return CsmModel(network.requires_grad_(False), facts, tokenizer.begin, tokenizer.end, dtype)
