"""The two halves of the 12 Hz codec as modules under their official key names.

Encoder: Mimi's blocks composed by hand (independent of the layout of transformers' own Mimi model class).
Decoder: the vocoder blocks of Qwen3-Omni-MoE, with a transposed convolution that trims on the right only, the
residual vector quantizer's tables, and the assembly around them.

Shapes: B clips, N samples, F frames (80 ms), L positions of the encoder's transformer (2 a frame), D latent
width, C channels, Q codebooks (1 semantic, then acoustic ones), V codebook size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.models.mimi.configuration_mimi import MimiConfig
from transformers.models.mimi.modeling_mimi import (
    MimiConv1d,
    MimiEncoder,
    MimiEuclideanCodebook,
    MimiSplitResidualVectorQuantizer,
    MimiTransformerModel,
)
from transformers.models.qwen3_omni_moe.configuration_qwen3_omni_moe import Qwen3OmniMoeCode2WavConfig
from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import (
    Qwen3OmniMoeCausalConvNet,
    Qwen3OmniMoeCode2WavDecoderResidualUnit,
    Qwen3OmniMoeCode2WavTransformerModel,
    Qwen3OmniMoeConvNeXtBlock,
    Qwen3OmniMoeSnakeBeta,
)

FULL_ATTENTION = 1 << 30
"""A window that no clip reaches: the official package runs the encoder with full causal attention."""

SDPA: dict[str, Any] = {"attn_implementation": "sdpa"}
_NOT_SIZES = {"_frame_rate", "frame_rate", "dtype", "torch_dtype", "transformers_version", "sliding_window"}


class CodecEncoder(nn.Module):
    """Waveform to codes. `window` is the attention window of the transformer, in positions of 40 ms."""

    def __init__(self, sizes: dict[str, Any], codebooks: int, window: int) -> None:
        super().__init__()
        arguments = {key: value for key, value in sizes.items() if key not in _NOT_SIZES}
        config = MimiConfig(**arguments, sliding_window=window, **SDPA)
        config.use_cache = False
        self.codebooks = codebooks
        self.encoder = MimiEncoder(config)
        self.encoder_transformer = MimiTransformerModel(config)
        compress = int(sizes.get("compress", 2))
        self.downsample = MimiConv1d(
            config,
            config.hidden_size,
            config.hidden_size,
            kernel_size=2 * compress,
            stride=compress,
            bias=False,
            pad_mode="replicate",
        )
        self.quantizer = MimiSplitResidualVectorQuantizer(config)

    def latents(self, wave_BN: torch.Tensor) -> torch.Tensor:
        """Continuous latents [B, F, D] of waveforms [B, N] at 24 kHz, F = ceil(N / samples per frame)."""
        hidden_BLD = self.encoder(wave_BN[:, None, :]).transpose(1, 2)
        hidden_BLD = self.encoder_transformer(hidden_BLD).last_hidden_state
        return self.downsample(hidden_BLD.transpose(1, 2)).transpose(1, 2)

    def forward(self, wave_BN: torch.Tensor) -> torch.Tensor:
        """Codes [B, F, Q]: the first Q quantizers only, the others would be cut away."""
        latents_BDF = self.latents(wave_BN).transpose(1, 2)
        return self.quantizer.encode(latents_BDF, self.codebooks).permute(1, 2, 0)

    def forget_tables(self) -> None:
        """Drop the codebook tables that Mimi caches on first use: they would stay on the old device."""
        for module in self.modules():
            if isinstance(module, MimiEuclideanCodebook):
                module._embed = None


class RightTrimmedTransposedConvolution(nn.Module):
    """Causal upsampling by `stride`: the surplus kernel - stride samples are cut on the right only."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(inner, outer, kernel, stride=stride)
        self.surplus = kernel - stride

    def forward(self, hidden_BCN: torch.Tensor) -> torch.Tensor:
        hidden_BCN = self.conv(hidden_BCN)
        return hidden_BCN[..., : hidden_BCN.shape[-1] - self.surplus].contiguous()


class UpsamplingBlock(nn.Module):
    """Snake, transposed convolution, and three residual units with dilation 1, 3 and 9."""

    def __init__(self, inner: int, outer: int, rate: int) -> None:
        super().__init__()
        self.block = nn.ModuleList(
            [
                Qwen3OmniMoeSnakeBeta(inner),
                RightTrimmedTransposedConvolution(inner, outer, 2 * rate, rate),
                *(Qwen3OmniMoeCode2WavDecoderResidualUnit(outer, dilation) for dilation in (1, 3, 9)),
            ]
        )

    def forward(self, hidden_BCN: torch.Tensor) -> torch.Tensor:
        for layer in self.block:
            hidden_BCN = layer(hidden_BCN)
        return hidden_BCN


class _Codebook(nn.Module):
    embedding_sum: torch.Tensor
    cluster_usage: torch.Tensor

    def __init__(self, entries: int, width: int) -> None:
        super().__init__()
        self.register_buffer("embedding_sum", torch.zeros(entries, width))
        self.register_buffer("cluster_usage", torch.ones(entries))

    def forward(self, codes_BF: torch.Tensor) -> torch.Tensor:
        table_VD = self.embedding_sum / self.cluster_usage.clamp(min=1e-5)[:, None]
        return nn.functional.embedding(codes_BF, table_VD)


