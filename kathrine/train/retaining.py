"""Base languages before adaptation and after: what was forgotten."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from kathrine.components import Metric
from kathrine.errors import KathrineError
from kathrine.inspect.adapters import recognised
from kathrine.speech.evaluation import System, score_systems
from kathrine.speech.sets import SentenceSet, bundled_set, limited
from kathrine.train.evaluation_work import Work, language_for, speak_system, take_context
from kathrine.train.loaded import Wish, load_target, local_place


def base_languages(work: Work) -> dict[str, SentenceSet]:
    """The sets of the languages that were asked for. Raises: KathrineError for one without sentences here, and for a
    target of which it is not known what it was before; nothing was spoken then."""
    languages = [name.strip().casefold() for name in work.asked.retention.split(",") if name.strip()]
    sets = {name: limited(bundled_set(name), work.asked.limit) for name in languages}
    base_of(work)
    return sets


def retained(work: Work, metrics: Sequence[Metric], sets: Mapping[str, SentenceSet]) -> list[tuple[System, System]]:
    """Base languages before adaptation and after, spoken and scored: pairs of systems, one a language."""
    pairs: dict[str, list[System]] = {name: [] for name in sets}
    for when, (place, wish) in (("before", base_of(work)), ("after", (work.place, work.wish))):
        with load_target(place, wish, work.catalog, work.workspace, work.progress) as loaded:
            take_context(work, loaded)
            for name, found in sets.items():
                language, tag = language_for(loaded, name, work.catalog)
                step = f"-{loaded.step:08d}" if when == "after" and loaded.step is not None else ""
                folder = work.out / f"{when}-{name}{step}"
                title = f"{name} {when}"
                pairs[name].append(speak_system(work, loaded, found, language, tag, title, when, folder))
    for name, pair in pairs.items():
        score_systems(pair, metrics, dataclasses.replace(work.context, language=name, code="", foreign=True))
        for system in pair:
            system.language = name
    return [(pair[0], pair[1]) for pair in pairs.values()]


def base_of(work: Work) -> tuple[str, Wish]:
    """What the target was before: `--base`, or itself with everything that was trained left out.

    Raises: KathrineError for a complete model without `--base`.
    """
    if work.asked.base:
        plain = Wish(device=work.wish.device, precision=work.wish.precision, offline=work.wish.offline)
        return work.asked.base, plain
    if work.recipe is not None:
        labels = tuple(strategy.label for strategy in work.recipe.strategies)
        return work.place, dataclasses.replace(work.wish, without=labels, scale=None)
    named = work.asked.adapter or work.place
    folder = local_place(named, work.workspace, work.progress, work.asked.offline)
    adapter = recognised(Path(folder).expanduser(), work.catalog)
    if adapter is None:
        raise KathrineError(
            f"{work.target} is a complete model: what it was before is not known", "name its base with --base MODEL"
        )
    return work.place, dataclasses.replace(work.wish, without=tuple(adapter[1].parts), scale=None)
