"""The two transformer bodies of Qwen3-TTS as sizes, from the configuration alone. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kathrine.types import Body

TALKER_TABLES = ("text_embedding", "codec_embedding", "sub_talker_embedding")
"""Looked up for the talker's rows: a frame is the sum over all codebooks."""
LANGUAGE_TAG = "language_tag"


def model_bodies(config: Mapping[str, Any]) -> tuple[Body, Body]:
    """Talker and sub-talker of a parsed config.json, in the order in which a step computes them.

    The sub-talker sees one position for each codebook of a target frame: the hidden state that predicts the frame, and
    all codes but the last. It has a head for each codebook but the first.
    """
    talker = config["talker_config"]
    predictor = talker["code_predictor_config"]
    codebooks = int(talker["num_code_groups"])
    before = ("text_projection", LANGUAGE_TAG, *TALKER_TABLES)
    return (
        Body(part="talker", head_part="codec_head", before=before, tables=TALKER_TABLES, **_sizes(talker)),
        Body(
            part="sub_talker",
            head_part="sub_talker_head",
            positions=codebooks,
            heads=codebooks - 1,
            before=(*before, "talker", "sub_talker_projection"),
            tables=("codec_embedding", "sub_talker_embedding"),
            **_sizes(predictor),
        ),
    )


def _sizes(config: Mapping[str, Any]) -> dict[str, Any]:
    head = int(config["head_dim"])
    return {
        "layers": int(config["num_hidden_layers"]),
        "hidden": int(config["hidden_size"]),
        "inner": int(config["intermediate_size"]),
        "queries": int(config["num_attention_heads"]) * head,
        "keys": int(config["num_key_value_heads"]) * head,
        "head": head,
        "vocabulary": int(config["vocab_size"]),
    }
