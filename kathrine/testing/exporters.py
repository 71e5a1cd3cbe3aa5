"""The contract of an exporter: what it writes is complete, comes back as it was, and tells nothing of this machine."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import Exporter, FinishedRun, ModelFamily, PlannedRun, SpeechModel, Strategy
from kathrine.components.finish import Speaking
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.testing.exports_back import check_back, check_card
from kathrine.testing.problems import Contract, listed
from kathrine.testing.tiny import claimed_and_applied, made_up_items, trained_a_little
from kathrine.testing.watching import counted_writes
from kathrine.types import ExportResult, PromptedExample, Sampling, SpeechRequest, Spoken
from kathrine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

    from kathrine.corpus.mixture import Corpus

SPOKEN = 4
"""Frames of the sentence that exporters say."""
SECRET = "folder-of-this-machine"
MINE = {"name": "mine", "hours": 1.5, "licence": "CC0-1.0", "splits": {"train": 3}}
UNDETERMINED = ("und",)
"""ISO 639-2 for a language that nobody has named, as made-up words have it."""


def finished_run(
    folder: Path,
    family: ModelFamily,
    strategies: Sequence[Strategy],
    workspace: Workspace,
    steps: int = 3,
    corpus: Corpus | None = None,
) -> FinishedRun:
    """A run as exporters get it: the strategies applied to the family's model and trained for a few steps.

    Given: folder, made where it is not there; corpus, what it is said to have been trained on, for exporters that read
    it. Its recipe names files of this machine, as those of real runs do.
    """
    from kathrine.toy_corpus import ToySource
    from kathrine.train.finish import data_facts
    from kathrine.train.measured import text_gain, validation_loss

    model = family.load(workspace)
    language = next((name for strategy in strategies for name in strategy.languages()), None)
    items = made_up_items(family, workspace, language)
    texts = [item.text_ids for item in items]
    others = [replace(item, text_ids=text) for item, text in zip(items, [*texts[1:], texts[0]], strict=True)]
    claims, trained = claimed_and_applied(model, strategies)
    trained_a_little(model, items, trained, steps)
    folder.mkdir(parents=True, exist_ok=True)
    options = family.options.model_dump(mode="json", exclude_none=True)
    recipe = {
        "run": {"folder": str(folder), "seed": 7},
        "model": {family.name: options},
        "data": [{"source": "manifest", "path": str(folder / "mine.jsonl"), "name": "mine"}],
        "strategy": {one.label: one.options.model_dump(mode="json", exclude_none=True) for one in strategies},
    }
    return FinishedRun(
        folder=folder,
        plan=PlannedRun(
            name=folder.name,
            document=recipe,
            workspace=workspace,
            family=family,
            language=language or "",
            sources={name: ToySource() for name in (corpus.entries if corpus is not None else ())},
            exporters=(),
            codes=UNDETERMINED,
            languages={name: row for strategy in strategies for name, row in strategy.languages().items()},
        ),
        recipe=recipe,
        workspace=workspace,
        family=family,
        model=model,
        strategies=list(strategies),
        claims=claims,
        trainable={name: value.detach().float().cpu() for name, value in trained.items()},
        weights_from=f"trained weights of the last checkpoint, step {steps}",
        step=steps,
        validation_loss=validation_loss(items),
        text_gain=text_gain(list(zip(items, others, strict=True))),
        speak=_speaking(items[0], workspace, language),
        language=language or "",
        data=data_facts(corpus) if corpus is not None else [MINE],
        corpus=corpus,
    )


def _speaking(item: PromptedExample, workspace: Workspace, language: str | None) -> Speaking:
    """Says an item's text greedily, a few frames of it."""

    def speak(
        model: SpeechModel, family: ModelFamily, speaker: str | None = None, embedding_H: np.ndarray | None = None
    ) -> Spoken:
        voice = embedding_H if embedding_H is not None else item.speaker_embedding_H
        request = SpeechRequest(item.text_ids, None if speaker else voice, speaker, language)
        (made,) = model.generate([request], Sampling(greedy=True, sub_greedy=True), SPOKEN)
        (wave,) = family.open_codec(workspace, decode_only=True).decode([made.codes_TQ])
        return Spoken(item.example.spoken["text"], made.codes_TQ, wave, model.facts.sample_rate, made.stop, ())

    return speak


