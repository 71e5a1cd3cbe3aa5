"""The prompt layout: one two-stream row table for every mode.

Each talker input row is a text part plus a codec part; either may be absent. The text part is a projected
text id. The codec part is a row of the codec embedding, the speaker embedding, or a frame (sum of codebooks).

| rows                       | text part                      | codec part                                |
|----------------------------|--------------------------------|-------------------------------------------|
| instruction (if any)       | its ids                        | -                                         |
| 3                          | role ids                       | -                                         |
| 3 (auto) or 4 (language)   | pad                            | nothink / think, begin, (TAG,) end        |
| 1 (if there is a speaker)  | pad                            | speaker embedding or named speaker's row  |
| 1                          | begin of text                  | codec pad                                 |
| whole only: len(text)      | the text                       | codec pad                                 |
| 1 = `first`                | streamed: text[0]; whole: pad  | codec begin                               |
| one a frame, k = 1 ..      | streamed: text[k], then pad; whole: pad | frame k-1                        |

`text` is the body (reference text, then target text) plus the end of text. In-context cloning is no layout of
its own: its reference frames simply come first. The row `first + R + j` decides target frame j (R reference
frames), so the row that decides a frame is always the row BEFORE the frame's own.

Legend: T rows, F frames of one example (reference, then target), Q codebooks, R reference frames, H talker
width, N rows with a target, M target frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from kathrine.errors import KathrineError

NONE = -1
"""Absent part of a row."""


@dataclass(frozen=True, slots=True)
class ControlIds:
    """Ids that the layout writes, from config.json."""

    text_pad: int
    text_begin: int
    text_end: int
    codec_pad: int
    codec_begin: int
    codec_end: int
    think: int
    nothink: int
    think_begin: int
    think_end: int


def control_ids(config: Mapping[str, Any]) -> ControlIds:
    talker = config["talker_config"]
    return ControlIds(
        text_pad=config["tts_pad_token_id"],
        text_begin=config["tts_bos_token_id"],
        text_end=config["tts_eos_token_id"],
        codec_pad=talker["codec_pad_id"],
        codec_begin=talker["codec_bos_id"],
        codec_end=talker["codec_eos_token_id"],
        think=talker["codec_think_id"],
        nothink=talker["codec_nothink_id"],
        think_begin=talker["codec_think_bos_id"],
        think_end=talker["codec_think_eos_id"],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """Everything in front of the target frames.

    role_ids: the three ids that open the assistant's turn. body_ids: text ids, the reference's first where
    there is one. instruct_ids: ids of an instruction, or empty. language_id: codec id of the tag; None is
    auto. Speaker: an embedding [H], or the codec id of a named speaker, or neither. streamed: text beside the
    frames instead of whole in front of them. reference_codes: int [R, Q] of an in-context reference, or None.

    Raises:
        KathrineError: both kinds of speaker were given, or there is no text.
    """

    role_ids: Sequence[int]
    body_ids: Sequence[int]
    instruct_ids: Sequence[int] = ()
    language_id: int | None = None
    speaker_embedding: np.ndarray | None = None
    speaker_id: int | None = None
    streamed: bool = True
    reference_codes: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.speaker_embedding is not None and self.speaker_id is not None:
            raise KathrineError(
                "a prompt has both a speaker embedding and a named speaker", "give one of the two, or neither"
            )
        if len(self.body_ids) == 0:
            raise KathrineError("a prompt has no text", "give at least one word to speak")

    @property
    def has_speaker(self) -> bool:
        return self.speaker_embedding is not None or self.speaker_id is not None

    @property
    def reference_frames(self) -> int:
        return 0 if self.reference_codes is None else len(self.reference_codes)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of one prompt or one training example.

    text_T, codec_T: ids; frame_T: index into codes_FQ; NONE where absent. speaker_T: True in the row that
    carries speaker_embedding. first: the row of codec begin. target_row_N and target_N: rows with a talker
    target and the target (empty for a prompt). frame_row_M and target_frame_M: the row that decides each
    target frame, and the frame's index into codes_FQ.
    """

    text_T: np.ndarray
    codec_T: np.ndarray
    frame_T: np.ndarray
    speaker_T: np.ndarray
    codes_FQ: np.ndarray
    speaker_embedding: np.ndarray | None
    first: int
    target_row_N: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    target_N: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    frame_row_M: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    target_frame_M: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.text_T)


def text_stream(prompt: Prompt, control: ControlIds) -> list[int]:
    return [*prompt.body_ids, control.text_end]


def frame_text(prompt: Prompt, control: ControlIds, k: int) -> int:
    """The text id of row `first + k`: beside codec begin (k = 0) or beside frame k-1."""
    if prompt.streamed and k <= len(prompt.body_ids):
        return control.text_end if k == len(prompt.body_ids) else int(prompt.body_ids[k])
    return control.text_pad


