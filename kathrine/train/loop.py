"""The loop: one optimizer update after another, with everything that is due between two of them.

Read `Loop.run` first. Randomness is seeded anew for every step, so that a resumed run needs no generator's
state; the host waits for the device once a step, for one vector of sums.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from kathrine.components import Loss, Progress, SpeechModel
from kathrine.corpus.batching import Plan, PlannedStep, Position
from kathrine.corpus.mixture import derived_seed
from kathrine.errors import KathrineError
from kathrine.recipe.tables import TrainTable, ValidationTable
from kathrine.train.checkpoint import checkpoint_reasons, prune, save_checkpoint, text_projection_part
from kathrine.train.feed import Feed, LocalBatch
from kathrine.train.folder import RunFolder
from kathrine.train.judging import Judge
from kathrine.train.optimizer import Average, clipped_norm, optimizer_tensors, schedule_factor, set_learning_rates
from kathrine.train.processes import Processes
from kathrine.train.report import Metrics, divisors, local_counts, missing_losses, step_metrics
from kathrine.train.signals import Interrupts
from kathrine.train.state import TrainState
from kathrine.train.step import StepModule, Sums, fetched
from kathrine.train.trainable import Trainable
from kathrine.train.watchers import memory_bytes
from kathrine.types import Checkpoint, RunInfo, StepReport

Ended = Literal["finished", "stopped_early", "interrupted"]


@dataclass(eq=False)
class Loop:
    """Everything that a step needs, made by `run.py`. `module` is `step_module` wrapped for the processes."""

    info: RunInfo
    folder: RunFolder
    events: Any
    progress: Progress
    processes: Processes
    model: SpeechModel
    losses: Sequence[Loss]
    step_module: StepModule
    module: torch.nn.Module
    trainable: Trainable
    optimizer: torch.optim.Optimizer
    average: Average | None
    plan: Plan
    feed: Feed
    judge: Judge
    train: TrainTable
    validation: ValidationTable
    seed: int
    state: TrainState
    interrupts: Interrupts
    started: float = field(default_factory=time.perf_counter)
    stop_wanted: bool = False
    warned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        lengths = self.plan.lengths()
        self.stage_starts = [sum(lengths[:number]) for number in range(len(lengths))]
        self.total_steps = sum(lengths)
        self.parameters = list(self.trainable.parameters.values())
        self.entry_place = {name: place for place, name in enumerate(self.step_module.names.entries)}
        self.first_step = self.state.step

    def tell(self, events: Any) -> None:
        """Set whom the loop tells what happens."""
        self.events = self.judge.events = events

    # ----------------------------------------------------------------------- the story

    def run(self) -> Ended:
        """All steps from the state's position on. Returns: `finished`, `stopped_early` or `interrupted`."""
        if self.state.step == 0 and not self.state.baseline:
            self.judge.judge(0, self.plan.stages[0].name, validating=True)
        while not self.state.ended:
            position = self.state.position
            if position.stage == len(self.plan.stages):
                self.state.ended = "finished"
                break
            self.events.kathrine_stage_start(
                run=self.info, stage=self.plan.stages[position.stage], step=self.state.step
            )
            if self.run_stage(position):
                return "interrupted"
        return self.state.ended

    def run_stage(self, start: Position) -> bool:
        """Steps up to the end of a stage, or of the run. Returns: whether somebody asked to stop."""
        began = time.perf_counter()
        for planned, batches in self.feed.steps(start):
            report = self.update(planned, batches, began)
            self.advance(planned)
            if self.processes.first:
                self.events.kathrine_step_end(run=self.info, report=report)
            improved = self.judge.judge(self.state.step, self.stage_name, self.validation_due(planned))
            self.stop_early()
            self.checkpoint(planned, improved)
            if self.stop_wanted:
                return True
            if self.state.position.stage != start.stage or self.state.ended:
                return False
            began = time.perf_counter()
        return False

    # ----------------------------------------------------------------------- one update

    def update(self, planned: PlannedStep, batches: Sequence[LocalBatch], began: float) -> StepReport:
        """One optimizer update from all batches of a step."""
        torch.manual_seed(derived_seed(self.seed, "step", self.state.step, self.processes.rank))
        self.model.network.train()
        counts = self.count(batches)
        by = divisors(counts, self.losses)
        sums = [
            self.accumulate(batch, number, by, last=number + 1 == len(batches)) for number, batch in enumerate(batches)
        ]
        norm = clipped_norm(self.parameters, self.train.clip)
        numbers = fetched(sums, norm, self.step_module.names, self.processes)
        stage = self.plan.stages[planned.position.stage]
        rates = set_learning_rates(self.optimizer, stage, self.factor(planned))
        usable = all(math.isfinite(number) for number in numbers.values())
        if usable:
            self.optimizer.step()
            if self.average is not None:
                self.average.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.guard(usable)
        for label in missing_losses(numbers, self.losses):
            sentence = "can not be computed: the model does not give what it needs"
            self.warn_once(label, f"loss.{label} {sentence}; training goes on without it, coverage 0")
        metrics = step_metrics(counts, numbers, rates, self.losses, self.entry_place)
        metrics |= {"skipped": int(not usable), "skipped_in_all": self.state.skipped}
        return self.report(planned, metrics, counts, began)

    def count(self, batches: Sequence[LocalBatch]) -> dict[str, float]:
        """Counts of the step over all processes, and whether any of them was asked to stop."""
        counts = local_counts(batches, self.losses, self.model.facts)
        wish = float(bool(self.interrupts.number))
        *summed, wishes = self.processes.sum_on_host([*counts.values(), wish])
        self.stop_wanted = wishes > 0
        return dict(zip(counts, summed, strict=True))

    def accumulate(self, batch: LocalBatch, number: int, divisors: Mapping[str, float], last: bool) -> Sums:
        """Forward and backward pass of one batch; gradients are exchanged with the last one only."""
        device = self.processes.device
        tensors = batch.tensors.to(device) if batch.tensors is not None else None
        base = batch.base.to(device) if batch.base is not None else None
        places = [self.entry_place[item.example.entry] for item in batch.items]
        entry_B = torch.tensor(places, dtype=torch.int64, device=device)

        def generator(label: str) -> torch.Generator:
            made = torch.Generator(device=device)
            return made.manual_seed(
                derived_seed(self.seed, "loss", label, self.state.step, self.processes.rank, number)
            )

        exchange: AbstractContextManager[Any] = nullcontext()
        if not last:
            exchange = self.processes.accelerator.no_sync(self.module)
        with exchange:
            sums: Sums = self.module(tensors, entry_B, divisors, generator, base)
            if sums.scalar.requires_grad:
                sums.scalar.backward()
        return sums

    def guard(self, usable: bool) -> None:
        """Count updates that were left out because a number was not finite. Raises KathrineError when too
        many are."""
        if usable:
            self.state.skipped_in_row = 0
            return
        self.state.skipped += 1
        self.state.skipped_in_row += 1
        self.progress.warn(f"step {self.state.step + 1}: a loss or gradient is not finite; the update is left out")
        if self.state.skipped_in_row >= self.train.max_skipped:
            raise KathrineError(
                f"{self.state.skipped_in_row} updates in a row were not finite",
                'lower the learning rates, or set train.precision = "fp32"; checkpoints are as they were',
            )

    def factor(self, planned: PlannedStep) -> float:
        place = self.stage_starts[planned.position.stage] + planned.position.made
        return schedule_factor(place, self.total_steps, self.train)

    def warn_once(self, about: str, sentence: str) -> None:
        if about not in self.warned:
            self.warned.add(about)
            self.progress.warn(sentence)

    def report(self, planned: PlannedStep, metrics: Metrics, counts: Mapping[str, float], began: float) -> StepReport:
        """The update as watchers are told. Its seconds include the wait for batches."""
        now, step = time.perf_counter(), self.state.step + 1
        place = self.stage_starts[planned.position.stage] + planned.position.made + 1
        timing = {
            "seconds": now - began,
            "audio_seconds_per_second": counts["frames"] / self.model.facts.frames_per_second / (now - began),
            "eta": (now - self.started) / (step - self.first_step) * max(0, self.total_steps - place),
            "memory_bytes": float(memory_bytes(self.processes.device)),
        }
        epoch = self.state.epochs_done + planned.epoch_fraction
        return StepReport(step, epoch, self.plan.stages[planned.position.stage].name, metrics, timing)

    # ----------------------------------------------------------------------- what is due

    def advance(self, planned: PlannedStep) -> None:
        self.state.step += 1
        self.state.position, self.state.onward = planned.after, planned.onward
        self.state.epochs_done += planned.ends_epoch
        if self.processes.size == 1 and self.interrupts.number:
            self.stop_wanted = True  # several processes agree on it with the counts of the next step

    def validation_due(self, planned: PlannedStep) -> bool:
        return planned.ends_stage or self.state.step % self.validation.every == 0

    @property
    def stage_name(self) -> str:
        """The stage of the update that was made last."""
        position = self.state.position
        place = position.stage if position.made or position.stage == 0 else position.stage - 1
        return self.plan.stages[min(place, len(self.plan.stages) - 1)].name

    def stop_early(self) -> None:
        """End the run or the stage when validations bring nothing more. Later stages stay as they were
        planned."""
        if self.validation.stop == "stage" and not self.state.position.made:
            self.state.stale = 0  # a stage begins
        if not self.validation.patience or self.state.stale < self.validation.patience:
            return
        if self.validation.stop == "run":
            self.state.ended = "stopped_early"
        else:
            self.state.position = Position(stage=self.state.position.stage + 1)
        self.state.stale = 0

    def checkpoint(self, planned: PlannedStep, improved: bool) -> None:
        """Save when it is due."""
        reasons = checkpoint_reasons(
            self.train,
            step=self.state.step,
            epochs_done=self.state.epochs_done if planned.ends_epoch else None,
            improved=improved,
            spoken=self.state.step in self.state.spoken,
            ends_stage=self.state.position.stage != planned.position.stage or bool(self.state.ended),
        )
        if self.stop_wanted and not reasons:
            reasons = ["last"]
        if reasons and self.processes.first:
            self.save(reasons)
        if reasons:
            self.processes.wait()

    def save(self, reasons: Sequence[str]) -> None:
        weights = self.trainable.parameters
        tensors: dict[str, Mapping[str, torch.Tensor]] = {
            "trainable": weights,
            "optimizer": optimizer_tensors(self.optimizer, self.trainable.names),
        }
        if self.average is not None:
            tensors["ema"] = self.average.weights
        for name, path in (("metrics_bytes", self.folder.metrics), ("timing_bytes", self.folder.timing)):
            setattr(self.state, name, path.stat().st_size if path.is_file() else 0)
        part = text_projection_part(self.trainable.claims, self.model.specs, weights)
        saved = save_checkpoint(self.folder.checkpoints, self.state.step, tensors, self.state.document(), reasons, part)
        kept = prune(self.folder.checkpoints, self.train.keep_last)
        checkpoint = Checkpoint(saved, self.state.step, kept.get(self.state.step, ()))
        self.events.kathrine_checkpoint_saved(run=self.info, checkpoint=checkpoint)
