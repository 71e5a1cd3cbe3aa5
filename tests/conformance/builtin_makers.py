"""How each built-in component is made in a test, and which check it goes through.

One function a component, `@made("KIND", "NAME")`: it makes the component from small local data and calls the check of
its kind. A built-in without one fails `test_all_builtins.py`, so a new one needs a few lines here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import soundfile

from kathrine import MetricContext, MetricTake, Workspace
from kathrine.components import Component, Strategy
from kathrine.progress import SilentProgress
from kathrine.testing import (
    ToyFamily,
    check_curriculum,
    check_exporter,
    check_language,
    check_loss,
    check_metric,
    check_model_family,
    check_source,
    check_strategy,
    check_tracker,
    tiny_family,
)

TESTS = Path(__file__).resolve().parents[1]
for folder in ("corpus", "kathrine_librivox", "kathrine_manifest"):  # their fixtures are used here as well
    if str(TESTS / folder) not in sys.path:
        sys.path.append(str(TESTS / folder))
HUMAN = TESTS / "data" / "librivox-human" / "sense_and_sensibility_0880.wav"
SAID = "he was not an ill disposed young man"
WHISPER = "wheel:whisper-base"
TINY = "qwen3_tts"


@dataclass
class Bench:
    """Where one component is tried. kind: its class, from the catalogue. folder: empty."""

    kind: type[Component]
    folder: Path
    workspace: Workspace = field(default_factory=Workspace.default)

    def make(self, **options: Any) -> Any:
        """The component with these options."""
        return self.kind(self.kind.Options.model_validate(options))

    def own_workspace(self) -> Workspace:
        return Workspace(self.folder / "workspace")


Maker = Callable[[Bench], None]
MAKERS: dict[tuple[str, str], Maker] = {}


def made(kind: str, name: str) -> Callable[[Maker], Maker]:
    """Enter a function into the table."""

    def enter(maker: Maker) -> Maker:
        assert (kind, name) not in MAKERS, f"{kind} {name} is in the table already"
        MAKERS[kind, name] = maker
        return maker

    return enter


def maker_of(kind: str, name: str) -> Maker:
    """The function of a component; fails the test where there is none."""
    maker = MAKERS.get((kind, name))
    if maker is None:
        pytest.fail(
            f"no conformance check runs over the built-in {kind} '{name}': write a function with "
            f'@made("{kind}", "{name}") in {Path(__file__).name}'
        )
    return maker


# --------------------------------------------------------------------------- models, strategies, losses


@made("model", "qwen3_tts")
def _(bench: Bench) -> None:
    check_model_family(tiny_family(TINY), bench.workspace)


@made("strategy", "freeze")
def _(bench: Bench) -> None:
    check_strategy(bench.make(lr=1e-4, last_layers=1, parts=["sub_talker"]), tiny_family(TINY), bench.workspace)
    check_strategy(bench.make(lr=1e-4, patterns=[r"head\..*"]), ToyFamily(), bench.workspace)


@made("strategy", "lora")
def _(bench: Bench) -> None:
    for options in ({"mlp": True, "layers": [0, 1]}, {"dora": True, "r": 2}, {"rslora": True, "parts": ["sub_talker"]}):
        check_strategy(bench.make(lr=1e-4, **options), tiny_family(TINY), bench.workspace)


@made("strategy", "text_projection")
def _(bench: Bench) -> None:
    check_strategy(bench.make(lr=1e-4), tiny_family(TINY), bench.workspace)


@made("strategy", "language_tag")
def _(bench: Bench) -> None:
    check_strategy(bench.make(lr=1e-4), tiny_family(TINY), bench.workspace)


@made("loss", "sub_talker")
def _(bench: Bench) -> None:
    check_loss(bench.make(weight=0.2), ToyFamily(), bench.workspace)
    check_loss(bench.make(weight=0.2, share=0.5), tiny_family(TINY), bench.workspace, draws=100)


# --------------------------------------------------------------------------- curricula, trackers, exporters


@made("curriculum", "source_first")
def _(bench: Bench) -> None:
    for shares in ("balanced", "size", {"npsc": 3.0, "librivox": 1.0}):
        made_one = bench.make(first="librivox", first_epochs=2.0, steps=100, shares=shares, lr_scale={"*": 0.5})
        check_curriculum(made_one, ["npsc", "librivox"])


@made("curriculum", "staged")
def _(bench: Bench) -> None:
    stages = [{"name": "clear", "shares": {"a": 1.0}, "epochs": 1.0}, {"shares": "size", "steps": 50}]
    check_curriculum(bench.make(stages=stages), ["a", "b", "c"])


@made("tracker", "tensorboard")
def _(bench: Bench) -> None:
    check_tracker(bench.make(), bench.folder)


def everything() -> list[Strategy]:
    """A strategy of each sort: adapters, weights trained in place, a language tag."""
    from kathrine_language_tag import LanguageTag, LanguageTagOptions
    from kathrine_lora import Lora, LoraOptions
    from kathrine_text_projection import TextProjection

    options = TextProjection.Options(lr=1e-3)
    return [Lora(LoraOptions(lr=1e-3)), TextProjection(options), LanguageTag(LanguageTagOptions(lr=1e-2))]


@made("exporter", "adapter")
def _(bench: Bench) -> None:
    check_exporter(bench.make(), tiny_family(TINY), bench.workspace, everything())


@made("exporter", "merged")
def _(bench: Bench) -> None:
    check_exporter(bench.make(dtype="fp32"), tiny_family(TINY), bench.workspace, everything())


# --------------------------------------------------------------------------- languages


@made("language", "generic")
def _(bench: Bench) -> None:
    sentences = ["God morgen, <ee> alle sammen!", "stor\u00adtinget  samles", "hei <inaudible>", "år 1, ½ €"]
    check_language(bench.make(), sentences, own_sentences=False)
    check_language(bench.make(alphabet="adegmnor", signs=","), ["god morgen", "hei"], own_sentences=False)


@made("language", "norwegian")
def _(bench: Bench) -> None:
    written = ["Kl. 14.30 kom 3 stk.", "NATO og EU, ca. 50 % av 1 000 kr", "<ee> Den 1. mai 1994", "Ho gjekk 2 km."]
    for variant in ("nb", "nn"):
        check_language(bench.make(variant=variant, full_stop=variant == "nn"), written)


# --------------------------------------------------------------------------- sources


@made("source", "npsc")
def _(bench: Bench) -> None:
    check_source(bench.make(root="kathrine:npsc", validation_speakers="any"), bench.own_workspace())


@made("source", "librivox")
def _(bench: Bench) -> None:
    check_source(bench.make(root="kathrine:nb-librivox"), bench.own_workspace())


@made("source", "librivox_catalogue")
def _(bench: Bench) -> None:
    from librivox_shelf import fill, options_of
    from servers.librivox import LibrivoxServer

    with LibrivoxServer() as site:
        fill(site)
        check_source(bench.make(**options_of(site, books=[102])), bench.own_workspace())


@made("source", "manifest")
def _(bench: Bench) -> None:
    import layouts

    for number, write in enumerate((layouts.ljspeech, layouts.jsonl, layouts.parquet)):
        place = bench.folder / str(number)
        check_source(bench.make(path=str(write(place / "corpus"))), Workspace(place / "workspace"))


@made("source", "prepared")
def _(bench: Bench) -> None:
    from prepared_users import source_corpus

    corpus = source_corpus(bench.folder / "corpus")
    check_source(bench.make(root=str(corpus.folder)), bench.own_workspace())


@made("source", "espeak")
def _(bench: Bench) -> None:
    from kathrine_espeak import engine

    if engine.find_program() is None and engine.find_library() is None:
        pytest.skip("espeak-ng is not installed")
    check_source(bench.make(sentences=["Hei på deg.", "Nå er det vår."]), bench.own_workspace())


# --------------------------------------------------------------------------- metrics


def context(bench: Bench, **more: Any) -> MetricContext:
    return MetricContext(bench.workspace, SilentProgress(), **{"language": "english", "code": "en", **more})


def human_takes() -> list[MetricTake]:
    """A human sentence, and its first half."""
    wave, rate = soundfile.read(HUMAN, dtype="float32")
    return [
        MetricTake(wave, rate, SAID, wave[: len(wave) // 2], {"asr": SAID}),
        MetricTake(wave[: len(wave) // 2], rate, SAID, wave, {"asr": "he was not not an ill"}),
    ]


def measure(bench: Bench, metric: Any, backends: tuple[str, ...] = (), **more: Any) -> None:
    """Checks a metric that has everything it needs here: skipped would be a failure."""
    reason = check_metric(metric, context(bench, **more), human_takes(), backends)
    assert not reason, f"skipped: {reason}"


@made("metric", "asr")
def _(bench: Bench) -> None:
    metric = bench.make(backend="faster_whisper", models=[WHISPER], device="cpu")
    measure(bench, metric, ("faster_whisper",))


@made("metric", "language_id")
def _(bench: Bench) -> None:
    metric = bench.make(backend="faster_whisper", model=WHISPER, device="cpu", others=["de"])
    measure(bench, metric, ("faster_whisper",))


@made("metric", "articulation")
def _(bench: Bench) -> None:
    measure(bench, bench.make(asr="asr"))


@made("metric", "cadence")
def _(bench: Bench) -> None:
    measure(bench, bench.make(run=1))


@made("metric", "prosody")
def _(bench: Bench) -> None:
    measure(bench, bench.make(), ("parselmouth",))


@made("metric", "signal")
def _(bench: Bench) -> None:
    measure(bench, bench.make(), ("speechmos", "onnxruntime"))


@made("metric", "similarity")
def _(bench: Bench) -> None:
    encoder = tiny_family(TINY).open_speaker_encoder(bench.workspace)
    measure(bench, bench.make(model="own"), speaker_encoder=encoder)
    assert "no speaker encoder" in check_metric(bench.make(model="own"), context(bench))
