"""Plans as pure functions: data entries with their sizes, and wishes, to stages.

Sizes may be unknown before prepare. Stages stay the same shape then, so that a check shows them; shares that
follow from sizes are shown as equal until the sizes are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from kathrine.errors import KathrineError
from kathrine.types import DataSize, Stage

Blend = Literal["balanced", "size"]


def normalised(shares: Mapping[str, float]) -> dict[str, float]:
    """Positive shares scaled to a sum of 1; entries without a share are left out."""
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items() if share > 0}


def blend_shares(data: Sequence[DataSize], how: Blend | Mapping[str, float], where: str) -> dict[str, float]:
    """Shares of a blend, sum 1.

    Given "balanced" (each entry its own `share`, 1 where it has none), "size" (in proportion to
    utterances), or shares by entry name. `where` names the stage in messages.

    Raises: KathrineError for a name that is no data entry, and where nothing is left to draw from.
    """
    if how == "balanced":
        return normalised({entry.name: entry.share or 1.0 for entry in data})
    if how == "size":
        sizes = {entry.name: entry.utterances for entry in data}
        known = {name: float(size) for name, size in sizes.items() if size is not None}
        if len(known) < len(sizes):  # before prepare
            return normalised({entry.name: 1.0 for entry in data})
        if not any(known.values()):
            raise KathrineError(f"{where}: no data entry has any utterances", "look at the table of `kathrine prepare`")
        return normalised(known)
    assert_known(data, how, where)
    if not any(share > 0 for share in how.values()):
        raise KathrineError(f"{where}: every share is 0", "give at least one data entry a share above 0")
    return normalised(how)


def assert_known(data: Sequence[DataSize], names: Sequence[str] | Mapping[str, float], where: str) -> None:
    """Refuse names that are no data entries."""
    known = [entry.name for entry in data]
    for name in names:
        if name not in known:
            raise KathrineError(
                f"{where}: there is no data entry {name!r}",
                f"the recipe's data entries: {', '.join(known) or 'none'}",
            )


def assert_all_used(data: Sequence[DataSize], stages: Sequence[Stage], where: str) -> None:
    """Refuse a plan that leaves a data entry out: it would be prepared for nothing."""
    used = {name for stage in stages for name, share in stage.shares.items() if share > 0}
    unused = [entry.name for entry in data if entry.name not in used]
    if unused:
        raise KathrineError(
            f"{where}: no stage uses {', '.join(unused)}",
            "give it a share in some stage, or set `enabled = false` in its [[data]] table",
        )


def source_first(
    data: Sequence[DataSize],
    first: str,
    *,
    first_epochs: float | None = None,
    first_steps: int | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    shares: Blend | Mapping[str, float] = "balanced",
    lr_scale: Mapping[str, float] | None = None,
    where: str = "curriculum.source_first",
) -> tuple[Stage, ...]:
    """One entry alone, then all of them blended.

    Given exactly one of first_epochs and first_steps, and one of epochs and steps. lr_scale multiplies
    learning rates in the blend, by strategy label.

    Raises: KathrineError for an unknown entry, a blend without the rest, and a recipe with one entry only.
    """
    assert_known(data, [first], where)
    if len(data) < 2:
        raise KathrineError(
            f"{where}: there is nothing to blend {first} with",
            "add a second [[data]] entry, or leave the curriculum out and set train.epochs",
        )
    stages = (
        Stage(name=first, shares={first: 1.0}, steps=first_steps, epochs=first_epochs),
        Stage(
            name="blend",
            shares=blend_shares(data, shares, f"{where}: blend"),
            steps=steps,
            epochs=epochs,
            lr_scale=dict(lr_scale or {}),
        ),
    )
    assert_all_used(data, stages, where)
    return stages


def staged(
    data: Sequence[DataSize], stages: Sequence[Stage | tuple[Stage, Blend]], where: str = "curriculum.staged"
) -> tuple[Stage, ...]:
    """A list of stages as it stands, shares resolved.

    Given stages with explicit shares, or pairs (stage without shares, "balanced" | "size") over all entries.

    Raises: KathrineError for an unknown or unused entry and for two stages of one name.
    """
    resolved: list[Stage] = []
    for number, item in enumerate(stages, start=1):
        stage, how = item if isinstance(item, tuple) else (item, item.shares)
        name = stage.name or f"stage {number}"
        if name in {earlier.name for earlier in resolved}:
            raise KathrineError(f"{where}: two stages are named {name!r}", "give each stage a name of its own")
        shares = blend_shares(data, how, f"{where}: {name}")
        resolved.append(Stage(name, shares, stage.steps, stage.epochs, dict(stage.lr_scale)))
    if not resolved:
        raise KathrineError(f"{where} has no stages", "add at least one [[curriculum.staged.stages]] table")
    assert_all_used(data, resolved, where)
    return tuple(resolved)
