"""Before anything is fetched: would something that comes after training fail?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kathrine.components import Exporter, PlannedRun, Progress
from kathrine.corpus.mixture import Corpus
from kathrine.errors import KathrineError, RecipeError
from kathrine.recipe.plan import recipe_problem
from kathrine.recipe.recipe import Recipe
from kathrine.workspace import Workspace


def planned_run(recipe: Recipe, workspace: Workspace) -> PlannedRun:
    """What exporters may know of a run that has not begun."""
    return PlannedRun(
        name=recipe.name,
        document=recipe.document,
        workspace=workspace,
        family=recipe.model,
        language=recipe.language.tag() if recipe.language is not None else "",
        codes=tuple(recipe.language.codes()) if recipe.language is not None else (),
        sources={entry.name: entry.source for entry in recipe.data},
        exporters=recipe.exporters,
        languages={name: row for strategy in recipe.strategies for name, row in strategy.languages().items()},
    )


def late_failures(recipe: Recipe, workspace: Workspace, progress: Progress) -> list[str]:
    """What every exporter of the recipe says would fail, each with its place in the recipe."""
    plan = planned_run(recipe, workspace)
    return _asked(recipe, lambda exporter: exporter.before_run(plan, progress))


def _asked(recipe: Recipe, ask: Callable[[Exporter], Iterable[str]]) -> list[str]:
    found = []
    for exporter in recipe.exporters:
        try:
            sentences = list(ask(exporter))
        except KathrineError as error:
            sentences = [error.sentence]
        found += [recipe_problem(recipe, f"export.{exporter.label}", sentence) for sentence in sentences]
    return found


def refuse_late_failures(recipe: Recipe, workspace: Workspace, progress: Progress) -> None:
    """Raises: RecipeError with everything that would fail only after training."""
    problems = late_failures(recipe, workspace, progress)
    if problems:
        raise RecipeError(problems)


def refuse_missing_data(recipe: Recipe, workspace: Workspace, corpus: Corpus) -> None:
    """Raises: RecipeError with everything that an exporter will want of the corpus and will not find."""
    plan = planned_run(recipe, workspace)
    problems = _asked(recipe, lambda exporter: exporter.before_training(plan, corpus))
    if problems:
        raise RecipeError(problems)
