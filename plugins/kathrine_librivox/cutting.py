"""How chapters are cut: the options, and models that are opened when the first chapter needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kathrine import KathrineError, Options, SourceContext
from kathrine_librivox.chapters import Chapter, Piece

if TYPE_CHECKING:
    import numpy as np

    from kathrine_librivox.segmentation import Segmentation


class LimitsTable(Options):
    """`limits`: what an utterance of a chapter may look like. Times in seconds."""

    min_seconds: float = Field(default=2.0, gt=0)
    """Shorter sentences are joined with a neighbour."""
    max_seconds: float = Field(default=15.0, gt=0)
    """Longer sentences are split in a pause, or dropped."""
    min_pause: float = Field(default=0.2, ge=0)
    """Shorter pauses are no place to cut."""
    min_pad: float = Field(default=0.05, ge=0)
    """Silence kept on both sides, at least; never more than half of the pause."""
    max_pad: float = Field(default=0.1, ge=0)
    """Silence kept on both sides, at most."""
    max_inner_pause: float = Field(default=1.5, gt=0)
    """Sentences further apart are not joined."""
    min_score: float = -1.0
    """Lowest score of a sentence aligned by a CTC model: log-probability a letter."""
    min_part_score: float = -2.5
    """The same for its worst stretch of about three words, where a word may have been left out or added."""
    min_fit: float = -0.5
    """Lowest score of a sentence aligned by length: minus the logarithm of how far its duration is off."""
    keep_unscored: bool = False
    """Keep sentences that can not be scored, such as those with digits."""
    keep_cut: bool = True
    """Keep utterances that do not end in a pause; they are marked `cut`."""


class CuttingOptions(Options):
    """Options about cutting chapters into utterances."""

    aligner_model: str = Field(default="auto", json_schema_extra={"path": "or_id"})
    """CTC model that finds the text in the recording: a Hub id or a folder; `auto` takes the National Library's model
    for bokmål or nynorsk, `length` goes by pauses and lengths of sentences alone: no model, but coarser."""
    aligner_revision: str = ""
    """Branch, tag or commit of the aligner; empty takes the newest."""
    transcriber: str = Field(default="", json_schema_extra={"path": "or_id"})
    """Whisper model (Hub id or folder) that writes down books without a text; empty leaves them out. What it writes
    is modern spelling, and may lack words."""
    transcriber_revision: str = ""
    """Branch, tag or commit of the transcriber; empty takes the newest."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where aligner and transcriber run."""
    limits: LimitsTable = Field(default_factory=LimitsTable)
    """What an utterance of a chapter may look like."""


def cutting_problems(options: CuttingOptions) -> Iterator[str]:
    """Sentences about limits that contradict each other."""
    limits = options.limits
    if limits.min_seconds >= limits.max_seconds:
        yield f"limits: min_seconds {limits.min_seconds:g} is not below max_seconds {limits.max_seconds:g}"
    if limits.min_pad > limits.max_pad:
        yield f"limits: min_pad {limits.min_pad:g} is above max_pad {limits.max_pad:g}"


def aligner_for(options: CuttingOptions, language: str) -> str:
    """The CTC model for a language; empty where chapters are aligned by length."""
    from kathrine_librivox.segmentation.opening import DEFAULT_ALIGNERS

    if options.aligner_model == "auto":
        return DEFAULT_ALIGNERS.get(language, "")
    return "" if options.aligner_model == "length" else options.aligner_model


def cutting_settings(options: CuttingOptions, language: str, by_ear: bool) -> list[Any]:
    """Everything besides recording and text that a chapter depends on. by_ear: it has no text."""
    model = [options.transcriber, options.transcriber_revision]
    if not by_ear:
        model = [aligner_for(options, language), options.aligner_revision]
    return [*model, options.limits.model_dump(mode="json")]


def cutter(options: CuttingOptions, context: SourceContext) -> Callable[[np.ndarray, int, str | None, str], Chapter]:
    """A function from a wave, its rate (Hz), its text (None: write it down) and its language to a chapter.

    Models are opened at the first chapter that needs them and kept.
    """
    opened: dict[tuple[str, bool], Any] = {}

    def cut(wave_N: np.ndarray, rate: int, text: str | None, language: str) -> Chapter:
        from kathrine_librivox.segmentation import SegmentLimits, segment_chapter

        which = (language, text is None)
        if which not in opened:
            opened[which] = open_model(options, language, text is None, context)
        limits = SegmentLimits(**options.limits.model_dump())
        return chapter_from(segment_chapter(wave_N, rate, text, opened[which], limits, context.progress))

    return cut


def open_model(options: CuttingOptions, language: str, by_ear: bool, context: SourceContext) -> Any:
    """The aligner for a language, or the transcriber. Raises: KathrineError when the model can not be had."""
    from kathrine_librivox.segmentation import open_aligner, open_transcriber

    where: dict[str, Any] = {
        "device": options.device,
        "cache": context.workspace.hub,
        "offline": context.offline,
        "progress": context.progress,
    }
    if by_ear:
        if not options.transcriber:
            raise KathrineError("a book without a text needs a transcriber", "set transcriber to a Whisper model")
        return open_transcriber(options.transcriber, language, revision=options.transcriber_revision or None, **where)
    model = aligner_for(options, language)
    if not model and options.aligner_model == "auto":
        context.progress.warn(
            f"there is no aligner for '{language}' here: sentences are placed by their lengths, which is coarser; "
            "set aligner_model to a CTC model of the language"
        )
    return open_aligner(model or None, language, revision=options.aligner_revision or None, **where)


def chapter_from(made: Segmentation) -> Chapter:
    """What is kept of a segmentation."""
    pieces = tuple(Piece(one.start, one.end, one.text, one.score, one.cut) for one in made.segments)
    return Chapter(pieces, dict(made.dropped), made.aligner, made.consumed)
