"""Before anything is fetched: would something that comes after training fail?"""

from __future__ import annotations

from kathrine.components import PlannedRun, Progress
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
    )


def late_failures(recipe: Recipe, workspace: Workspace, progress: Progress) -> list[str]:
    """What every exporter of the recipe says would fail, each with its place in the recipe."""
    plan = planned_run(recipe, workspace)
    found = []
    for exporter in recipe.exporters:
        try:
            sentences = list(exporter.before_run(plan, progress))
        except KathrineError as error:
            sentences = [error.sentence]
        found += [recipe_problem(recipe, f"export.{exporter.label}", sentence) for sentence in sentences]
    return found


def refuse_late_failures(recipe: Recipe, workspace: Workspace, progress: Progress) -> None:
    """Raises: RecipeError with everything that would fail only after training."""
    problems = late_failures(recipe, workspace, progress)
    if problems:
        raise RecipeError(problems)
