"""What `kathrine evaluate` does, in the order of this file: choose the set, speak it, score it, say what was found."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from kathrine.components import Language, Metric, Progress
from kathrine.corpus.texts_seen import training_keys
from kathrine.datafiles import safe_name
from kathrine.errors import KathrineError
from kathrine.recipe.metric_options import metrics_with
from kathrine.report.page import write_report
from kathrine.speech.evaluation import System, score_systems
from kathrine.speech.evaluation_results import write_results
from kathrine.speech.retention import forgotten
from kathrine.speech.sets import BUNDLED, SentenceSet, bundled_set, held_out, human_takes, limited, read_set, set_of
from kathrine.train.checkpoint import pick, saved_checkpoints
from kathrine.train.choice import Heard, choose
from kathrine.train.evaluation_takes import human_takes_of, sample_steps, sample_takes
from kathrine.train.evaluation_work import (
    Evaluation,
    Work,
    begin,
    facts_of,
    in_language,
    language_for,
    speak_system,
    take_context,
)
from kathrine.train.loaded import load_target
from kathrine.train.retaining import base_languages, retained

RESULTS = "results.json"


def evaluate(target: str, asked: Evaluation, progress: Progress) -> tuple[dict[str, Any], list[System]]:
    """Evaluate a target. Returns: the document of `results.json`, and the systems that were scored now.

    Raises: KathrineError for what can not be evaluated so, before anything is spoken.
    """
    work = begin(target, asked, progress)
    metrics = metrics_of(work)
    bases = base_languages(work) if asked.retention else {}
    more: dict[str, Any] = {"target": target}
    if asked.saved_samples:
        language, systems = work.recipe.language if work.recipe is not None else None, from_samples(work)
    else:
        language, systems = spoken_systems(work)
    context = in_language(work.context, language, asked.language)
    score_systems(systems, metrics, context)
    for system in systems:
        system.language = context.language
    if asked.checkpoints:
        saved = saved_checkpoints(work.run / "checkpoints") if work.run is not None else []
        more["choice"] = choice_of(systems, [one.step for one in saved])
    pairs = retained(work, metrics, bases) if bases else []
    if pairs:
        more["retention"] = forgotten(pairs)
    everything = [*systems, *(system for pair in pairs for system in pair)]
    document = write_results(work.out / RESULTS, everything, progress.warn, **more)
    if work.run is not None and work.out.resolve() == (work.run / "evaluation").resolve():
        write_report(work.run)  # it shows these results
        refresh_cards(work)
    return document, everything


def refresh_cards(work: Work) -> None:
    """Write the cards of the run's exports again: they show these results too, and say so long that there are none."""
    assert work.run is not None
    exporters = work.recipe.exporters if work.recipe is not None else ()
    folders = {exporter: work.run / "export" / exporter.label for exporter in exporters}
    written = [
        f"export/{exporter.label}"
        for exporter, folder in folders.items()
        if folder.is_dir() and exporter.refresh_card(work.run, folder, progress=work.progress)
    ]
    if written:
        work.progress.say(f"on the cards of {', '.join(written)} too")


def metrics_of(work: Work) -> list[Metric]:
    """The metrics that were named, else the recipe's, else every installed one; options laid over theirs."""
    recipe = {one.label: one for one in work.recipe.metrics} if work.recipe is not None else {}
    return metrics_with(work.asked.metrics, work.asked.metric_options, recipe, work.catalog)


# --------------------------------------------------------------------------- the set


def set_for(work: Work, language: Language | None, named: str) -> SentenceSet:
    """The set that was given, else the language's, else a bundled one; without what training had, and limited."""
    if work.asked.set is not None:
        found = read_set(work.asked.set)
    elif language is not None and language.evaluation_sentences():
        found = set_of(f"{language.name} {language.code()}".strip(), language.evaluation_sentences())
    elif named in BUNDLED:
        found = bundled_set(named)
    else:
        raise KathrineError("there are no sentences to speak", "--set FILE with lines `clip|text`, or --language")
    return without_trained(work, found)


def without_trained(work: Work, found: SentenceSet) -> SentenceSet:
    """Leave out what the run was trained on, say so, and limit."""
    trained = training_keys(work.recipe, work.workspace) if work.recipe is not None else None
    if work.recipe is not None and trained is None:
        work.progress.warn("the run's prepared corpus is not here: whether training had these sentences is not known")
    found = held_out(found, trained or frozenset())
    if found.left_out:
        total = len(found.sentences) + len(found.left_out)
        work.progress.warn(f"{len(found.left_out)} of {total} sentences were in the training data: they are left out")
    if not found.sentences:
        raise KathrineError("training had every sentence of the set", "give another with --set")
    return limited(found, work.asked.limit)


