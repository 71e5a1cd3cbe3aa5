"""How chapters are cut: the options, and the aligner, which is opened when the first chapter needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kathrine import Options, SourceContext
from kathrine_librivox.chapters import Chapter, Piece
from kathrine_librivox.segmentation import Segmentation, SegmentLimits, open_aligner, segment_chapter

if TYPE_CHECKING:
    pass


class CuttingOptions(Options):
    """Options about cutting a chapter into utterances."""

    aligner_model: str = Field(default="", json_schema_extra={"path": "or_id"})
    transcriber: str = Field(default="", json_schema_extra={"path": "or_id"})
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @property
    def writes_down(self) -> bool:
        return bool(self.transcriber)

    def problems(self) -> Iterator[str]:
        return iter(())

    def settings(self) -> Any:
        return [self.aligner_model]


def cutter(options: CuttingOptions, context: SourceContext, offline: bool):
    def cut(wave_N, rate, text, language):
        aligner = open_aligner(options.aligner_model or None, language)
        return chapter_of(segment_chapter(wave_N, rate, text, aligner, SegmentLimits(), context.progress))

    return cut


def chapter_of(made: Segmentation) -> Chapter:
    return Chapter(
        tuple(Piece(s.start, s.end, s.text, s.score, s.cut) for s in made.segments),
        dict(made.dropped),
        made.aligner,
        made.consumed,
    )
