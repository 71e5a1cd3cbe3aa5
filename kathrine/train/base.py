"""The model as it was before training, from the same weights: every strategy switched off, no second model in memory.

Legend: N rows with a target, V codec vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch

from kathrine.components import Collated, Loss, SpeechModel, Strategy
from kathrine.errors import KathrineError
from kathrine.types import PromptedExample, TalkerOutputs


@dataclass(eq=False)
class BaseModel:
    """What losses with `needs_base` are given. wanted: whether any loss of the run asks for it; else nothing is done.

    A strategy's language tag is no part of the base: items that have it are collated without. Its `off()` would do
    the same, but for the whole model, while another thread collates the next step.
    """

    model: SpeechModel
    strategies: Sequence[Strategy]
    wanted: bool

    @classmethod
    def of(cls, model: SpeechModel, strategies: Sequence[Strategy], losses: Sequence[Loss]) -> BaseModel:
        return cls(model, tuple(strategies), any(loss.needs_base for loss in losses))

    def collate(self, items: Sequence[PromptedExample], batch: Collated) -> Collated | None:
        """The batch that the base is asked with: `batch` itself where no item has a new tag; None unless wanted."""
        if not self.wanted:
            return None
        new = {language.lower() for strategy in self.strategies for language in strategy.languages()}
        plain = [
            replace(item, language=None) if item.language is not None and item.language.lower() in new else item
            for item in items
        ]
        same = all(one is other for one, other in zip(plain, items, strict=True))
        return batch if same else self.model.collate(plain)

    def add_logits(self, outputs: TalkerOutputs, logits_NV: torch.Tensor | None) -> None:
        """Set `outputs.base_logits_NV`. Raises: KathrineError where the rows of both do not belong together."""
        if logits_NV is not None and logits_NV.shape != outputs.logits_NV.shape:
            found, wanted = tuple(logits_NV.shape), tuple(outputs.logits_NV.shape)
            raise KathrineError(
                f"the base model gave logits {found}, the trained one {wanted}",
                "a fault of the model family: a prompt without a language tag has to have the same targets",
            )
        outputs.base_logits_NV = logits_NV

    def logits(self, batch: Collated | None) -> torch.Tensor | None:
        """The base model's logits [N, V], without gradients and without dropout; None for no batch.

        Call it before the pass that is differentiated: nothing of that is kept while weights are swapped.
        """
        if batch is None:
            return None
        network = self.model.network
        was_training = network.training
        network.eval()
        try:
            with torch.no_grad(), ExitStack() as off:
                for strategy in self.strategies:
                    if not strategy.languages():
                        off.enter_context(strategy.off())
                return self.model.forward(batch).logits_NV.float()
        finally:
            network.train(was_training)
