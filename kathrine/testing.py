"""What a plugin author tests with: a toy family, a toy corpus, recipes made of them, and conformance checks.

Nothing here is used in a real run. The toy family is `kathrine.toy.ToyFamily`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kathrine.components import (
    Component,
    Curriculum,
    Language,
    ModelFamily,
    Options,
    Source,
    SourceContext,
    SpeechModel,
    Strategy,
    StrategyOptions,
)
from kathrine.progress import SilentProgress
from kathrine.recipe.recipe import DataEntry, Recipe
from kathrine.recipe.tables import KERNEL_TABLES, DataTable
from kathrine.toy import ToyFamily, toy_codes, toy_text
from kathrine.toy_corpus import ToyCorpus, ToySource, prepared_toy_corpus, toy_sentences
from kathrine.types import Claim, DataSize, ModelFacts, ParameterSpec, Stage, Utterance
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import torch


class TrainAllOptions(StrategyOptions):
    lr: float = 1e-2
    """Peak learning rate."""
    parts: list[str] = Field(default_factory=list)
    """Parts to train; empty trains all."""


class TrainAll(Strategy):
    """`[strategy.train_all]`: every parameter, or those of some parts, in place."""

    name = "train_all"
    Options = TrainAllOptions
    options: TrainAllOptions

    def claim(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> Claim:
        parts = self.options.parts or facts.parts
        names = tuple(spec.name for spec in parameters if spec.part in parts)
        return Claim(self.label, names, (), (), self.options.lr, self.options.weight_decay)

    def apply(self, model: SpeechModel, claim: Claim, seed: int) -> dict[str, torch.nn.Parameter]:
        trained = {name: model.originals[name] for name in claim.trains}
        for parameter in trained.values():
            parameter.data = parameter.data.float()
        self._trained = trained
        self._before = {name: parameter.detach().clone() for name, parameter in trained.items()}
        return trained

    @contextmanager
    def off(self) -> Iterator[None]:
        after = {name: parameter.data for name, parameter in self._trained.items()}
        for name, parameter in self._trained.items():
            parameter.data = self._before[name]
        try:
            yield
        finally:
            for name, parameter in self._trained.items():
                parameter.data = after[name]


class ToyStagesOptions(Options):
    first: str
    """The data entry that the first stage draws from alone."""
    epochs: list[float] = Field(default_factory=lambda: [1.0, 1.0])
    """Length of both stages."""
    lr_scale: float = 1.0
    """Factor on learning rates in the second stage."""


class ToyStages(Curriculum):
    """`[curriculum.toy_stages]`: one entry alone, then all in proportion to their utterances."""

    name = "toy_stages"
    Options = ToyStagesOptions
    options: ToyStagesOptions

    def plan(self, data: Sequence[DataSize]) -> tuple[Stage, ...]:
        first, second = self.options.epochs
        total = sum(entry.utterances or 1 for entry in data)
        shares = {entry.name: (entry.utterances or 1) / total for entry in data}
        return (
            Stage("first", {self.options.first: 1.0}, epochs=first),
            Stage("blend", shares, epochs=second, lr_scale={"*": self.options.lr_scale}),
        )


def toy_recipe(
    folder: Path,
    *,
    entries: Sequence[str] = ("toy",),
    strategies: Sequence[Strategy] | None = None,
    losses: Sequence[Component] = (),
    model: ModelFamily | None = None,
    components: Mapping[str, Any] | None = None,
    **tables: Mapping[str, Any],
) -> Recipe:
    """A recipe on the toy family, made without any file.

    Given: folder, the run folder; components, other fields of Recipe (curriculum, exporters, trackers...);
    tables, values that differ from the defaults, by name of the table: `train={"steps": 20}`.
    """
    standard: dict[str, dict[str, Any]] = {
        "run": {"folder": str(folder), "device": "cpu", "name": "toy"},
        "prompt": {"in_context": 0.3, "max_reference_seconds": 2.0},
        "train": {
            "steps": 20,
            "precision": "fp32",
            "warmup_steps": 2,
            "accumulation": 2,
            "checkpoint_every": 10,
        },
        "validation": {"every": 10, "utterances": 8},
        "speak": {"count": 0},  # the toy speaks silence
    }
    made: dict[str, Any] = {}
    for name, table in KERNEL_TABLES.items():
        values = {**standard.get(name, {}), **tables.get(name, {})}
        if "epochs" in tables.get(name, {}):
            values.pop("steps", None)
        made[name] = table.model_validate(values)
    strategies = [TrainAll()] if strategies is None else list(strategies)
    model = model or ToyFamily()
    data = tuple(DataEntry(name, DataTable(source="toy", name=name), ToySource()) for name in entries)
    document = {name: table.model_dump(mode="json", exclude_none=True) for name, table in made.items()}
    document["model"] = {model.name: model.options.model_dump(mode="json", exclude_none=True)}
    document["data"] = [entry.table.model_dump(mode="json", exclude_none=True) for entry in data]
    more = dict(components or {})
    curriculum = [more["curriculum"]] if more.get("curriculum") else []
    for kind, found in (("strategy", strategies), ("loss", losses), ("curriculum", curriculum)):
        for one in found:
            document.setdefault(kind, {})[one.label] = one.options.model_dump(mode="json", exclude_none=True)
    return Recipe(
        name=made["run"].name or "toy",
        path=None,
        document=document,
        origins={},
        **made,
        data=data,
        model=model,
        strategies=tuple(strategies),
        losses=tuple(losses),  # type: ignore[arg-type]
        **more,
    )


# --------------------------------------------------------------------------- conformance


def check_source(source: Source, workspace: Workspace, **wishes: Any) -> list[Utterance]:
    """A source keeps its contract: prepare twice is harmless, utterances come in the same order with unique
    ids and a text. Returns: the utterances. Raises: AssertionError that says what is wrong."""
    folder = workspace.folder("sources", source.name)
    context = SourceContext(folder, workspace, SilentProgress(), seed=0, **wishes)
    source.prepare(context)
    first = list(source.utterances(context))
    source.prepare(context)
    second = list(source.utterances(context))
    assert first, f"source {source.name} gives no utterances"
    assert first == second, f"source {source.name} does not give the same utterances twice"
    ids = [one.id for one in first]
    assert len(set(ids)) == len(ids), f"source {source.name} repeats an id"
    for one in first:
        assert "text" in one.texts, f"source {source.name}: {one.id} has no variant 'text'"
        assert one.audio is not None or one.codes is not None, f"source {source.name}: {one.id} has no audio"
    return first


def check_strategy(strategy: Strategy, family: ModelFamily, workspace: Workspace) -> dict[str, torch.nn.Parameter]:
    """A strategy trains what it claims, in float32, and takes its effect away in `off()`.

    Returns: the trained parameters. Raises: AssertionError that says what is wrong.
    """
    import torch

    model = family.load(workspace)
    claim = strategy.claim(model.specs, model.facts)
    assert claim == strategy.claim(model.specs, model.facts), "claim is not a function of names and shapes"
    before = {name: parameter.detach().clone() for name, parameter in model.originals.items()}
    trained = strategy.apply(model, claim, seed=1)
    assert set(trained) == {*claim.trains, *(spec.name for spec in claim.adds)}, "apply does not give what was claimed"
    for name, parameter in trained.items():
        assert parameter.dtype == torch.float32, f"{name} is not float32"
        with torch.no_grad():
            parameter.add_(0.01)
    with strategy.off():
        for name in claim.trains:
            assert torch.equal(model.originals[name].to(before[name].dtype), before[name]), (
                f"off() leaves {name} changed"
            )
    for name, parameter in model.originals.items():
        if name not in claim.trains:
            assert torch.equal(parameter, before[name]), f"{name} was changed without a claim"
    return trained


def check_language(language: Language, sentences: Sequence[str] = ()) -> None:
    """A language's rules are repeatable and change nothing when applied twice; it has test sentences.

    Raises: AssertionError that says what is wrong.
    """
    assert language.rules_version(), "rules_version is empty"
    assert language.test_sentences(), "there are no test sentences"
    for sentence in (*language.test_sentences(), *sentences):
        spoken = language.normalise(sentence)
        assert spoken == language.normalise(sentence), f"not repeatable: {sentence!r}"
        if not spoken.rejected:
            assert language.normalise(spoken.text).text == spoken.text, f"twice changes more: {sentence!r}"


__all__ = [
    "SilentProgress",
    "ToyCorpus",
    "ToyFamily",
    "ToySource",
    "ToyStages",
    "TrainAll",
    "check_language",
    "check_source",
    "check_strategy",
    "prepared_toy_corpus",
    "toy_codes",
    "toy_recipe",
    "toy_sentences",
    "toy_text",
]
