"""The CSM network: transformers' own backbone and depth decoder under their official names, without the codec.

Shape legend: B batch, T rows, H backbone width, M target frames, Q codebooks, K = Q-1, V codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import CsmBackboneModel, CsmConfig, CsmDepthDecoderForCausalLM
from transformers.initialization import no_init_weights

from kathrine.errors import KathrineError
from kathrine_csm.config import CODEC_PREFIX, SUB_TABLE, TABLE, sizes
from kathrine_csm.quiet import quiet


class CsmNetwork(nn.Module):
    """Both transformers of one checkpoint, and what is in front of and behind them.

    Given the parsed config.json. Weights are left unset: call `load_network`. The names are those of
    `CsmForConditionalGeneration`; the codec is no part of it, it is loaded where it is needed and stays in float32.
    """

    def __init__(self, config: Mapping[str, Any]):
        super().__init__()
        backbone, _, codec = sizes(config)
        with quiet():
            parsed = CsmConfig.from_dict(dict(config))
        self.config = dict(config)
        self.tied = bool(backbone["tie_codebooks_embeddings"])
        self.hidden_size: int = backbone["hidden_size"]
        self.codebooks: int = backbone["num_codebooks"]
        self.vocabulary: int = backbone["vocab_size"]
        self.codebook_size: int = codec["codebook_size"]
        self.end_code = int(backbone["codebook_eos_token_id"])
        attention: dict[str, Any] = {"attn_implementation": "sdpa"}
        with no_init_weights():
            self.embed_text_tokens = nn.Embedding(backbone["text_vocab_size"], self.hidden_size)
            self.backbone_model = CsmBackboneModel._from_config(parsed, **attention)
            self.lm_head = nn.Linear(self.hidden_size, self.vocabulary, bias=False)
            self.depth_decoder = CsmDepthDecoderForCausalLM._from_config(parsed.depth_decoder_config, **attention)
        self.tie()

    def tie(self) -> None:
        """Let both transformers look codes up in one table, where the checkpoint says so."""
        if self.tied:
            self.depth_decoder.model.embed_tokens.weight = self.code_table

    @property
    def code_table(self) -> nn.Parameter:
        """The backbone's table of codes [Q x V, H]: codebook q has the rows from q x V."""
        return self.backbone_model.embed_tokens.embed_audio_tokens.weight

    @property
    def device(self) -> torch.device:
        return self.lm_head.weight.device

    @property
    def compute_dtype(self) -> torch.dtype:
        """What the first layer computes in: the autocast dtype, else the dtype of the backbone's weights."""
        if torch.is_autocast_enabled(self.device.type):
            return torch.get_autocast_dtype(self.device.type)
        layer: Any = self.backbone_model.layers[0]
        return layer.self_attn.q_proj.weight.dtype

    def text_rows(self, text_N: Tensor) -> Tensor:
        """Text ids [N] -> input vectors [N, H]."""
        return F.embedding(text_N, self.embed_text_tokens.weight)

    def frame_embedding(self, codes_GQ: Tensor) -> Tensor:
        """Codes [G, Q] -> the vector [G, H] of a frame: the sum over ALL codebooks, in fp32."""
        total_GH = torch.zeros(len(codes_GQ), self.hidden_size, device=codes_GQ.device)
        for index in range(self.codebooks):
            total_GH = total_GH + F.embedding(codes_GQ[:, index] + index * self.vocabulary, self.code_table)
        return total_GH

    def backbone_hidden(self, inputs_BTH: Tensor) -> Tensor:
        """Input rows [B, T, H], right padded -> normed last hidden states [B, T, H].

        No mask: causal attention never looks at the padding on the right, and SDPA keeps its causal kernel.
        """
        return self.backbone_model(inputs_embeds=inputs_BTH.to(self.compute_dtype), use_cache=False).last_hidden_state

    def sub_talker_inputs(self, hidden_MH: Tensor, codes_MQ: Tensor) -> Tensor:
        """[hidden, e(c0), e(c1) .. e(c_Q-2)] as input vectors [M, Q, H] of the depth decoder."""
        table = self.depth_decoder.model.embed_tokens.weight
        columns = [
            hidden_MH,
            *(F.embedding(codes_MQ[:, i] + i * self.vocabulary, table) for i in range(self.codebooks - 1)),
        ]
        return torch.stack([column.to(self.compute_dtype) for column in columns], dim=1)

    def sub_talker_logits(self, hidden_MH: Tensor, codes_MQ: Tensor) -> Tensor:
        """Teacher-forced depth decoder.

        Given the backbone's hidden state of the row that PREDICTS each frame [M, H], and that frame's codes [M, Q].
        Returns logits [M, K, V]: [:, i] is about codebook i+1.
        """
        states_MQW = self.sub_talker_states(self.sub_talker_inputs(hidden_MH, codes_MQ))
        heads_K = torch.arange(1, self.codebooks, device=self.device)
        return self.depth_decoder.codebooks_head(states_MQW[:, 1:], heads_K)

    def sub_talker_states(self, inputs_MQH: Tensor) -> Tensor:
        """The depth decoder's normed last hidden states [M, Q, width], layer by layer.

        Not through the model's own forward: without a cache it takes a batch of as many frames as there are codebooks
        for packed sequences and fails (transformers 5.23), and it would ask for them in every other batch.
        """
        body: Any = self.depth_decoder.model
        states_MQW = body.inputs_embeds_projector(inputs_MQH)
        positions_1Q = torch.arange(inputs_MQH.shape[1], device=inputs_MQH.device).unsqueeze(0)
        rotation = body.rotary_emb(states_MQW, position_ids=positions_1Q)
        for layer in body.layers:
            states_MQW = layer(states_MQW, position_ids=positions_1Q, position_embeddings=rotation)
        return body.norm(states_MQW)

    def set_gradient_checkpointing(self, on: bool) -> None:
        """Recompute every layer of both transformers in the backward pass (non-reentrant) to save memory."""
        for body in (self.backbone_model, self.depth_decoder.model):
            layer: Any
            for layer in body.layers:
                layer.gradient_checkpointing = on
                layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)


def load_network(
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> CsmNetwork:
    """Build the network and fill it, strictly, with the tensors of a checkpoint; the codec's are passed over.

    Returns the network in `dtype` on `device`, in eval mode. Raises KathrineError when a name is missing, unknown or
    of another shape.
    """
    network = CsmNetwork(config)
    own = {
        name: tensor.to(device=device, dtype=dtype, copy=True)
        for name, tensor in tensors.items()
        if not name.startswith(CODEC_PREFIX)
    }
    if network.tied:  # a file holds the shared table under one of its names, or under both
        for name, other in ((TABLE, SUB_TABLE), (SUB_TABLE, TABLE)):
            if other in own:
                own.setdefault(name, own[other])
    try:
        # assign: the unset memory of the build is never touched, so loading costs one copy of the weights
        network.load_state_dict(own, strict=True, assign=True)
    except RuntimeError as error:
        raise KathrineError(
            f"the weights do not fit the model that config.json describes: {error}",
            "fetch the checkpoint again; config.json and the weights must come from the same revision",
        ) from error
    network.tie()
    network.to(device=device)
    return network.eval()