class _Layer(nn.Module):
    def __init__(self, entries: int, width: int) -> None:
        super().__init__()
        self._codebook = _Codebook(entries, width)

    def forward(self, codes_BF: torch.Tensor) -> torch.Tensor:
        return self._codebook(codes_BF)


class _Layers(nn.Module):
    def __init__(self, layers: int, entries: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(entries, width) for _ in range(layers))


class ResidualTables(nn.Module):
    """One group of residual codebooks, decode side: the sum of its rows, then a projection to `outer`."""

    def __init__(self, layers: int, entries: int, width: int, outer: int) -> None:
        super().__init__()
        self.input_proj = nn.Conv1d(outer, width, 1, bias=False)  # in the published files, unused when decoding
        self.output_proj = nn.Conv1d(width, outer, 1, bias=False)
        self.vq = _Layers(layers, entries, width)

    def forward(self, codes_BFQ: torch.Tensor) -> torch.Tensor:
        """Codes [B, F, Q of this group] to features [B, outer, F]."""
        rows_BFD = self.vq.layers[0](codes_BFQ[..., 0])
        for index in range(1, codes_BFQ.shape[-1]):
            rows_BFD = rows_BFD + self.vq.layers[index](codes_BFQ[..., index])
        return self.output_proj(rows_BFD.transpose(1, 2))


class SplitTables(nn.Module):
    """The semantic and the acoustic group of codebooks."""

    def __init__(self, semantic: int, total: int, entries: int, outer: int) -> None:
        super().__init__()
        self.semantic = semantic
        self.rvq_first = ResidualTables(semantic, entries, outer // 2, outer)
        self.rvq_rest = ResidualTables(total - semantic, entries, outer // 2, outer)

    def forward(self, codes_BFQ: torch.Tensor) -> torch.Tensor:
        return self.rvq_first(codes_BFQ[..., : self.semantic]) + self.rvq_rest(codes_BFQ[..., self.semantic :])


class ProjectedTransformer(Qwen3OmniMoeCode2WavTransformerModel):
    """The vocoder's transformer between two projections, since its width differs from the latents'."""

    def __init__(self, config: Qwen3OmniMoeCode2WavConfig, latent: int) -> None:
        super().__init__(config)
        self.input_proj = nn.Linear(latent, config.hidden_size)
        self.output_proj = nn.Linear(config.hidden_size, latent)

    def project(self, hidden_BFD: torch.Tensor) -> torch.Tensor:
        """Latents [B, F, latent] in and out."""
        inside = self(inputs_embeds=self.input_proj(hidden_BFD), use_cache=False)
        return self.output_proj(inside.last_hidden_state)


class CodecDecoder(nn.Module):
    """Codes to waveform. Causal throughout, so right padding in a batch changes nothing before it."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        # head_dim is not in the class's signature, but its attention reads it from the configuration
        extra: dict[str, Any] = {"head_dim": sizes["head_dim"], **SDPA}
        config = Qwen3OmniMoeCode2WavConfig(
            codebook_size=sizes["codebook_size"],
            hidden_size=sizes["hidden_size"],
            intermediate_size=sizes["intermediate_size"],
            num_hidden_layers=sizes["num_hidden_layers"],
            num_attention_heads=sizes["num_attention_heads"],
            num_key_value_heads=sizes["num_key_value_heads"],
            sliding_window=sizes["sliding_window"],
            rms_norm_eps=sizes["rms_norm_eps"],
            attention_bias=sizes.get("attention_bias", False),
            hidden_act=sizes.get("hidden_act", "silu"),
            max_position_embeddings=sizes["max_position_embeddings"],
            rope_parameters={"rope_type": "default", "rope_theta": float(sizes["rope_theta"])},
            **extra,
        )
        latent, width = sizes["latent_dim"], sizes["decoder_dim"]
        self.quantizer = SplitTables(
            sizes["num_semantic_quantizers"],
            sizes["num_quantizers"],
            sizes["codebook_size"],
            sizes["codebook_dim"],
        )
        self.pre_conv = Qwen3OmniMoeCausalConvNet(sizes["codebook_dim"], latent, kernel_size=3)
        self.pre_transformer = ProjectedTransformer(config, latent)
        self.upsample = nn.ModuleList(
            nn.Sequential(
                RightTrimmedTransposedConvolution(latent, latent, rate, rate),
                Qwen3OmniMoeConvNeXtBlock(latent),
            )
            for rate in sizes["upsampling_ratios"]
        )
        layers: list[nn.Module] = [Qwen3OmniMoeCausalConvNet(latent, width, kernel_size=7)]
        for rate in sizes["upsample_rates"]:
            layers.append(UpsamplingBlock(width, width // 2, rate))
            width //= 2
        layers += [Qwen3OmniMoeSnakeBeta(width), Qwen3OmniMoeCausalConvNet(width, 1, kernel_size=7)]
        self.decoder = nn.ModuleList(layers)

    def forward(self, codes_BFQ: torch.Tensor) -> torch.Tensor:
        """Waveforms [B, F x samples per frame] within -1..1 of codes [B, F, Q]."""
        hidden_BDF = self.pre_conv(self.quantizer(codes_BFQ))
        hidden_BCN = self.pre_transformer.project(hidden_BDF.transpose(1, 2)).transpose(1, 2)
        for layer in (*self.upsample, *self.decoder):
            hidden_BCN = layer(hidden_BCN)
        return hidden_BCN[:, 0].clamp(-1, 1)
