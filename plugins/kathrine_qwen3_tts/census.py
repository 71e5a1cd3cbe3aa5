"""Every tensor of a Qwen3-TTS model from its configuration alone: official name, shape, part. No torch.

Written from the published layout of the state dict: talker (a Qwen3 decoder with two embeddings), code
predictor (the sub-talker, a Qwen3 decoder with 15 embeddings and heads) and the ECAPA speaker encoder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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


def speaker_encoder_sizes(config: dict[str, Any]) -> dict[str, Any]:
    """The speaker encoder's sizes, the class defaults filled in."""
    return {**SPEAKER_ENCODER_DEFAULTS, **(config.get("speaker_encoder_config") or {})}


def has_speaker_encoder(config: dict[str, Any]) -> bool:
    """Only `base` checkpoints carry a speaker encoder."""
    return bool(config["tts_model_type"] == "base")


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


def position_of(name: str) -> int | None:
    """Which of the like pieces of its part a parameter lies in, as the official name counts them: a layer of the
    sub-talker, one of its heads or tables. None for a talker layer, which `layer_of` tells, and for single pieces."""
    match = re.match(r"talker\.code_predictor\.(?:model\.(?:layers|codec_embedding)|lm_head)\.(\d+)\.", name)
    return int(match.group(1)) if match else None


def piece_of(name: str) -> str:
    """What a parameter of a decoder is: attention (with the norms of its queries and keys), mlp or norms; empty for
    all that is no decoder."""
    if not re.match(r"talker\.(?:code_predictor\.)?model\.(?:layers|norm)\.", name):
        return ""
    if ".self_attn." in name:
        return "attention"
    return "mlp" if ".mlp." in name else "norms"


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
        yield (
            f"talker.code_predictor.lm_head.{index}.weight",
            (predictor["vocab_size"], predictor["hidden_size"]),
        )

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