@contextmanager
def environment_set(name: str, value: str) -> Iterator[None]:
    """Within it a variable of the environment has this value."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})


def check_exporter(
    exporter: Exporter,
    family: ModelFamily,
    workspace: Workspace,
    strategies: Sequence[Strategy],
    corpus: Corpus | None = None,
    arrange: Callable[[FinishedRun], None] | None = None,
) -> ExportResult:
    """An exporter keeps its contract on a short run of a family.

    It writes a complete folder and says what is in it; the same run gives the same bytes again where
    SOURCE_DATE_EPOCH is set; nothing in it names a folder of this machine; after an interruption there is nothing under
    the final name; what lies there already is never written over; what it can put back gives the run's own loss, and a
    damaged copy is refused; a strategy that can not be folded is refused by one that folds.

    A card that it promised in `card_metadata` is there, says that, and lacks nothing that the Hub needs; written again
    by `refresh_card` it is the same.

    Given: strategies, not applied yet, that it can export; corpus, what the run was trained on, for an exporter that
    reads it; arrange, called before the first export: it lays into the run's folder what an exporter that publishes
    looks for there. Returns: what the last export gave. Raises: ConformanceError that says what is wrong.
    """
    contract = Contract(exporter)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        place = Path(temporary).resolve() / SECRET
        run = finished_run(place / "run", family, strategies, workspace, corpus=corpus)
        if arrange is not None:
            arrange(run)
        with environment_set("SOURCE_DATE_EPOCH", "1700000000"):
            first = _exported(contract, exporter, run, place / "first" / exporter.label)
            second = _exported(contract, exporter, run, place / "second" / exporter.label)
        _check_same(contract, first.folder, second.folder)
        _check_paths(contract, first.folder, [SECRET, str(workspace.root), str(Path.home())])
        _check_interrupted(contract, exporter, run, place / "interrupted" / exporter.label)
        if not exporter.publishes:
            _check_taken(contract, exporter, run, place / "taken" / exporter.label)
        check_card(contract, exporter, run, second)
        check_back(contract, exporter, run, first, place)
        if exporter.folds:
            _check_unfoldable(contract, exporter, run, place / "unfoldable" / exporter.label)
    return second


def _exported(contract: Contract, exporter: Exporter, run: FinishedRun, folder: Path) -> ExportResult:
    folder.parent.mkdir(parents=True)
    result = exporter.export(run, folder, SilentProgress())
    contract.holds(result.exporter == exporter.label, f"its result is that of {result.exporter!r}", ExportResult)
    contract.holds(result.folder == folder, f"it wrote to {result.folder}", Exporter.export)
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    contract.holds(there, "it wrote no file", Exporter.export)
    odd = there ^ set(result.files)
    contract.holds(not odd, f"the files that it tells of are not those that are there: {listed(odd)}", ExportResult)
    beside = [path.name for path in folder.parent.iterdir() if path != folder]
    contract.holds(not beside, f"it left {listed(beside)} beside its folder", Exporter.export)
    contract.holds(result.checks, "it checked nothing of what it wrote", Exporter.export)
    for name, value in result.checks.items():
        fits = isinstance(value, str) or math.isfinite(value)
        contract.holds(fits, f"its check {name!r} gave {value}", ExportResult)
    return result


def _check_same(contract: Contract, first: Path, second: Path) -> None:
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    missing = [name for name in files if not (second / name).is_file()]
    contract.holds(not missing, f"a second export lacks {listed(missing)}", Exporter.export)
    changed = [name for name in files if (first / name).read_bytes() != (second / name).read_bytes()]
    contract.holds(not changed, f"a second export of the same run has another {listed(changed)}", Exporter.export)


def _check_paths(contract: Contract, folder: Path, secrets: Sequence[str]) -> None:
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for secret in secrets:
            leaks = secret != "/" and secret.encode() in content
            contract.holds(not leaks, f"{path.name} names a folder of this machine ({secret})", Exporter.export)


# --------------------------------------------------------------------------- what goes wrong


class Interrupted(Exception):
    """Raised in the middle of an export by the check."""


def _check_interrupted(contract: Contract, exporter: Exporter, run: FinishedRun, folder: Path) -> None:
    """A disk that is full at the first and at the last file, and an error in the self-check: all or nothing."""
    folder.parent.mkdir(parents=True)
    asked, measure = [0], run.validation_loss

    def counting(model: SpeechModel) -> float:
        asked[0] += 1
        return measure(model)

    run.validation_loss = counting
    with counted_writes(folder.parent) as writes:
        exporter.export(run, folder, SilentProgress())
    shutil.rmtree(folder)
    losses, opened = asked[0], len(writes)

    def failing_loss(at: int) -> Callable[[SpeechModel], float]:
        left = [at]

        def loss(model: SpeechModel) -> float:
            left[0] -= 1
            if left[0] == 0:
                raise Interrupted("the self-check was interrupted")
            return measure(model)

        return loss

    attempts: list[tuple[str, int, int]] = [("the self-check", 0, losses)] if losses else []
    attempts += [(f"file {number} of {opened}", number, 0) for number in sorted({1, opened} - {0})]
    for what, write, loss in attempts:
        run.validation_loss = failing_loss(loss) if loss else measure
        went_on = False
        with counted_writes(folder.parent, write), suppress(Interrupted, OSError, KathrineError):
            exporter.export(run, folder, SilentProgress())
            went_on = True
        contract.holds(not went_on, f"{what} fails, and it goes on as if nothing was", Exporter.export)
        left = sorted(path.name for path in folder.rglob("*")) if folder.exists() else []
        contract.holds(not left, f"{what} fails, and under the final name stays {listed(left)}", Exporter.export)
        shutil.rmtree(folder, ignore_errors=True)
    run.validation_loss = measure
    exporter.export(run, folder, SilentProgress())  # nothing that an interruption left is in the way


def _check_taken(contract: Contract, exporter: Exporter, run: FinishedRun, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("somebody's work", encoding="utf-8")
    with suppress(KathrineError):
        exporter.export(run, folder, SilentProgress())
        contract.broken("it writes into a folder that holds something else", Exporter.export)
    left = [path.name for path in folder.rglob("*")]
    contract.holds(left == ["mine.txt"], f"what lay in the folder is now {listed(left)}", Exporter.export)


class _Unfoldable:
    """A strategy as another one was, but for saying that it can not be folded."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)

    def fold_problem(self) -> str:
        return "its effect is no weight"


def _check_unfoldable(contract: Contract, exporter: Exporter, run: FinishedRun, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    strategies, run.strategies = run.strategies, [_Unfoldable(one) for one in run.strategies]  # type: ignore[misc]
    with suppress(KathrineError):
        exporter.export(run, folder, SilentProgress())
        contract.broken("it folds a strategy that says it can not be folded", Strategy.fold_problem)
    run.strategies = strategies
