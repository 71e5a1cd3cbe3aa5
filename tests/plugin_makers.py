"""Plugins for tests: one that brings a component of every kind, and a way to install plugins in a folder."""

import importlib.util
from pathlib import Path

from kathrine.catalog import Catalog

TOY = '''
"""A plugin with one component of every kind that recipes need."""

from collections.abc import Sequence

from pydantic import Field

import kathrine
from kathrine.types import Claim, ModelFacts, ParameterSpec, Stage


class Folder(kathrine.Options):
    path: str = Field(default="", json_schema_extra={"path": True})
    """A folder."""
    root: str = Field(default="owner/set", json_schema_extra={"path": "or_id"})
    """A folder or a name on the Hub."""
    files: list[str] = Field(default_factory=list, json_schema_extra={"path": True})
    """Some files."""
    level: int = Field(default=1, ge=1)
    """How much of it."""


class ToySource(kathrine.Source):
    """A source for tests."""

    name = "toy_source"
    Options = Folder

    def prepare(self, context):
        pass

    def utterances(self, context):
        return ()


class OtherSource(ToySource):
    """Another source."""

    name = "other_source"
    Options = kathrine.Options

    def variants(self):
        return ("text", "digits")


class ModelOptions(kathrine.Options):
    checkpoint: str = "toy:two-parts"
    """What to load; "unknown" has no configuration at hand."""
    revision: str = ""
    """Which version of it."""


SPECS = (
    ParameterSpec("talker.0.weight", (8, 4), "talker", 0),
    ParameterSpec("talker.1.weight", (8, 4), "talker", 1),
    ParameterSpec("head.weight", (16, 8), "head"),
)


class ToyModel(kathrine.ModelFamily):
    """A model for tests."""

    name = "toy_model"
    Options = ModelOptions

    def facts(self, workspace):
        known = self.options.checkpoint != "unknown"
        return ModelFacts("toy_model", "toy", "", 16000, 320, 4, 64, ("talker", "head")) if known else None

    def parameters(self, workspace):
        return SPECS if self.options.checkpoint != "unknown" else None

    def fetch(self, workspace, progress, offline=False):
        pass

    def fingerprints(self, workspace):
        raise NotImplementedError

    open_codec = open_text = load = fingerprints


class OtherModel(ToyModel):
    """Another model."""

    name = "other_model"


class Parts(kathrine.StrategyOptions):
    parts: list[str] = Field(default_factory=lambda: ["talker"])
    """Which parts."""
    layers: int | list[int] = Field(default_factory=list)
    """Which layers."""
    rank: int = 4
    """Rank."""
    secret: str = "fine"
    """The word that `problems` refuses is "bad"."""


class Whole(kathrine.Strategy):
    """Trains whole parts."""

    name = "whole"
    Options = Parts

    def problems(self):
        if self.options.secret == "bad":
            yield "secret: it is bad"

    def fold_problem(self):
        return "it is glued on" if self.options.secret == "glued" else ""

    def claim(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> Claim:
        names = tuple(spec.name for spec in parameters if spec.part in self.options.parts)
        return Claim(self.label, names, (), (), self.options.lr, self.options.weight_decay)

    def apply(self, model, claim, seed):
        raise NotImplementedError

    def off(self):
        raise NotImplementedError


class Words(kathrine.Language):
    """A language for tests."""

    name = "words"

    def normalise(self, text, variant="text"):
        return kathrine.SpokenText(text)

    def rules_version(self):
        return "1"

    def test_sentences(self):
        return ("One.",)


class StageTable(kathrine.Options):
    name: str
    """Its name."""
    epochs: float = 1.0
    """Its length."""


class OrderOptions(kathrine.Options):
    first: str = ""
    """The entry to begin with."""
    first_epochs: float | None = None
    """Length in epochs."""
    first_steps: int | None = None
    """Length in steps."""
    stages: list[StageTable] = Field(default_factory=list)
    """Stages by hand."""
    lr_scale: dict[str, float] = Field(default_factory=dict)
    """Factors."""


class InOrder(kathrine.Curriculum):
    """One entry after the other."""

    name = "in_order"
    Options = OrderOptions

    def plan(self, data):
        names = [entry.name for entry in data]
        if self.options.first and self.options.first not in names:
            raise kathrine.KathrineError(f"there is no data entry '{self.options.first}'", "name another")
        lengths = {"steps": self.options.first_steps}
        if self.options.first_steps is None:
            lengths = {"epochs": self.options.first_epochs or 1.0}
        return tuple(Stage(name, {name: 1.0}, lr_scale=self.options.lr_scale, **lengths) for name in names)


class NothingLoss(kathrine.Loss):
    """A loss for tests."""

    name = "nothing"
    Options = kathrine.LossOptions

    def denominator(self, batch, facts):
        return 1.0

    def term(self, model, batch, outputs, generator):
        return None


class Dump(kathrine.Exporter):
    """An exporter for tests."""

    name = "dump"

    def export(self, run, folder, progress):
        raise NotImplementedError


class Counter(kathrine.Tracker):
    """Counts steps."""

    name = "counter"
    steps = 0

    @kathrine.hookimpl
    def kathrine_step_end(self, report):
        self.steps += 1


@kathrine.hookimpl
def kathrine_sources():
    return [ToySource, OtherSource]


@kathrine.hookimpl
def kathrine_models():
    return [ToyModel, OtherModel]


@kathrine.hookimpl
def kathrine_strategies():
    return (Whole,)


@kathrine.hookimpl
def kathrine_languages():
    return [Words]


@kathrine.hookimpl
def kathrine_curricula():
    return [InOrder]


@kathrine.hookimpl
def kathrine_losses():
    return [NothingLoss]


class Melt(Dump):
    """An exporter that folds."""

    name = "melt"
    folds = True


@kathrine.hookimpl
def kathrine_exporters():
    return [Dump, Melt]


@kathrine.hookimpl
def kathrine_trackers():
    return [Counter]
'''


def install(folder: Path, distribution: str, version: str = "1.0", **plugins: str) -> Path:
    """Write plugins (name -> source text) as modules with a dist-info, as pip would; returns the folder."""
    points = ""
    for name, text in plugins.items():
        module = f"{distribution}_{name}".replace("-", "_")
        (folder / f"{module}.py").write_text(text, encoding="utf-8")
        points += f"{name} = {module}\n"
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[kathrine]\n{points}")
    return folder


def module_of(text: str, folder: Path, name: str):
    """A module made from source text."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def toy_catalog(folder: Path) -> Catalog:
    """A catalogue with the toy plugin only."""
    catalog = Catalog()
    catalog.add(module_of(TOY, folder, "toy_plugin_module"), "toy", "toy-distribution", "2.0")
    assert not catalog.failures, catalog.failures
    return catalog
