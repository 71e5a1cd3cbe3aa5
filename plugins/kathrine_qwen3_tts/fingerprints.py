"""What cached codes and embeddings depend on in a checkpoint, as hashes. No torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kathrine_qwen3_tts.config import codec_folder


def codec_fingerprint(folder: Path, window: str) -> str:
    """Hash of all that codes depend on: the codec's weights, its configuration and the attention window."""
    from kathrine_qwen3_tts.integrity import file_hash, hub_hash

    codec = codec_folder(folder)
    weights = codec / "model.safetensors"
    digest = hashlib.sha256((hub_hash(weights) or file_hash(weights)).encode())
    digest.update((codec / "config.json").read_bytes())
    digest.update(window.encode())
    return digest.hexdigest()[:16]


def speaker_fingerprint(folder: Path | str) -> str:
    """Hash of the speaker encoder's weights: part of the key under which embeddings are cached."""
    from kathrine_qwen3_tts.integrity import stored_bytes

    # The number goes up when `log_mel`, in front of the encoder, changes its results.
    digest = hashlib.sha256(b"log-mel 1")
    for name, content in stored_bytes(folder, "speaker_encoder."):
        digest.update(name.encode())
        digest.update(content)
    return digest.hexdigest()[:16]
