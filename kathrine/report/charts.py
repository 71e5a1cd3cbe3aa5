"""Which curves a run has: losses by term and by source, learning rates, gradient norm, speed, checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kathrine.report.curves import Chart, Line, Point
from kathrine.report.reading import RunRead

BY_FORM = ("form.", "layout.")
SPEED = "audio_seconds_per_second"
SOUND = {"floor_db": "pauses under speech, dB", "flatness": "flatness of voices", "high_db": "above 7 kHz, dB"}


def run_charts(run: RunRead) -> list[Chart]:
    """Every chart of one run, those without any point left out later."""
    columns, timing = run.columns, run.timing
    terms = [name for name in columns if name.startswith("loss.")]
    sources = [name for name in columns if name.startswith("talker.")]
    rates = [name for name in columns if name.startswith("lr.")]
    partly = [name for name in columns if name.startswith("coverage.") and min(columns[name].values, default=1) < 1]
    skipped = [(step, "this update was left out: not finite") for step in skipped_steps(run)]
    noisy = [(float(step), "from here on the samples grew noisier while the loss fell") for step in run.before_noise()]

    def of(names: Sequence[str], prefix: str = "") -> list[Line]:
        return [Line(name.removeprefix(prefix), columns[name].points()) for name in names]

    charts = [
        Chart("Loss by term", of(["loss", *terms] if "loss" in columns else terms, "loss."), "nat", marks=skipped),
        Chart("Talker loss by source", of(sources, "talker."), "nat"),
        Chart("Held-out talker loss by source", held_out(run.validations, "talker"), "nat"),
        Chart(
            "Held-out talker loss by prompt form",
            held_out(run.validations, "talker", forms=True),
            "nat",
        ),
        *(
            Chart(f"Held-out loss {label} by source", held_out(run.validations, label), "nat")
            for label in labels(run.validations)
        ),
        Chart(
            "Text gain by source",
            held_out(run.validations, "text_gain"),
            "nat",
            hint="Talker loss with another text minus that with the right one. Near 0: the text is not listened to.",
        ),
        Chart("Learning rate by strategy", of(rates, "lr."), log=log_rates(run, rates)),
        Chart("Gradient norm", of(["grad_norm"] if "grad_norm" in columns else []), log=None, marks=skipped),
        Chart(
            "Throughput",
            [Line("audio", timing[SPEED].points())] if SPEED in timing else [],
            "s/s",
            hint="Seconds of audio trained on in a second of wall time.",
            key=False,
        ),
        Chart("Coverage of losses", of(partly, "coverage."), hint="Share of the frames that a loss looked at."),
        Chart(
            "Flagged samples",
            spoken(run.samples, {"samples.flagged": "share of sentences with a flag"}),
            marks=noisy,
            span=(0.0, 1.0),
        ),
        *(
            Chart(f"Noise: {title}", spoken(run.samples, {f"samples.{name}": title}), marks=noisy, key=False)
            for name, title in SOUND.items()
        ),
        Chart(
            "Pace of samples",
            spoken(run.samples, {"samples.seconds_per_letter": "median"}),
            "s a letter",
            key=False,
        ),
    ]
    return [with_stages(chart, run) for chart in charts]


def with_stages(chart: Chart, run: RunRead) -> Chart:
    """The chart with the run's stage boundaries, where it has more than one."""
    if len(run.stages) < 2:
        return chart
    return replace(chart, boundaries=[(float(step), name) for step, name in run.stages])


def skipped_steps(run: RunRead) -> list[float]:
    """Updates that were left out."""
    column = run.columns.get("skipped")
    return [float(step) for step, value in column.points() if value] if column is not None else []


def log_rates(run: RunRead, names: Iterable[str]) -> bool:
    """Whether the strategies' rates are too far apart for one linear axis; none of them may be 0 for it."""
    peaks = [max(run.columns[name].values) for name in names]
    least = [min(run.columns[name].values) for name in names]
    return bool(peaks) and min(least) > 0 and max(peaks) / min(peaks) > 10


def values_of(lines: Sequence[Mapping[str, Any]], name: str) -> list[Point]:
    """A number of these lines of metrics.jsonl by step; NaN where it was not finite."""
    return [
        (float(line["step"]), float("nan") if line[name] is None else float(line[name]))
        for line in lines
        if name in line
    ]


def held_out(validations: Sequence[Mapping[str, Any]], label: str, forms: bool = False) -> list[Line]:
    """Lines of one held-out loss, by source or by prompt form and layout."""
    names: dict[str, str] = {}
    for line in validations:
        for name in line:
            match = re.fullmatch(rf"validation\.(.+)\.{re.escape(label)}", name)
            if match and match[1].startswith(BY_FORM) == forms:
                names.setdefault(name, match[1])
    return [Line(shown, values_of(validations, name), dots=len(validations) <= 60) for name, shown in names.items()]


def labels(validations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Auxiliary losses that were held out."""
    found: dict[str, None] = {}
    for line in validations:
        for name in line:
            match = re.fullmatch(r"validation\.([^.]+)", name)
            if match and match[1] not in ("talker", "text_gain", "score"):
                found[match[1]] = None
    return list(found)


def spoken(samples: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[Line]:
    """Lines over the steps at which sentences were spoken."""
    return [
        Line(label, values_of(samples, name), dots=len(samples) <= 60)
        for name, label in names.items()
        if any(name in line for line in samples)
    ]
