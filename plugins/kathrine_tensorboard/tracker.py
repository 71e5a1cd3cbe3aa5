"""Writes metrics, timing and validation losses as TensorBoard event files."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from kathrine import KathrineError, Options, Tracker, hookimpl
from kathrine.types import RunInfo, SamplesReport, StepReport, ValidationReport

REMEDY = "pip install kathrine[tensorboard]"


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are numbers, by TensorBoard's tag: `train/loss.talker`, `validation/npsc.talker`."""
    told = {}
    for name, value in metrics.items():
        if isinstance(value, int | float):
            group, _, rest = name.partition("validation.")
            told[f"validation/{rest}" if not group and rest else f"train/{name}"] = float(value)
    return told


class TensorBoardOptions(Options):
    folder: str = ""
    """Where event files go; empty takes `tensorboard` in the run folder."""
    every: int = Field(default=1, ge=1)
    """Write the metrics of every so many updates; validations are always written."""


class TensorBoard(Tracker):
    """`[track.tensorboard]`: look at it with `tensorboard --logdir runs`."""

    name = "tensorboard"
    Options = TensorBoardOptions
    options: TensorBoardOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._writer: Any = None

    def problems(self) -> Iterator[str]:
        if importlib.util.find_spec("tensorboard") is None:
            yield f"tensorboard is not installed: {REMEDY}"

    def _open(self, run: RunInfo) -> Any:
        """The writer, made with the first number, so that only the process that writes makes a file."""
        if self._writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise KathrineError("track.tensorboard: tensorboard is not installed", REMEDY) from error
            folder = Path(self.options.folder).expanduser() if self.options.folder else run.folder / "tensorboard"
            # what an earlier process wrote after the checkpoint is not shown
            purge = run.resumed_from + 1 if run.resumed_from is not None else None
            self._writer = SummaryWriter(str(folder), purge_step=purge)
        return self._writer

    @hookimpl
    def kathrine_step_end(self, run: RunInfo, report: StepReport) -> None:
        if report.step % self.options.every:
            return
        writer = self._open(run)
        for tag, value in numbers(report.metrics).items():
            writer.add_scalar(tag, value, report.step)
        for name, value in report.timing.items():
            writer.add_scalar(f"timing/{name}", value, report.step)

    @hookimpl
    def kathrine_validation_end(self, run: RunInfo, report: ValidationReport) -> None:
        writer = self._open(run)
        for tag, value in numbers(report.metrics).items():
            writer.add_scalar(tag, value, report.step)
        writer.flush()

    @hookimpl
    def kathrine_samples_spoken(self, run: RunInfo, report: SamplesReport) -> None:
        import soundfile
        import torch

        writer = self._open(run)
        for name, value in report.metrics.items():
            writer.add_scalar(name.replace("samples.", "samples/", 1), value, report.step)
        for take in report.takes:
            wave, rate = soundfile.read(report.folder / take["file"], dtype="float32")
            writer.add_audio(f"samples/{take['file']}", torch.from_numpy(wave)[None], report.step, sample_rate=rate)
            writer.add_text(f"samples/{take['file']}", take["text"], report.step)
        writer.flush()

    @hookimpl
    def kathrine_run_end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
