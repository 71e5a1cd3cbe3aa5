"""Open the model that a recipe names, or the aligner that needs none."""

from __future__ import annotations

from pathlib import Path

from kathrine.components import Progress
from kathrine.errors import KathrineError
from kathrine_librivox.segmentation.aligner import CtcAligner
from kathrine_librivox.segmentation.emissions import load_acoustic_model
from kathrine_librivox.segmentation.lengths import LengthAligner
from kathrine_librivox.segmentation.models import model_folder, pick_device
from kathrine_librivox.segmentation.transcribe import load_whisper
from kathrine_librivox.segmentation.types import Aligner, Transcriber

DEFAULT_ALIGNERS = {"nb": "NbAiLab/nb-wav2vec2-300m-bokmaal", "nn": "NbAiLab/nb-wav2vec2-1b-nynorsk"}
"""The acoustic model for each written form of Norwegian (Apache-2.0). Not Meta's MMS aligners: CC BY-NC."""


def open_aligner(
    model: str | None,
    language: str,
    device: str = "auto",
    cache: Path | None = None,
    offline: bool = False,
    revision: str | None = None,
    progress: Progress | None = None,
) -> Aligner:
    """The aligner for known text: CTC with the named model, or by length when model is None or "".

    Given: model, a Hub id or a local folder with a CTC model of transformers (safetensors), or "default" for the one
    of `DEFAULT_ALIGNERS`; language of the text (`nb`, `nn`); device: auto, cpu or cuda; cache, the Hub client's folder
    (`workspace.hub`); offline, fetch nothing; revision, branch, tag or commit; progress, told of what is fetched.
    `aligner.label` names what it is, with the commit.
    Raises: KathrineError when the model can not be had or is no CTC model.
    """
    if not model:
        return LengthAligner()
    if model == "default":
        model = default_aligner(language)
    folder, commit = model_folder(model, revision, cache, offline, progress)
    return CtcAligner(load_acoustic_model(folder, model, pick_device(device)), f"ctc:{model}@{commit[:18]}")


def default_aligner(language: str) -> str:
    """The model of a language. Raises: KathrineError for a language that has none."""
    if language not in DEFAULT_ALIGNERS:
        raise KathrineError(
            f"no default aligner for the language '{language}'", "name a CTC model, or none to align by length"
        )
    return DEFAULT_ALIGNERS[language]


def open_transcriber(
    model: str,
    language: str,
    device: str = "auto",
    cache: Path | None = None,
    offline: bool = False,
    revision: str | None = None,
    progress: Progress | None = None,
) -> Transcriber:
    """What writes down a chapter without a text: a Whisper model of transformers; given and raised as above."""
    folder, commit = model_folder(model, revision, cache, offline, progress)
    return load_whisper(folder, f"whisper:{model}@{commit[:18]}", language, pick_device(device))
