"""The built-in watchers: they see a run through the same events as any plugin, and only watch.

`MetricsWriter` keeps `metrics.jsonl`, which a resumed run writes byte for byte like an unbroken one, apart
from `timing.jsonl`, which holds what depends on the clock. `ConsoleWatcher` tells the person in front of it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import Progress
from kathrine.hookspecs import hookimpl
from kathrine.types import Checkpoint, RunInfo, RunOutcome, SamplesReport, Stage, StepReport, ValidationReport

if TYPE_CHECKING:
    import torch


class MetricsWriter:
    """One line of JSON for each update and each validation, flushed at once."""

    def __init__(self, metrics: Path, timing: Path) -> None:
        self._metrics = metrics.open("a", encoding="utf-8")
        self._timing = timing.open("a", encoding="utf-8")

    @hookimpl
    def kathrine_step_end(self, report: StepReport) -> None:
        head = {"kind": "step", "step": report.step, "epoch": report.epoch, "stage": report.stage}
        _write(self._metrics, {**head, **report.metrics})
        _write(self._timing, {"step": report.step, **report.timing})

    @hookimpl
    def kathrine_validation_end(self, report: ValidationReport) -> None:
        head = {"kind": "validation", "step": report.step, "stage": report.stage, "improved": report.improved}
        _write(self._metrics, {**head, **report.metrics})

    @hookimpl
    def kathrine_samples_spoken(self, report: SamplesReport) -> None:
        _write(self._metrics, {"kind": "samples", "step": report.step, "stage": report.stage, **report.metrics})

    @hookimpl
    def kathrine_run_end(self) -> None:
        self._metrics.close()
        self._timing.close()


def _write(file: Any, line: Mapping[str, Any]) -> None:
    file.write(json.dumps(line, ensure_ascii=False) + "\n")
    file.flush()


class LoggedProgress:
    """A Progress whose every word also goes to `console.log`."""

    def __init__(self, inner: Progress, path: Path) -> None:
        self.inner = inner
        self._file = path.open("a", encoding="utf-8")

    def log(self, message: str) -> None:
        """To the file alone."""
        if not self._file.closed:
            self._file.write(time.strftime("%Y-%m-%d %H:%M:%S ") + message + "\n")
            self._file.flush()

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Callable[..., None]]:
        self.log(description)
        with self.inner.task(description, total) as advance:
            yield advance

    def say(self, message: str) -> None:
        self.log(message)
        self.inner.say(message)

    def warn(self, message: str) -> None:
        self.log(f"warning: {message}")
        self.inner.warn(message)

    def close(self) -> None:
        self._file.close()


class ConsoleWatcher:
    """Losses, learning rates, speed, time left and memory, on one line that renews itself."""

    def __init__(self, progress: LoggedProgress) -> None:
        self.progress = progress
        self._open = ExitStack()
        self._advance: Callable[..., None] | None = None

    @hookimpl
    def kathrine_run_start(self, run: RunInfo) -> None:
        where = f" from step {run.resumed_from}" if run.resumed_from is not None else ""
        processes = f" in {run.world_size} processes" if run.world_size > 1 else ""
        self.progress.say(
            f"training {run.trained_parameters:,} parameters for {run.total_steps:,} steps{where}{processes}"
        )

    @hookimpl
    def kathrine_stage_start(self, run: RunInfo, stage: Stage, step: int) -> None:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in stage.shares.items())
        length = f"{stage.steps} steps" if stage.steps is not None else f"{stage.epochs:g} epochs"
        self.progress.say(f"stage {stage.name}: {shares}, {length}")
        if self._advance is None:
            task: AbstractContextManager[Callable[..., None]] = self.progress.task("training", total=run.total_steps)
            self._advance = self._open.enter_context(task)
            self._advance(step)

    @hookimpl
    def kathrine_step_end(self, report: StepReport) -> None:
        self.progress.log(step_line(report))
        if self._advance is not None:
            self._advance(1, description=short_line(report))

    @hookimpl
    def kathrine_validation_end(self, report: ValidationReport) -> None:
        talker = {
            name.split(".", 1)[1].removesuffix(".talker"): value
            for name, value in report.metrics.items()
            if name.endswith(".talker") and name.count(".") == 2
        }
        losses = ", ".join(f"{name} {_number(value)}" for name, value in talker.items())
        gain = report.metrics.get("validation.text_gain")
        text = f", text gain {gain:+.3f}" if isinstance(gain, float) else ""
        better = " (best so far)" if report.improved else f" (not the best: {report.why})" if report.step else ""
        self.progress.say(
            f"step {report.step}: held-out talker loss {report.score:.4f}{better}: {losses}{text}, "
            f"{report.metrics['weights']} weights"
        )

    @hookimpl
    def kathrine_samples_spoken(self, report: SamplesReport) -> None:
        flags = ", ".join(
            f"{name.removeprefix('samples.flag.')} {count}"
            for name, count in report.metrics.items()
            if name.startswith("samples.flag.")
        )
        self.progress.say(
            f"step {report.step}: {report.metrics['samples.takes']} sentences in samples/{report.folder.name}: "
            + (f"flagged {report.metrics['samples.flagged']:.0%} ({flags})" if flags else "none flagged")
        )

    @hookimpl
    def kathrine_checkpoint_saved(self, checkpoint: Checkpoint) -> None:
        folder, reasons = checkpoint.folder, ", ".join(checkpoint.reasons)
        self.progress.say(f"saved {folder.parent.name}/{folder.name} ({reasons})")

    @hookimpl
    def kathrine_run_end(self, outcome: RunOutcome) -> None:
        self.close()

    def close(self) -> None:
        """Take the line away."""
        self._open.close()


def step_line(report: StepReport) -> str:
    """One update in one line."""
    metrics, timing = report.metrics, report.timing
    parts = [
        f"step {report.step}",
        f"epoch {report.epoch:.2f}",
        report.stage,
        f"loss {_number(metrics['loss'])}",
    ]
    parts.append(f"talker {_number(metrics['loss.talker'])}")
    for name, value in metrics.items():
        if name.startswith("loss.") and name != "loss.talker":
            label = name.removeprefix("loss.")
            parts.append(f"{label} {_number(value)} (coverage {metrics[f'coverage.{label}']:.2g})")
    rates = [f"{value:.2g}" for name, value in metrics.items() if name.startswith("lr.")]
    parts.append(f"lr {'/'.join(rates)}")
    parts.append(f"grad {_number(metrics['grad_norm'])}")
    if metrics["skipped"]:
        parts.append("skipped")
    parts.append(f"{timing['audio_seconds_per_second']:.1f} audio-s/s")
    parts.append(f"{duration(timing['eta'])} left")
    parts.append(f"{timing['memory_bytes'] / 2**30:.1f} GiB")
    return "  ".join(parts)


def short_line(report: StepReport) -> str:
    """The same for a terminal, where a bar beside it tells how far it is and how long it takes."""
    metrics, timing = report.metrics, report.timing
    parts = [f"step {report.step} {report.stage} loss {_number(metrics['loss'], 3)}"]
    for name, value in metrics.items():
        if name.startswith("loss."):
            label = name.removeprefix("loss.")
            coverage = metrics.get(f"coverage.{label}", 1.0)
            parts.append(f"{label} {_number(value, 3)}" + (f" ({coverage:.0%})" if coverage != 1.0 else ""))
    rates = [value for name, value in metrics.items() if name.startswith("lr.")]
    parts.append(f"lr {rates[0]:.1e}" if rates else "")
    parts.append(f"{timing['audio_seconds_per_second']:.0f} audio-s/s {timing['memory_bytes'] / 2**30:.1f} GiB")
    return " ".join(part for part in parts if part)


def _number(value: Any, digits: int = 4) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float) else "-"


def duration(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def memory_bytes(device: torch.device) -> int:
    """The most memory used so far: of the device, or of the process where the device is the CPU."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
