"""Run folders for the tests of pages, written by the run's own writers, and a strict reader of pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from kathrine.speech.takes import write_wave
from kathrine.train.watchers import MetricsWriter
from kathrine.types import SamplesReport, StepReport, ValidationReport

VOID = {"meta", "link", "br", "img", "input", "hr"}
SVG_LEAVES = {"line", "rect", "circle", "polyline"}
RATE = 24000


class Page(HTMLParser):
    """Reads a page, and refuses one whose elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], self.open
        (block,) = self.scripts
        self.numbers: dict[str, Any] = json.loads(block)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_LEAVES, tag
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] == "data":
            given = self.elements[-1][1]
            self.data.append((str(given["data-of"]), str(given["value"]), data))
        elif "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def assert_harmless(self) -> None:
        """Nothing is fetched from elsewhere, nothing runs, and no element stands there that pages do not have."""
        for tag, attributes in self.elements:
            assert tag not in {"img", "iframe", "object", "embed", "link", "form", "base"}, tag
            assert not [name for name in attributes if name.startswith("on")], attributes
            for name in ("src", "href"):
                address = attributes.get(name) or ""
                if tag == "a" and address.startswith("https://creativecommons.org/"):
                    continue
                assert "javascript:" not in address.lower()
                assert not address.startswith(("http", "//")), address
                assert address.startswith("data:") or ":" not in address, address
        assert [one.get("type") for one in self.all("script")] == ["application/json"]


def written_run(
    folder: Path,
    steps: Sequence[Mapping[str, Any]] = (),
    validations: Sequence[tuple[int, Mapping[str, Any], bool]] = (),
    samples: Sequence[tuple[int, Mapping[str, Any]]] = (),
    name: str = "made",
    stage: str = "train",
    recipe: str = "",
) -> Path:
    """A run folder. Given: metrics of updates 1.., of validations and of samples by step."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(recipe or f"[run]\nname = {json.dumps(name)}\n[train]\nlr = 0.5\n")
    writer = MetricsWriter(folder / "metrics.jsonl", folder / "timing.jsonl")

    def others(at: int) -> None:
        for step, metrics in samples:
            if step == at:
                writer.kathrine_samples_spoken(SamplesReport(step, stage, folder / "samples", (), dict(metrics)))
        for step, metrics, improved in validations:
            if step == at:
                writer.kathrine_validation_end(ValidationReport(step, stage, metrics, 0.0, improved))

    others(0)
    for step, metrics in enumerate(steps, start=1):
        timing = {"seconds": 0.5, "audio_seconds_per_second": 40.0 + step}
        writer.kathrine_step_end(StepReport(step, step / 10, stage, metrics, timing))
        others(step)
    writer.kathrine_run_end()
    return folder


def tone(path: Path, seconds: float = 0.5, hertz: float = 220.0, rate: int = RATE) -> Path:
    time_N = np.arange(round(seconds * rate)) / rate
    write_wave(path, (0.3 * np.sin(2 * np.pi * hertz * time_N)).astype(np.float32), rate)
    return path


def spoken(folder: Path, texts: Sequence[str], flags: Sequence[str] = (), seconds: float = 0.5) -> None:
    """Sound files and `samples.json` as a run leaves them."""
    takes = []
    for number, text in enumerate(texts, start=1):
        tone(folder / f"{number:02d}.wav", seconds)
        facts = {"seconds": seconds, "rms_db": -13.0, "stop": "end", "flags": list(flags)}
        takes.append({"text": text, "file": f"{number:02d}.wav", **facts})
    (folder / "samples.json").write_text(json.dumps(takes))


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
