"""Open the model that a recipe names, or the aligner that needs none."""

from __future__ import annotations

from pathlib import Path

from kathrine_librivox.segmentation.types import Aligner, Transcriber


def open_aligner(
    model: str | None,
    language: str,
    device: str = "auto",
    cache: Path | None = None,
    offline: bool = False,
    revision: str | None = None,
) -> Aligner:
    """The aligner for known text: CTC with the named model, or by length when model is None or "".

    Given: model, a Hub id or a local folder with a CTC model of transformers (safetensors); language of the text
    (`nb`, `nn`); device: auto, cpu or cuda; cache, the Hub client's folder (`workspace.hub`); offline, fetch
    nothing; revision, branch, tag or commit. `aligner.label` names what it is, with the commit.
    Raises: KathrineError when the model can not be had or is no CTC model.
    """
    raise NotImplementedError


def open_transcriber(
    model: str,
    language: str,
    device: str = "auto",
    cache: Path | None = None,
    offline: bool = False,
    revision: str | None = None,
) -> Transcriber:
    """What writes down a chapter without a text: a Whisper model of transformers; given and raised as above."""
    raise NotImplementedError
