"""From a chapter of a read-aloud book and its text to utterances. Functions only; the sources call them."""

from kathrine_librivox.segmentation.chapter import segment_chapter
from kathrine_librivox.segmentation.opening import open_aligner, open_transcriber
from kathrine_librivox.segmentation.types import Segment, Segmentation, SegmentLimits

__all__ = ["Segment", "SegmentLimits", "Segmentation", "open_aligner", "open_transcriber", "segment_chapter"]
