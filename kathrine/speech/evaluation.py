"""Takes of a system scored by metrics: kept a line a score, so that a killed evaluation goes on where it was.

A system is what is compared: a checkpoint, a model, human recordings. Its folder holds WAV files, `takes.jsonl` and
`scores.jsonl`. Legend: N samples.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kathrine.components import Metric, MetricContext, MetricFacts, MetricTake
from kathrine.errors import KathrineError
from kathrine.speech.intervals import Estimate, estimates

if TYPE_CHECKING:
    import numpy as np

TAKES, SCORES = "takes.jsonl", "scores.jsonl"
Kind = Literal["checkpoint", "samples", "model", "recordings", "before", "after"]


class JsonLines:
    """A file that grows by whole lines. What a killed process left of a last line is taken off."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> list[dict[str, Any]]:
        """What was added, in order."""
        if not self.path.is_file():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        return [json.loads(line) for line in whole.decode("utf-8").splitlines()]

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a line and hand it to the system at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


@dataclass(frozen=True, slots=True)
class Made:
    """A take that can be scored. id: unique in its system. sentence: number in the set. reference: recording whose
    voice was asked for. flags: of the always-on checks."""

    id: str
    sentence: int
    text: str
    path: Path
    flags: tuple[str, ...] = ()
    reference: Path | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a metric says of a system. skipped: why it says nothing, then there are no values. rows: by take, the lines
    that the values are made of. counts: of how many takes each value is made. shown: keys of the table with which way
    is better."""

    label: str
    metric: str
    facts: MetricFacts
    skipped: str = ""
    values: Mapping[str, Estimate] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    counts: Mapping[str, int] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    summarise: Callable[..., Mapping[str, float]] | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        values = {name: {**one.document(), "takes": self.counts.get(name)} for name, one in self.values.items()}
        return {"metric": self.metric, **asdict(self.facts), "skipped": self.skipped, "values": values}


@dataclass(eq=False)
class System:
    """What is compared. name: as it is told. language: that it speaks. about: more facts for `results.json`."""

    name: str
    kind: Kind
    folder: Path
    takes: list[Made]
    language: str = ""
    step: int | None = None
    about: dict[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    flagged: Estimate = field(default_factory=lambda: Estimate(0.0))

    def value(self, metric: str, key: str) -> float | None:
        """A number of the first metric of that name that has it."""
        found = (one.values[key].value for one in self.results if one.metric == metric and key in one.values)
        return next(found, None)

    def document(self) -> dict[str, Any]:
        """As `results.json` holds it."""
        counts = Counter(flag for take in self.takes for flag in take.flags)
        return {
            "name": self.name,
            "kind": self.kind,
            "step": self.step,
            "language": self.language,
            "folder": self.folder.name,
            **self.about,
            "takes": len(self.takes),
            "takes_digest": takes_digest(self.takes),
            "flagged": self.flagged.document(),
            "flags": {name: counts[name] / len(self.takes) for name in sorted(counts)},
            "metrics": {one.label: one.document() for one in self.results},
        }


def score_systems(systems: Sequence[System], metrics: Sequence[Metric], context: MetricContext) -> None:
    """Score systems that speak one language, metric by metric, so that each model is loaded once.

    Puts the results, and the share of flagged takes, into the systems. A metric that can not run is skipped with its
    reason; a metric that reads transcripts comes after those that make them.
    """
    heard: dict[int, dict[str, dict[str, str]]] = {id(system): {} for system in systems}
    for system in systems:
        flags = {take.id: {"flagged": float(bool(take.flags))} for take in system.takes}
        system.flagged = estimates(by_sentence(system.takes, flags), flagged_share).get("flagged", Estimate(0.0))
    parts = [part for metric in metrics for part in metric.split()]
    for metric in sorted(parts, key=lambda one: one.reads_transcripts):
        opened = open_metric(metric, context, any(heard.values()))
        for system in systems:
            if isinstance(opened, str):
                system.results.append(Result(metric.label, metric.name, MetricFacts(metric.version), opened))
                continue
            texts = heard[id(system)]
            result = score_system(system, metric, opened, texts, context)
            for take, row in result.rows.items():
                if "heard" in row:
                    texts.setdefault(take, {})[metric.label] = str(row["heard"])
            system.results.append(result)


def flagged_share(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Share of takes that have a flag."""
    return {"flagged": sum(row["flagged"] for row in rows) / len(rows)}


