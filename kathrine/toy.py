"""A model family of nothing but a small GRU: it keeps the kernel honest about what it may know of a model.

Four codebooks, no speaker encoder, no text projection, no language tags, and an option that withholds the
hidden states. It learns its toy language (see `toy_codes`) in a few dozen steps on one core.

Legend: B items, T input rows, F frames of an utterance, Q codebooks, H width, N rows with a target, M target
frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from kathrine.components import Codec, ModelFamily, Options, Progress, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import (
    Fingerprints,
    Generated,
    ModelFacts,
    ParameterSpec,
    PromptedExample,
    Sampling,
    SpeechRequest,
    TalkerOutputs,
)
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import torch

CODEBOOKS, CODES, WIDTH, LETTERS = 4, 32, 24, 64
END = CODES
SAMPLE_RATE, SAMPLES_PER_FRAME = 8000, 640


def toy_text(text: str) -> tuple[int, ...]:
    """Token ids of the toy language: a letter is a token."""
    return tuple(ord(letter) % LETTERS for letter in text)


def toy_codes(text: str) -> np.ndarray:
    """Codes int16 [F, Q] of the toy language: each letter is a frame, the codebooks are functions of the
    letter."""
    import numpy as np

    ids_F = np.asarray(toy_text(text))
    return np.stack([(ids_F * (q + 1) + 3 * q) % CODES for q in range(CODEBOOKS)], axis=1).astype(np.int16)


class ToyOptions(Options):
    checkpoint: str = "toy"
    """"toy", whose weights follow from the seed, or a folder that an export wrote."""
    revision: str = ""
    """Not used."""
    hidden: bool = True
    """Whether hidden states are given; without them losses that need them can not be computed."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout in front of the heads."""
    seed: int = 0
    """Seed of the weights."""


@dataclass
class ToyBatch:
    """Tensors of one batch. text_BT: letter or -1. codes_BTQ: the frame fed in, or -1. at_N: flat rows with a
    target."""

    tensors: dict[str, Any]
    rows: int
    padded_rows: int
    targets: int
    target_frames: int
    items: int

    def to(self, device: torch.device) -> ToyBatch:
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in self.tensors.items()}
        return ToyBatch(moved, self.rows, self.padded_rows, self.targets, self.target_frames, self.items)


def toy_network(options: ToyOptions) -> torch.nn.Module:
    """The network; its weights are a function of `options.seed`."""
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = nn.Module()
        network.text_embedding = nn.Embedding(LETTERS, WIDTH)
        network.codec_embedding = nn.ModuleList(nn.Embedding(CODES, WIDTH) for _ in range(CODEBOOKS))
        network.talker = nn.GRU(WIDTH, WIDTH, batch_first=True)
        network.dropout = nn.Dropout(options.dropout)
        network.head = nn.Linear(WIDTH, CODES + 1)
        network.sub_talker = nn.ModuleList(nn.Linear(WIDTH, CODES) for _ in range(CODEBOOKS - 1))
    return network


def embedded(table: torch.nn.Embedding, ids_BT: torch.Tensor) -> torch.Tensor:
    """Rows of a table, [B, T, H]; zeros where an id is negative."""
    import torch.nn.functional as F

    return F.embedding(ids_BT.clamp(min=0), table.weight) * (ids_BT >= 0).unsqueeze(-1)


