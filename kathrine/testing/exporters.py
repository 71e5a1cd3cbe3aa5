"""The contract of an exporter: what it writes is complete, comes back as it was, and tells nothing of this machine."""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kathrine.components import Exporter, FinishedRun, ModelFamily, SpeechModel, Strategy
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.testing.finished import finished_run
from kathrine.testing.problems import Contract, listed
from kathrine.testing.watching import counted_writes
from kathrine.types import AdapterFacts, ExportResult
from kathrine.workspace import Workspace

RELOADED = 1e-4
"""Nat: the same weights in another model."""
MOMENT = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
"""Date and time, which may stand in an export and differ between two."""
SECRET = "folder-of-this-machine"


def check_exporter(
    exporter: Exporter, family: ModelFamily, workspace: Workspace, strategies: Sequence[Strategy]
) -> ExportResult:
    """An exporter keeps its contract on a short run of a family.

    It writes a complete folder and says what is in it; the same run gives the same bytes again, but for dates; nothing
    in it names a folder of this machine; after an interruption there is nothing under the final name; what lies there
    already is never written over; what it can put back gives the run's own loss, and a damaged copy is refused; a
    strategy that can not be folded is refused by one that folds.

    Given: strategies, not applied yet, that it can export. Returns: what the last export gave. Raises:
    ConformanceError that says what is wrong.
    """
    contract = Contract(exporter)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        place = Path(temporary).resolve() / SECRET
        run = finished_run(place / "run", family, strategies, workspace)
        first = _exported(contract, exporter, run, place / "first" / exporter.label)
        second = _exported(contract, exporter, run, place / "second" / exporter.label)
        _check_same(contract, first.folder, second.folder)
        _check_paths(contract, first.folder, [SECRET, str(workspace.root), str(Path.home())])
        _check_interrupted(contract, exporter, run, place / "interrupted" / exporter.label)
        if not exporter.publishes:
            _check_taken(contract, exporter, run, place / "taken" / exporter.label)
        _check_back(contract, exporter, run, first, place)
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
    contents = {name: [MOMENT.sub(b"", (place / name).read_bytes()) for place in (first, second)] for name in files}
    changed = [name for name, (one, two) in contents.items() if one != two]
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


# --------------------------------------------------------------------------- what comes back


def _check_back(contract: Contract, exporter: Exporter, run: FinishedRun, made: ExportResult, place: Path) -> None:
    empty = place / "empty"
    empty.mkdir()
    contract.holds(exporter.recognise(empty) is None, "it recognises an empty folder", Exporter.recognise)
    facts = exporter.recognise(made.folder)
    wanted = run.validation_loss(run.model)
    if facts is not None:
        _check_adapter(contract, exporter, run, facts, wanted)
        _check_damaged(contract, exporter, run, made, place / "damaged")
        return
    options = run.family.options.model_copy(update={"checkpoint": str(made.folder), "revision": ""})
    try:
        model = type(run.family)(options, run.family.label).load(run.workspace)
    except KathrineError:
        return  # not a model: what it wrote is checked by itself alone
    found, claimed = run.validation_loss(model), made.checks.get("loss after reloading", math.nan)
    near = math.isclose(found, wanted, abs_tol=0.05)  # stored in bf16, perhaps: what it said decides
    told = isinstance(claimed, str) or math.isnan(claimed) or math.isclose(found, claimed, abs_tol=RELOADED)
    contract.holds(near and told, f"reloaded it has a loss of {found:.6f}, the run {wanted:.6f}", Exporter.export)


def _check_adapter(
    contract: Contract, exporter: Exporter, run: FinishedRun, facts: AdapterFacts, wanted: float
) -> None:
    contract.holds(facts.parts, "what it recognises has no parts", AdapterFacts)
    model = run.family.load(run.workspace)
    exporter.put_on(model, facts)
    found = run.validation_loss(model)
    contract.holds(
        math.isclose(found, wanted, abs_tol=RELOADED),
        f"put back it has a loss of {found:.6f}, the run {wanted:.6f}",
        Exporter.put_on,
    )
    bare = run.family.load(run.workspace)
    with suppress(KathrineError):
        exporter.put_on(bare, facts, without=["a_part_that_is_not_there"])
        contract.broken("it leaves out a part that is not there without a word", Exporter.put_on)
    for part in facts.parts:
        exporter.put_on(run.family.load(run.workspace), facts, without=[part])


def _check_damaged(contract: Contract, exporter: Exporter, run: FinishedRun, made: ExportResult, place: Path) -> None:
    """Every file of weights, when it is cut short, is noticed."""
    for name in made.files:
        if not name.endswith((".safetensors", ".bin")):
            continue
        copy = Path(shutil.copytree(made.folder, place / name.replace("/", "-")))
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[: len(content) // 2])
        try:
            facts = exporter.recognise(copy)
            if facts is None:
                continue
            exporter.put_on(run.family.load(run.workspace), facts)
        except KathrineError:
            continue
        except Exception as error:  # noqa: BLE001  whatever it is, no user can read it
            contract.broken(f"a damaged {name} ends in {type(error).__name__}: {error}", Exporter.recognise)
        contract.broken(f"it puts back an adapter whose {name} is damaged", Exporter.recognise)
