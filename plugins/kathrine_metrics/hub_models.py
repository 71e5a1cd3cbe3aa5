"""A model's folder: one on this machine, or fetched from the Hub into the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kathrine import KathrineError, MetricContext


def model_folder(model: str, revision: str, patterns: Sequence[str], context: MetricContext, remedy: str) -> Path:
    """The local folder of a model.

    Given: model, a folder or `owner/name` of the Hub; patterns, files to fetch; remedy, what else could be named.
    Raises: KathrineError for one that is neither, or that can not be fetched.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if "/" not in model:
        raise KathrineError(f"'{model}' is no folder and no id of the Hub", remedy)
    from huggingface_hub import snapshot_download

    from kathrine.hubfiles import client_is_offline, hub_errors

    try:
        with hub_errors(model), context.progress.task(f"fetching {model}"):
            return Path(
                snapshot_download(
                    model,
                    revision=revision,
                    cache_dir=context.workspace.hub,
                    allow_patterns=list(patterns),
                    local_files_only=context.offline or client_is_offline(),
                )
            )
    except KathrineError as error:
        raise KathrineError(error.message, f"run once with a network and without --offline, or {remedy}") from error


def recogniser_folder(model: str, revision: str, context: MetricContext, seconds: float) -> tuple[Path, str]:
    """Folder of a Whisper or CTC model for transformers, and a mark that changes when it does.

    Given: seconds, of the longest recording that it hears. Raises: KathrineError, with what to do in an evaluation: the
    function below speaks of `asr_model`, the option of prepare.
    """
    from kathrine.corpus.recognise import REMEDY, fetch_recogniser

    try:
        return fetch_recogniser(model, revision, context.workspace, context.progress, context.offline, seconds)
    except KathrineError as error:
        message = error.message.removeprefix("asr_model ")
        raise KathrineError(message, f"run once with a network and without --offline, or {REMEDY}") from error
