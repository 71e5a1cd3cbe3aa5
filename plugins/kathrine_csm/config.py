"""What the configuration of a CSM checkpoint says, and every parameter that follows from it. No torch.

A config.json in transformers' layout leaves out what equals the defaults of its class; those defaults are the sizes
of the released model, sesame/csm-1b.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError, OtherFamilyError
from kathrine.types import ParameterSpec

MODEL_TYPE = "csm"
RELEASED = "sesame/csm-1b"

PARTS = (
    "text_embedding",
    "codec_embedding",
    "talker",
    "codec_head",
    "sub_talker_embedding",
    "sub_talker_projection",
    "sub_talker",
    "sub_talker_head",
)
"""Role names of the parts of the model, in the order in which data flows through them. The second one gives codes to
both transformers; `sub_talker_embedding` exists only where a checkpoint does not share that table."""

TABLE = "backbone_model.embed_tokens.embed_audio_tokens.weight"
SUB_TABLE = "depth_decoder.model.embed_tokens.weight"
"""The two names of the table of codes, one parameter in released checkpoints; files hold it under either."""

CODEC_PREFIX = "codec_model."

_DECODER: dict[str, Any] = {"num_codebooks": 32, "vocab_size": 2051, "attention_bias": False, "mlp_bias": False}
DEFAULTS: dict[str, Any] = {
    **_DECODER,
    "text_vocab_size": 128256,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "codebook_eos_token_id": 0,
    "tie_codebooks_embeddings": True,
}
DEPTH_DEFAULTS: dict[str, Any] = {
    **_DECODER,
    "backbone_hidden_size": 2048,
    "hidden_size": 1024,
    "intermediate_size": 8192,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}
CODEC_DEFAULTS: dict[str, Any] = {
    "sampling_rate": 24000,
    "num_quantizers": 32,
    "codebook_size": 2048,
    "upsampling_ratios": [8, 6, 5, 4],
}
"""Mimi: 24 kHz, and 1920 samples a frame (12.5 Hz) by its strides and the halving behind them."""


def released_config() -> dict[str, Any]:
    """The sizes of sesame/csm-1b, known without a network."""
    return {"model_type": MODEL_TYPE, "depth_decoder_config": {}, "codec_config": {}}


def read_config(folder: Path | str) -> dict[str, Any]:
    """Read and check `config.json` of a checkpoint folder; returns the file's own content, unchanged.

    Raises: OtherFamilyError for a checkpoint of another kind; KathrineError for a file that is missing, is no JSON, or
    describes a model that can not be built.
    """
    path = Path(folder) / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KathrineError(
            f"{path} does not exist", "is this folder a CSM checkpoint in transformers' layout?"
        ) from None
    except ValueError as error:
        raise KathrineError(f"{path} is not valid JSON ({error})", "fetch the checkpoint again") from None
    check_config(config, str(path))
    return config


def check_config(config: Any, where: str) -> None:
    """Refuse a configuration that no CSM can be built from. `where` names it in the message."""
    model_type = config.get("model_type") if isinstance(config, dict) else None
    if model_type != MODEL_TYPE:
        raise OtherFamilyError(
            f"{where}: model_type is {model_type!r}, not {MODEL_TYPE!r}", f"name a CSM checkpoint, such as {RELEASED}"
        )
    backbone, depth, codec = sizes(config)
    remedy = "take the config.json that belongs to the weights"
    counts = {backbone["num_codebooks"], depth["num_codebooks"], codec["num_quantizers"]}
    if len(counts) > 1:
        raise KathrineError(
            f"{where}: backbone, depth decoder and codec disagree on the number of codebooks ({sorted(counts)})", remedy
        )
    if depth["backbone_hidden_size"] != backbone["hidden_size"] or depth["vocab_size"] != backbone["vocab_size"]:
        raise KathrineError(f"{where}: backbone and depth decoder disagree on a width or on the vocabulary", remedy)
    if codec["codebook_size"] > backbone["vocab_size"]:
        raise KathrineError(
            f"{where}: the codec has {codec['codebook_size']} codes, the model {backbone['vocab_size']}", remedy
        )


def sizes(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Sizes of backbone, depth decoder and codec, what the file leaves out filled in."""
    backbone = {**DEFAULTS, **{key: value for key, value in config.items() if value is not None}}
    depth = {**DEPTH_DEFAULTS, **_given(config.get("depth_decoder_config"))}
    codec = {**CODEC_DEFAULTS, **_given(config.get("codec_config"))}
    return backbone, depth, codec


