"""Mimi, the speech tokenizer inside a CSM checkpoint: audio to codes [F, Q] and back, in float32.

Shapes: B clips, N samples, F frames, Q codebooks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kathrine.errors import KathrineError
from kathrine_csm.checkpoint import read_tensors
from kathrine_csm.config import CODEC_PREFIX, read_config, samples_per_frame, sizes
from kathrine_csm.quiet import quiet


class MimiCodec:
    """The codec of one checkpoint. sample_rate: Hz. samples_per_frame, codebooks, codebook_size: of the codes."""

    def __init__(self, model: Any, config: Mapping[str, Any]) -> None:
        codec = sizes(config)[2]
        self.model = model
        self.sample_rate = int(codec["sampling_rate"])
        self.samples_per_frame = samples_per_frame(codec)
        self.codebooks = int(codec["num_quantizers"])
        self.codebook_size = int(codec["codebook_size"])

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def frames(self, samples: int) -> int:
        """Frames of a clip of so many samples."""
        return math.ceil(samples / self.samples_per_frame)

    @torch.no_grad()
    def encode(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Codes int16 [F, Q] of clips float32 [N]. Each is padded with zeros to whole frames first; all layers are
        causal, so its codes do not depend on its batch."""
        if not waves:
            return []
        for index, wave in enumerate(waves):
            if np.ndim(wave) != 1 or len(wave) == 0:
                raise KathrineError(
                    f"clip {index} to encode has shape {np.shape(wave)}", "give mono audio with at least one sample"
                )
        longest = self.frames(max(len(wave) for wave in waves)) * self.samples_per_frame
        batch_BN = np.zeros((len(waves), longest), dtype=np.float32)
        for row_N, wave in zip(batch_BN, waves, strict=True):
            row_N[: len(wave)] = wave
        sound_B1N = torch.from_numpy(batch_BN).unsqueeze(1).to(self.device)
        codes_BQF = self.model.encode(sound_B1N, num_quantizers=self.codebooks, return_dict=True).audio_codes
        codes_BFQ = codes_BQF.transpose(1, 2).cpu().numpy().astype(np.int16)
        return [codes_FQ[: self.frames(len(wave))].copy() for codes_FQ, wave in zip(codes_BFQ, waves, strict=True)]

    @torch.no_grad()
    def decode(
        self, codes: Sequence[np.ndarray], progress: Callable[[int, int], None] | None = None
    ) -> list[np.ndarray]:
        """Waves float32 [F x samples_per_frame] within -1..1 of codes [F, Q], one after the other.

        Raises: KathrineError for a code outside of the codebook, or a wrong number of codebooks.
        """
        waves = []
        for index, codes_FQ in enumerate(codes):
            self._check(codes_FQ)
            wave = np.zeros(0, dtype=np.float32)
            if len(codes_FQ):
                codes_1QF = torch.from_numpy(np.asarray(codes_FQ, dtype=np.int64).T[None].copy()).to(self.device)
                sound_B1N = self.model.decode(codes_1QF, return_dict=True).audio_values
                wave = sound_B1N[0, 0].clamp(-1, 1).float().cpu().numpy()
            waves.append(wave[: len(codes_FQ) * self.samples_per_frame])
            if progress is not None:
                progress(index + 1, len(codes))
        return waves

    def _check(self, codes_FQ: np.ndarray) -> None:
        if np.ndim(codes_FQ) != 2 or np.shape(codes_FQ)[1] != self.codebooks:
            raise KathrineError(
                f"codes have shape {np.shape(codes_FQ)}, not [frames, {self.codebooks}]",
                "decode codes of this codec only",
            )
        if np.size(codes_FQ) and not 0 <= np.min(codes_FQ) <= np.max(codes_FQ) < self.codebook_size:
            raise KathrineError(
                f"codes lie between {np.min(codes_FQ)} and {np.max(codes_FQ)}, the codebook has {self.codebook_size}",
                "decode codes of this codec only",
            )


def load_codec(folder: Path, device: str = "cpu", decode_only: bool = False) -> MimiCodec:
    """The codec of a checkpoint folder, float32, frozen, in eval mode; decode_only leaves the encoder out.

    Raises: KathrineError where its weights are missing or do not fit.
    """
    from transformers import CsmConfig, MimiModel

    config = read_config(folder)
    state = {
        name.removeprefix(CODEC_PREFIX): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in read_tensors(folder, CODEC_PREFIX)
    }
    with quiet():
        parsed: Any = CsmConfig.from_dict(config).codec_config
        # transformers' own loading knows both layouts of Mimi's names, and fills what no file holds
        loaded: Any = MimiModel.from_pretrained(
            None, config=parsed, state_dict=state, dtype=torch.float32, output_loading_info=True
        )
        model, info = loaded
    wrong = sorted({*info["missing_keys"], *info["unexpected_keys"], *(key[0] for key in info["mismatched_keys"])})
    if wrong:
        raise KathrineError(f"{folder}: the codec's weights do not fit: {wrong[0]}", "fetch the checkpoint again")
    if decode_only:
        model.encoder = None
    # before the first use: the codebooks keep a table that would not move with them
    model = model.to(device).eval().requires_grad_(False)
    return MimiCodec(model, config)
