"""What the configuration files of a Qwen3-TTS checkpoint say, and which tensors follow from it. No torch.

The census is written from the published layout of the state dict: talker (a Qwen3 decoder with two embeddings),
code predictor (the sub-talker, a Qwen3 decoder with 15 embeddings and heads) and the ECAPA speaker encoder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError

Census = list[tuple[str, tuple[int, ...], str]]

PARTS = (
    "text_embedding",
    "text_projection",
    "codec_embedding",
    "talker",
    "codec_head",
    "sub_talker_embedding",
    "sub_talker_projection",
    "sub_talker",
    "sub_talker_head",
    "speaker_encoder",
)
"""Role names of the parts of the model, in the order in which data flows through them."""

MODEL_TYPES = ("base", "custom_voice", "voice_design")
CODEC_TYPE = "qwen3_tts_tokenizer_12hz"
SPEECH_TOKENIZER = "speech_tokenizer"
HUB_OWNER = "Qwen"

SPEAKER_ENCODER_DEFAULTS: dict[str, Any] = {
    "mel_dim": 128,
    "enc_dim": 1024,
    "enc_channels": [512, 512, 512, 512, 1536],
    "enc_kernel_sizes": [5, 3, 3, 3, 1],
    "enc_dilations": [1, 2, 3, 4, 1],
    "enc_attention_channels": 128,
    "enc_res2net_scale": 8,
    "enc_se_channels": 128,
    "sample_rate": 24000,
}
"""Sizes that the published configuration leaves to the class (it only names enc_dim and sample_rate)."""

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
        raise KathrineError(
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
            f"{where}: tts_model_type {config['tts_model_type']!r} is not known", f"known: {', '.join(MODEL_TYPES)}"
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


def speaker_encoder_sizes(config: dict[str, Any]) -> dict[str, Any]:
    """The speaker encoder's sizes, the class defaults filled in."""
    return {**SPEAKER_ENCODER_DEFAULTS, **(config.get("speaker_encoder_config") or {})}


def has_speaker_encoder(config: dict[str, Any]) -> bool:
    """Only `base` checkpoints carry a speaker encoder."""
    return bool(config["tts_model_type"] == "base")


# --------------------------------------------------------------------------- census


def part_of(name: str) -> str:
    """The part that a parameter belongs to, by its official name.

    Raises:
        KathrineError: the name is not one of this model's.
    """
    rules = (
        (r"talker\.model\.text_embedding\.", "text_embedding"),
        (r"talker\.model\.codec_embedding\.", "codec_embedding"),
        (r"talker\.model\.", "talker"),
        (r"talker\.text_projection\.", "text_projection"),
        (r"talker\.codec_head\.", "codec_head"),
        (r"talker\.code_predictor\.model\.codec_embedding\.", "sub_talker_embedding"),
        (r"talker\.code_predictor\.model\.", "sub_talker"),
        (r"talker\.code_predictor\.lm_head\.", "sub_talker_head"),
        (r"talker\.code_predictor\.small_to_mtp_projection\.", "sub_talker_projection"),
        (r"speaker_encoder\.", "speaker_encoder"),
    )
    for pattern, part in rules:
        if re.match(pattern, name):
            return part
    raise KathrineError(f"{name!r} is not a parameter of Qwen3-TTS", f"the parts are {', '.join(PARTS)}")


def layer_of(name: str) -> int | None:
    """Index of the talker layer that a parameter lies in, or None where it lies in none."""
    match = re.match(r"talker\.model\.layers\.(\d+)\.", name)
    return int(match.group(1)) if match else None


def parameter_census(config: dict[str, Any]) -> Census:
    """Every parameter of the model as (official name, shape, part), from the configuration alone.

    Equal to the header of `model.safetensors` of the checkpoint that the configuration belongs to.
    """
    return [(name, shape, part_of(name)) for name, shape in _parameters(config)]


