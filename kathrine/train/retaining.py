"""Base languages before adaptation and after: what was forgotten."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from kathrine.components import Metric
from kathrine.errors import KathrineError
from kathrine.inspect.adapters import recognised
from kathrine.speech.evaluation import System, score_systems
from kathrine.speech.sets import bundled_set, limited
from kathrine.train.evaluation_work import Work, language_for, speak_system, take_context
from kathrine.train.loaded import Wish, load_target


def retained(work: Work, metrics: Sequence[Metric]) -> list[tuple[System, System]]:
    """Base languages before adaptation and after, spoken and scored: pairs of systems, one a language."""
    languages = [name.strip().casefold() for name in work.asked.retention.split(",") if name.strip()]
    sets = {name: bundled_set(name) for name in languages}
    pairs: dict[str, list[System]] = {name: [] for name in languages}
    for when, (place, wish) in (("before", base_of(work)), ("after", (work.place, work.wish))):
        with load_target(place, wish, work.catalog, work.workspace, work.progress) as loaded:
            take_context(work, loaded)
            for name, found in sets.items():
                language, tag = language_for(loaded, name, work.catalog)
                title, kind = f"{name} {when}", when
                folder = (
                    work.out / f"{when}-{name}" if when == "before" else work.out / f"{when}-{name}-{loaded.step or 0}"
                )
                chosen = limited(found, work.asked.limit)
                pairs[name].append(speak_system(work, loaded, chosen, language, tag, title, kind, folder))
    for name, pair in pairs.items():
        score_systems(pair, metrics, dataclasses.replace(work.context, language=name, code=""))
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
    adapter = recognised(Path(work.asked.adapter or work.place).expanduser(), work.catalog)
    if adapter is None:
        raise KathrineError(
            f"{work.target} is a complete model: what it was before is not known", "name its base with --base MODEL"
        )
    return work.place, dataclasses.replace(work.wish, without=tuple(adapter[1].parts), scale=None)
