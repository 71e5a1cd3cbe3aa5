"""The contract of a curriculum: a pure function whose shares add up."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from kathrine.components import Curriculum
from kathrine.errors import KathrineError
from kathrine.testing.problems import Contract, fresh, listed
from kathrine.types import DataSize, Stage


def check_curriculum(curriculum: Curriculum, entries: Sequence[str]) -> tuple[Stage, ...]:
    """A curriculum keeps its contract.

    It is a pure function: the same entries give the same stages, whatever was planned before. It adds up: shares of
    each stage sum to 1 and name entries that exist, lengths are positive, every entry is used. It also plans before
    prepare, when no sizes are known.

    Given: entries, names of data entries that its options fit. Returns: the stages for made-up sizes. Raises:
    ConformanceError that says what is wrong.
    """
    contract = Contract(curriculum)
    known = [DataSize(name, None, 40 * (place + 1), 120.0 * (place + 1)) for place, name in enumerate(entries)]
    unknown = [DataSize(name, None, None, None) for name in entries]
    others = [DataSize(name, 1.0 + place, 7, 20.0) for place, name in enumerate(entries)]
    before, drawn = curriculum.options.model_copy(deep=True), random.getstate()

    planned = {}
    for name, data in (("known", known), ("unknown", unknown), ("others", others)):
        planned[name] = _plan(contract, curriculum, data)
        _check_adds_up(contract, planned[name], entries)
    for name, data in (("others", others), ("known", known), ("unknown", unknown)):  # in another order
        again = _plan(contract, curriculum, data)
        contract.holds(again == planned[name], "it is not pure: it plans the same entries differently", Curriculum)
        alone = _plan(contract, fresh(curriculum), tuple(data))
        contract.holds(alone == planned[name], "it is not pure: a fresh one plans differently", Curriculum)
    contract.holds(random.getstate() == drawn, "it is not pure: it draws random numbers", Curriculum)
    contract.holds(curriculum.options == before, "it is not pure: it changes its options", Curriculum)
    shapes = [[(stage.name, stage.steps, stage.epochs) for stage in planned[name]] for name in ("known", "unknown")]
    contract.holds(shapes[0] == shapes[1], "before prepare it plans other stages than after it", Curriculum.plan)
    _check_missing(contract, curriculum, known)
    return planned["known"]


def _plan(contract: Contract, curriculum: Curriculum, data: Sequence[DataSize]) -> tuple[Stage, ...]:
    given = list(data)
    try:
        stages = curriculum.plan(data)
    except KathrineError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it is what is wrong
        sizes = "unknown" if data[0].utterances is None else "known"
        contract.broken(f"with {sizes} sizes it raises {type(error).__name__}: {error}", Curriculum.plan)
    contract.holds(list(data) == given, "it changes the entries that it is given", Curriculum)
    contract.holds(isinstance(stages, tuple), f"it gives {type(stages).__name__}, not a tuple", Curriculum.plan)
    return stages


def _check_adds_up(contract: Contract, stages: Sequence[Stage], entries: Sequence[str]) -> None:
    contract.holds(stages, "it plans no stages", Curriculum.plan)
    names = [stage.name for stage in stages]
    contract.holds(all(names) and len(set(names)) == len(names), f"names of stages are not unique: {names}", Stage)
    used = set()
    for stage in stages:
        total = math.fsum(stage.shares.values())
        contract.holds(
            math.isclose(total, 1.0, abs_tol=1e-9), f"the shares of stage {stage.name!r} add up to {total:g}", Stage
        )
        contract.holds(
            all(share >= 0 for share in stage.shares.values()), f"stage {stage.name!r} has a negative share", Stage
        )
        odd = set(stage.shares) - set(entries)
        contract.holds(not odd, f"stage {stage.name!r} draws from what is no data entry: {listed(odd)}", Stage)
        used |= {name for name, share in stage.shares.items() if share > 0}
        lengths = [length for length in (stage.steps, stage.epochs) if length is not None]
        contract.holds(len(lengths) == 1, f"stage {stage.name!r} needs one of steps and epochs", Stage)
        contract.holds(lengths[0] > 0, f"stage {stage.name!r} has a length of {lengths[0]:g}", Stage)
        for label, factor in stage.lr_scale.items():
            fits = math.isfinite(factor) and factor > 0
            contract.holds(fits, f"stage {stage.name!r} scales the learning rate of {label} by {factor}", Stage)
    unused = set(entries) - used
    contract.holds(not unused, f"no stage uses {listed(unused)}, and it says nothing", Curriculum.plan)


def _check_missing(contract: Contract, curriculum: Curriculum, data: list[DataSize]) -> None:
    """Without one of its entries, and with one more, it refuses or plans what adds up."""
    fewer = [[one for one in data if one is not left] for left in data if len(data) > 1]
    for given in (*fewer, [*data, DataSize("one_more", None, 9, 30.0)]):
        try:
            stages = _plan(contract, curriculum, given)
        except KathrineError:
            continue
        _check_adds_up(contract, stages, [one.name for one in given])
