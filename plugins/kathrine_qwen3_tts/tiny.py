"""`kathrine:tiny`: an embedded model in the official directory layout, so that all runs with no network.

The small files lie in `known/tiny`; the weights are random, drawn per tensor from a fixed seed by numpy, so
that every machine builds the same bytes. It is the architecture of the 1.7B with small widths. Chosen so that
it behaves like a trained model where that matters:

- Channel 0 of the talker is a constant that text rows bring in and no layer writes to. Rows of `codec_head`
  that are no code of the small codebook look at it alone and get a low logit: neither greedy nor sampled
  generation leaves the codebook.
- The codec's codebooks are drawn around the encoder's real outputs (`latents.json`: mean and Cholesky factor
  of the two groups' projected latents on speech), so that codes follow the audio and use all of a codebook.
- The first filters of the speaker encoder have zero mean: loudness cancels, the spectrum's shape is left.

Shapes: outer x inner (x kernel) of a weight; V codebook size, H talker width.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kathrine_qwen3_tts.config import SPEECH_TOKENIZER, codec_config, parameter_census, read_config
from kathrine_qwen3_tts.integrity import CODEC_FILES, SMALL_FILES, WEIGHTS

if TYPE_CHECKING:
    import torch

DATA = Path(__file__).parent / "known" / "tiny"
SEED = 20260
CONSTANT = 2.0
"""What channel 0 of every input row holds."""
NO_CODE_WEIGHT = -6.0
"""Weight of channel 0 in the rows of codec_head that are no code: a logit of about -9."""


def tiny_checkpoint(workspace: Path) -> Path:
    """The folder of the embedded model below a workspace; built there on first use."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(path for path in DATA.rglob("*") if path.is_file()):
        digest.update(path.read_bytes())
    folder = Path(workspace) / "models" / f"tiny-{digest.hexdigest()[:12]}"
    return folder if folder.is_dir() else build_tiny(folder)


def build_tiny(folder: Path | str) -> Path:
    """Build the embedded model. The folder appears complete or not at all; several may build at once."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        (temporary / SPEECH_TOKENIZER).mkdir(parents=True)
        for name in ("config.json", *SMALL_FILES, *CODEC_FILES):
            if not name.endswith(WEIGHTS):
                shutil.copyfile(DATA / name, temporary / name)
        save_file(model_weights(read_config(DATA)), temporary / WEIGHTS, metadata={"format": "pt"})
        codec = codec_weights(codec_config(DATA))
        save_file(codec, temporary / SPEECH_TOKENIZER / WEIGHTS, metadata={"format": "pt"})
        try:
            temporary.replace(folder)
        except OSError:
            if not (folder / WEIGHTS).is_file():  # else another process was faster, with the same bytes
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _draw(name: str, shape: tuple[int, ...], scale: float) -> np.ndarray:
    """Normal numbers that depend on the tensor's name alone."""
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    return (generator.standard_normal(shape) * scale).astype(np.float32)


# ----------------------------------------------------------------------- talker, sub-talker, speaker encoder


