"""Bar charts as inline SVG: groups of bars side by side by layer, and single bars with their names. Pure functions to
text; colours come from the page's style, values are told on hovering.

A value that is missing is a gap. On a logarithmic axis a value that is not above 0 can not be drawn: it is a mark on
the ground, and told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kathrine.corpus.page_parts import escape
from kathrine.inspect.lever_report import three_digits
from kathrine.report.curves import COLOURS, LOG_SPAN, linear_ticks, log_ticks, short

WIDTH, HEIGHT = 420, 210
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 12, 28
NAMES, ROW = 168, 22
"""Room for the names of single bars, and their height."""
MARK = 3.0


@dataclass(frozen=True, slots=True)
class Bars:
    """One chart. groups: by label (a layer, a piece), in order, the value of each series; series: names in order, the
    same colour for the same name in every chart. x_label: what the labels are. signed: values around 0, on a linear
    axis in any case."""

    title: str
    groups: Mapping[str, Mapping[str, float | None]]
    series: Sequence[str]
    x_label: str = ""
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """Where values lie between 0 and 1. log: whether it is logarithmic."""

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        if self.log:
            if value <= 0:
                return 0.0
            value, low, high = math.log(value), math.log(self.low), math.log(self.high)
        else:
            low, high = self.low, self.high
        return min(max((value - low) / (high - low), 0.0), 1.0)

    @property
    def ground(self) -> float:
        """Where bars begin: at 0, or at the foot of a logarithmic axis."""
        return 0.0 if self.log else self.at(0.0)


def axis_of(values: Iterable[float | None], signed: bool = False) -> Axis:
    """An axis that shows all values and, where it is linear, 0. Logarithmic where the positive ones span more than
    LOG_SPAN and outnumber the others."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    above = [value for value in finite if value > 0]
    if not signed and above and max(above) / min(above) > LOG_SPAN and 2 * len(above) > len(finite):
        ticks = log_ticks(min(above), max(above))
        # below the least one, so that its bar can be seen
        return Axis(min(ticks[0], min(above) / 1.5), max(ticks[-1], max(above)), True, tuple(ticks))
    ticks = linear_ticks(min([0.0, *finite]), max([0.0, *finite]))
    return Axis(min(ticks[0], 0.0), ticks[-1], False, tuple(ticks))


def bars_html(chart: Bars) -> str:
    """A figure; empty where nothing was measured. Groups of one series whose labels are names lie on their side."""
    values = [value for group in chart.groups.values() for value in group.values()]
    if not any(value is not None and math.isfinite(value) for value in values):
        return ""
    axis = axis_of(values, chart.signed)
    picture = columns_svg(chart, axis) if chart.x_label else named_svg(chart, axis)
    unit = " <small>logarithmic</small>" if axis.log else ""
    key = ""
    if len(chart.series) > 1:
        swatches = "".join(
            f'<span><svg class="swatch" viewBox="0 0 22 10" aria-hidden="true"><rect class="{colour(number)}" '
            f'width="22" height="10"/></svg>{escape(name)}</span>'
            for number, name in enumerate(chart.series)
        )
        key = f'<p class="key">{swatches}</p>'
    return f"<figure><figcaption>{escape(chart.title)}{unit}</figcaption>{picture}{key}</figure>"


def colour(number: int) -> str:
    return f"column c{number % COLOURS}"


def columns_svg(chart: Bars, axis: Axis) -> str:
    """Columns in groups, a group a layer."""
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    parts = [_open(chart, WIDTH, HEIGHT)]
    for tick in axis.ticks:
        y = round(TOP + tall * (1 - axis.at(tick)), 1)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{short(tick)}</text>')
    room = wide / max(1, len(chart.groups))
    each = room * 0.8 / len(chart.series)
    ground = TOP + tall * (1 - axis.ground)
    every = -(-len(chart.groups) // 14)
    for place, (label, group) in enumerate(chart.groups.items()):
        left = LEFT + room * place + room * 0.1
        for number, name in enumerate(chart.series):
            value = group.get(name)
            if value is None or not math.isfinite(value):
                continue
            told = " ".join(filter(None, (chart.x_label, label, name if len(chart.series) > 1 else "")))
            if axis.log and value <= 0:
                top, height, kind = ground - MARK, MARK, "below"
            else:
                end = TOP + tall * (1 - axis.at(value))
                top, height, kind = min(end, ground), max(abs(end - ground), 0.8), colour(number)
            parts.append(
                f'<rect class="{kind}" x="{left + each * number:.1f}" y="{top:.1f}" width="{max(each - 0.6, 0.8):.1f}" '
                f'height="{height:.1f}"><title>{escape(told)}: {short(value)}</title></rect>'
            )
        if place % every == 0:
            x, y = round(left + room * 0.4, 1), HEIGHT - BOTTOM + 16
            parts.append(f'<text x="{x}" y="{y}" text-anchor="middle">{escape(label)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{ground:.1f}" y2="{ground:.1f}"/>')
    return "".join([*parts, "</svg>"])


def named_svg(chart: Bars, axis: Axis) -> str:
    """Single bars on their side, with their names and values."""
    (name,) = chart.series
    height = TOP + ROW * len(chart.groups) + 6
    wide = WIDTH - NAMES - 70
    parts = [_open(chart, WIDTH, height)]
    ground = NAMES + wide * axis.ground
    for place, (label, group) in enumerate(chart.groups.items()):
        y, value = TOP + ROW * place, group.get(name)
        parts.append(f'<text x="{NAMES - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>')
        if value is None or not math.isfinite(value):
            parts.append(f'<text x="{ground + 6:.1f}" y="{y + 13}">-</text>')
            continue
        if axis.log and value <= 0:
            left, width, kind = ground, MARK, "below"
        else:
            end = NAMES + wide * axis.at(value)
            left, width, kind = min(end, ground), max(abs(end - ground), 0.8), colour(0)
        parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{y + 2}" width="{width:.1f}" height="{ROW - 8}">'
            f"<title>{escape(label)}: {short(value)}</title></rect>"
        )
        parts.append(f'<text x="{max(left + width, ground) + 6:.1f}" y="{y + 13}">{three_digits(value)}</text>')
    parts.append(f'<line class="axis" x1="{ground:.1f}" x2="{ground:.1f}" y1="{TOP - 4}" y2="{height - 6}"/>')
    return "".join([*parts, "</svg>"])


def _open(chart: Bars, width: int, height: int) -> str:
    told = f"{chart.title}, {len(chart.groups)} groups"
    return f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(told)}">'


BAR_STYLE = """
svg rect.column{fill:currentColor;stroke:none}svg rect.below{fill:none;stroke:var(--limit);stroke-width:1.2}
""".strip()
