"""What the configuration files of a Qwen3-TTS checkpoint say, read and checked. No torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError, OtherFamilyError
from kathrine_qwen3_tts.census import (
    PARTS,
    SPEAKER_ENCODER_DEFAULTS,
    has_speaker_encoder,
    layer_of,
    parameter_census,
    part_of,
    piece_of,
    position_of,
    speaker_encoder_sizes,
)

__all__ = [
    "PARTS",
    "SPEAKER_ENCODER_DEFAULTS",
    "check_config",
    "codec_config",
    "codec_folder",
    "has_speaker_encoder",
    "known_config",
    "known_names",
    "layer_of",
    "parameter_census",
    "part_of",
    "piece_of",
    "position_of",
    "read_config",
    "read_json",
    "speaker_encoder_sizes",
    "taken_rows",
]

MODEL_TYPES = ("base", "custom_voice", "voice_design")
CODEC_TYPE = "qwen3_tts_tokenizer_12hz"
SPEECH_TOKENIZER = "speech_tokenizer"
HUB_OWNER = "Qwen"

_DECODER_KEYS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "rms_norm_eps",
    "rope_theta",
)
_REQUIRED = {
    "": (
        *("tts_model_type", "tts_model_size", "im_start_token_id", "im_end_token_id", "assistant_token_id"),
        *("tts_pad_token_id", "tts_bos_token_id", "tts_eos_token_id", "talker_config"),
    ),
    "talker_config": (
        *_DECODER_KEYS,
        *("num_code_groups", "text_hidden_size", "text_vocab_size", "code_predictor_config"),
        *("codec_pad_id", "codec_bos_id", "codec_eos_token_id", "codec_language_id"),
        *("codec_think_id", "codec_nothink_id", "codec_think_bos_id", "codec_think_eos_id"),
    ),
    "talker_config.code_predictor_config": (*_DECODER_KEYS, "num_code_groups"),
}
_CODEC_REQUIRED = {
    "": ("encoder_config", "decoder_config", "encoder_valid_num_quantizers", "input_sample_rate"),
    "encoder_config": ("hidden_size", "num_filters", "codebook_size", "codebook_dim", "num_quantizers"),
    "decoder_config": (
        *("latent_dim", "codebook_dim", "codebook_size", "decoder_dim", "hidden_size", "num_hidden_layers"),
        *("num_attention_heads", "num_key_value_heads", "head_dim", "num_quantizers"),
        *("sliding_window", "upsample_rates", "upsampling_ratios"),
    ),
}


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object from a file.

    Raises:
        KathrineError: the file is missing, is no JSON, or holds something else than an object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KathrineError(
            f"{path} does not exist", "is this folder a Qwen3-TTS checkpoint in the official layout?"
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise KathrineError(f"{path} is not valid JSON ({error})", "download the file again") from None
    if not isinstance(value, dict):
        raise KathrineError(f"{path} does not hold a JSON object", "download the file again")
    return value


def read_config(folder: Path | str) -> dict[str, Any]:
    """Read and check `config.json` of a checkpoint folder; returns the file's own content, unchanged.

    Raises:
        KathrineError: not a Qwen3-TTS 12 Hz checkpoint, or a field that the model needs is missing.
    """
    path = Path(folder) / "config.json"
    config = read_json(path)
    check_config(config, str(path))
    return config


def check_config(config: dict[str, Any], where: str) -> None:
    """Refuse a configuration that no Qwen3-TTS model can be built from. `where` names it in the message."""
    model_type = config.get("model_type")
    if model_type != "qwen3_tts":
        raise OtherFamilyError(
            f"{where}: model_type is {model_type!r}, not 'qwen3_tts'",
            "name a Qwen3-TTS checkpoint, such as Qwen/Qwen3-TTS-12Hz-0.6B-Base",
        )
    if config.get("tokenizer_type", CODEC_TYPE) != CODEC_TYPE:
        raise KathrineError(
            f"{where}: tokenizer_type {config['tokenizer_type']!r} is not supported",
            "only the 12 Hz models can be trained",
        )
    _require(config, _REQUIRED, where)
    if config["tts_model_type"] not in MODEL_TYPES:
        raise KathrineError(
            f"{where}: tts_model_type {config['tts_model_type']!r} is not known",
            f"known: {', '.join(MODEL_TYPES)}",
        )
    talker, predictor = config["talker_config"], config["talker_config"]["code_predictor_config"]
    if talker["num_code_groups"] != predictor["num_code_groups"]:
        raise KathrineError(
            f"{where}: talker and code predictor disagree on num_code_groups "
            f"({talker['num_code_groups']} and {predictor['num_code_groups']})",
            "take the config.json that belongs to the weights",
        )
    if config["tts_model_type"] == "base":
        width = speaker_encoder_sizes(config)["enc_dim"]
        if width != talker["hidden_size"]:
            raise KathrineError(
                f"{where}: speaker_encoder_config.enc_dim is {width}, but the talker's hidden_size is "
                f"{talker['hidden_size']}",
                "take the config.json that belongs to the weights",
            )


def codec_config(folder: Path | str) -> dict[str, Any]:
    """Read and check the codec's configuration.

    Args:
        folder: a checkpoint folder (its `speech_tokenizer/` is read) or the codec's own folder.

    Raises:
        KathrineError: no 12 Hz codec lies there.
    """
    path = codec_folder(folder) / "config.json"
    config = read_json(path)
    if config.get("model_type") != CODEC_TYPE:
        raise KathrineError(
            f"{path}: model_type is {config.get('model_type')!r}, not {CODEC_TYPE!r}",
            "the folder speech_tokenizer must hold the 12 Hz codec",
        )
    _require(config, _CODEC_REQUIRED, str(path))
    return config


def codec_folder(folder: Path | str) -> Path:
    """The folder of the codec, given a checkpoint folder or the codec's own folder."""
    inner = Path(folder) / SPEECH_TOKENIZER
    return inner if inner.is_dir() or not (Path(folder) / "model.safetensors").exists() else Path(folder)


