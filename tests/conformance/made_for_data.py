"""Languages, sources and metrics, as `builtin_makers` wants them."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import soundfile
from builtin_makers import TESTS, TINY, Bench, made

from kathrine import MetricContext, MetricTake, Workspace
from kathrine.progress import SilentProgress
from kathrine.testing import check_language, check_metric, check_source, tiny_family

for folder in ("corpus", "kathrine_librivox", "kathrine_manifest"):  # their fixtures are used here as well
    if str(TESTS / folder) not in sys.path:
        sys.path.append(str(TESTS / folder))
HUMAN = TESTS / "data" / "librivox-human" / "sense_and_sensibility_0880.wav"
SAID = "he was not an ill disposed young man"
WHISPER = "wheel:whisper-base"

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
