"""The page of `kathrine inspect --levers`: a bar for every layer and part, and the whole table. Needs no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from kathrine.corpus.files import write_atomically
from kathrine.corpus.page_parts import escape, table_html
from kathrine.inspect.lever_report import LeverReport, cells, lines
from kathrine.inspect.levers import Lever
from kathrine.report.bars import BAR_STYLE, Bars, bars_html
from kathrine.report.parts import page_html, section, tiles

ONE = "one"
Value = Callable[[Lever], float | None]

COSINE = "Cosine with the known language"
MEASURES: tuple[tuple[str, str, Value], ...] = (
    (
        "Gain per parameter",
        "How much the loss falls by one small step on this piece alone, by its parameters, in nat per million: where "
        "few weights do much. A hollow mark is a step after which the loss was not lower.",
        lambda lever: None if lever.gain_per_parameter is None else 1e6 * lever.gain_per_parameter,
    ),
    (
        "Gain",
        "The same step's gain as a whole, in nat. Larger pieces take longer steps.",
        lambda lever: lever.gain,
    ),
    (
        "Gradient per parameter",
        "Root mean square of the gradient. It depends on how a layer is scaled: compare like with like.",
        lambda lever: lever.gradient_per_parameter if lever.reached else None,
    ),
    (
        COSINE,
        "1: what helps the target helps the known language; 0: neither; below 0: it costs it.",
        lambda lever: lever.cosine,
    ),
    (
        "Fisher information per parameter",
        "Mean over utterances of squared gradients: how firmly the loss holds these weights in place.",
        lambda lever: lever.fisher_per_parameter if lever.reached else None,
    ),
)


def write_levers_page(path: Path, report: LeverReport) -> Path:
    """Write the page, atomically. Returns its path."""
    text = levers_html(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: _write(temporary, text))
    return path


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def levers_html(report: LeverReport) -> str:
    """The whole page."""
    body = [
        f"<style>{BAR_STYLE}</style><h1>{escape(report.model)}<span class='badge'>levers</span></h1>",
        summary(report),
        *(measure_section(report, *measure, signed=measure[0] == COSINE) for measure in MEASURES),
        activation_section(report),
        section("Every piece", table(report)),
    ]
    return page_html(f"{report.model}: levers", body, report.as_json())


def summary(report: LeverReport) -> str:
    """The largest numbers, and what all of them were measured on."""
    levers = report.measured.levers
    rows = [("loss", f"{report.measured.loss:.4f}", "nat, target language")]
    if report.measured.known_loss is not None:
        rows.append(("loss", f"{report.measured.known_loss:.4f}", "nat, known language"))
    stepped = [lever for lever in levers if lever.gain is not None]
    if stepped:
        most = max(stepped, key=lambda lever: lever.gain or 0.0)
        rows.append(("most for its size", escape(stepped[0].name), "greatest gain per parameter"))
        rows.append(("most in all", escape(most.name), "greatest gain"))
    told = "".join(f'<p class="wrap">{escape(line)}</p>' for line in [*report.told, *lines(report)])
    return tiles(rows) + told


def measure_section(report: LeverReport, title: str, hint: str, value: Value, signed: bool = False) -> str:
    """One measure: single pieces, then each part that has layers, heads or tables."""
    levers = sorted(report.measured.levers, key=lambda lever: (lever.position or 0, lever.piece))
    singles = [lever for lever in levers if lever.position is None]
    inside = [lever for lever in levers if lever.position is not None]
    singles.sort(key=lambda lever: -_or_least(value(lever)))
    charts = [
        bars_html(Bars("single pieces", {lever.name: {ONE: value(lever)} for lever in singles}, [ONE], signed=signed))
    ]
    for part in (part for part in report.parts if any(lever.part == part for lever in inside)):
        charts.append(bars_html(layered(part, [lever for lever in inside if lever.part == part], value, signed)))
    drawn = "".join(charts)
    return section(title, f'<p class="hint">{escape(hint)}</p><div class="charts">{drawn}</div>' if drawn else "")


def _or_least(value: float | None) -> float:
    return -math.inf if value is None else value


def layered(part: str, levers: Sequence[Lever], value: Value, signed: bool) -> Bars:
    """A part's bars: a group a position, a bar a piece."""
    groups: dict[str, dict[str, float | None]] = {}
    for lever in levers:
        groups.setdefault(str(lever.position), {})[lever.piece or ONE] = value(lever)
    series = sorted({lever.piece or ONE for lever in levers})
    return Bars(f"{part}, by {'layer' if len(series) > 1 else 'index'}", groups, series, part, signed)


def activation_section(report: LeverReport) -> str:
    """Drift of hidden states as bars, or why there is none."""
    title = "Activation drift"
    if report.activation_drift is None:
        return section(title, f'<p class="hint">Not applicable: {escape(report.activation_drift_missing)}.</p>')
    hint = (
        "How far what comes out of each layer, head or part of the trained model is from the base model's on the same "
        "input rows: length of the difference over the base's length."
    )
    series = ["target", "known language"] if report.known is not None else ["target"]
    by_name = {
        one.name: (one, dict(zip(series, (one.target, one.known), strict=False))) for one in report.activation_drift
    }
    layered_parts = dict.fromkeys(one.part for one in report.activation_drift if one.position is not None)
    charts = []
    for name in series:
        alone = {title: {name: values[name]} for title, (one, values) in by_name.items() if one.position is None}
        charts.append(bars_html(Bars(f"single pieces, {name}", alone, [name])))
    for part in layered_parts:
        inside = [found for found in by_name.values() if found[0].part == part and found[0].position is not None]
        groups = {str(one.position): values for one, values in inside}
        charts.append(bars_html(Bars(f"{part}, by index", groups, series, x_label=part)))
    return section(title, f'<p class="hint">{escape(hint)}</p><div class="charts">{"".join(charts)}</div>')


def table(report: LeverReport) -> str:
    """All numbers of `--levers`, as on the terminal."""
    known = report.known is not None
    head = ["piece", "parameters", "gain per million", "gain", "gradient norm", "gradient per parameter"]
    head += [*(["cosine"] if known else []), "Fisher, total"]
    rows = [
        [escape(lever.name), f"{lever.parameters:,}", *map(escape, cells(lever, known))]
        for lever in report.measured.levers
    ]
    return table_html(head, rows, set(range(1, len(head))))