def _require(config: dict[str, Any], required: dict[str, tuple[str, ...]], where: str) -> None:
    missing = []
    for section, keys in required.items():
        table: Any = config
        for step in filter(None, section.split(".")):
            table = table.get(step, {}) if isinstance(table, dict) else {}
        if not isinstance(table, dict):
            missing.append(section)
            continue
        missing += [f"{section}.{key}".lstrip(".") for key in keys if key not in table]
    if missing:
        raise KathrineError(
            f"{where} lacks {', '.join(missing)}", "take the config.json that was published with the weights"
        )


def known_config(name: str) -> dict[str, Any] | None:
    """The published configuration of a released checkpoint, known without a network.

    Args:
        name: `Qwen3-TTS-12Hz-0.6B-Base`, with or without `Qwen/` in front (also `-1.7B-Base`, and
            `Qwen3-TTS-Tokenizer-12Hz` for the codec).

    Returns:
        The parsed JSON, or None where the name is not known.
    """
    name = name.removeprefix(f"{HUB_OWNER}/")
    if not re.fullmatch(r"[\w.-]+", name):
        return None
    path = Path(__file__).parent / "known" / f"{name}.config.json"
    return read_json(path) if path.is_file() else None


def known_names() -> list[str]:
    """Names that `known_config` answers to, without the owner."""
    return sorted(path.name.removesuffix(".config.json") for path in _known_files())


def _known_files() -> Iterator[Path]:
    return (Path(__file__).parent / "known").glob("*.config.json")


def taken_rows(config: dict[str, Any]) -> dict[int, str]:
    """Rows of the codec embedding that mean something already, and what."""
    talker = config["talker_config"]
    rows = {
        int(value): f"the control id {key}"
        for key, value in talker.items()
        if key.startswith("codec_") and key.endswith("_id") and isinstance(value, int)
    }
    rows |= {int(row): f"the speaker {name}" for name, row in (talker.get("spk_id") or {}).items()}
    rows |= {int(row): f"the language {name}" for name, row in talker["codec_language_id"].items()}
    return rows
