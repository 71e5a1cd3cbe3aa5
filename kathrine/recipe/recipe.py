"""The resolved recipe, and how it is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kathrine.catalog import Catalog
from kathrine.components import (
    Component,
    Curriculum,
    Exporter,
    Language,
    Loss,
    Metric,
    ModelFamily,
    Options,
    RecipeAround,
    Source,
    Strategy,
    Tracker,
)
from kathrine.errors import KathrineError, RecipeError
from kathrine.recipe import checks, validate
from kathrine.recipe.claims import gather_claims
from kathrine.recipe.folders import find_recipe
from kathrine.recipe.layers import Layer, dotted, read_layers
from kathrine.recipe.tables import (
    KERNEL_TABLES,
    KIND_TABLES,
    DataTable,
    PrepareTable,
    PromptTable,
    RunTable,
    SpeakTable,
    TrainTable,
    ValidationTable,
)
from kathrine.recipe.tomlwriter import toml_text
from kathrine.types import DataSize
from kathrine.workspace import Workspace


@dataclass(frozen=True)
class DataEntry:
    """One `[[data]]` entry: its name, the kernel's part of its table, and its source with the source's
    options.
    """

    name: str
    table: DataTable
    source: Source


@dataclass(frozen=True)
class Recipe:
    """A recipe, resolved and validated.

    document: everything, defaults included, as `recipe.toml` of a run folder stores it: loading that gives
    the same document again. origins: dotted key -> `file:line`, `default` or `--set`. places: dotted table ->
    `file:line`, for problems that are found later. Strategies, losses and exporters are in recipe order:
    parents' first.
    """

    name: str
    path: Path | None
    document: Mapping[str, Any]
    origins: Mapping[str, str]
    run: RunTable
    prepare: PrepareTable
    prompt: PromptTable
    train: TrainTable
    validation: ValidationTable
    speak: SpeakTable
    data: tuple[DataEntry, ...]
    model: ModelFamily
    language: Language | None = None
    strategies: tuple[Strategy, ...] = ()
    losses: tuple[Loss, ...] = ()
    curriculum: Curriculum | None = None
    metrics: tuple[Metric, ...] = ()
    trackers: tuple[Tracker, ...] = ()
    exporters: tuple[Exporter, ...] = ()
    profile: str = ""
    places: Mapping[str, str] = field(default_factory=dict)

    def toml(self) -> str:
        """The resolved recipe as TOML text."""
        return toml_text(self.document)


def load_recipe(
    path_or_name: str | Path,
    profile: str | None = None,
    sets: Sequence[str] = (),
    catalog: Catalog | None = None,
    workspace: Workspace | None = None,
    of_run: bool = False,
) -> Recipe:
    """A recipe by path or name (`kathrine:curriculum`), with a profile and `--set` texts laid over it.

    Relative paths in a file start from the file's folder, those of `--set` from the current one. With a
    workspace what the strategies claim is checked too, as far as the model's configuration is at hand. of_run: it is
    the recipe of a run that exists, which is looked at and not trained, so that its recordings may be gone.
    Raises: RecipeError with every problem at once; KathrineError where there is no such recipe.
    """
    catalog = catalog or Catalog.load()
    path = find_recipe(str(path_or_name), Path.cwd(), catalog)
    layer = read_layers(path, profile, sets, catalog)
    layer.of_run = of_run
    validate.clean(layer)
    checks.yield_length(layer, path)
    tables = {name: validate.kernel_table(layer, name, model) for name, model in KERNEL_TABLES.items()}
    found = {name: validate.components(layer, catalog, name) for name in KIND_TABLES}
    data = validate.data_entries(layer, catalog)
    has_curriculum = any(_active(table) for table in layer.document.get("curriculum", {}).values())
    checks.check_together(layer, tables["prepare"], tables["train"], has_curriculum)  # type: ignore[arg-type]
    _check_present(layer, catalog, path)
    train = tables["train"]
    if isinstance(train, TrainTable):
        _check_stages(layer, found, data, train)
    speak = tables["speak"]
    if isinstance(speak, SpeakTable) and speak.reference_file:
        checks.check_file(layer, ("speak", "reference_file"), speak.reference_file)
    _check_folds(layer, found["export"], found["strategy"])  # type: ignore[arg-type]
    if not of_run:
        _check_exporters(layer, found["export"], tables)  # type: ignore[arg-type]
    if workspace is not None and found["model"]:
        _check_claims(layer, found["model"][0], found["strategy"], workspace)  # type: ignore[arg-type]
    if layer.problems:
        raise RecipeError(sorted(dict.fromkeys(layer.problems), key=_reading_order))
    run = tables["run"]
    assert isinstance(run, RunTable)  # no problems: every table is there
    name = run.name or "-".join([path.stem, *([profile] if profile else [])])
    tables["run"] = run.model_copy(update={"name": name})
    document, origins = _resolved(layer, tables, found, data)
    return Recipe(
        name=name,
        path=path,
        document=document,
        origins=origins,
        **tables,  # type: ignore[arg-type]
        data=tuple(DataEntry(name, table, source) for name, table, source in data),  # type: ignore[arg-type]
        model=found["model"][0],  # type: ignore[arg-type]
        language=found["language"][0] if found["language"] else None,  # type: ignore[arg-type]
        strategies=tuple(found["strategy"]),  # type: ignore[arg-type]
        losses=tuple(found["loss"]),  # type: ignore[arg-type]
        curriculum=found["curriculum"][0] if found["curriculum"] else None,  # type: ignore[arg-type]
        metrics=tuple(found["evaluate"]),  # type: ignore[arg-type]
        trackers=tuple(found["track"]),  # type: ignore[arg-type]
        exporters=tuple(found["export"]),  # type: ignore[arg-type]
        profile=profile or "",
        places={dotted(key): place.label for key, place in layer.places.items() if len(key) <= 3},
    )


def _active(table: Any) -> bool:
    return isinstance(table, dict) and table.get("enabled", True) is not False


def _check_present(layer: Layer, catalog: Catalog, path: Path) -> None:
    """A recipe without a model, without data or with nothing to train is not one."""
    for table, sentence in (
        ("model", "a recipe needs a model: add [model.NAME]"),
        ("strategy", "nothing would be trained: add [strategy.NAME]"),
        ("data", 'a recipe needs data: add [[data]] with source = "NAME"'),
    ):
        if not any(_active(entry) for entry in layer.document.get(table, {}).values()):
            installed = ", ".join(catalog.names({"data": "source"}.get(table, table))) or "none"
            layer.problems.append(f"{path.name}: {table}: {sentence} (installed: {installed})")


def _check_stages(
    layer: Layer,
    found: Mapping[str, list[Component]],
    data: Sequence[tuple[str, DataTable, Component]],
    train: TrainTable,
) -> None:
    """A curriculum that names what the recipe does not have; entries with other mistakes count with their names."""
    if not found["curriculum"]:
        return
    curriculum = found["curriculum"][0]
    from kathrine.recipe.plan import lr_scale_problem, stages

    shares = {name: table.share for name, table, _ in data}
    active = [name for name, table in layer.document.get("data", {}).items() if _active(table)]
    try:
        planned = stages(curriculum, [DataSize(name, shares.get(name), None, None) for name in active], train)  # type: ignore[arg-type]
        problem = lr_scale_problem(planned, list(layer.document.get("strategy", {})))
    except KathrineError as error:
        problem = error.sentence
    if problem:
        path = ("curriculum", curriculum.label)
        layer.report(path, problem.removeprefix(f"{dotted(path)}: "))


def _check_folds(layer: Layer, exporters: list[Exporter], strategies: list[Strategy]) -> None:
    for exporter in (exporter for exporter in exporters if exporter.folds):
        for strategy in strategies:
            if strategy.fold_problem():
                sentence = f"strategy.{strategy.label} can not be folded into it: {strategy.fold_problem()}"
                layer.report(("export", exporter.label), sentence)


def _check_exporters(layer: Layer, exporters: list[Exporter], tables: Mapping[str, Options | None]) -> None:
    """What exporters say of the rest of the recipe."""
    labels = [label for label, table in layer.document.get("export", {}).items() if _active(table)]
    around = RecipeAround(labels, exporters, {name: table for name, table in tables.items() if table is not None})
    for exporter in exporters:
        for sentence in exporter.recipe_problems(around):
            validate.report_option(layer, ("export", exporter.label), type(exporter).Options, sentence)


def _check_claims(layer: Layer, model: ModelFamily, strategies: list[Strategy], workspace: Workspace) -> None:
    parameters, facts = model.parameters(workspace), model.facts(workspace)
    if parameters is not None and facts is not None:
        for label, sentence in gather_claims(strategies, parameters, facts)[1]:
            model_of = {strategy.label: type(strategy).Options for strategy in strategies}
            validate.report_option(layer, ("strategy", label), model_of[label], sentence)


def _resolved(
    layer: Layer,
    tables: Mapping[str, Options | None],
    found: Mapping[str, list[Component]],
    data: Sequence[tuple[str, DataTable, Component]],
) -> tuple[dict[str, Any], dict[str, str]]:
    """The document with every default written out, and where each of its keys came from."""
    document: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def note(path: tuple[str, ...], table: dict[str, Any]) -> dict[str, Any]:
        for key in table:
            inner = [place for other, place in layer.places.items() if other[: len(path) + 1] == (*path, key)]
            written = "--set" if any(place.label == "--set" for place in inner) else inner[0].label if inner else ""
            origins[dotted((*path, key))] = written or "default"
        return table

    document["run"] = note(("run",), _plain(tables["run"]))
    for name in ("model", "language"):
        _note_components(document, name, found[name], note)
    document["data"] = [
        note(("data", name), {"source": source.name, "name": name} | _plain(table) | _plain(source.options))
        for name, table, source in data
    ]
    for name in ("prepare", "prompt"):
        document[name] = note((name,), _plain(tables[name]))
    for name in ("strategy", "loss", "curriculum"):
        _note_components(document, name, found[name], note)
    for name in ("train", "validation", "speak"):
        document[name] = note((name,), _plain(tables[name]))
    for name in ("evaluate", "track", "export"):
        _note_components(document, name, found[name], note)
    return document, origins


def _note_components(document: dict[str, Any], table: str, found: list[Component], note: Any) -> None:
    for component in found:
        use = {"use": component.name} if component.label != component.name else {}
        options = note((table, component.label), use | _plain(component.options))
        document.setdefault(table, {})[component.label] = options


def _plain(options: Any) -> dict[str, Any]:
    """Options as TOML can hold them. What is not set has no form there: leaving it out means the same."""
    return options.model_dump(mode="json", exclude_none=True)


def _reading_order(problem: str) -> tuple[int, str, int]:
    """By file and line; then what has no line; last the plugins that failed."""
    match = re.match(r"([^:]*):(\d+):", problem)
    if match:
        return 0, match.group(1), int(match.group(2))
    return (2 if problem.startswith("plugin ") else 1), problem.split(":", 1)[0], 0
