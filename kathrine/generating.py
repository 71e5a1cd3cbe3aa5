"""What model families share when they speak and when they test themselves: drawing codes, a cache, comparing.

Legend: B prompts, V ids that can be drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kathrine.types import SelfCheck

if TYPE_CHECKING:
    import torch

NATS = 1.0
"""How far the wrong alignment's loss must lie above the right one's."""


def penalised(scores_BV: torch.Tensor, seen_BV: torch.Tensor, penalty: float) -> torch.Tensor:
    """Scores with those of ids that were there before made smaller; a penalty of 1 changes nothing."""
    import torch

    lowered_BV = torch.where(scores_BV < 0, scores_BV * penalty, scores_BV / penalty)
    return torch.where(seen_BV, lowered_BV, scores_BV)


def distribution(scores_BV: torch.Tensor, temperature: float, top_k: int, top_p: float) -> torch.Tensor:
    """Scores -> the probabilities that are drawn from: temperature, then top-k (0: off), then top-p (1: off).

    Ties with the k-th score stay in. Top-p keeps the best ids until their mass reaches top_p, at least one.
    """
    import torch

    scores = scores_BV.float() / temperature
    if 0 < top_k < scores.shape[-1]:
        kth = scores.topk(top_k, dim=-1).values[..., -1:]
        scores = scores.masked_fill(scores < kth, -torch.inf)
    if top_p < 1.0:
        ordered, ids = scores.sort(dim=-1, descending=True)
        mass = ordered.softmax(dim=-1)
        before = mass.cumsum(dim=-1) - mass
        drop = (before >= top_p).scatter(-1, ids, before >= top_p)
        drop.scatter_(-1, ids[..., :1], False)
        scores = scores.masked_fill(drop, -torch.inf)
    return scores.softmax(dim=-1)


def draw(probabilities_BV: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """One id [B] per row, each from its own generator: a prompt's draws do not depend on its neighbours."""
    import torch

    rows = zip(probabilities_BV, generators, strict=True)
    return torch.cat([torch.multinomial(row, 1, generator=generator) for row, generator in rows])


class CachedSteps:
    """A transformer fed row by row, with its cache: prompts end together, so shorter ones are padded on the left, where
    padding is masked and positions start at the first real row.

    Given: body, a model of transformers; inputs_BPH, the padded prompts; lengths, their real rows; dtype that the body
    computes in. P rows of the longest prompt, S rows fed at once, H width.
    """

    def __init__(self, body: Any, inputs_BPH: torch.Tensor, lengths: Sequence[int], dtype: torch.dtype) -> None:
        import torch
        from transformers import DynamicCache

        self.body, self.dtype, self.inputs_BPH = body, dtype, inputs_BPH
        self.cache = DynamicCache(config=body.config)
        longest, device = max(lengths), inputs_BPH.device
        self.mask_BP: torch.Tensor | None = None
        if min(lengths) < longest:
            pads = torch.tensor([longest - length for length in lengths], device=device)
            self.mask_BP = (torch.arange(longest, device=device) >= pads[:, None]).long()

    def prompts(self) -> torch.Tensor:
        """Feed the prompts: the normed hidden state [B, H] of their last rows."""
        return self(self.inputs_BPH)

    def __call__(self, inputs_BSH: torch.Tensor) -> torch.Tensor:
        """Feed rows, return the normed hidden state [B, H] of the last one."""
        import torch

        positions = None
        if self.mask_BP is not None:
            if self.cache.get_seq_length():
                grown = self.mask_BP.new_ones(self.mask_BP.shape[0], inputs_BSH.shape[1])
                self.mask_BP = torch.cat([self.mask_BP, grown], dim=1)
            positions = (self.mask_BP.cumsum(dim=1) - 1).clamp(min=0)[:, -inputs_BSH.shape[1] :]
        return self.body(
            inputs_embeds=inputs_BSH.to(self.dtype),
            attention_mask=self.mask_BP,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state[:, -1]


@contextmanager
def evaluating(network: torch.nn.Module) -> Iterator[None]:
    """Eval mode inside, every module's own mode back afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


# --------------------------------------------------------------------------- self-tests


def relative_difference(measured: torch.Tensor, expected: torch.Tensor) -> float:
    """Root mean square of the difference, divided by the standard deviation of what was expected; infinite for tensors
    of different shapes."""
    if measured.shape != expected.shape:
        return float("inf")
    measured, expected = measured.float().cpu(), expected.float().cpu()
    return float((measured - expected).square().mean().sqrt() / expected.std())


def check_below(name: str, measured: float, limit: float, explanation: str) -> SelfCheck:
    """A check that passes below its limit."""
    return SelfCheck(name, bool(measured < limit), measured, limit, explanation)


def check_gap(name: str, right: torch.Tensor, wrong: torch.Tensor, explanation: str) -> SelfCheck:
    """The wrong alignment's mean loss minus the right one's, on the targets that tell the two apart.

    A model that was trained for a while may be unsure of everything; for it one nat would stop a correct run. So the
    limit is one nat or three standard errors of the difference, whichever is smaller. A wrong alignment is below zero.
    """
    if not len(right):
        unknown = "no target differs from its neighbour, so the codes can not tell the alignments apart"
        return SelfCheck(name, False, 0.0, NATS, unknown)
    gap = float(wrong.mean() - right.mean())
    error = sum(float(side.double().var(correction=0)) / max(1, len(side) - 1) for side in (right, wrong)) ** 0.5
    limit = min(NATS, 3 * error) if len(right) > 1 else NATS
    explanation = f"{explanation} ({float(right.mean()):.2f} against {float(wrong.mean()):.2f} nats)"
    return SelfCheck(name, gap > limit, gap, limit, explanation)