# --------------------------------------------------------------------------- systems


def spoken_systems(work: Work) -> tuple[Language | None, list[System]]:
    """A system for the target, or for each of its checkpoints, and one for human recordings."""
    systems: list[System] = []
    language: Language | None = None
    people: dict[int, Path] | None = None
    for which in checkpoints_of(work):
        wish = dataclasses.replace(work.wish, checkpoint=which)
        with load_target(work.place, wish, work.catalog, work.workspace, work.progress) as loaded:
            language, tag = language_for(loaded, work.asked.language, work.catalog)
            found = set_for(work, language, work.asked.language.casefold())
            take_context(work, loaded)
            step = loaded.step
            name = f"step {step}" if step is not None else work.target.rstrip("/")
            if people is None and work.asked.recordings is not None:
                people = human_takes(work.asked.recordings, found)
            kind: Any = "checkpoint" if step is not None else "model"
            what = f"step-{step:08d}" if step is not None else safe_name(work.target)
            spoken = tag or (language.name if language is not None else "auto")
            own_set = safe_name(work.asked.set.stem) if work.asked.set is not None else ""
            folder = "-".join(part for part in (what, spoken, own_set) if part)  # none overwrites another's takes
            systems.append(speak_system(work, loaded, found, language, tag, name, kind, work.out / folder))
            limits = loaded.limits
    if people is not None:
        takes = list(human_takes_of(found, people, limits))
        systems.append(System("human", "recordings", work.out / "recordings", takes, about=facts_of(found)))
    return language, systems


def checkpoints_of(work: Work) -> list[str | None]:
    """Which checkpoints to load: those that were asked for, all, or the one of the target."""
    asked = work.asked.checkpoints
    if not asked or work.run is None:
        return [work.wish.checkpoint]
    folder = work.run / "checkpoints"
    if asked == "all":
        return [str(saved.step) for saved in saved_checkpoints(folder)]
    steps = [pick(folder, which).step for which in listed(asked)]
    return [str(step) for step in dict.fromkeys(steps)]


def listed(text: str) -> list[str]:
    """What stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def from_samples(work: Work) -> list[System]:
    """Systems of the samples that a run saved while it trained; nothing is loaded and nothing spoken."""
    assert work.run is not None
    asked = work.asked.checkpoints
    there = sample_steps(work.run)
    if not there:
        raise KathrineError(f"{work.run} saved no samples", "speak them: leave --saved-samples out")
    named = [] if asked in ("", "all") else listed(asked)  # samples outlive the checkpoint of their step
    steps = [int(one) if one.isdigit() else pick(work.run / "checkpoints", one).step for one in named]
    steps = list(dict.fromkeys(steps)) if named else there
    systems = []
    for step in steps:
        takes = sample_takes(work.run, step)
        about = {"set": {"name": "saved samples", "sentences": len(takes), "left_out": 0}}
        folder = work.out / f"samples-{step:08d}"
        systems.append(System(f"samples {step}", "samples", folder, takes, step=step, about=about))
    return systems


def choice_of(systems: Sequence[System], saved: Collection[int]) -> dict[str, Any]:
    """Which checkpoint to keep, and why. Given: saved, steps of checkpoints that can be kept: samples outlive
    theirs, and those of step 0 are of the model as it was before."""
    heard = []
    for system in systems:
        error = system.value("asr", "wer")
        if system.kind in ("checkpoint", "samples") and system.step is not None and error is not None:
            heard.append(Heard(system.step, error, system.value("similarity", "similarity"), system.flagged.value))
    left = [one.step for one in heard if one.step not in saved or one.step == 0]
    usable = [one for one in heard if one.step not in left]
    if heard and not usable:
        return {"step": None, "reason": f"nothing was chosen: none of the steps {told(left)} is a checkpoint to keep"}
    best, reason = choose(usable)
    without = f"; no checkpoint to keep: step {told(left)}" if left else ""
    return {"step": best.step if best is not None else None, "reason": reason + without}


def told(steps: Sequence[int]) -> str:
    """Steps, as a sentence lists them."""
    return ", ".join(str(step) for step in steps)
