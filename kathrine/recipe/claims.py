"""What the strategies of a recipe claim, and whether the claims fit together. Pure Python, on names and
shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

from kathrine.components import Strategy
from kathrine.errors import KathrineError
from kathrine.types import Claim, ModelFacts, ParameterSpec

_SHOWN = 3


def gather_claims(
    strategies: Sequence[Strategy], parameters: Sequence[ParameterSpec], facts: ModelFacts
) -> tuple[list[Claim], list[tuple[str, str]]]:
    """Every strategy's claim on the untouched model, in recipe order, and what is wrong with them.

    Returns: the claims, and pairs of a strategy's label and a sentence: a pattern that matches nothing, an
    empty claim, a name that is not in the model, a name in two claims (the sentence names both strategies).
    """
    claims: list[Claim] = []
    problems: list[tuple[str, str]] = []
    known = {spec.name for spec in parameters}
    owner: dict[str, str] = {}
    for strategy in strategies:
        try:
            claim = strategy.claim(parameters, facts)
        except KathrineError as error:
            problems.append((strategy.label, error.sentence.removeprefix(f"strategy.{strategy.label}: ")))
            continue
        claims.append(claim)
        added = [spec.name for spec in claim.adds]
        if not claim.trains and not added:
            problems.append((strategy.label, "claims nothing: nothing in the model matches its options"))
        unknown = [name for name in (*claim.trains, *claim.adapts) if name not in known]
        if unknown:
            problems.append((strategy.label, f"claims what the model does not have: {_some(unknown)}"))
        taken: dict[str, list[str]] = {}
        for name in dict.fromkeys((*claim.trains, *claim.adapts, *added)):
            if name in owner:
                taken.setdefault(owner[name], []).append(name)
            owner.setdefault(name, strategy.label)
        for other, names in taken.items():
            sentence = f"claims {_some(names)}, which strategy.{other} claims too: each parameter has one strategy"
            problems.append((strategy.label, sentence))
    return claims, problems


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
