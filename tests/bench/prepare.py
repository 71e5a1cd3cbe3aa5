"""Speed of prepare, stage by stage: utterances a second and multiples of real time, so that the slowest stage shows.

Run with `make bench`, on a quiet machine. The bundled samples are downloaded through the real client from a Hub on the
loopback interface (so "download" is the client and the unpacking, not a network), and encoded by the embedded tiny
model on the CPU: its two rows are not those of a real codec on a GPU. `--copies N` measures everything but the download
N times.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "tests")]

RECIPE = """
[model.qwen3_tts]
checkpoint = "kathrine:tiny"
[language.norwegian]
[[data]]
source = "npsc"
[[data]]
source = "librivox"
[prepare]
device = "cpu"
[train]
epochs = 1.0
[strategy.lora]
lr = 1e-4
"""
SAMPLES = {"NbAiLab/NPSC": "npsc", "NbAiLab/nb-librivox": "nb-librivox"}


class Stages:
    """Seconds that each stage took, in order, and what it did in them: utterances, and seconds of speech."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.utterances: Counter[str] = Counter()
        self.speech: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began

    def done(self, name: str, utterances: int, speech: float) -> None:
        self.utterances[name] += utterances
        self.speech[name] = self.speech.get(name, 0.0) + speech


def measure(folder: Path, copies: int) -> Stages:
    """What every stage took, with everything below `folder`."""
    from kathrine.corpus.assemble import assemble
    from kathrine.corpus.audio import condition, read_audio
    from kathrine.corpus.encode import batches
    from kathrine.corpus.listening import Recording, listen, wave_of
    from kathrine.corpus.prepare import encoders_of, make_bench, model_facts, prepare_entry, set_keys, source_context
    from kathrine.corpus.report import corpus_facts, entry_facts
    from kathrine.corpus.workers import Workers
    from kathrine.progress import SilentProgress
    from kathrine.recipe import load_recipe
    from kathrine.workspace import Workspace

    path = folder / "bench.toml"
    path.write_text(RECIPE, encoding="utf-8")
    recipe, workspace, progress, stages = load_recipe(str(path)), Workspace(folder / "ws"), SilentProgress(), Stages()
    facts, prints = model_facts(recipe, workspace, progress)
    with Workers(recipe.prepare.workers) as workers:
        bench = make_bench(recipe, workspace, progress, facts, prints, workspace.corpus, workers)
        with stages.stage("download and unpack"):
            for entry in recipe.data:
                entry.source.prepare(source_context(entry, bench))
        given = [u for entry in recipe.data for u in entry.source.utterances(source_context(entry, bench))] * copies
        settings = bench.sounds.settings
        for utterance in given:
            assert utterance.audio is not None
            with stages.stage("decode"):
                wave_NC, rate = read_audio(utterance.audio, utterance.start, utterance.end, utterance.seconds)
            with stages.stage("condition and measure"):
                condition(wave_NC, rate, settings)
        workers.parallel = True
        recordings = [(Recording.of(utterance), settings) for utterance in given]
        list(workers.map(listen, recordings[:8]))  # processes are begun once, whatever the corpus
        together = f"both, in {workers.count} processes"
        with stages.stage(together):
            seconds = sum(heard.seconds for heard in workers.map(listen, recordings))

        # Everything is measured by now; what is left is text, gates and choice.
        for entry in recipe.data:
            prepare_entry(entry, bench)
        bench.stores.flush()
        bench = make_bench(recipe, workspace, progress, facts, prints, workspace.corpus, workers)
        everything, examples, told = [], [], {}
        with stages.stage("gates and choice"):
            for _ in range(copies):
                everything, examples, told = [], [], {}
                for entry in recipe.data:
                    rows, hidden, notes, left_out = prepare_entry(entry, bench)
                    everything += rows
                    examples += [row for row in rows if row.kept] + hidden
                    told[entry.name] = entry_facts(entry.source.name, rows, notes, left_out)
        for row in examples:
            set_keys(row, prints, facts)

        encoders = encoders_of(bench)
        encoders.codes([wave_of(recordings[0][0], settings)])  # opens the codec
        encoders.embedding(wave_of(recordings[0][0], settings))
        limit = recipe.prepare.batch_seconds * settings.sample_rate
        for batch in list(batches(examples, recipe.prepare.batch, limit)) * copies:
            waves = [wave_of(Recording.of(row.utterance), settings) for row in batch]
            with stages.stage("encode: codes"):
                codes = encoders.codes(waves)
            with stages.stage("encode: speaker"):
                voices = [encoders.embedding(wave_N) for wave_N in waves]
            for row, codes_FQ, voice_H in zip(batch, codes, voices, strict=True):
                bench.stores.codes.add(row.codes_key, codes=codes_FQ.reshape(-1), frames=len(codes_FQ))
                bench.stores.speakers.add(row.speaker_key, embedding=voice_H)
        bench.stores.flush()
        corpus = corpus_facts(facts, prints, settings.key(), "bench", told)
        for number in range(copies):
            with stages.stage("assemble"):
                assemble(folder / f"corpus{number}", examples, everything, corpus, "bench", bench.stores)
    own, kept = len(given) // copies, sum(row.seconds for row in examples)
    stages.done("download and unpack", own, seconds / copies)
    for name in ("decode", "condition and measure", together, "gates and choice"):
        stages.done(name, len(given), seconds)
    for name in ("encode: codes", "encode: speaker", "assemble"):
        stages.done(name, len(examples) * copies, kept * copies)
    return stages


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=3, help="use every recording so often")
    copies = parser.parse_args().copies

    from servers.hub import Hub

    with Hub() as hub, tempfile.TemporaryDirectory(prefix="kathrine-bench-") as name:
        from kathrine.datafiles import bundled_sample

        for repo, sample in SAMPLES.items():
            hub.add(repo, bundled_sample(sample))
        # The client reads these when it is imported, which is later.
        os.environ |= {"HF_ENDPOINT": hub.url, "HF_HOME": f"{name}/hf", "HF_HUB_DISABLE_XET": "1"}
        os.environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        stages = measure(Path(name), copies)

    from rich.console import Console
    from rich.table import Table

    count, speech = stages.utterances["download and unpack"], stages.speech["download and unpack"]
    table = Table(title=f"prepare: {count} utterances, {speech / 60:.1f} min of speech", title_justify="left")
    for column in ("stage", "seconds", "utterances/s", "x real time"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    slowest = max(stages.seconds, key=lambda stage: stages.seconds[stage])
    for stage, took in stages.seconds.items():
        row = [
            stage,
            f"{took:.2f}",
            f"{stages.utterances[stage] / took:.1f}",
            f"{stages.speech[stage] / took:.1f}",
        ]
        table.add_row(*row, style="bold" if stage == slowest else "")
    Console().print(table)
    print(f"the slowest stage is: {slowest}")


if __name__ == "__main__":
    main()
