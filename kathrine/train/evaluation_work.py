"""What one evaluation works with: the flags, the target, and how a loaded model speaks a set."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kathrine.catalog import Catalog
from kathrine.components import Language, MetricContext, Progress
from kathrine.errors import KathrineError
from kathrine.inspect.target import RUN_RECIPE, run_of
from kathrine.recipe.recipe import Recipe, load_recipe
from kathrine.speech.evaluation import System
from kathrine.speech.requests import Manner
from kathrine.speech.sets import SentenceSet
from kathrine.speech.voices import Voice
from kathrine.train.evaluation_takes import speak_set
from kathrine.train.loaded import Loaded, Wish, local_place
from kathrine.train.prompt_voices import prompts_of
from kathrine.train.speaking import best_device, language_of
from kathrine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The flags of `kathrine evaluate`; empty where one was not given."""

    out: Path | None
    set: Path | None
    limit: int
    seeds: int
    references: tuple[Path, ...]
    speakers: tuple[str, ...]
    voices: int
    recordings: Path | None
    checkpoints: str
    saved_samples: bool
    retention: str
    base: str
    metrics: tuple[str, ...]
    metric_options: tuple[str, ...]
    adapter: str
    checkpoint: str
    without: str
    lora_scale: float | None
    language: str
    max_seconds: float
    device: str
    dtype: str
    offline: bool
    again: bool

    def wish(self) -> Wish:
        """How targets are to be loaded."""
        device = self.device if self.device != "auto" else best_device()
        precision = self.dtype if self.dtype != "auto" else ("bf16" if device == "cuda" else "fp32")
        without = tuple(part.strip() for part in self.without.split(",") if part.strip())
        chosen = None if self.checkpoint == "best" else self.checkpoint
        return Wish(self.adapter, chosen, without, self.lora_scale, device, precision, self.offline)


@dataclass(eq=False)
class Work:
    """What one evaluation works with. place: the target as a local folder or a model's name. run: the run's folder, or
    None. context: of metrics, completed by the first model that is loaded."""

    target: str
    place: str
    run: Path | None
    recipe: Recipe | None
    asked: Evaluation
    wish: Wish
    catalog: Catalog
    workspace: Workspace
    progress: Progress
    out: Path
    context: MetricContext


def begin(target: str, asked: Evaluation, progress: Progress) -> Work:
    """Find the target and refuse what contradicts it."""
    catalog, workspace, wish = Catalog.load(), Workspace.default(), asked.wish()
    place = local_place(target, workspace, progress, asked.offline)
    named = None if asked.checkpoint == "best" else asked.checkpoint
    run, which = run_of(place, named)
    if run is None and named is not None:
        raise KathrineError(f"{target} is no run: --checkpoint would be without effect", "leave it out")
    if run is not None and Path(place).expanduser() != run and asked.checkpoints:
        raise KathrineError(
            f"{target} is one checkpoint already: --checkpoints would be without effect",
            f"leave it out, or name the run: {run}",
        )
    wish = dataclasses.replace(wish, checkpoint=which if run is not None else None)
    place = str(run) if run is not None else place
    if run is None and (asked.checkpoints or asked.saved_samples):
        raise KathrineError(f"{target} is no run: it has no checkpoints and no saved samples", "name a run's folder")
    recipe = load_recipe(run / RUN_RECIPE, catalog=catalog, of_run=True) if run is not None else None
    out = asked.out or (run / "evaluation" if run is not None else Path("evaluation"))
    context = MetricContext(workspace, progress, wish.device, asked.offline)
    return Work(target, place, run, recipe, asked, wish, catalog, workspace, progress, out, context)


def in_language(context: MetricContext, language: Language | None, named: str) -> MetricContext:
    """The context of metrics for takes of a language."""
    tag = named.casefold().removeprefix("auto") or (language.tag() if language is not None else "")
    own = language is not None and tag in ("", language.name, language.tag())
    return dataclasses.replace(context, language=tag, code=language.code() if own and language is not None else "")


def language_for(loaded: Loaded, named: str, catalog: Catalog) -> tuple[Language | None, str | None]:
    """The language whose rules and sentences are used, and its tag, or None for auto.

    A model that has no tag of the language is asked to speak it all the same: how well a base model does is what an
    adapted one is compared with. Raises: KathrineError for a name that is neither a language here nor a tag.
    """
    name = named.casefold()
    known = loaded.model.language_id(name) is not None if name else True
    own = loaded.language
    if known or name in ("auto", *((own.name, own.tag()) if own is not None else ())):
        return language_of(loaded, (name if known else "auto") or None, catalog)
    if name not in catalog.names("language"):
        return language_of(loaded, name, catalog)  # says which there are
    return catalog.component("language", name)(), None  # type: ignore[return-value]


def take_context(work: Work, loaded: Loaded) -> None:
    """Tell metrics of the spoken model's own speaker encoder."""
    encoder = loaded.family.open_speaker_encoder(work.workspace, loaded.device)
    rate = loaded.model.facts.sample_rate
    work.context = dataclasses.replace(work.context, speaker_encoder=encoder, sample_rate=rate)


def speak_system(
    work: Work,
    loaded: Loaded,
    found: SentenceSet,
    language: Language | None,
    tag: str | None,
    name: str,
    kind: Any,
    folder: Path,
) -> System:
    """Everything that a loaded model is to say."""
    asked = work.asked
    for line in loaded.told:
        work.progress.say(line)
    prompts = prompts_of(loaded, asked.references, asked.speakers, asked.voices, work.out / "prompts")
    voices = ", ".join(prompt.voice.whose for prompt in prompts)
    work.progress.say(f"{len(found.sentences)} sentences of {found.name}, voices: {voices}; tag: {tag or 'auto'}")
    streamed = loaded.model.facts.text_layouts[0] == "streamed"
    manner = Manner(loaded.family.open_text(work.workspace), Voice("set below"), language, tag, streamed)
    takes = speak_set(
        loaded,
        found,
        prompts,
        manner,
        seeds=asked.seeds,
        max_seconds=asked.max_seconds,
        folder=folder,
        again=asked.again,
        progress=work.progress,
    )
    about = {**facts_of(found), "loaded": loaded.told, "voices": [one.voice.whose for one in prompts]}
    return System(name, kind, folder, takes, step=loaded.step, about={**about, "seeds": asked.seeds})


def facts_of(found: SentenceSet) -> dict[str, Any]:
    """The set, as `results.json` tells of it."""
    numbers = {"sentences": len(found.sentences), "left_out": len(found.left_out)}
    return {"set": {"name": found.name, "digest": found.digest(), **numbers}}
