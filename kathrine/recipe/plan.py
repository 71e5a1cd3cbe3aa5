"""The plan of a recipe, as `kathrine check` prints it: data, stages, what trains, memory, batches, prompts.

Everything here is known without weights and without torch. What needs a prepared corpus or a configuration
that is not at hand yet is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kathrine.components import Curriculum
from kathrine.errors import KathrineError, RecipeError
from kathrine.inspect.census import count_parts
from kathrine.recipe.claims import gather_claims
from kathrine.recipe.prompts import prompt_notes, shares_of
from kathrine.recipe.recipe import Recipe
from kathrine.recipe.tables import DataTable, TrainTable
from kathrine.types import Claim, DataSize, ModelFacts, ParameterSpec, Stage
from kathrine.workspace import Workspace


@dataclass(frozen=True)
class Trained:
    """What one strategy trains. parts: parameters in place and added, by part of the model."""

    strategy: str
    component: str
    tensors: int
    parameters: int
    adapted: int
    parts: Mapping[str, int]
    lr: float
    weight_decay: float


@dataclass(frozen=True)
class Plan:
    """The plan of a recipe. Numbers that are not known yet are None.

    optimizer_bytes: float32 weights, gradients and AdamW's moments of all that trains, and the average where
    EMA is on. prompts: share of every combination of prompt form and text layout.
    """

    recipe: Recipe
    data: tuple[DataSize, ...]
    stages: tuple[Stage, ...]
    trained: tuple[Trained, ...] | None
    model_parameters: int | None
    trained_parameters: int | None
    optimizer_bytes: int | None
    prompts: Mapping[str, float]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.recipe.name,
            "profile": self.recipe.profile,
            "recipe": dict(self.recipe.document),
            "data": [asdict(entry) for entry in self.data],
            "stages": [asdict(stage) for stage in self.stages],
            "trained": None if self.trained is None else [asdict(entry) for entry in self.trained],
            "model_parameters": self.model_parameters,
            "trained_parameters": self.trained_parameters,
            "optimizer_bytes": self.optimizer_bytes,
            "prompts": dict(self.prompts),
            "notes": list(self.notes),
        }


def claims(
    recipe: Recipe,
    workspace: Workspace,
    parameters: Sequence[ParameterSpec] | None = None,
    facts: ModelFacts | None = None,
) -> list[Claim]:
    """The claims of a recipe's strategies, in recipe order; the same function serves `check` and training.

    Given: parameters and facts of a loaded model, or neither: then the family's own, from the configuration.
    Raises: RecipeError with every conflict and empty claim; KathrineError where no configuration is at hand.
    """
    parameters = recipe.model.parameters(workspace) if parameters is None else parameters
    facts = recipe.model.facts(workspace) if facts is None else facts
    if parameters is None or facts is None:
        checkpoint = recipe.model.options.checkpoint
        raise KathrineError(
            f"the configuration of {checkpoint} is not at hand, so it is not known what would be trained",
            "run `kathrine prepare` first: it fetches the model",
        )
    found, problems = gather_claims(recipe.strategies, parameters, facts)
    if problems:
        raise RecipeError([recipe_problem(recipe, f"strategy.{label}", sentence) for label, sentence in problems])
    return found


def recipe_problem(recipe: Recipe, table: str, sentence: str) -> str:
    """A problem in the usual form, with the place where the recipe has the table; or, of a sentence such as
    `repo: ...`, the option."""
    option = f"{table}.{sentence.partition(': ')[0].partition(' = ')[0]}"
    place = recipe.places.get(option) or recipe.places.get(table, recipe.name)
    return f"{place}: {table}: {sentence}"


def stages(curriculum: Curriculum | None, data: Sequence[DataSize], train: TrainTable) -> tuple[Stage, ...]:
    """The stages of a run: the curriculum's, or a single one over all data by their shares.

    Without any share the entries count in proportion to their utterances (equal while sizes are unknown).
    Raises: KathrineError for a plan that names what the recipe does not have.
    """
    if curriculum is not None:
        planned = curriculum.plan(data)
        names = {entry.name for entry in data}
        for stage in planned:
            for name in stage.shares:
                if name not in names:
                    raise KathrineError(f"stage '{stage.name}' draws from '{name}', which is no data entry")
        return planned
    if any(entry.share is not None for entry in data):
        weights = {entry.name: entry.share if entry.share is not None else 1.0 for entry in data}
    elif all(entry.utterances for entry in data):
        weights = {entry.name: float(entry.utterances or 0) for entry in data}
    else:
        weights = {entry.name: 1.0 for entry in data}
    total = sum(weights.values())
    shares = {name: weight / total for name, weight in weights.items()}
    return (Stage("train", shares, steps=train.steps, epochs=train.epochs),)


def lr_scale_problem(planned: Sequence[Stage], labels: Sequence[str]) -> str:
    """Of a stage that scales the learning rate of an unknown strategy; empty where there is none."""
    for stage in planned:
        for label in stage.lr_scale:
            if label not in labels and label != "*":
                known = ", ".join(labels)
                return f"stage '{stage.name}' scales the learning rate of '{label}'; strategies: {known}"
    return ""


def sizes(recipe: Recipe, facts: Mapping[str, Any] | None = None) -> tuple[DataSize, ...]:
    """The data entries as a curriculum sees them; facts: those of a prepared corpus."""
    return unknown_sizes([(entry.name, entry.table) for entry in recipe.data], facts)


def unknown_sizes(
    entries: Sequence[tuple[str, DataTable]], facts: Mapping[str, Any] | None = None
) -> tuple[DataSize, ...]:
    """DataSizes of entries by name and table; numbers are None without facts of a prepared corpus."""
    result = []
    for name, table in entries:
        known = (facts or {}).get("entries", {}).get(name, {}).get("splits", {}).get("train")
        utterances = int(known["utterances"]) if known else None
        result.append(DataSize(name, table.share, utterances, float(known["seconds"]) if known else None))
    return tuple(result)


def make_plan(recipe: Recipe, workspace: Workspace) -> Plan:
    """The plan of a valid recipe. Raises: RecipeError for claims or stages that do not fit together."""
    from kathrine.corpus.prepared import known_facts

    notes: list[str] = []
    data = sizes(recipe, known_facts(recipe, workspace))
    if any(entry.utterances is None for entry in data):
        notes.append("sizes are unknown until `kathrine prepare` has run")
    planned = checked_stages(recipe, data)
    parameters, facts = recipe.model.parameters(workspace), recipe.model.facts(workspace)
    trained, in_all, counted, memory = None, None, None, None
    if parameters is None or facts is None:
        notes.append(f"the configuration of {recipe.model.options.checkpoint} is not at hand: what trains is unknown")
    else:
        made = claims(recipe, workspace, parameters, facts)
        census = count_parts(parameters, made)
        trained = tuple(_trained(recipe, claim, parameters) for claim in made)
        in_all, counted = census.parameters, census.trained
        memory = census.optimizer_bytes + (4 * census.trained if recipe.train.ema else 0)
    for strategy in recipe.strategies:
        if strategy.fold_problem():
            notes.append(f"no merged export: strategy.{strategy.label}: {strategy.fold_problem()}")
    if facts is not None:
        notes += prompt_problems(recipe, facts)
    shares = prompt_shares(recipe, facts)
    return Plan(recipe, data, planned, trained, in_all, counted, memory, shares, tuple(notes))


def checked_stages(recipe: Recipe, data: Sequence[DataSize]) -> tuple[Stage, ...]:
    """`stages` of a recipe, problems with their place. Raises: RecipeError."""
    table = f"curriculum.{recipe.curriculum.label}" if recipe.curriculum else "train"
    try:
        planned = stages(recipe.curriculum, data, recipe.train)
    except KathrineError as error:
        raise RecipeError([recipe_problem(recipe, table, error.sentence)]) from error
    problem = lr_scale_problem(planned, [strategy.label for strategy in recipe.strategies])
    if problem:
        raise RecipeError([recipe_problem(recipe, table, problem)])
    return planned


def prompt_shares(recipe: Recipe, facts: ModelFacts | None = None) -> dict[str, float]:
    """Share of each combination that `[prompt]` asks of a model; the draws are independent of each other."""
    return shares_of(recipe.prompt, facts)


def prompt_problems(recipe: Recipe, facts: ModelFacts) -> list[str]:
    """A sentence for each share of `[prompt]` that the model can not be asked in; `check` and a run tell it."""
    language = recipe.language.tag() if recipe.language else ""
    tags = [tag for strategy in recipe.strategies for tag in strategy.languages()]
    return prompt_notes(recipe.prompt, facts, language, tags)


def _trained(recipe: Recipe, claim: Claim, parameters: Sequence[ParameterSpec]) -> Trained:
    in_place = set(claim.trains)
    specs = [spec for spec in parameters if spec.name in in_place] + list(claim.adds)
    parts: dict[str, int] = {}
    for spec in specs:
        parts[spec.part] = parts.get(spec.part, 0) + spec.count
    component = next(strategy.name for strategy in recipe.strategies if strategy.label == claim.strategy)
    total = sum(spec.count for spec in specs)
    return Trained(claim.strategy, component, len(specs), total, len(claim.adapts), parts, claim.lr, claim.weight_decay)
