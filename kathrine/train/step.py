"""The one module through which all trained computation goes, and the sums that it gives.

Data-parallel training sees only what runs inside a module's forward: so forward pass, talker loss and
auxiliary losses are one module. A loss is world x local sum / global count, with the counts of the whole
accumulated step known beforehand, so that the mean of gradients over processes is the gradient of the mean
over targets, however unevenly they are spread.

Legend: N rows with a target, V codec vocabulary, B items, S data entries, L auxiliary losses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from kathrine.components import Collated, Loss, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import TalkerOutputs

if TYPE_CHECKING:
    from kathrine.train.base import BaseModel
    from kathrine.train.processes import Processes
    from kathrine.types import LossTerm


class Sums(NamedTuple):
    """What one forward pass adds to the step. scalar: to be differentiated.

    device: float64 [1 + 2S + L], sums that stay on the device: talker, talker by entry, targets by entry,
    auxiliary losses. host: per auxiliary loss covered and coverable frames, and 1 where there was no term.
    """

    scalar: torch.Tensor
    device: torch.Tensor
    host: list[float]


@dataclass(frozen=True)
class SumNames:
    """Positions in `Sums.device` and `Sums.host`."""

    entries: tuple[str, ...]
    losses: tuple[str, ...]

    @property
    def device(self) -> list[str]:
        by_entry = [f"{what}.{entry}" for what in ("talker", "targets") for entry in self.entries]
        return ["talker", *by_entry, *(f"loss.{label}" for label in self.losses)]

    @property
    def host(self) -> list[str]:
        return [f"{what}.{label}" for label in self.losses for what in ("covered", "coverable", "missing")]


def fetched(sums: Sequence[Sums], norm: torch.Tensor, names: SumNames, processes: Processes) -> dict[str, float]:
    """All sums of a step over batches and processes, and the gradient's norm: the one time that the host waits."""
    device_sums = torch.stack([one.device for one in sums]).sum(dim=0)
    host_sums = [sum(values) for values in zip(*(one.host for one in sums), strict=True)]
    tail = torch.tensor(host_sums, dtype=torch.float64).to(device_sums.device, non_blocking=True)
    norm = norm.detach().double().reshape(1) / processes.size
    vector = processes.sum_on_device(torch.cat([device_sums, tail, norm]))
    return dict(zip([*names.device, *names.host, "grad_norm"], vector.tolist(), strict=True))


def talker_losses(outputs: TalkerOutputs) -> torch.Tensor:
    """Cross entropy of each row with a target, float32 [N].

    Raises: KathrineError where logits and targets do not belong together.
    """
    if outputs.logits_NV.shape[0] != outputs.targets_N.shape[0] or outputs.logits_NV.dim() != 2:
        raise KathrineError(
            f"the model gave logits {tuple(outputs.logits_NV.shape)} for {len(outputs.targets_N)} targets",
            "a fault of the model family: row n of both has to belong together",
        )
    return F.cross_entropy(outputs.logits_NV.float(), outputs.targets_N, reduction="none")


def auxiliary_term(
    loss: Loss, model: SpeechModel, batch: Collated, outputs: TalkerOutputs, generator: torch.Generator | None
) -> LossTerm | None:
    """A loss's term. Raises: KathrineError where it is required and there is none."""
    term = loss.term(model, batch, outputs, generator)
    if term is None and getattr(loss.options, "required", False):
        raise KathrineError(
            f"loss.{loss.label} can not be computed: the model does not give what it needs",
            f"set loss.{loss.label}.required = false to train without it",
        )
    return term


class StepModule(nn.Module):
    """Forward pass and losses of one batch.

    Given: the trained parameters; processes, how many there are.
    """

    def __init__(
        self,
        model: SpeechModel,
        losses: Sequence[Loss],
        entries: Sequence[str],
        trained: Sequence[nn.Parameter],
        processes: int,
        base: BaseModel | None = None,
    ) -> None:
        super().__init__()
        self.network = model.network
        # held in tuples: neither the model nor its parameters may register a second time
        self._model, self._losses, self._trained = (model,), tuple(losses), tuple(trained)
        self.base = base
        self.processes = processes
        self.names = SumNames(tuple(entries), tuple(loss.label for loss in losses))

    def forward(
        self,
        batch: Collated | None,
        entry_B: torch.Tensor,
        divisors: Mapping[str, float],
        generator: Callable[[str], torch.Generator],
        base_batch: Collated | None = None,
    ) -> Sums:
        """Given: batch, None for a process without items; entry_B, data entry of each item; divisors, of the
        whole step over all processes; generator, the seeded generator of a loss by its label; base_batch, what the
        model before training is asked with, where a loss needs it."""
        device = entry_B.device
        totals = torch.zeros(len(self.names.device), dtype=torch.float64, device=device)
        host = [0.0] * len(self.names.host)
        scalar = torch.zeros((), device=device)
        if self.processes > 1:
            # all processes have to reduce the same gradients, whatever their items made use of
            scalar = scalar + sum(parameter.flatten()[:1].sum() * 0 for parameter in self._trained)
        if batch is None:
            return Sums(scalar, totals, host)
        (model,) = self._model
        before = self.base.logits(base_batch) if self.base is not None else None
        outputs = model.forward(batch)
        if self.base is not None:
            self.base.add_logits(outputs, before)
        losses_N = talker_losses(outputs)
        total = losses_N.sum()
        scalar = scalar + total * (self.processes / max(1.0, divisors["talker"]))
        entry_N = entry_B[outputs.item_N]
        ones_N = torch.ones_like(losses_N, dtype=torch.float64)
        size = len(self.names.entries)
        totals[0] = total.detach()
        totals[1 : 1 + size].index_add_(0, entry_N, losses_N.detach().double())
        totals[1 + size : 1 + 2 * size].index_add_(0, entry_N, ones_N)
        for number, loss in enumerate(self._losses):
            term = auxiliary_term(loss, model, batch, outputs, generator(loss.label))
            if term is None:
                host[3 * number + 2] = 1.0
                continue
            scale = loss.options.weight * self.processes / max(1.0, divisors[loss.label])
            scalar = scalar + term.total * scale
            totals[1 + 2 * size + number] = term.total.detach()
            host[3 * number], host[3 * number + 1] = float(term.covered), float(term.coverable)
        return Sums(scalar, totals, host)