def model_weights(config: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Every tensor of model.safetensors, bf16 as in published files."""
    import torch

    state = {}
    for name, shape, part in parameter_census(config):
        value = _speaker_tensor(name, shape) if part == "speaker_encoder" else _talker_tensor(name, shape)
        state[name] = value
    _keep_constant(state)
    _shape_codec_rows(state, config["talker_config"])
    return {name: torch.from_numpy(value).to(torch.bfloat16) for name, value in state.items()}


def _talker_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name.endswith("norm.weight"):  # a gain on queries and keys makes attention choosy
        return np.full(shape, 1.5 if ("q_norm" in name or "k_norm" in name) else 1.0, dtype=np.float32)
    if name.endswith("bias"):
        return np.zeros(shape, dtype=np.float32)
    gains = (
        ("text_embedding", 1.0 * math.sqrt(shape[-1])),
        ("linear_fc1", 2.0),
        ("linear_fc2", 1.2),
        ("codec_embedding", 0.35 * math.sqrt(shape[-1])),
        ("codec_head", 2.6),
        ("lm_head", 2.6),
        ("o_proj", 0.8),
        ("down_proj", 1.2),
    )
    gain = next((gain for part, gain in gains if part in name), 1.0)
    return _draw(name, shape, gain / math.sqrt(shape[-1]))


def _keep_constant(state: dict[str, np.ndarray]) -> None:
    """Let nothing but the text projection's bias write to channel 0 of the talker."""
    for name, value in state.items():
        writes = name.startswith("talker.model.layers.") and ("o_proj" in name or "down_proj" in name)
        if writes or name in ("talker.text_projection.linear_fc2.weight", "speaker_encoder.fc.weight"):
            value[0] = 0
        elif "codec_embedding" in name:
            value[:, 0] = 0
    state["talker.text_projection.linear_fc2.bias"][0] = CONSTANT


def _shape_codec_rows(state: dict[str, np.ndarray], talker: dict[str, Any]) -> None:
    codes, controls = talker["code_predictor_config"]["vocab_size"], talker["vocab_size"] - 1024
    embedding, head = state["talker.model.codec_embedding.weight"], state["talker.codec_head.weight"]
    embedding[codes:controls] = 0
    embedding[controls:] *= 2
    head[:codes, 0] = 0
    end = head[talker["codec_eos_token_id"]].copy()
    head[codes:] = 0
    head[codes:, 0] = NO_CODE_WEIGHT
    end[0] = -1.0
    head[talker["codec_eos_token_id"]] = end


def _speaker_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name.endswith("bias"):
        return _draw(name, shape, 0.2)
    value = _draw(name, shape, (0.7 if name.endswith("fc.weight") else 1.4) / math.sqrt(shape[1] * shape[2]))
    if "blocks.0." in name or name.endswith("fc.weight"):
        value -= value.mean(axis=(1, 2), keepdims=True)
    return value


# --------------------------------------------------------------------------- codec


def codec_weights(config: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Every tensor of speech_tokenizer/model.safetensors, fp32 as in published files."""
    import torch

    from kathrine_qwen3_tts.building import weights_unset
    from kathrine_qwen3_tts.codec import Codec

    with weights_unset():
        shapes = {name: tuple(value.shape) for name, value in Codec(config).state_dict().items()}
    state = {name: _codec_tensor(name, shape) for name, shape in shapes.items()}
    _draw_codebooks(state, json.loads((DATA / "latents.json").read_text(encoding="utf-8")))
    return {name: torch.from_numpy(value) for name, value in state.items()}


def _codec_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name.endswith(("cluster_usage", "initialized")):
        return np.ones(shape, dtype=np.float32)
    if name.endswith(("alpha", "beta")):
        return _draw(name, shape, 0.1)
    if name.endswith(("layer_scale.scale", "gamma")):
        return np.full(shape, 0.3, dtype=np.float32)
    if "norm" in name:
        return np.full(shape, 1.0 if name.endswith("weight") else 0.0, dtype=np.float32)
    if name.endswith("bias"):
        return _draw(name, shape, 0.0 if name == "decoder.decoder.6.conv.bias" else 0.05)
    if ("decoder.upsample" in name and name.endswith("0.conv.weight")) or (
        name.startswith("decoder.decoder.") and "block.1.conv" in name
    ):
        return _draw(name, shape, 0.7 / math.sqrt(shape[0]))  # transposed: two taps reach a sample
    if name.startswith("decoder.decoder.") and ".conv2." in name:
        return _draw(name, shape, 0.25 / math.sqrt(math.prod(shape[1:])))
    gain = {"encoder.encoder.layers.0.conv.weight": 12.0, "decoder.decoder.6.conv.weight": 0.05}.get(name, 1.2)
    value = _draw(name, shape, gain / math.sqrt(math.prod(shape[1:])))
    if name == "decoder.decoder.6.conv.weight":  # no constant offset in the sound
        value -= value.mean(axis=2, keepdims=True)
    return value


def _draw_codebooks(state: dict[str, np.ndarray], latents: dict[str, dict[str, Any]]) -> None:
    """Codebooks around the encoder's outputs; each residual stage smaller than the one before it."""
    for group, decoder_group in (("semantic", "rvq_first"), ("acoustic", "rvq_rest")):
        mean, factor = np.array(latents[group]["mean"]), np.array(latents[group]["cholesky"])
        prefix = f"encoder.quantizer.{group}_residual_vector_quantizer.layers."
        for name in [name for name in state if name.startswith(prefix) and name.endswith("embed_sum")]:
            stage = int(name.removeprefix(prefix).split(".")[0])
            rows = _draw(name, state[name].shape, 0.75 * 0.82**stage).astype(np.float64)
            # einsum without BLAS sums in a fixed order: the same bytes on every machine
            rows = np.einsum("vj,ij->vi", rows, factor, optimize=False) + (mean if stage == 0 else 0)
            state[name] = rows.astype(np.float32)
            table = f"decoder.quantizer.{decoder_group}.vq.layers.{stage}._codebook.embedding_sum"
            if table in state:
                state[table] = state[name].copy()
