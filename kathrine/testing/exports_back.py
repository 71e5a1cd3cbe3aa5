"""The contract of an exporter, what comes back: the run's own loss, and damage is noticed. And its card."""

from __future__ import annotations

import math
import shutil
from contextlib import suppress
from pathlib import Path

from kathrine.cards import missing_fields
from kathrine.components import Exporter, FinishedRun
from kathrine.errors import KathrineError
from kathrine.testing.problems import Contract, listed
from kathrine.types import AdapterFacts, ExportResult

RELOADED = 1e-4
"""Nat: the same weights in another model."""
CARD = "README.md"
PLACE = "https://huggingface.co/owner/name/resolve/main/"


def check_back(contract: Contract, exporter: Exporter, run: FinishedRun, made: ExportResult, place: Path) -> None:
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


def check_card(contract: Contract, exporter: Exporter, run: FinishedRun, made: ExportResult) -> None:
    """A card that was promised is there, complete, and can be written again from files alone."""
    promised = exporter.card_metadata(run.plan)
    if promised is None:
        return
    from huggingface_hub import metadata_load

    lacking = missing_fields(promised, exporter.holds)
    contract.holds(not lacking, "; ".join(lacking), Exporter.card_metadata)
    path = made.folder / CARD
    contract.holds(path.is_file(), f"it promised a card, and there is no {CARD}", Exporter.card_metadata)
    found = metadata_load(path) or {}
    other = [name for name, value in promised.items() if found.get(name) != value]
    contract.holds(not other, f"its card says other than it promised: {listed(other)}", Exporter.card_metadata)
    seen = [_contents(made.folder)]
    for location in (PLACE, PLACE, ""):
        wrote = exporter.refresh_card(run.folder, made.folder, location)
        seen.append(_contents(made.folder))
        contract.holds(wrote or seen[-1] == seen[-2], "it wrote, and says it did not", Exporter.refresh_card)
    contract.holds(seen[1] == seen[2], "its card is another one the second time", Exporter.refresh_card)
    contract.holds(seen[3] == seen[0], "without a place its card is not as first written", Exporter.refresh_card)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
