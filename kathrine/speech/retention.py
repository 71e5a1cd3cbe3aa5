"""What was forgotten: the same sentences of base languages before and after adaptation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kathrine.speech.evaluation import System, by_sentence
from kathrine.speech.intervals import Estimate, changes


def verdict(change: Estimate, better: str) -> str:
    """`worse` or `better` where the whole interval says so, `no clear change` else; empty where neither way is
    better."""
    if not better or change.low is None or change.high is None:
        return ""
    if change.low <= 0 <= change.high:
        return "no clear change"
    return "better" if (change.value < 0) == (better == "lower") else "worse"


def forgotten(pairs: Sequence[tuple[System, System]]) -> list[dict[str, Any]]:
    """Each shown number of each language: before, after, and the change with its paired interval.

    Given: systems before and after, scored by the same metrics. A metric that was skipped on either side has no row.
    """
    rows: list[dict[str, Any]] = []
    for before, after in pairs:
        known = {result.label: result for result in before.results if not result.skipped}
        for result in after.results:
            first = known.get(result.label)
            if first is None or result.skipped or result.summarise is None:
                continue
            changed = changes(
                by_sentence(before.takes, first.rows), by_sentence(after.takes, result.rows), result.summarise
            )
            for key, better in result.shown.items():
                if key in changed and key in first.values and key in result.values:
                    rows.append(
                        {
                            "language": after.language,
                            "label": result.label,
                            "metric": result.metric,
                            "key": key,
                            "before": first.values[key].value,
                            "after": result.values[key].value,
                            "change": changed[key].document(),
                            "verdict": verdict(changed[key], better),
                        }
                    )
    return rows
