"""`kathrine:tiny-csm`: an embedded model in transformers' layout, so that all runs with no network.

The small files lie in `known/tiny`; the weights are random, drawn per tensor from a fixed seed by numpy, so that every
machine with the same transformers builds the same. Its text tokenizer knows the 256 bytes and four special tokens. The
codec's codebooks are drawn around the encoder's real outputs (`latents.json`: mean and Cholesky factor of the two
groups' projected latents on speech), so that codes follow the audio and use much of a codebook.

Shapes: outer x inner (x kernel) of a weight.
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

from kathrine_csm.config import read_config
from kathrine_csm.quiet import quiet

if TYPE_CHECKING:
    import torch

DATA = Path(__file__).parent / "known" / "tiny"
SEED = 20261
SPECIAL = ("<|begin_of_text|>", "<|end_of_text|>", "<|AUDIO|>", "<|audio_eos|>")
WEIGHTS = "model.safetensors"
LAST = "decoder_seanet.layers.14."
"""The convolution that gives the samples: quiet, or random weights would clip."""


def tiny_config() -> dict[str, Any]:
    """The embedded model's configuration."""
    return read_config(DATA)


def tiny_checkpoint(workspace: Path) -> Path:
    """The folder of the embedded model below a workspace; built there on first use."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(path for path in DATA.rglob("*") if path.is_file()):
        digest.update(path.read_bytes())
    folder = Path(workspace) / "models" / f"tiny-csm-{digest.hexdigest()[:12]}"
    return folder if folder.is_dir() else build_tiny(folder)


def build_tiny(folder: Path | str) -> Path:
    """Build the embedded model. The folder appears complete or not at all; several may build at once."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        with quiet():
            tiny_network().save_pretrained(temporary)  # names and shared weights as transformers stores them
        for path in DATA.iterdir():
            if path.name != "latents.json":
                shutil.copyfile(path, temporary / path.name)
        (temporary / "tokenizer.json").write_text(tiny_tokenizer(), encoding="utf-8")
        try:
            temporary.replace(folder)
        except OSError:
            if not (folder / WEIGHTS).is_file():  # else another process was faster, with the same bytes
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def tiny_tokenizer() -> str:
    """tokenizer.json: bytes without merges, and a begin and an end around every text."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import BPE

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab={letter: index for index, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    begin, end = SPECIAL[:2]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (begin, end)],
    )
    return tokenizer.to_str(pretty=True)


def tiny_network() -> Any:
    """The embedded model as `CsmForConditionalGeneration`, with its weights."""
    import torch
    from transformers import CsmConfig, CsmForConditionalGeneration
    from transformers.initialization import no_init_weights

    with quiet(), no_init_weights():
        network = CsmForConditionalGeneration(CsmConfig.from_dict(tiny_config()))
    state: dict[str, torch.Tensor] = {}
    for name, value in network.state_dict().items():
        shape = tuple(value.shape)
        drawn = _codec_tensor(name, shape) if name.startswith("codec_model.") else _talker_tensor(name, shape)
        state[name] = torch.from_numpy(drawn)
    _draw_codebooks(state, json.loads((DATA / "latents.json").read_text(encoding="utf-8")))
    network.load_state_dict(state, strict=True)
    network.tie_weights()
    return network


def _draw(name: str, shape: tuple[int, ...], scale: float) -> np.ndarray:
    """Normal numbers that depend on the tensor's name alone."""
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    return (generator.standard_normal(shape) * scale).astype(np.float32)


def _talker_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    if "norm" in name:
        return np.ones(shape, dtype=np.float32)
    if "embed_text_tokens" in name:
        return _draw(name, shape, 1.0)
    if "embed" in name and "projector" not in name:  # both names of the shared table
        return _draw("codes", shape, 0.35)
    if "codebooks_head" in name:
        return _draw(name, shape, 2.6 / math.sqrt(shape[1]))
    gains = (("lm_head", 2.6), ("q_proj", 1.5), ("k_proj", 1.5), ("o_proj", 0.8), ("down_proj", 1.2))
    gain = next((gain for part, gain in gains if part in name), 1.0)
    return _draw(name, shape, gain / math.sqrt(shape[-1]))


# --------------------------------------------------------------------------- codec


def _codec_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name.endswith(("cluster_usage", "initialized")):
        return np.ones(shape, dtype=np.float32)
    if name.endswith("layer_scale.scale"):
        return np.full(shape, 0.3, dtype=np.float32)
    if "norm" in name:
        return np.full(shape, 1.0 if name.endswith("weight") else 0.0, dtype=np.float32)
    if name.endswith("bias"):
        return _draw(name, shape, 0.0 if LAST in name else 0.05)
    gain = 12.0 if shape[1:2] == (1,) and "encoder" in name else 0.05 if LAST in name else 1.2
    value = _draw(name, shape, gain / math.sqrt(math.prod(shape[1:])))
    if LAST in name:  # no constant offset in the sound
        value -= value.mean(axis=2, keepdims=True)
    return value


def _draw_codebooks(state: dict[str, torch.Tensor], latents: dict[str, dict[str, Any]]) -> None:
    """Codebooks around the encoder's outputs; each residual stage smaller than the one before it."""
    import torch

    for group in ("semantic", "acoustic"):
        mean, factor = np.array(latents[group]["mean"]), np.array(latents[group]["cholesky"])
        prefix = f"codec_model.quantizer.{group}_residual_vector_quantizer.layers."
        for name in [name for name in state if name.startswith(prefix) and name.endswith("embed_sum")]:
            stage = int(name.removeprefix(prefix).split(".")[0])
            rows = _draw(name, tuple(state[name].shape), 0.75 * 0.82**stage).astype(np.float64)
            # einsum without BLAS sums in a fixed order: the same bytes on every machine
            rows = np.einsum("vj,ij->vi", rows, factor, optimize=False) + (mean if stage == 0 else 0)
            state[name] = torch.from_numpy(rows.astype(np.float32))