def row_count(prompt: Prompt, frames: int = 0) -> int:
    """Input rows of `prompt` with `frames` target frames; what `len(training_rows(...))` will be."""
    tag = 3 if prompt.language_id is None else 4
    head = len(prompt.instruct_ids) + len(prompt.role_ids) + tag + int(prompt.has_speaker) + 1
    text = 0 if prompt.streamed else len(prompt.body_ids) + 1
    return head + text + 1 + prompt.reference_frames + frames


def _rows(prompt: Prompt, control: ControlIds, codes_FQ: np.ndarray) -> Rows:
    rows: list[tuple[int, int, int, bool]] = []  # text id, codec id, frame, speaker
    rows += [(int(id_), NONE, NONE, False) for id_ in prompt.instruct_ids]
    rows += [(int(id_), NONE, NONE, False) for id_ in prompt.role_ids]
    if prompt.language_id is None:
        tag = [control.nothink, control.think_begin, control.think_end]
    else:
        tag = [control.think, control.think_begin, prompt.language_id, control.think_end]
    rows += [(control.text_pad, id_, NONE, False) for id_ in tag]
    if prompt.speaker_embedding is not None:
        rows.append((control.text_pad, NONE, NONE, True))
    elif prompt.speaker_id is not None:
        rows.append((control.text_pad, prompt.speaker_id, NONE, False))
    rows.append((control.text_begin, control.codec_pad, NONE, False))
    if not prompt.streamed:
        rows += [(int(id_), control.codec_pad, NONE, False) for id_ in text_stream(prompt, control)]
    first = len(rows)
    rows.append((frame_text(prompt, control, 0), control.codec_begin, NONE, False))
    rows += [(frame_text(prompt, control, k + 1), NONE, k, False) for k in range(len(codes_FQ))]
    table = np.array(rows, dtype=np.int64)
    return Rows(
        text_T=table[:, 0],
        codec_T=table[:, 1],
        frame_T=table[:, 2],
        speaker_T=table[:, 3].astype(bool),
        codes_FQ=codes_FQ,
        speaker_embedding=prompt.speaker_embedding,
        first=first,
    )


def _codes(codes: np.ndarray | None) -> np.ndarray:
    return np.zeros((0, 0), np.int64) if codes is None else np.asarray(codes, dtype=np.int64)


def prompt_rows(prompt: Prompt, control: ControlIds) -> Rows:
    """The rows that generation starts from: up to codec begin, or up to the last reference frame."""
    return _rows(prompt, control, _codes(prompt.reference_codes))


def training_rows(prompt: Prompt, codes_FQ: np.ndarray, control: ControlIds, end: bool = True) -> Rows:
    """The teacher-forced rows of an example, with aligned targets (no shift anywhere after this).

    Given the target's codes [F, Q]. Reference frames are inputs only. The end of speech is decided by the
    last frame's row; `end=False` (an utterance that was cut mid-speech) leaves that target out.
    """
    reference, target = _codes(prompt.reference_codes), _codes(codes_FQ)
    count, skip = len(target), len(reference)
    rows = _rows(prompt, control, np.concatenate([reference, target]) if skip else target)
    deciding_M = rows.first + skip + np.arange(count, dtype=np.int64)
    target_row_N, target_N = deciding_M, target[:, 0]
    if end:
        target_row_N = np.append(deciding_M, rows.first + skip + count)
        target_N = np.append(target_N, control.codec_end)
    return Rows(
        **{item.name: getattr(rows, item.name) for item in fields(Rows)[:7]},
        target_row_N=target_row_N,
        target_N=target_N,
        frame_row_M=deciding_M,
        target_frame_M=skip + np.arange(count, dtype=np.int64),
    )


def language_id(config: Mapping[str, Any], language: str | None, speaker: str | None = None) -> int | None:
    """The codec id of a language's tag; None means auto.

    Given a language name in any case (None, "" or "auto" for auto) and, where the voice is a named one, its
    name. A speaker of a dialect speaks it when the language is auto or Chinese; any other language wins.

    Raises:
        KathrineError: the model has no tag of that name.
    """
    talker = config["talker_config"]
    known = {name.lower(): int(id_) for name, id_ in talker["codec_language_id"].items()}
    name = (language or "auto").lower()
    if speaker and name in ("auto", "chinese"):
        dialects = {key.lower(): value for key, value in (talker.get("spk_is_dialect") or {}).items()}
        name = str(dialects.get(speaker.lower()) or name).lower()
    if name == "auto":
        return None
    if name not in known:
        raise KathrineError(
            f"the model has no language tag for {language!r}",
            f"use auto or one of: {', '.join(sorted(known))}",
        )
    return known[name]


def speaker_id(config: Mapping[str, Any], speaker: str) -> int:
    """The codec id of a named speaker (custom voice), in any case.

    Raises:
        KathrineError: the model has no speaker of that name.
    """
    known = {name.lower(): int(id_) for name, id_ in (config["talker_config"].get("spk_id") or {}).items()}
    if speaker.lower() not in known:
        names = ", ".join(sorted(known)) or "none; give a recording of the voice instead"
        raise KathrineError(f"the model has no speaker named {speaker!r}", f"its speakers: {names}")
    return known[speaker.lower()]
