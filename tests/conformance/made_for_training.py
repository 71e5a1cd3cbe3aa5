"""Models, strategies, losses, curricula, trackers and exporters, as `builtin_makers` wants them."""

from __future__ import annotations

import sys
from pathlib import Path

import soundfile
from builtin_makers import TINY, Bench, made
from servers.hub import run_client
from servers.hub_writes import Account, WritableHub

from kathrine.components import Strategy
from kathrine.testing import (
    ToyFamily,
    TrainAll,
    check_curriculum,
    check_exporter,
    check_loss,
    check_model_family,
    check_strategy,
    check_tracker,
    tiny_family,
)
from kathrine.testing.tiny import made_up_wave

sys.path.append(str(Path(__file__).parents[1] / "corpus"))
from prepared_users import source_corpus

# --------------------------------------------------------------------------- models, strategies, losses


@made("model", "qwen3_tts")
def _(bench: Bench) -> None:
    check_model_family(tiny_family(TINY), bench.workspace)


@made("model", "csm")
def _(bench: Bench) -> None:
    check_model_family(bench.make(checkpoint="kathrine:tiny-csm"), bench.workspace)


@made("strategy", "freeze")
def _(bench: Bench) -> None:
    check_strategy(bench.make(lr=1e-4, last_layers=1, parts=["sub_talker"]), tiny_family(TINY), bench.workspace)
    check_strategy(bench.make(lr=1e-4, patterns=[r"head\..*"]), ToyFamily(), bench.workspace)


@made("strategy", "lora")
def _(bench: Bench) -> None:
    for options in ({"mlp": True, "layers": [0, 1]}, {"dora": True, "rslora": True, "r": 2, "parts": ["sub_talker"]}):
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


@made("loss", "base_kl")
def _(bench: Bench) -> None:
    loss = bench.make(weight=0.05, temperature=2.0)
    check_loss(loss, tiny_family(TINY), bench.workspace, everything(), draws=20)  # it draws nothing


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


@made("exporter", "custom_voice")
def _(bench: Bench) -> None:
    voice = bench.folder / "kari.wav"
    soundfile.write(voice, made_up_wave("kari", 2.0, 24000), 24000)
    made_one = bench.make(voices={"kari": str(voice)}, dtype="fp32")
    check_exporter(made_one, tiny_family(TINY), bench.workspace, everything())


@made("exporter", "corpus")
def _(bench: Bench) -> None:
    corpus = source_corpus(bench.folder)
    strategy = TrainAll(TrainAll.Options(parts=["head"]))
    result = check_exporter(bench.make(), ToyFamily(), bench.workspace, [strategy], corpus=corpus)
    assert result.checks["utterances"] == len(corpus.rows)


HUB = """
import sys
from pathlib import Path
from dataclasses import replace
from kathrine import Workspace
from kathrine.catalog import Catalog
from kathrine.progress import SilentProgress
from kathrine.testing import ToyFamily, TrainAll, check_exporter
catalog = Catalog.load()
Hub, Adapter = catalog.component("exporter", "hub"), catalog.component("exporter", "adapter")
hub, adapter = Hub(Hub.Options(repo="kari/norsk", what=["adapter"])), Adapter()

def arrange(run):
    adapter.export(run, run.folder / "export" / "adapter", SilentProgress())
    problems = list(hub.before_run(replace(run.plan, exporters=(adapter, hub)), SilentProgress()))
    assert not problems, problems

made = check_exporter(hub, ToyFamily(), Workspace(Path(sys.argv[1])), [TrainAll()], arrange=arrange)
assert not made.undone and made.files == ("published.json",), made
"""


@made("exporter", "hub")
def _(bench: Bench) -> None:
    """In a process of its own: the Hub's client reads where the Hub is when it is imported."""
    with WritableHub(bench.folder / "stored") as hub:
        hub.accounts["hf_of_the_test"] = Account("kari")
        environment = hub.environment(bench.folder / "home", HF_TOKEN="hf_of_the_test")
        done = run_client(HUB, environment, str(bench.folder / "workspace"))
        assert done.returncode == 0, done.stderr
        assert {"README.md", "manifest.json", "trained.safetensors"} <= set(hub.files("kari/norsk", "models"))
        assert len(hub.commits) == 1  # all exports after the first one had nothing to send
