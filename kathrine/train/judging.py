"""Between two steps: held-out losses, test sentences, and whether this checkpoint is the best one so far.

Every process measures its part of the held-out losses; the first one alone speaks, and tells the others what it found.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from kathrine.components import Progress
from kathrine.recipe.tables import ValidationTable
from kathrine.speech.noise import Sounding, noise_trend
from kathrine.train.choice import Candidate, is_better, reason
from kathrine.train.optimizer import Average
from kathrine.train.processes import Processes
from kathrine.train.sampling import Sampler, noise_of
from kathrine.train.state import TrainState
from kathrine.train.validation import Validator
from kathrine.types import RunInfo, SamplesReport, ValidationReport

REMEMBERED = 3
"""Checkpoints that the noise trend looks back on; as many of those that were spoken with are kept."""


@dataclass(eq=False)
class Judge:
    """Measures and decides. spoken: what the sentences of this step gave, None where none were due."""

    info: RunInfo
    events: Any
    progress: Progress
    processes: Processes
    validator: Validator
    sampler: Sampler
    table: ValidationTable
    average: Average | None
    state: TrainState

    def judge(self, step: int, stage: str, validating: bool) -> bool:
        """Measure what is due after a step. Returns: whether this is the best checkpoint so far."""
        spoken = self.speak(step, stage) if self.sampler.due(step, validating) else None
        return self.validate(step, stage, spoken) if validating and self.validator else False

    def exported_weights(self) -> AbstractContextManager[Any]:
        """Within it the model has the weights that would be exported."""
        return self.average.in_place() if self.average is not None else nullcontext()

    def speak(self, step: int, stage: str) -> dict[str, Any] | None:
        """Metrics of the test sentences, the same on every process; None where there is nothing to say."""
        report: SamplesReport | None = None
        if self.processes.first:
            with self.exported_weights():
                report = self.sampler.at(step, stage)
            if report is not None:
                self.events.kathrine_samples_spoken(run=self.info, report=report)
        metrics = self.processes.first_says(dict(report.metrics) if report is not None else None)
        if metrics is not None:
            self.state.spoken = [*self.state.spoken, step][-REMEMBERED:]
        return metrics

    def validate(self, step: int, stage: str, spoken: dict[str, Any] | None) -> bool:
        """Held-out losses with the weights that would be exported. Returns: whether it is the best so far."""
        with self.exported_weights():
            metrics, score = self.validator.run()
        if not math.isfinite(score):
            self.progress.warn(f"step {step}: a held-out loss is not a number")
        improved, why = False, "untrained weights are what others are compared with"
        flagged = spoken["samples.flagged"] if spoken is not None else None
        if step == 0:
            self.state.baseline = metrics
        else:
            new = Candidate(step, score, flagged)
            improved, why = is_better(new, self.best, self.table.best_by, self.table.min_delta)
            if flagged is None and self.state.spoken and self.table.best_by == "flags_then_loss":
                improved, why = False, "no test sentences were spoken at this step, and the rule goes by them"
            self.count_stale(score)
            if improved:
                self.state.best_step, self.state.best_score, self.state.best = step, score, metrics
                self.state.best_flagged = flagged
        self.state.latest = metrics
        if spoken is not None:
            self.watch_noise(Sounding(step, score, noise_of(spoken)))
        told = {**metrics, "weights": "ema" if self.average is not None else "trained"}
        report = ValidationReport(step, stage, told, score, improved, why)
        if self.processes.first:
            self.events.kathrine_validation_end(run=self.info, report=report)
        return improved

    @property
    def best(self) -> Candidate | None:
        return best_of(self.state)

    def count_stale(self, score: float) -> None:
        """Early stopping goes by the loss alone: flagged takes do not end a run that still learns."""
        lowest = self.state.lowest_score
        lower = math.isfinite(score) and (lowest is None or score < lowest - self.table.min_delta)
        self.state.stale = 0 if lower else self.state.stale + 1
        if lower:
            self.state.lowest_score = score

    def watch_noise(self, now: Sounding) -> None:
        """Warn where sound decayed twice in a row while the loss fell, and keep the checkpoint before it."""
        history = [Sounding(**one) for one in self.state.soundings]
        before = noise_trend([*history, now])
        self.state.soundings = [
            {"step": one.step, "loss": one.loss, "noise": dict(one.noise)} for one in [*history, now]
        ][-REMEMBERED:]
        if before is not None and before not in self.state.before_noise:
            self.state.before_noise = [*self.state.before_noise, before]
            self.progress.warn(
                f"step {now.step}: the samples grow noisier while the loss falls, twice in a row since step {before}: "
                "the model overfits detail. The checkpoint of that step is kept; listen to it, and train on with a "
                "lower learning rate or fewer steps"
            )


def best_of(state: TrainState) -> Candidate | None:
    """The best checkpoint so far."""
    if state.best_step is None or state.best_score is None:
        return None
    return Candidate(state.best_step, state.best_score, state.best_flagged)


def choice_reason(state: TrainState, table: ValidationTable) -> str:
    """Why the best checkpoint is the best one."""
    return reason(best_of(state), table.best_by)
