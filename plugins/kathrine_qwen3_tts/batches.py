"""Batches: rows of several examples as right-padded tensors, and their embedding.

Legend: B items, T rows, U distinct text ids, C distinct codec ids, G frames of the batch, Q codebooks, S
speaker embeddings, H talker width, N rows with a target, M target frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from kathrine_qwen3_tts.layout import NONE, Rows

if TYPE_CHECKING:
    import torch

    from kathrine_qwen3_tts.network import TtsNetwork


@dataclass(slots=True, eq=False)
class CollatedRows:
    """A right-padded batch as CPU tensors (int64, speaker_SH float32).

    The two parts of a row are looked up in two small tables that `embed` builds: text_slot_BT points into
    text_ids_U (its length means absent), codec_slot_BT into [codec_ids_C, the G frames, the S speakers] (the
    sum of the three lengths means absent). Padding is absent in both, hence finite zeros. target_row_N and
    frame_row_M are flat (item x T + row); target_frame_M points into codes_GQ. rows and padded_rows: rows
    that mean something, and all of the rectangle.
    """

    text_ids_U: torch.Tensor
    text_slot_BT: torch.Tensor
    codec_ids_C: torch.Tensor
    codes_GQ: torch.Tensor
    speaker_SH: torch.Tensor
    codec_slot_BT: torch.Tensor
    target_row_N: torch.Tensor
    target_N: torch.Tensor
    item_N: torch.Tensor
    frame_row_M: torch.Tensor
    target_frame_M: torch.Tensor
    item_M: torch.Tensor
    rows: int
    padded_rows: int

    @property
    def items(self) -> int:
        return self.text_slot_BT.shape[0]

    @property
    def targets(self) -> int:
        return self.target_N.shape[0]

    @property
    def target_frames(self) -> int:
        return self.target_frame_M.shape[0]

    def to(self, device: torch.device | str) -> CollatedRows:
        moved = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, value in moved.items():
            if not isinstance(value, int):
                moved[name] = value.to(device, non_blocking=True)
        return CollatedRows(**moved)


def collate(examples: Sequence[Rows], left: bool = False) -> CollatedRows:
    """Rows of several examples -> one batch on the CPU, right padded.

    `left` pads on the left instead, for generation, where all prompts must end together.
    """
    import torch

    batch, length = len(examples), max(len(rows) for rows in examples)
    text_BT = np.full((batch, length), NONE, np.int64)
    codec_BT, frame_BT, speaker_BT = text_BT.copy(), text_BT.copy(), text_BT.copy()
    codes: list[np.ndarray] = []
    speakers: list[np.ndarray] = []
    offset = 0
    targets: dict[str, list[np.ndarray]] = {name: [] for name in ("row", "value", "item", "frow", "frame", "fitem")}
    for item, rows in enumerate(examples):
        start = length - len(rows) if left else 0
        span = slice(start, start + len(rows))
        text_BT[item, span] = rows.text_T
        codec_BT[item, span] = rows.codec_T
        frame_BT[item, span] = np.where(rows.frame_T == NONE, NONE, rows.frame_T + offset)
        if rows.speaker_embedding is not None:
            speaker_BT[item, span][rows.speaker_T] = len(speakers)
            speakers.append(np.asarray(rows.speaker_embedding, np.float32))
        flat = item * length + start
        targets["row"].append(rows.target_row_N + flat)
        targets["value"].append(rows.target_N)
        targets["item"].append(np.full(len(rows.target_N), item))
        targets["frow"].append(rows.frame_row_M + flat)
        targets["frame"].append(rows.target_frame_M + offset)
        targets["fitem"].append(np.full(len(rows.frame_row_M), item))
        if len(rows.codes_FQ):
            codes.append(rows.codes_FQ)
            offset += len(rows.codes_FQ)
    text_ids_U, text_slot_BT = _slots(text_BT)
    codec_ids_C, codec_slot_BT = _slots(codec_BT)
    known, absent = len(codec_ids_C), len(codec_ids_C) + offset + len(speakers)
    codec_slot_BT = np.where(codec_BT == NONE, absent, codec_slot_BT)
    codec_slot_BT = np.where(frame_BT == NONE, codec_slot_BT, known + frame_BT)
    codec_slot_BT = np.where(speaker_BT == NONE, codec_slot_BT, known + offset + speaker_BT)

    def tensor(array: np.ndarray | Sequence[np.ndarray]) -> torch.Tensor:
        joined = array if isinstance(array, np.ndarray) else np.concatenate(array)
        return torch.from_numpy(np.ascontiguousarray(joined, dtype=np.int64))

    return CollatedRows(
        text_ids_U=tensor(text_ids_U),
        text_slot_BT=tensor(text_slot_BT),
        codec_ids_C=tensor(codec_ids_C),
        codes_GQ=tensor(codes if codes else np.zeros((0, 0))),
        speaker_SH=torch.from_numpy(np.stack(speakers) if speakers else np.zeros((0, 0), np.float32)),
        codec_slot_BT=tensor(codec_slot_BT),
        target_row_N=tensor(targets["row"]),
        target_N=tensor(targets["value"]),
        item_N=tensor(targets["item"]),
        frame_row_M=tensor(targets["frow"]),
        target_frame_M=tensor(targets["frame"]),
        item_M=tensor(targets["fitem"]),
        rows=sum(len(rows) for rows in examples),
        padded_rows=batch * length,
    )


def _slots(ids_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct ids and, for each cell, its place among them (their number where absent)."""
    ids_U, inverse = np.unique(ids_BT, return_inverse=True)
    slots_BT = inverse.reshape(ids_BT.shape)
    if ids_U[0] != NONE:
        return ids_U, slots_BT
    return ids_U[1:], np.where(ids_BT == NONE, len(ids_U) - 1, slots_BT - 1)


def embed(network: TtsNetwork, batch: CollatedRows) -> torch.Tensor:
    """The batch's input rows [B, T, H] in the network's compute dtype; absent parts and padding are zero.

    Every distinct text id is projected once. All look-ups are F.embedding, whose backward pass gives the same
    bits for any number of threads.
    """
    import torch
    import torch.nn.functional as F

    dtype = network.compute_dtype
    zero_1H = torch.zeros(1, network.hidden_size, dtype=dtype, device=batch.text_slot_BT.device)
    text_table = torch.cat([network.text_rows(batch.text_ids_U).to(dtype), zero_1H])
    codec_table = [network.codec_rows(batch.codec_ids_C).to(dtype)]
    if batch.codes_GQ.shape[0]:
        codec_table.append(network.frame_embedding(batch.codes_GQ).to(dtype))
    if batch.speaker_SH.shape[0]:
        codec_table.append(batch.speaker_SH.to(dtype))
    codec_part = F.embedding(batch.codec_slot_BT, torch.cat([*codec_table, zero_1H]))
    return F.embedding(batch.text_slot_BT, text_table) + codec_part
