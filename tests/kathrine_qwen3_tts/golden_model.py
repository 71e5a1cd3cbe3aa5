"""What the golden tests of the network share: checkpoints, traces, prompts, and the planted defects."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kathrine_qwen3_tts import batches, layout, network, objective
from kathrine_qwen3_tts.layout import Prompt

GOLD = Path(__file__).resolve().parents[1] / "data" / "gold"
CHECKPOINTS = ("tiny-0b6", "tiny-1b7")


@functools.cache
def recorded(name: str) -> dict:
    """cases.json of one checkpoint: cheap, so that tests can be collected from it."""
    return json.loads((GOLD / f"{name}.gold" / "cases.json").read_text(encoding="utf-8"))


@functools.cache
def gold(name: str) -> SimpleNamespace:
    """Config, cases, traces and the loaded network of one golden checkpoint. Do not change its weights."""
    config = json.loads((GOLD / name / "config.json").read_text(encoding="utf-8"))
    return SimpleNamespace(
        name=name,
        config=config,
        control=layout.control_ids(config),
        cases=recorded(name),
        traces=load_file(GOLD / f"{name}.gold" / "gold.safetensors"),
        network=fresh_network(name),
    )


def fresh_network(name: str) -> network.TtsNetwork:
    config = json.loads((GOLD / name / "config.json").read_text(encoding="utf-8"))
    return network.load_network(config, load_file(GOLD / name / "model.safetensors"))


def golden_prompt(data: SimpleNamespace, sequence: dict, streamed: bool) -> Prompt:
    """The prompt of one recorded sequence (a generation or a training one)."""
    ids, reference = sequence["target_ids"], sequence.get("ref_ids")
    trace = data.traces
    codes = None
    if reference:
        frames = sequence.get("ref_frames")
        codes = trace[sequence["codes"]][:frames] if frames else trace[sequence["ref_codes"]]
    speaker, xvector = sequence.get("speaker"), sequence.get("xvector")
    return Prompt(
        role_ids=ids[:3],
        body_ids=(reference[3:-2] if reference else []) + ids[3:-5],
        instruct_ids=sequence.get("instruct_ids") or [],
        language_id=layout.language_id(data.config, sequence["language"], speaker),
        speaker_embedding=trace[xvector].numpy() if xvector else None,
        speaker_id=layout.speaker_id(data.config, speaker) if speaker else None,
        streamed=streamed,
        reference_codes=codes.numpy() if codes is not None else None,
    )


def largest(measured: torch.Tensor, expected: torch.Tensor) -> float:
    assert measured.shape == expected.shape
    return float((measured - expected).detach().abs().max())


def training_batch(data: SimpleNamespace, case: dict) -> batches.CollatedRows:
    rows = []
    for sequence in case["sequences"]:
        prompt = golden_prompt(data, sequence, streamed=not sequence["non_streaming_mode"])
        codes = data.traces[sequence["codes"]].numpy()[sequence["ref_frames"] :]
        rows.append(layout.training_rows(prompt, codes, data.control))
    return batches.collate(rows)


def _double_shift(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(objective, "deciding_rows", lambda batch: batch.target_row_N - 1)


def _leaked_hidden(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(objective, "frame_deciding_rows", lambda batch: batch.frame_row_M + 1)


def _shifted_labels(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(objective, "sub_talker_pairs", lambda logits, codes: (logits[:, :-1], codes[:, 2:]))


def _no_text_projection(patch: pytest.MonkeyPatch) -> None:
    def rows(self: network.TtsNetwork, ids: torch.Tensor) -> torch.Tensor:
        return self.talker.model.text_embedding(ids)[:, : self.hidden_size]

    patch.setattr(network.TtsNetwork, "text_rows", rows)


def _first_codebook_only(patch: pytest.MonkeyPatch) -> None:
    def vector(self: network.TtsNetwork, codes: torch.Tensor) -> torch.Tensor:
        return self.talker.model.codec_embedding(codes[..., 0])

    patch.setattr(network.TtsNetwork, "frame_embedding", vector)


DEFECTS = {
    "double_shift": _double_shift,
    "leaked_hidden": _leaked_hidden,
    "shifted_labels": _shifted_labels,
    "no_text_projection": _no_text_projection,
    "first_codebook_only": _first_codebook_only,
}


@contextmanager
def planted(*names: str) -> Iterator[None]:
    """The known defects of other trainers, in our code, for the length of the block."""
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            DEFECTS[name](patch)
        yield


def as_tensor(codes: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(codes, np.int64))
