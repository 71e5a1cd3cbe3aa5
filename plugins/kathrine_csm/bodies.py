"""The two transformers of CSM as sizes, from the configuration alone. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kathrine.types import Body
from kathrine_csm.config import sizes

TABLES = ("text_embedding", "codec_embedding")


def model_bodies(config: Mapping[str, Any]) -> tuple[Body, Body]:
    """Backbone and depth decoder of a parsed config.json, in the order in which a step computes them.

    The depth decoder sees one position for each codebook of a target frame, and has a head for each but the first.
    """
    backbone, depth, _ = sizes(config)
    codebooks = int(backbone["num_codebooks"])
    return (
        Body(part="talker", head_part="codec_head", before=TABLES, tables=TABLES, **_sizes(backbone)),
        Body(
            part="sub_talker",
            head_part="sub_talker_head",
            positions=codebooks,
            heads=codebooks - 1,
            before=(*TABLES, "talker", "sub_talker_embedding", "sub_talker_projection"),
            tables=("codec_embedding", "sub_talker_embedding"),
            **_sizes(depth),
        ),
    )


def _sizes(table: Mapping[str, Any]) -> dict[str, Any]:
    hidden, heads = int(table["hidden_size"]), int(table["num_attention_heads"])
    head = int(table.get("head_dim") or hidden // heads)
    return {
        "layers": int(table["num_hidden_layers"]),
        "hidden": hidden,
        "inner": int(table["intermediate_size"]),
        "queries": heads * head,
        "keys": int(table.get("num_key_value_heads") or heads) * head,
        "head": head,
        "vocabulary": int(table["vocab_size"]),
        "head_norms": False,
    }