class ToyModel(SpeechModel):
    """See SpeechModel."""

    def __init__(self, facts: ModelFacts, specs: tuple[ParameterSpec, ...], options: ToyOptions) -> None:
        self.facts, self.specs, self.options = facts, specs, options
        self.network = self.build(options).eval()
        self.originals = dict(self.network.named_parameters())

    def build(self, options: ToyOptions) -> torch.nn.Module:
        """The network; all its parameters are those of the family's `parameters`."""
        return toy_network(options)

    def rows(self, item: PromptedExample) -> int:
        reference = item.reference.frames + len(item.reference_text_ids) if item.reference is not None else 0
        return reference + item.example.frames + (0 if item.streamed else len(item.text_ids)) + 1

    def collate(self, items: Sequence[PromptedExample]) -> ToyBatch:
        import numpy as np
        import torch

        rows = [self.rows(item) for item in items]
        text_BT = np.full((len(items), max(rows)), -1)
        codes_BTQ = np.full((len(items), max(rows), CODEBOOKS), -1)
        at, targets, item_N, frame_at, item_M, codes_M = [], [], [], [], [], []
        for b, item in enumerate(items):
            cursor, frames = 0, item.example.frames
            if item.reference is not None:
                length = len(item.reference_text_ids)
                text_BT[b, :length] = item.reference_text_ids
                cursor = length + item.reference.frames
                codes_BTQ[b, length:cursor] = item.reference.codes_FQ
            length = min(len(item.text_ids), rows[b] - cursor)
            text_BT[b, cursor : cursor + length] = item.text_ids[:length]
            first = cursor if item.streamed else cursor + len(item.text_ids)
            codes_BTQ[b, first + 1 : first + 1 + frames] = item.example.codes_FQ
            aligned = list(range(b * max(rows) + first, b * max(rows) + first + frames))
            codes_M.append(item.example.codes_FQ)
            frame_at += aligned
            item_M += [b] * frames
            at += aligned + ([aligned[-1] + 1] if item.end else [])
            targets += [*item.example.codes_FQ[:, 0].tolist(), *([END] if item.end else [])]
            item_N += [b] * (frames + item.end)
        arrays = {"text_BT": text_BT, "codes_BTQ": codes_BTQ, "at_N": at, "targets_N": targets, "item_N": item_N}
        arrays |= {"at_M": frame_at, "item_M": item_M, "codes_MQ": np.concatenate(codes_M)}
        tensors = {name: torch.as_tensor(np.asarray(array), dtype=torch.int64) for name, array in arrays.items()}
        return ToyBatch(tensors, sum(rows), max(rows) * len(items), len(targets), len(frame_at), len(items))

    def text_rows(self, text_BT: torch.Tensor) -> torch.Tensor:
        """What letters add to the input, [B, T, H]; zeros where there is none. A family that starts from this one puts
        its own text side here."""
        network: Any = self.network
        return embedded(network.text_embedding, text_BT)

    def forward(self, batch: ToyBatch) -> TalkerOutputs:  # type: ignore[override]
        import torch.nn.functional as F

        network: Any = self.network
        tensors = batch.tensors
        rows_BTH = self.text_rows(tensors["text_BT"])
        for q, table in enumerate(network.codec_embedding):
            rows_BTH = rows_BTH + embedded(table, tensors["codes_BTQ"][..., q])
        hidden_BTH, _ = network.talker(rows_BTH.to(network.head.weight.dtype))
        flat_H = network.dropout(hidden_BTH).reshape(-1, WIDTH)
        return TalkerOutputs(
            logits_NV=network.head(F.embedding(tensors["at_N"], flat_H)),
            targets_N=tensors["targets_N"],
            item_N=tensors["item_N"],
            hidden_MH=F.embedding(tensors["at_M"], flat_H) if self.options.hidden else None,
            codes_MQ=tensors["codes_MQ"],
            item_M=tensors["item_M"],
        )

    def sub_talker_losses(self, hidden_MH: torch.Tensor, codes_MQ: torch.Tensor) -> torch.Tensor:
        import torch
        import torch.nn.functional as F

        network: Any = self.network
        logits, state_MH = [], hidden_MH
        for q, head in enumerate(network.sub_talker):
            state_MH = state_MH + F.embedding(codes_MQ[:, q], network.codec_embedding[q].weight)
            logits.append(head(torch.tanh(state_MH)))
        logits_MVK = torch.stack(logits, dim=2).float()
        return F.cross_entropy(logits_MVK, codes_MQ[:, 1:], reduction="none")

    def generate(
        self,
        requests: Sequence[SpeechRequest],
        sampling: Sampling,
        max_frames: int,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
        repeats: Callable[[Sequence[int]], bool] | None = None,
    ) -> list[Generated]:
        import numpy as np

        return [Generated(np.zeros((max_frames, CODEBOOKS), dtype=np.int16), "budget") for _ in requests]


