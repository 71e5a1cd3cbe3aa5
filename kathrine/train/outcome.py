"""What came of a run, as text: held-out losses before and after for each source, what was made, and where."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kathrine.train.folder import RunFolder
from kathrine.train.state import TrainState
from kathrine.types import ExportResult

if TYPE_CHECKING:
    from kathrine.speech.takes import Take

BY_FORM = ("form.", "layout.")
"""Groups of held-out losses that are no data entries: they stand in metrics.jsonl and console.log."""
WIDE = 100
"""Characters of a line of checks: what a terminal shows without breaking it."""
RUNAWAY = "cut at its budget"
"""What is said of a sentence that the model did not end by itself."""


def losses_after(state: TrainState, weights_from: str) -> Mapping[str, Any]:
    """Held-out losses of the weights that results come from."""
    return state.best if state.best and "best" in weights_from else state.latest


def by_source(metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Held-out values by data entry and what was measured: `validation.npsc.talker` is `[npsc][talker]`."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in metrics.items():
        prefix, _, rest = name.partition(".")
        entry, _, label = rest.rpartition(".")
        if prefix == "validation" and entry and not entry.startswith(BY_FORM):
            found.setdefault(entry, {})[label] = value
    return found


def final_table(
    name: str,
    folder: RunFolder,
    state: TrainState,
    weights_from: str,
    spoken: Sequence[Take],
    exports: Sequence[ExportResult],
) -> list[str]:
    """The last lines of a run, short enough to be read: one line a source, one for each thing that was made."""
    after = losses_after(state, weights_from)
    lines = ["", f"{name}: {state.step} steps; results from {weights_from}", ""]
    lines += loss_table(by_source(state.baseline), by_source(after))
    labels = {label for row in by_source(after).values() for label, value in row.items() if value is None}
    lines += [f"loss {label}: coverage 0, it could not be computed" for label in sorted(labels - {"talker"})]
    if state.skipped:
        lines.append(f"{state.skipped} updates were left out because a number was not finite")
    made = [("made", f"in {folder.path}")]
    made += [(f"{folder.samples.name}/{one.file}", sample_line(one)) for one in spoken]
    for result in exports:
        first, *more = [*checks_lines(result), *result.notes]
        made.append((f"{folder.export.name}/{result.exporter}", first))
        made += [("", line) for line in more]
    made.append((f"{folder.checkpoints.name}/", ", ".join(kept(folder))))
    return [*lines, "", *table_lines(made)]


def loss_table(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One row a data entry, one column a loss, each `before -> after`."""
    if not before:
        return ["no held-out utterances: nothing was compared"]
    labels = list(dict.fromkeys(label for row in before.values() for label in row))
    rows = [("held-out, nat", *(label.replace("text_gain", "text gain") for label in labels))]
    for entry, row in before.items():
        later = after.get(entry, {})
        cells = (f"{_loss(row.get(label))} -> {_loss(later.get(label))}" for label in labels)
        rows.append((entry, *cells))
    return table_lines(rows)


def every_loss(state: TrainState, weights_from: str) -> list[str]:
    """All held-out losses before and after, prompt forms and text layouts included: for the log."""
    after = losses_after(state, weights_from)
    rows = [("held-out loss", "before", "after")]
    for name, value in state.baseline.items():
        if name.startswith("validation.") and name != "validation.score":
            rows.append((name.removeprefix("validation."), _loss(value), _loss(after.get(name))))
    return table_lines(rows) if len(rows) > 1 else []


def sample_line(one: Take) -> str:
    """What was measured on a sentence; whether the model ended it, and what is wrong with it, comes first."""
    end = "ended by itself" if one.stop == "end" else RUNAWAY
    flags = [flag.upper() for flag in one.flags if flag != "no end"]
    return ", ".join([f"{one.seconds:.1f} s", end, *flags, f"rms {one.rms_db:.0f} dB", f"peak {one.peak_db:.0f} dB"])


def checks_lines(result: ExportResult) -> list[str]:
    """The self-checks of an export, as many in a line as can be read."""
    lines: list[str] = []
    for name, value in result.checks.items():
        told = f"{name} {_short(value)}"
        if lines and len(lines[-1]) + len(told) + 2 <= WIDE:
            lines[-1] += f", {told}"
        else:
            lines.append(told)
    return lines or ["no checks"]


def kept(folder: RunFolder) -> list[str]:
    """Steps of the checkpoints that are there, the best one marked."""
    from kathrine.train.checkpoint import saved_checkpoints

    saved = saved_checkpoints(folder.checkpoints)
    best = saved[-1].state.get("best_step") if saved else None
    return [f"{one.step}{' (best)' if one.step == best else ''}" for one in saved]


def _loss(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) and math.isfinite(value) else "-"


def _short(value: float | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as columns of text, the first one underlined."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * min(width, 60) for width in widths), *lines[1:]]
