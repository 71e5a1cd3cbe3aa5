"""The speaker encoder: a log-mel spectrogram of the whole recording to one vector (the x-vector).

It has no length mask: padding moves the vector, so a recording always goes through alone and whole.

Shapes: N samples at 24 kHz, T mel frames (hop 256), M mel bands (128), H width of the speaker embedding.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniDiTConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import ECAPA_TimeDelayNet

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.checkpoint import read_tensors
from kathrine_qwen3_tts.config import has_speaker_encoder, read_config, speaker_encoder_sizes

FFT = 1024
HOP = 256
REFLECT = (FFT - HOP) // 2
LOWEST_HZ, HIGHEST_HZ = 0.0, 12000.0
POWER_FLOOR, LOG_FLOOR = 1e-9, 1e-5
PREFIX = "speaker_encoder."


class SpeakerEncoder(ECAPA_TimeDelayNet):
    """ECAPA-TDNN under the official key names (without `speaker_encoder.`).

    Args:
        config: a whole config.json; its `speaker_encoder_config` gives the sizes, class defaults the rest.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        sizes = speaker_encoder_sizes(config)
        names = (
            *("mel_dim", "enc_dim", "enc_channels", "enc_kernel_sizes", "enc_dilations"),
            *("enc_attention_channels", "enc_res2net_scale", "enc_se_channels"),
        )
        super().__init__(Qwen2_5OmniDiTConfig(**{name: sizes[name] for name in names}))
        self.sample_rate = int(sizes["sample_rate"])
        self.mel_bands = int(sizes["mel_dim"])
        # Reflect padding inside the network needs more frames than its widest one-sided pad.
        reach = max(k // 2 * d for k, d in zip(sizes["enc_kernel_sizes"], sizes["enc_dilations"], strict=True))
        self.shortest_frames = reach + 1

    @property
    def shortest_samples(self) -> int:
        """Fewest samples that a recording may have."""
        return FFT - 2 * REFLECT + (self.shortest_frames - 1) * HOP


@lru_cache(maxsize=2)
def _mel_filters(bands: int, sample_rate: int) -> torch.Tensor:
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(
        num_frequency_bins=FFT // 2 + 1,
        num_mel_filters=bands,
        min_frequency=LOWEST_HZ,
        max_frequency=HIGHEST_HZ,
        sampling_rate=sample_rate,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(np.ascontiguousarray(filters.T)).float()


def log_mel(wave_N: np.ndarray | torch.Tensor, bands: int = 128, sample_rate: int = 24000) -> torch.Tensor:
    """Log-mel spectrogram [T, M] of mono audio, as the speaker encoder was trained on.

    FFT 1024, hop 256, Hann, reflect padding 384, no centring; Slaney mel bands 0 to 12000 Hz on the magnitude
    sqrt(power + 1e-9); natural logarithm, floor 1e-5.

    Raises:
        KathrineError: fewer samples than the reflect padding needs.
    """
    wave = torch.as_tensor(wave_N, dtype=torch.float32)
    if wave.ndim != 1 or len(wave) <= REFLECT:
        raise KathrineError(
            f"a recording of shape {tuple(wave.shape)} is too short for a spectrogram",
            f"give mono audio of more than {REFLECT} samples at 24 kHz",
        )
    padded = torch.nn.functional.pad(wave[None, None], (REFLECT, REFLECT), mode="reflect")[0, 0]
    window = torch.hann_window(FFT, device=wave.device)
    spectrum = torch.stft(padded, FFT, hop_length=HOP, window=window, center=False, return_complex=True)
    magnitude_KT = torch.sqrt(torch.view_as_real(spectrum).pow(2).sum(-1) + POWER_FLOOR)
    mel_MT = _mel_filters(bands, sample_rate).to(wave.device) @ magnitude_KT
    return torch.log(mel_MT.clamp(min=LOG_FLOOR)).T


@torch.no_grad()
def speaker_embedding(encoder: SpeakerEncoder, wave_24k: np.ndarray) -> np.ndarray:
    """The speaker embedding, float32 [H], of one mono 24 kHz recording at its full length.

    Raises:
        KathrineError: the recording is shorter than the encoder can look at (about 0.05 s).
    """
    if len(wave_24k) < encoder.shortest_samples:
        raise KathrineError(
            f"a reference of {len(wave_24k)} samples is too short for a speaker embedding",
            f"give at least {encoder.shortest_samples} samples at 24 kHz; a few seconds are better",
        )
    weight = encoder.fc.weight
    mel_TM = log_mel(torch.as_tensor(wave_24k, device=weight.device), encoder.mel_bands, encoder.sample_rate)
    vector = encoder(mel_TM[None].to(weight.dtype))[0]
    return vector.float().cpu().numpy()


def load_speaker_encoder(folder: Path | str, device: torch.device | str = "cpu") -> SpeakerEncoder:
    """Load the speaker encoder of a `base` checkpoint alone, in float32; the talker's weights are not read.

    Raises:
        KathrineError: the checkpoint has none (custom_voice, voice_design).
    """
    from kathrine_qwen3_tts.building import weights_unset

    config = read_config(folder)
    if not has_speaker_encoder(config):
        raise KathrineError(
            f"{folder} is a {config['tts_model_type']} checkpoint, which has no speaker encoder",
            "use a Base checkpoint to read voices from recordings",
        )
    with weights_unset():
        encoder = SpeakerEncoder(config)
    state = {name.removeprefix(PREFIX): value.float() for name, value in read_tensors(folder, prefix=PREFIX)}
    encoder.load_state_dict(state, strict=True)
    return encoder.to(device).eval().requires_grad_(False)