def open_metric(metric: Metric, context: MetricContext, has_transcripts: bool) -> MetricFacts | str:
    """What a metric listens with, or why it can not run."""
    why = metric.available()
    if not why and metric.reads_transcripts and not has_transcripts:
        why = "there are no transcripts: no asr metric ran"
    if why:
        return why
    try:
        with context.progress.task(f"loading {metric.label}"):
            return metric.open(context)
    except KathrineError as error:
        return error.sentence


def score_system(
    system: System,
    metric: Metric,
    facts: MetricFacts,
    heard: Mapping[str, Mapping[str, str]],
    context: MetricContext,
) -> Result:
    """All takes of a system through one metric; scores that are there from before are taken as they are."""
    log, key = JsonLines(system.folder / SCORES), score_key(metric, facts)
    known = {row["take"]: row["values"] for row in log.rows() if row["metric"] == metric.label and row["key"] == key}
    rows: dict[str, Mapping[str, Any]] = {}
    with context.progress.task(f"{metric.label}: {system.name}", total=len(system.takes)) as advance:
        for take in system.takes:
            stamp = f"{take.id}@{take_stamp(take, heard.get(take.id, {}) if metric.reads_transcripts else {})}"
            if stamp not in known:
                wave, rate = read_wave(take.path)
                reference = read_wave(take.reference, rate)[0] if take.reference is not None else None
                try:
                    values = metric.score_take(MetricTake(wave, rate, take.text, reference, heard.get(take.id, {})))
                except KathrineError as error:
                    return Result(metric.label, metric.name, facts, error.sentence)
                known[stamp] = dict(values)
                log.add({"take": stamp, "metric": metric.label, "key": key, "values": known[stamp]})
            rows[take.id] = known[stamp]
            advance(1)
    scored = {take: row for take, row in rows.items() if any(isinstance(value, int | float) for value in row.values())}
    if not scored:
        why = "no take could be scored: no reference, or nothing to hear"
        return Result(metric.label, metric.name, facts, why)
    numbers = estimates(by_sentence(system.takes, scored), metric.summarise)
    counts = metric.counted(list(scored.values()))
    return Result(metric.label, metric.name, facts, "", numbers, scored, counts, metric.shows, metric.summarise)


def score_key(metric: Metric, facts: MetricFacts) -> str:
    """Changes whenever a metric might say something else: its version, model and options."""
    options = metric.options.model_dump_json()
    return hashlib.sha256(f"{metric.name}|{facts.key()}|{options}".encode()).hexdigest()[:16]


def take_stamp(take: Made, heard: Mapping[str, str]) -> str:
    """Changes with a take's sound, text, reference, and what was heard where that is read."""
    parts = [take.text, *(f"{label}={text}" for label, text in sorted(heard.items()))]
    for path in (take.path, take.reference):
        there = path is not None and path.is_file()
        parts.append(hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and there else "")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def takes_digest(takes: Sequence[Made]) -> str:
    """Changes with the sound, text or reference of any take: numbers of two evaluations are of the same takes, or
    not."""
    lines = [f"{take.id}@{take_stamp(take, {})}" for take in takes]
    return hashlib.sha256("|".join(lines).encode()).hexdigest()[:16]


def by_sentence(takes: Sequence[Made], rows: Mapping[str, Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    """Rows by the sentence that they belong to: what intervals are drawn over."""
    groups: dict[int, list[Mapping[str, Any]]] = {}
    for take in takes:
        if take.id in rows:
            groups.setdefault(take.sentence, []).append(rows[take.id])
    return groups


def read_wave(path: Path, rate: int = 0) -> tuple[np.ndarray, int]:
    """A recording as mono float32 [N], at its own rate or at another. Raises: KathrineError for one that is broken."""
    import numpy as np
    import soundfile
    import soxr

    from kathrine.corpus.audio import AudioRejected, read_audio, to_mono

    if path.is_file() and path.suffix == ".wav" and soundfile.info(path).frames == 0:
        return np.zeros(0, dtype=np.float32), soundfile.info(path).samplerate  # a take that ended before it began
    try:
        wave_NC, own = read_audio(path)
    except AudioRejected as error:
        raise KathrineError(f"{path} can not be read: {error.reason}", "remove it, and evaluate again") from error
    wave = to_mono(wave_NC)
    return (soxr.resample(wave, own, rate), rate) if rate and rate != own else (wave, own)
