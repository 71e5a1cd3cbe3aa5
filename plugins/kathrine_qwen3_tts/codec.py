"""The 12 Hz speech tokenizer: 24 kHz audio to codes [F, Q] and back.

Shapes: B clips, N samples, F frames of 80 ms (1920 samples), Q codebooks, D latent width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from torch import nn

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.codec_network import FULL_ATTENTION, CodecDecoder, CodecEncoder
from kathrine_qwen3_tts.config import codec_config, codec_folder

Window = Literal["full", "windowed"]
CHUNK_FRAMES = 300
LEFT_CONTEXT_FRAMES = 25
"""Official decoding: chunks of 300 frames, each after 25 frames of context whose samples are cut away."""


class Codec(nn.Module):
    """The codec, or one half of it, under the official key names (`encoder.*`, `decoder.*`).

    Attributes: sample_rate (Hz), samples_per_frame, codebooks, codebook_size, window.
    """

    def __init__(
        self, config: dict[str, Any], *, encoder: bool = True, decoder: bool = True, window: Window = "full"
    ) -> None:
        super().__init__()
        if window not in ("full", "windowed"):
            raise KathrineError(f"codec window {window!r} is not known", 'use "full" or "windowed"')
        self.sample_rate = int(config["input_sample_rate"])
        self.samples_per_frame = int(config["encode_downsample_rate"])
        self.codebooks = int(config["encoder_valid_num_quantizers"])
        self.codebook_size = int(config["decoder_config"]["codebook_size"])
        self.window = window
        positions = FULL_ATTENTION if window == "full" else int(config["encoder_config"]["sliding_window"])
        self.encoder = CodecEncoder(config["encoder_config"], self.codebooks, positions) if encoder else None
        self.decoder = CodecDecoder(config["decoder_config"]) if decoder else None

    def _apply(self, fn: Any, recurse: bool = True) -> Codec:
        result = super()._apply(fn, recurse)
        if self.encoder is not None:
            self.encoder.forget_tables()
        return result

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def frames(self, samples: int) -> int:
        """Frames of a clip of so many samples at 24 kHz."""
        return math.ceil(samples / self.samples_per_frame)

    def _batch(self, waves: Sequence[np.ndarray], pad_to_frames: bool) -> torch.Tensor:
        for index, wave in enumerate(waves):
            if np.ndim(wave) != 1 or len(wave) == 0:
                raise KathrineError(
                    f"clip {index} to encode has shape {np.shape(wave)}",
                    "give mono audio with at least one sample",
                )
        longest = max(len(wave) for wave in waves)
        if pad_to_frames:
            longest = self.frames(longest) * self.samples_per_frame
        batch_BN = np.zeros((len(waves), longest), dtype=np.float32)
        for row_N, wave in zip(batch_BN, waves, strict=True):
            row_N[: len(wave)] = wave
        return torch.from_numpy(batch_BN).to(self.device, self.dtype)

    @torch.no_grad()
    def latents(self, waves: Sequence[np.ndarray], pad_to_frames: bool = True) -> list[np.ndarray]:
        """The encoder's output before quantizing, float32 [F, D] per clip; arguments as for `encode`."""
        encoder = self._half("encoder")
        latents_BFD = encoder.latents(self._batch(waves, pad_to_frames)).float().cpu().numpy()
        return [latents_FD[: self.frames(len(wave))] for latents_FD, wave in zip(latents_BFD, waves, strict=True)]

    @torch.no_grad()
    def encode(self, waves: Sequence[np.ndarray], pad_to_frames: bool = True) -> list[np.ndarray]:
        """Encode clips together.

        Args:
            waves: float32 [N] each, mono, 24 kHz, any lengths; memory grows with clips x longest clip.
            pad_to_frames: pad each clip with zeros to whole frames first. The codes of a clip then do not
                depend on its batch. With False, one clip alone gives exactly the official codes, and several
                give the official batch: only the last frame of a clip that is no multiple of one differs.

        Returns:
            int16 [F, Q] per clip, F = ceil(N / samples_per_frame).
        """
        if not waves:
            return []
        encoder = self._half("encoder")
        codes_BFQ = encoder(self._batch(waves, pad_to_frames)).cpu().numpy().astype(np.int16)
        return [codes_FQ[: self.frames(len(wave))].copy() for codes_FQ, wave in zip(codes_BFQ, waves, strict=True)]

    @overload
    def decode(self, codes: np.ndarray, on_chunk: Callable[[int, int], None] | None = None) -> np.ndarray: ...
    @overload
    def decode(
        self, codes: Sequence[np.ndarray], on_chunk: Callable[[int, int], None] | None = None
    ) -> list[np.ndarray]: ...

    @torch.no_grad()
    def decode(self, codes, on_chunk=None):
        """Decode codes in the official chunks.

        Args:
            codes: integer [F, Q], or a list of them (decoded as one right-padded batch).
            on_chunk: called as on_chunk(frames done, frames in all) after every chunk.

        Returns:
            float32 [F x samples_per_frame] within -1..1, or a list of them.

        Raises:
            KathrineError: a code outside the codebook, or a wrong number of codebooks.
        """
        if isinstance(codes, np.ndarray):
            return self.decode([codes], on_chunk)[0]
        if not codes:
            return []
        decoder = self._half("decoder")
        lengths = [len(codes_FQ) for codes_FQ in codes]
        batch_BFQ = torch.zeros(len(codes), max(lengths), self.codebooks, dtype=torch.int64)
        for row_FQ, codes_FQ in zip(batch_BFQ, codes, strict=True):
            self._check_codes(codes_FQ)
            row_FQ[: len(codes_FQ)] = torch.from_numpy(np.asarray(codes_FQ, dtype=np.int64))
        batch_BFQ = batch_BFQ.to(self.device)
        pieces, total = [np.zeros((len(codes), 0), dtype=np.float32)], max(lengths)
        for start in range(0, total, CHUNK_FRAMES):
            stop, context = min(start + CHUNK_FRAMES, total), min(start, LEFT_CONTEXT_FRAMES)
            wave_BN = decoder(batch_BFQ[:, start - context : stop])
            pieces.append(wave_BN[:, context * self.samples_per_frame :].float().cpu().numpy())
            if on_chunk is not None:
                on_chunk(stop, total)
        wave_BN = np.concatenate(pieces, axis=1)
        return [wave_BN[index, : frames * self.samples_per_frame].copy() for index, frames in enumerate(lengths)]

    def _check_codes(self, codes_FQ: np.ndarray) -> None:
        if np.ndim(codes_FQ) != 2 or np.shape(codes_FQ)[1] != self.codebooks:
            raise KathrineError(
                f"codes have shape {np.shape(codes_FQ)}, not [frames, {self.codebooks}]",
                "give one row a frame and one column a codebook",
            )
        if len(codes_FQ) and not 0 <= int(np.min(codes_FQ)) <= int(np.max(codes_FQ)) < self.codebook_size:
            raise KathrineError(
                f"codes reach from {int(np.min(codes_FQ))} to {int(np.max(codes_FQ))}, the codebook holds "
                f"0 to {self.codebook_size - 1}",
                "these codes come from another codec, or from a model that has not learnt yet",
            )

    def _half(self, name: Literal["encoder", "decoder"]) -> Any:
        half = getattr(self, name)
        if half is None:
            raise KathrineError(f"this codec was loaded without its {name}", f"load it with {name}=True")
        return half


