"""The Qwen3-TTS network: talker, sub-talker (code predictor), speaker encoder; official key names.

Both transformer bodies are the stock Qwen3 decoder. Its own token embedding is removed, because every input
row of this model is a sum of vectors (see layout.py), never a looked-up token.

Shape legend: B batch, T rows, H talker width, G frames, M target frames, N text or codec ids,
Q codebooks, V codes per sub-talker codebook, C codec vocabulary (codes and control ids).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import Qwen3Config, Qwen3Model

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.building import weights_unset


def body_config(config: Mapping[str, Any]) -> Qwen3Config:
    """The transformers configuration of one transformer body.

    Given `talker_config` or its `code_predictor_config`. The M-RoPE sections are dropped: the three position
    rows are always equal here, which makes them plain RoPE. `use_cache` is off, so that a training forward
    without mask takes the causal fast path of SDPA.
    """
    attention: dict[str, Any] = {"attn_implementation": "sdpa"}
    return Qwen3Config(
        vocab_size=1,  # the token embedding of the stock class is deleted right after construction
        hidden_size=config["hidden_size"],
        intermediate_size=config["intermediate_size"],
        num_hidden_layers=config["num_hidden_layers"],
        num_attention_heads=config["num_attention_heads"],
        num_key_value_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        hidden_act=config.get("hidden_act", "silu"),
        max_position_embeddings=config.get("max_position_embeddings", 32768),
        rms_norm_eps=config.get("rms_norm_eps", 1e-6),
        rope_parameters={"rope_type": "default", "rope_theta": float(config.get("rope_theta", 1_000_000))},
        attention_bias=config.get("attention_bias", False),
        attention_dropout=config.get("attention_dropout", 0.0),
        use_sliding_window=False,
        layer_types=["full_attention"] * config["num_hidden_layers"],
        use_cache=False,
        pad_token_id=None,
        **attention,
    )


class Body(Qwen3Model):
    """A Qwen3 decoder that is fed vectors only."""

    def __init__(self, config: Mapping[str, Any]):
        super().__init__(body_config(config))
        del self.embed_tokens


class TalkerBody(Body):
    def __init__(self, config: Mapping[str, Any]):
        super().__init__(config)
        self.codec_embedding = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.text_embedding = nn.Embedding(config["text_vocab_size"], config["text_hidden_size"])


class SubTalkerBody(Body):
    """Its code tables are as wide as the talker, since the talker's frame input sums them too."""

    def __init__(self, config: Mapping[str, Any], talker_width: int):
        super().__init__(config)
        self.codec_embedding = nn.ModuleList(
            nn.Embedding(config["vocab_size"], talker_width) for _ in range(config["num_code_groups"] - 1)
        )


class SubTalker(nn.Module):
    def __init__(self, config: Mapping[str, Any], talker_width: int):
        super().__init__()
        width = config["hidden_size"]
        self.model = SubTalkerBody(config, talker_width)
        self.lm_head = nn.ModuleList(
            nn.Linear(width, config["vocab_size"], bias=False) for _ in range(config["num_code_groups"] - 1)
        )
        # No keys in a checkpoint whose two widths are equal (0.6B).
        self.small_to_mtp_projection: nn.Module = (
            nn.Identity() if width == talker_width else nn.Linear(talker_width, width)
        )


class TextProjection(nn.Module):
    """Two layers with SiLU from the text table's width to the talker's."""

    def __init__(self, text_width: int, talker_width: int):
        super().__init__()
        self.linear_fc1 = nn.Linear(text_width, text_width)
        self.linear_fc2 = nn.Linear(text_width, talker_width)

    def forward(self, text_NE: Tensor) -> Tensor:
        return self.linear_fc2(F.silu(self.linear_fc1(text_NE)))


class Talker(nn.Module):
    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        self.model = TalkerBody(config)
        self.text_projection = TextProjection(config["text_hidden_size"], config["hidden_size"])
        self.codec_head = nn.Linear(config["hidden_size"], config["vocab_size"], bias=False)
        self.code_predictor = SubTalker(config["code_predictor_config"], config["hidden_size"])


