"""What kathrine is told about a model before its weights are read: facts and parameters. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kathrine.types import ModelFacts, ParameterSpec
from kathrine_qwen3_tts.config import (
    PARTS,
    known_config,
    known_names,
    layer_of,
    parameter_census,
    piece_of,
    position_of,
    taken_rows,
)

FAMILY = "qwen3_tts"
"""The family's name in recipes."""

FREE_ROW = 2100
"""A row of the codec embedding that no released model uses."""


def model_facts(config: Mapping[str, Any], codec: Mapping[str, Any], checkpoint: str, revision: str = "") -> ModelFacts:
    """Facts from the two parsed configurations, config.json and speech_tokenizer/config.json."""
    talker = config["talker_config"]
    present = {part for _, _, part in parameter_census(dict(config))}
    return ModelFacts(
        family=FAMILY,
        checkpoint=checkpoint,
        revision=revision,
        sample_rate=int(codec["input_sample_rate"]),
        samples_per_frame=int(codec["encode_downsample_rate"]),
        codebooks=int(talker["num_code_groups"]),
        codebook_size=int(talker["code_predictor_config"]["vocab_size"]),
        parts=tuple(part for part in PARTS if part in present),
        languages={name: int(row) for name, row in talker["codec_language_id"].items()},
        taken_rows=taken_rows(dict(config)),
        free_rows=() if FREE_ROW in taken_rows(dict(config)) else (FREE_ROW,),
        speakers=tuple(talker.get("spk_id") or {}),
        released=released_size(talker),
    )


def released_size(talker: Mapping[str, Any]) -> bool:
    """Whether a talker is as large as one of the released ones: then its weights are trained ones."""
    known = (known_config(name) or {} for name in known_names())
    sizes = [one["talker_config"] for one in known if "talker_config" in one]
    return any(
        talker["hidden_size"] == size["hidden_size"] and talker["num_hidden_layers"] == size["num_hidden_layers"]
        for size in sizes
    )


def model_specs(config: Mapping[str, Any]) -> tuple[ParameterSpec, ...]:
    """Every parameter of the model that config.json describes."""
    return tuple(
        ParameterSpec(name, shape, part, layer_of(name), position_of(name), piece_of(name))
        for name, shape, part in parameter_census(dict(config))
    )