def load_codec(
    folder: Path | str,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    *,
    encoder: bool = True,
    decoder: bool = True,
    window: Window = "full",
) -> Codec:
    """Load the codec, or one half, strictly: every tensor of the file must have its place.

    Args:
        folder: a checkpoint folder (with `speech_tokenizer/`) or the codec's own folder.
        dtype: float32 for encoding, always; a lower one changes codes.
        window: attention of the encoder. "full" equals the official package; "windowed" is the 250 positions
            (10 s) of the configuration. They differ for clips above 10 s.

    Raises:
        KathrineError: files missing, or weights that do not fit the configuration.
    """
    from safetensors import SafetensorError, safe_open

    from kathrine_qwen3_tts.building import weights_unset

    config = codec_config(folder)
    with weights_unset():
        codec = Codec(config, encoder=encoder, decoder=decoder, window=window)
    wanted = tuple(name for name, half in (("encoder.", encoder), ("decoder.", decoder)) if half)
    path = codec_folder(folder) / "model.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys() if key.startswith(wanted)}  # noqa: SIM118
        codec.load_state_dict(state, strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise KathrineError(
            f"{path} does not fit its configuration: {str(error).splitlines()[0]}",
            "fetch the checkpoint again",
        ) from error
    return codec.to(device=device, dtype=dtype).eval().requires_grad_(False)