class TtsNetwork(nn.Module):
    """The whole trainable network of one checkpoint.

    Given the parsed config.json. Weights are left unset: call `load_network` (or `load_state_dict`, strict).
    `language_tag_vectors` is empty in a stock model, so the state dict has the official keys only. A strategy
    may put an own [H] vector there under str(codec id): it then replaces that row of the codec embedding
    wherever the layout asks for the id, in training and in generation.
    """

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        self.config = dict(config)
        talker = config["talker_config"]
        with weights_unset():
            self.talker = Talker(talker)
            if config.get("tts_model_type", "base") == "base":
                from kathrine_qwen3_tts.speaker import SpeakerEncoder

                self.speaker_encoder = SpeakerEncoder(self.config)
        self.language_tag_vectors = nn.ParameterDict()
        self.hidden_size: int = talker["hidden_size"]
        self.codec_vocabulary: int = talker["vocab_size"]
        self.codebooks: int = talker["num_code_groups"]
        self.codebook_size: int = talker["code_predictor_config"]["vocab_size"]

    def code_tables(self) -> list[Tensor]:
        """The embedding of each codebook, in order; the first also holds the control ids."""
        others = self.talker.code_predictor.model.codec_embedding
        return [self.talker.model.codec_embedding.weight, *(cast(nn.Embedding, t).weight for t in others)]

    @property
    def device(self) -> torch.device:
        return self.talker.codec_head.weight.device

    @property
    def compute_dtype(self) -> torch.dtype:
        """What the first layer computes in: the autocast dtype, else the dtype of the talker's weights."""
        if torch.is_autocast_enabled(self.device.type):
            return torch.get_autocast_dtype(self.device.type)
        layer: Any = self.talker.model.layers[0]
        return layer.self_attn.q_proj.weight.dtype

    def text_rows(self, text_N: Tensor) -> Tensor:
        """Text ids [N] -> talker input vectors [N, H]. There is no way around the text projection."""
        text_NE = F.embedding(text_N, self.talker.model.text_embedding.weight)
        projection = self.talker.text_projection
        if not torch.is_autocast_enabled(self.device.type):
            text_NE = text_NE.to(projection.linear_fc1.weight.dtype)
        return projection(text_NE)

    def codec_rows(self, codec_N: Tensor) -> Tensor:
        """Codec ids [N] (control ids, language tags, named speakers) -> talker input vectors [N, H]."""
        rows_NH = F.embedding(codec_N, self.talker.model.codec_embedding.weight)
        for name, vector_H in self.language_tag_vectors.items():
            is_tag_N1 = (codec_N == int(name)).unsqueeze(-1)
            rows_NH = torch.where(is_tag_N1, vector_H, rows_NH.to(vector_H.dtype))
        return rows_NH

    def frame_embedding(self, codes_GQ: Tensor) -> Tensor:
        """Codes [..., Q] -> the vector [..., H] of a frame: the sum over ALL codebooks, summed in fp32."""
        first_table, *tables = self.code_tables()
        total_GH = F.embedding(codes_GQ[..., 0], first_table).float()
        for index, table in enumerate(tables, start=1):
            total_GH = total_GH + F.embedding(codes_GQ[..., index], table)
        return total_GH

    def talker_hidden(self, inputs_BTH: Tensor) -> Tensor:
        """Input rows [B, T, H], right padded -> normed last hidden states [B, T, H].

        No mask and no positions: causal attention never looks at the padding on the right, and SDPA keeps its
        causal kernel.
        """
        return self.talker.model(inputs_embeds=inputs_BTH.to(self.compute_dtype)).last_hidden_state

    def sub_talker_inputs(self, hidden_MH: Tensor, codes_MQ: Tensor) -> Tensor:
        """[hidden, e(c0), e(c1) .. e(c_Q-2)] as sub-talker input vectors [M, Q, width]."""
        tables = self.code_tables()[:-1]  # the last codebook is an input of the talker only
        columns = [hidden_MH, *(F.embedding(codes_MQ[:, i], table) for i, table in enumerate(tables))]
        return self.sub_talker_project(torch.stack([column.to(self.compute_dtype) for column in columns], dim=1))

    def sub_talker_project(self, vectors_MSH: Tensor) -> Tensor:
        return self.talker.code_predictor.small_to_mtp_projection(vectors_MSH.to(self.compute_dtype))

    def sub_talker_logits(self, hidden_MH: Tensor, codes_MQ: Tensor) -> Tensor:
        """Teacher-forced sub-talker.

        Given the talker's hidden state of the row that PREDICTS each frame [M, H], and that frame's codes
        [M, Q]. Returns logits [M, Q-1, V]: [:, i] is about codebook i+1.
        """
        sub_talker = self.talker.code_predictor
        inputs_MQW = self.sub_talker_inputs(hidden_MH, codes_MQ).to(self.compute_dtype)
        states_MQW = sub_talker.model(inputs_embeds=inputs_MQW).last_hidden_state
        logits = [head(states_MQW[:, i + 1]) for i, head in enumerate(sub_talker.lm_head)]
        return torch.stack(logits, dim=1)

    def set_gradient_checkpointing(self, on: bool) -> None:
        """Recompute every layer of both bodies in the backward pass (non-reentrant) to save memory.

        Set on the layers themselves: the bodies' own switch wants a token embedding, which they do not have.
        """
        for body in (self.talker.model, self.talker.code_predictor.model):
            layer: Any
            for layer in body.layers:
                layer.gradient_checkpointing = on
                layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)


def load_network(
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> TtsNetwork:
    """Build the network and fill it, strictly, with the tensors of model.safetensors.

    Given the parsed config.json and every tensor by its official name. Returns the network in `dtype` on
    `device`, in eval mode. Raises KathrineError when a name is missing, unknown or of another shape.
    """
    network = TtsNetwork(config)
    own = {name: tensor.to(device=device, dtype=dtype, copy=True) for name, tensor in tensors.items()}
    try:
        # assign: the unset memory of the build is never touched, so loading costs one copy of the weights
        network.load_state_dict(own, strict=True, assign=True)
    except RuntimeError as error:
        raise KathrineError(
            f"the weights do not fit the model that config.json describes: {error}",
            "fetch the checkpoint again; config.json and model.safetensors must come from the same revision",
        ) from error
    network.to(device=device)
    return network.eval()
