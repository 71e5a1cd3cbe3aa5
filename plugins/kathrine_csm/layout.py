"""The prompt layout: one row table for both prompt forms, and batches of it.

Each input row of the backbone is a text id or a frame (the sum of its codes' vectors), never both:

| rows                              | what                                                    |
|-----------------------------------|---------------------------------------------------------|
| with a reference: 2 + len(text)   | begin of text, its text, end of text                    |
| with a reference: R + 1           | its frames, and the end frame                           |
| 2 + len(text)                     | begin of text, the text to speak, end of text           |
| one a frame                       | the frames that are spoken                              |

A text begins with the number of its speaker, `[0]`. The end frame has the end code in every codebook; as a target it
is a frame like all others, for the depth decoder too: generation stops where both transformers agree on it. The row
that DECIDES a frame is the row before the frame's own; the first one is decided by the end of the text.

Legend: T rows, F frames of one example (reference and end frames included), Q codebooks, B items, G frames of a
batch, M target frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from kathrine.errors import KathrineError

if TYPE_CHECKING:
    import torch

    from kathrine_csm.network import CsmNetwork

NONE = -1
"""Absent part of a row."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """Everything in front of the target frames.

    begin, end: ids around a text. text_ids: of the text to speak, without them. reference_text_ids and
    reference_codes (int [R, Q]): set together for an in-context reference.

    Raises: KathrineError where there is no text, or half a reference.
    """

    begin: int
    end: int
    text_ids: Sequence[int]
    reference_text_ids: Sequence[int] = ()
    reference_codes: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.text_ids) == 0:
            raise KathrineError("a prompt has no text", "give at least one word to speak")
        if (self.reference_codes is None) != (len(self.reference_text_ids) == 0):
            raise KathrineError(
                "an in-context reference needs both its codes and its text",
                "give both; CSM takes a voice from a recording together with what is said in it",
            )

    @property
    def length(self) -> int:
        """Rows of the prompt."""
        reference = 0
        if self.reference_codes is not None:
            reference = len(self.reference_text_ids) + 2 + len(self.reference_codes) + 1
        return reference + len(self.text_ids) + 2


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of one prompt or one training example.

    text_T: ids, frame_T: index into codes_FQ; NONE where absent. deciding_M and frame_M: the row that decides each
    target frame, and the frame's index into codes_FQ (empty for a prompt).
    """

    text_T: np.ndarray
    frame_T: np.ndarray
    codes_FQ: np.ndarray
    deciding_M: np.ndarray
    frame_M: np.ndarray

    def __len__(self) -> int:
        return len(self.text_T)


def _prompt_parts(prompt: Prompt, codebooks: int, end_code: int) -> tuple[list[int], list[int], list[np.ndarray]]:
    """Text ids, frame indices and codes of a prompt's rows."""
    text, frame, codes = [], [], [np.zeros((0, codebooks), np.int64)]
    if prompt.reference_codes is not None:
        spoken = [prompt.begin, *prompt.reference_text_ids, prompt.end]
        reference = np.asarray(prompt.reference_codes, np.int64)
        codes += [reference, np.full((1, codebooks), end_code, np.int64)]
        count = len(reference) + 1
        text += [*spoken, *[NONE] * count]
        frame += [*[NONE] * len(spoken), *range(count)]
    own = [prompt.begin, *prompt.text_ids, prompt.end]
    return [*text, *own], [*frame, *[NONE] * len(own)], codes


def prompt_rows(prompt: Prompt, codebooks: int, end_code: int) -> Rows:
    """The rows that generation starts from: up to the end of the text to speak."""
    text, frame, codes = _prompt_parts(prompt, codebooks, end_code)
    nothing = np.zeros(0, np.int64)
    return Rows(np.array(text, np.int64), np.array(frame, np.int64), np.concatenate(codes), nothing, nothing)


