"""The whole way: a wave and its text in, utterances out."""

from __future__ import annotations

import numpy as np

from kathrine.components import Progress
from kathrine_librivox.segmentation.types import Aligner, Segmentation, SegmentLimits, Transcriber


def segment_chapter(
    wave_N: np.ndarray,
    rate: int,
    text: str | None,
    aligner: Aligner | Transcriber,
    limits: SegmentLimits,
    progress: Progress,
) -> Segmentation:
    """Cut a chapter into utterances.

    Given: the chapter at any rate (Hz), float32, mono; its text, from where the chapter may begin and as far as it
    goes (the text of the rest of the book does), or None to have it written down; what `open_aligner` gave, or
    `open_transcriber` where text is None.
    Raises: KathrineError for a wave that is no speech in this form, or an aligner that does not fit the text.
    """
    raise NotImplementedError