def _parameters(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    talker = config["talker_config"]
    predictor = talker["code_predictor_config"]
    width, text_width = talker["hidden_size"], talker["text_hidden_size"]
    groups = talker["num_code_groups"] - 1

    yield "talker.model.text_embedding.weight", (talker["text_vocab_size"], text_width)
    for layer, rows in (("linear_fc1", text_width), ("linear_fc2", width)):
        yield f"talker.text_projection.{layer}.weight", (rows, text_width)
        yield f"talker.text_projection.{layer}.bias", (rows,)
    yield "talker.model.codec_embedding.weight", (talker["vocab_size"], width)
    yield from _qwen3_decoder("talker.model", talker)
    yield "talker.codec_head.weight", (talker["vocab_size"], width)

    for index in range(groups):
        yield f"talker.code_predictor.model.codec_embedding.{index}.weight", (predictor["vocab_size"], width)
    if predictor["hidden_size"] != width:
        yield "talker.code_predictor.small_to_mtp_projection.weight", (predictor["hidden_size"], width)
        yield "talker.code_predictor.small_to_mtp_projection.bias", (predictor["hidden_size"],)
    yield from _qwen3_decoder("talker.code_predictor.model", predictor)
    for index in range(groups):
        yield f"talker.code_predictor.lm_head.{index}.weight", (predictor["vocab_size"], predictor["hidden_size"])

    if has_speaker_encoder(config):
        yield from _speaker_encoder(speaker_encoder_sizes(config))


def _qwen3_decoder(prefix: str, sizes: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, feed_forward, head = sizes["hidden_size"], sizes["intermediate_size"], sizes["head_dim"]
    queries, keys = sizes["num_attention_heads"] * head, sizes["num_key_value_heads"] * head
    for layer in range(sizes["num_hidden_layers"]):
        at = f"{prefix}.layers.{layer}"
        yield f"{at}.input_layernorm.weight", (hidden,)
        for name, shape in {
            "q_proj": (queries, hidden),
            "k_proj": (keys, hidden),
            "v_proj": (keys, hidden),
            "o_proj": (hidden, queries),
        }.items():
            yield f"{at}.self_attn.{name}.weight", shape
            if sizes.get("attention_bias"):
                yield f"{at}.self_attn.{name}.bias", shape[:1]
        yield f"{at}.self_attn.q_norm.weight", (head,)
        yield f"{at}.self_attn.k_norm.weight", (head,)
        yield f"{at}.post_attention_layernorm.weight", (hidden,)
        yield f"{at}.mlp.gate_proj.weight", (feed_forward, hidden)
        yield f"{at}.mlp.up_proj.weight", (feed_forward, hidden)
        yield f"{at}.mlp.down_proj.weight", (hidden, feed_forward)
    yield f"{prefix}.norm.weight", (hidden,)


def _speaker_encoder(sizes: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    channels, kernels = sizes["enc_channels"], sizes["enc_kernel_sizes"]
    squeeze, attention, top = sizes["enc_se_channels"], sizes["enc_attention_channels"], channels[-1]
    scale = sizes["enc_res2net_scale"]

    convolutions: list[tuple[str, int, int, int]] = [("blocks.0.conv", channels[0], sizes["mel_dim"], kernels[0])]
    for block in range(1, len(channels) - 1):
        inner, outer, part = channels[block - 1], channels[block], channels[block] // scale
        convolutions.append((f"blocks.{block}.tdnn1.conv", outer, inner, 1))
        for index in range(scale - 1):
            convolutions.append((f"blocks.{block}.res2net_block.blocks.{index}.conv", part, part, kernels[block]))
        convolutions.append((f"blocks.{block}.tdnn2.conv", outer, outer, 1))
        convolutions.append((f"blocks.{block}.se_block.conv1", squeeze, outer, 1))
        convolutions.append((f"blocks.{block}.se_block.conv2", outer, squeeze, 1))
    convolutions.append(("mfa.conv", top, top, kernels[-1]))
    convolutions.append(("asp.tdnn.conv", attention, 3 * top, 1))
    convolutions.append(("asp.conv", top, attention, 1))
    convolutions.append(("fc", sizes["enc_dim"], 2 * top, 1))
    for name, outer, inner, kernel in convolutions:
        yield f"speaker_encoder.{name}.weight", (outer, inner, kernel)
        yield f"speaker_encoder.{name}.bias", (outer,)