def training_rows(prompt: Prompt, codes_FQ: np.ndarray, end_code: int, end: bool = True) -> Rows:
    """The teacher-forced rows of an example, with aligned targets (no shift anywhere after this).

    Given the target's codes [F, Q]. Reference frames are inputs only. `end=False` (an utterance that was cut
    mid-speech) leaves the end frame out of the targets. No row decides anything after it, so it is never an input.
    """
    target = np.asarray(codes_FQ, np.int64)
    count, codebooks = target.shape
    text, frame, codes = _prompt_parts(prompt, codebooks, end_code)
    known = sum(len(part) for part in codes)
    codes += [target, np.full((1, codebooks), end_code, np.int64)]
    targets = count + int(end)
    return Rows(
        text_T=np.array([*text, *[NONE] * count], np.int64),
        frame_T=np.array([*frame, *range(known, known + count)], np.int64),
        codes_FQ=np.concatenate(codes),
        deciding_M=len(text) - 1 + np.arange(targets, dtype=np.int64),
        frame_M=known + np.arange(targets, dtype=np.int64),
    )


@dataclass(slots=True, eq=False)
class CollatedRows:
    """A batch as int64 CPU tensors, padded.

    text_BT: ids, frame_BT: index into codes_GQ; NONE where absent. deciding_M is flat (item x T + row); frame_M points
    into codes_GQ. rows and padded_rows: rows that mean something, and all of the rectangle.
    """

    text_BT: torch.Tensor
    frame_BT: torch.Tensor
    codes_GQ: torch.Tensor
    deciding_M: torch.Tensor
    frame_M: torch.Tensor
    item_M: torch.Tensor
    rows: int
    padded_rows: int

    @property
    def items(self) -> int:
        return self.text_BT.shape[0]

    @property
    def targets(self) -> int:
        return self.frame_M.shape[0]

    @property
    def target_frames(self) -> int:
        return self.frame_M.shape[0]

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
    frame_BT, offset = text_BT.copy(), 0
    deciding, frames, items = [], [], []
    for item, rows in enumerate(examples):
        start = length - len(rows) if left else 0
        span = slice(start, start + len(rows))
        text_BT[item, span] = rows.text_T
        frame_BT[item, span] = np.where(rows.frame_T == NONE, NONE, rows.frame_T + offset)
        deciding.append(rows.deciding_M + item * length + start)
        frames.append(rows.frame_M + offset)
        items.append(np.full(len(rows.frame_M), item, np.int64))
        offset += len(rows.codes_FQ)
    return CollatedRows(
        text_BT=torch.from_numpy(text_BT),
        frame_BT=torch.from_numpy(frame_BT),
        codes_GQ=torch.from_numpy(np.concatenate([rows.codes_FQ for rows in examples])),
        deciding_M=torch.from_numpy(np.concatenate(deciding)),
        frame_M=torch.from_numpy(np.concatenate(frames)),
        item_M=torch.from_numpy(np.concatenate(items)),
        rows=sum(len(rows) for rows in examples),
        padded_rows=batch * length,
    )


def embed(network: CsmNetwork, batch: CollatedRows) -> torch.Tensor:
    """The batch's input rows [B, T, H] in the network's compute dtype; padding is zero.

    All look-ups are F.embedding, whose backward pass gives the same bits for any number of threads.
    """
    import torch
    import torch.nn.functional as F

    dtype = network.compute_dtype
    text_BTH = network.text_rows(batch.text_BT.clamp(min=0)).to(dtype)
    text_BTH = text_BTH.masked_fill((batch.text_BT == NONE).unsqueeze(-1), 0)
    if not len(batch.codes_GQ):
        return text_BTH
    frames_GH = network.frame_embedding(batch.codes_GQ).to(dtype)
    frames_GH = torch.cat([frames_GH, frames_GH.new_zeros(1, frames_GH.shape[1])])
    slot_BT = torch.where(batch.frame_BT == NONE, len(frames_GH) - 1, batch.frame_BT)
    return text_BTH + F.embedding(slot_BT, frames_GH)
