"""Speech recognition for the transcript gate: Whisper and CTC models through transformers, from safetensors only.

Shapes: B recordings, N samples. Waves are float32 at 16 kHz.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kathrine.corpus import keys
from kathrine.errors import KathrineError

if TYPE_CHECKING:
    from kathrine.components import Progress
    from kathrine.workspace import Workspace

RATE = 16000
WHISPER_SECONDS = 30.0
"""Whisper hears no further than this."""
TOKENS_PER_SECOND, TOKENS_BESIDES = 12.0, 16
"""Room for the fastest speech in the least fitting tokens; a model that repeats itself stops there."""
PATTERNS = ["*.json", "*.txt", "*.model", "*.safetensors"]
REMEDY = "name a Whisper or CTC model of the Hub that has safetensors, or a folder in its layout"


def fetch_recogniser(
    name: str, revision: str, workspace: Workspace, progress: Progress, offline: bool, max_seconds: float
) -> tuple[Path, str]:
    """Folder of a recogniser, and a mark that changes when it does.

    Given: a folder, or `owner/name` of the Hub and its revision; offline: fetch nothing; max_seconds: of the
    recordings that it will hear.

    Raises:
        KathrineError: it can not be fetched, is of another kind, has no safetensors, or hears less than max_seconds.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        mark = keys.digest(*(keys.file_digest(path) for path in sorted(folder.glob("*.safetensors"))), name)
    else:
        folder = _download(name, revision, workspace, progress, offline)
        mark = f"{name}@{folder.name}"
    if kind_of(folder, name) == "whisper" and max_seconds > WHISPER_SECONDS:
        raise KathrineError(
            f"asr_model {name} hears {WHISPER_SECONDS:g} s at most, and prepare.max_seconds is {max_seconds:g}",
            "set max_seconds = 30 or less, or take a CTC model",
        )
    return folder, mark


def _download(name: str, revision: str, workspace: Workspace, progress: Progress, offline: bool) -> Path:
    from huggingface_hub import errors, snapshot_download

    from kathrine.hubfiles import bar_for, client_is_offline

    offline = offline or client_is_offline()
    try:
        with progress.task(f"fetching {name}") as advance:
            return Path(
                snapshot_download(
                    name,
                    revision=revision,
                    cache_dir=workspace.hub,
                    allow_patterns=PATTERNS,
                    local_files_only=offline,
                    tqdm_class=bar_for(advance),
                )
            )
    except errors.LocalEntryNotFoundError as problem:
        raise KathrineError(
            f"asr_model {name} is not in the workspace and can not be fetched",
            "run once with a network (and without run.offline), or name a local folder",
        ) from problem
    except (errors.HfHubHTTPError, errors.HFValidationError, errors.HTTPError, OSError) as problem:
        reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        raise KathrineError(f"asr_model {name} could not be fetched: {reason}", REMEDY) from problem


def kind_of(folder: Path, name: str) -> str:
    """`whisper` or `ctc`, by the model's configuration. Raises KathrineError for anything else."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise KathrineError(f"asr_model {name} has no readable config.json", REMEDY) from problem
    if not list(folder.glob("*.safetensors")):
        raise KathrineError(f"asr_model {name} has no safetensors; pickled weights are never loaded", REMEDY)
    kinds = [str(kind) for kind in config.get("architectures") or ()]
    if "WhisperForConditionalGeneration" in kinds:
        return "whisper"
    if any(kind.endswith("ForCTC") for kind in kinds):
        return "ctc"
    raise KathrineError(f"asr_model {name} is a {', '.join(kinds) or 'model of unknown kind'}", REMEDY)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the library's bars, which would be drawn over those of prepare, and its advice on generation options
    that published models bring along."""
    from transformers import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@dataclass(slots=True)
class Recogniser:
    """A recogniser, loaded when it first hears something. language: as Whisper names it; empty: it guesses."""

    folder: Path
    language: str
    device: str
    _model: Any = None
    _processor: Any = None

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[str]:
        """What is said in recordings float32 [N] at 16 kHz, in order."""
        import torch

        if self._model is None:
            self._load()
        with torch.inference_mode(), _quietly():
            return self._whisper(waves) if self._model.config.model_type == "whisper" else self._ctc(waves)

    def _load(self) -> None:
        import torch
        from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer, WhisperForConditionalGeneration

        whisper = kind_of(self.folder, str(self.folder)) == "whisper"
        half = whisper and self.device.startswith("cuda")
        try:
            with _quietly():
                self._processor = (
                    AutoFeatureExtractor.from_pretrained(self.folder, trust_remote_code=False),
                    AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False),
                )
                model: Any = WhisperForConditionalGeneration if whisper else AutoModelForCTC
                self._model = model.from_pretrained(
                    self.folder,
                    use_safetensors=True,
                    trust_remote_code=False,
                    dtype=torch.float16 if half else torch.float32,
                )
        except (OSError, ValueError, KeyError) as problem:
            reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
            raise KathrineError(f"asr_model {self.folder} can not be loaded: {reason}", REMEDY) from problem
        self._model.eval().to(self.device)

    def _whisper(self, waves: Sequence[np.ndarray]) -> list[str]:
        extractor, tokenizer = self._processor
        heard = extractor(list(waves), sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
        told: dict[str, Any] = {}
        if getattr(self._model.generation_config, "is_multilingual", False):
            told = {"task": "transcribe", **({"language": self.language} if self.language else {})}
        rooms = [int(len(wave_N) / RATE * TOKENS_PER_SECOND) + TOKENS_BESIDES for wave_N in waves]
        ids_BT = self._model.generate(
            heard["input_features"].to(self.device, self._model.dtype),
            attention_mask=heard["attention_mask"].to(self.device),
            max_new_tokens=min(max(rooms), self._model.config.max_target_positions - 8),
            num_beams=1,
            do_sample=False,
            **told,
        )
        special = set(tokenizer.all_special_ids)
        # Each its own room: what one recording is heard as must not depend on how long its neighbours are.
        said = ([token for token in ids if token not in special] for ids in ids_BT.tolist())
        return [tokenizer.decode(ids[:room]).strip() for ids, room in zip(said, rooms, strict=True)]

    def _ctc(self, waves: Sequence[np.ndarray]) -> list[str]:
        extractor, tokenizer = self._processor
        heard = extractor(list(waves), sampling_rate=RATE, return_tensors="pt", padding=True)
        if "attention_mask" not in heard and len(waves) > 1:
            # Such a model takes padding for sound: what one recording holds must not depend on its neighbours.
            return [self._ctc([wave_N])[0] for wave_N in waves]
        logits_BTV = self._model(**{name: value.to(self.device) for name, value in heard.items()}).logits
        return [text.strip() for text in tokenizer.batch_decode(logits_BTV.argmax(dim=-1))]