class ToyCodec(Codec):
    """Writes codes as levels of silence: nothing to listen to."""

    def encode(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        import numpy as np

        frames = [max(1, len(wave) // SAMPLES_PER_FRAME) for wave in waves]
        return [np.zeros((count, CODEBOOKS), dtype=np.int16) for count in frames]

    def decode(
        self, codes: Sequence[np.ndarray], progress: Callable[[int, int], None] | None = None
    ) -> list[np.ndarray]:
        import numpy as np

        return [np.full(len(one) * SAMPLES_PER_FRAME, 1e-3, dtype=np.float32) for one in codes]


class ToyFamily(ModelFamily):
    """`[model.toy]`: for tests of the kernel and of plugins, and what a new family may start from."""

    name = "toy"
    tiny = "toy"
    Options = ToyOptions
    options: ToyOptions
    model: ClassVar[type[ToyModel]] = ToyModel
    """What `load` makes."""

    def facts(self, workspace: Workspace) -> ModelFacts:
        parts = ("text_embedding", "codec_embedding", "talker", "head", "sub_talker")
        return ModelFacts("toy", "toy", "", SAMPLE_RATE, SAMPLES_PER_FRAME, CODEBOOKS, CODES, parts)

    def parameters(self, workspace: Workspace) -> tuple[ParameterSpec, ...]:
        shapes: dict[str, tuple[int, ...]] = {"text_embedding.weight": (LETTERS, WIDTH)}
        shapes |= {f"codec_embedding.{q}.weight": (CODES, WIDTH) for q in range(CODEBOOKS)}
        shapes |= {f"talker.weight_{kind}_l0": (3 * WIDTH, WIDTH) for kind in ("ih", "hh")}
        shapes |= {f"talker.bias_{kind}_l0": (3 * WIDTH,) for kind in ("ih", "hh")}
        shapes |= {"head.weight": (CODES + 1, WIDTH), "head.bias": (CODES + 1,)}
        for q in range(CODEBOOKS - 1):
            shapes |= {f"sub_talker.{q}.weight": (CODES, WIDTH), f"sub_talker.{q}.bias": (CODES,)}
        return tuple(ParameterSpec(name, shape, part=name.split(".")[0]) for name, shape in shapes.items())

    def fetch(self, workspace: Workspace, progress: Progress, offline: bool = False) -> None:
        self._file()

    def _file(self) -> Path | None:
        """The weights of a folder that `write_checkpoint` wrote, or None for the embedded checkpoint."""
        embedded_one = self.options.checkpoint == self.tiny
        path = Path(self.options.checkpoint) / "model.safetensors"
        if not embedded_one and not path.is_file():
            message = f"model.{self.name} has no checkpoint {self.options.checkpoint!r}"
            raise KathrineError(message, f'use "{self.tiny}"')
        return None if embedded_one else path

    def fingerprints(self, workspace: Workspace) -> Fingerprints:
        return Fingerprints(codec="toy", speaker="", text="toy")

    def open_codec(self, workspace: Workspace, device: str = "cpu", decode_only: bool = False) -> ToyCodec:
        return ToyCodec()

    def open_text(self, workspace: Workspace) -> Callable[[str], tuple[int, ...]]:
        return toy_text

    def open_text_tokens(self, workspace: Workspace) -> Callable[[str], tuple[tuple[int, bytes], ...]]:
        return lambda text: tuple(
            (number, letter.encode()) for number, letter in zip(toy_text(text), text, strict=True)
        )

    def load(self, workspace: Workspace, device: str = "cpu", dtype: str = "fp32") -> ToyModel:
        import torch

        model, path = self.model(self.facts(workspace), self.parameters(workspace), self.options), self._file()
        if path is not None:
            from safetensors.torch import load_file

            model.network.load_state_dict(load_file(str(path)))
        model.network.to(device=torch.device(device), dtype=torch.bfloat16 if dtype == "bf16" else torch.float32)
        return model

    def write_checkpoint(
        self,
        workspace: Workspace,
        folder: Path,
        weights: Mapping[str, torch.Tensor],
        dtype: str,
        languages: Mapping[str, int],
        *,
        max_shard_bytes: int = 0,
        voices: Mapping[str, int] | None = None,
        keep_base: bool = True,
    ) -> tuple[str, ...]:
        from safetensors.torch import save_file

        if voices:
            raise KathrineError(f"model.{self.name} brings no speakers of its own", "use export.merged")

        folder.mkdir(parents=True, exist_ok=True)
        save_file(dict(weights), str(folder / "model.safetensors"))
        return ("model.safetensors",)
