"""What a model family hands out: its batches and its speech tokenizer, as protocols. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch


class Collated(Protocol):
    """A batch as tensors, opaque to the kernel but for its sizes.

    items: what the batch was made of. rows: input rows that mean something; padded_rows: those of the padded
    rectangle. targets: rows with a talker target (frames and ends of speech); target_frames: frames with codes as
    target, the end of speech included where it is one (`ModelFacts.end_is_frame`).
    """

    @property
    def items(self) -> int: ...

    @property
    def rows(self) -> int: ...

    @property
    def padded_rows(self) -> int: ...

    @property
    def targets(self) -> int: ...

    @property
    def target_frames(self) -> int: ...

    def to(self, device: torch.device) -> Collated: ...


class Codec(Protocol):
    """Speech tokenizer. Waves: float32 [samples], mono, at the family's sample rate, in [-1, 1]."""

    def encode(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Codes int16 [F, Q] of each wave; the result does not depend on what else is in the list."""

    def decode(
        self, codes: Sequence[np.ndarray], progress: Callable[[int, int], None] | None = None
    ) -> list[np.ndarray]:
        """Waves of codes [T, Q]. progress is called with (chunks done, chunks in all)."""