def _given(table: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (table or {}).items() if value is not None}


def samples_per_frame(codec: Mapping[str, Any]) -> int:
    """Samples of one frame of codes: the strides of Mimi's encoder, halved once more behind its transformer."""
    return math.prod(codec["upsampling_ratios"]) * 2


def part_of(name: str) -> str:
    """The part that a parameter belongs to, by its official name. Raises: KathrineError for a name of another
    model."""
    rules = (
        (r"embed_text_tokens\.", "text_embedding"),
        (r"backbone_model\.embed_tokens\.", "codec_embedding"),
        (r"backbone_model\.", "talker"),
        (r"lm_head\.", "codec_head"),
        (r"depth_decoder\.model\.embed_tokens\.", "sub_talker_embedding"),
        (r"depth_decoder\.model\.inputs_embeds_projector\.", "sub_talker_projection"),
        (r"depth_decoder\.model\.", "sub_talker"),
        (r"depth_decoder\.codebooks_head\.", "sub_talker_head"),
    )
    for pattern, part in rules:
        if re.match(pattern, name):
            return part
    raise KathrineError(f"{name!r} is not a parameter of CSM", f"the parts are {', '.join(PARTS)}")


def layer_of(name: str) -> int | None:
    """Index of the backbone layer that a parameter lies in, or None where it lies in none."""
    match = re.match(r"backbone_model\.layers\.(\d+)\.", name)
    return int(match.group(1)) if match else None


def position_of(name: str) -> int | None:
    """The layer of the depth decoder that a parameter lies in; None for one of the backbone's, which `layer_of` tells,
    and for single pieces. Its heads are one parameter here."""
    match = re.match(r"depth_decoder\.model\.layers\.(\d+)\.", name)
    return int(match.group(1)) if match else None


def piece_of(name: str) -> str:
    """What a parameter of either transformer is: attention, mlp or norms; empty for all that is neither's."""
    if not re.match(r"(?:backbone_model|depth_decoder\.model)\.(?:layers|norm)\.", name):
        return ""
    if ".self_attn." in name:
        return "attention"
    return "mlp" if ".mlp." in name else "norms"


def model_specs(config: Mapping[str, Any]) -> tuple[ParameterSpec, ...]:
    """Every parameter of the model that config.json describes, without the codec's; a shared table once."""
    return tuple(
        ParameterSpec(name, shape, part_of(name), layer_of(name), position_of(name), piece_of(name))
        for name, shape in _parameters(config)
    )


def _parameters(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    backbone, depth, _ = sizes(config)
    width, codes, codebooks = backbone["hidden_size"], backbone["vocab_size"], backbone["num_codebooks"]
    yield "embed_text_tokens.weight", (backbone["text_vocab_size"], width)
    yield TABLE, (codebooks * codes, width)
    yield from _decoder("backbone_model", backbone)
    yield "lm_head.weight", (codes, width)
    if not backbone["tie_codebooks_embeddings"]:
        yield SUB_TABLE, (codebooks * codes, width)
    yield "depth_decoder.model.inputs_embeds_projector.weight", (depth["hidden_size"], width)
    yield from _decoder("depth_decoder.model", depth)
    yield "depth_decoder.codebooks_head.weight", (codebooks - 1, depth["hidden_size"], codes)


def _decoder(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, inner, heads = table["hidden_size"], table["intermediate_size"], table["num_attention_heads"]
    head = table.get("head_dim") or hidden // heads
    queries, keys = heads * head, (table.get("num_key_value_heads") or heads) * head
    for layer in range(table["num_hidden_layers"]):
        at = f"{prefix}.layers.{layer}"
        attention = {"q_proj": (queries, hidden), "k_proj": (keys, hidden), "v_proj": (keys, hidden)}
        for name, shape in {**attention, "o_proj": (hidden, queries)}.items():
            yield f"{at}.self_attn.{name}.weight", shape
            if table["attention_bias"]:
                yield f"{at}.self_attn.{name}.bias", shape[:1]
        for name, shape in {
            "gate_proj": (inner, hidden),
            "up_proj": (inner, hidden),
            "down_proj": (hidden, inner),
        }.items():
            yield f"{at}.mlp.{name}.weight", shape
            if table["mlp_bias"]:
                yield f"{at}.mlp.{name}.bias", shape[:1]
        yield f"{at}.input_layernorm.weight", (hidden,)
        yield f"{at}.post_attention_layernorm.weight", (hidden,)
    yield f"{prefix}.norm.weight", (hidden,)
