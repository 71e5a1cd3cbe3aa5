"""Batches, one step ahead: while the device works on a step, the host reads and collates the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from kathrine.components import Collated, SpeechModel
from kathrine.corpus.batching import Batch, Plan, PlannedStep, Position
from kathrine.corpus.mixture import Corpus
from kathrine.corpus.prompting import Prompter
from kathrine.train.base import BaseModel
from kathrine.types import PromptedExample


@dataclass(eq=False)
class LocalBatch:
    """This process's slice of one batch. tensors: None where the slice is empty. base: the same for the model before
    training, where a loss needs it."""

    items: list[PromptedExample]
    tensors: Collated | None
    base: Collated | None = None


@dataclass(eq=False)
class Feed:
    """Steps of a plan with this process's batches, from any position on."""

    plan: Plan
    prompter: Prompter
    corpus: Corpus
    model: SpeechModel
    rank: int
    size: int
    base: BaseModel | None = None

    def local(self, batch: Batch) -> LocalBatch:
        """Slice i::size of a global batch: as the batch is sorted by length, all slices are about as long."""
        items = [self.prompter.prompted(self.corpus, draw) for draw in batch[self.rank :: self.size]]
        if not items:
            return LocalBatch(items, None)
        tensors = self.model.collate(items)
        return LocalBatch(items, tensors, self.base.collate(items, tensors) if self.base is not None else None)

    def steps(self, start: Position) -> Iterator[tuple[PlannedStep, list[LocalBatch]]]:
        """The steps from a position on. What a worker raises is raised here."""

        def make(next_step: Callable[[], PlannedStep | None]) -> tuple[PlannedStep, list[LocalBatch]] | None:
            planned = next_step()
            return None if planned is None else (planned, [self.local(batch) for batch in planned.batches])

        walk = self.plan.walk(start)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed") as worker:
            future: Future = worker.submit(make, lambda: next(walk, None))
            while (made := future.result()) is not None:
                future = worker.submit(make, lambda: next(walk, None))
                yield made
