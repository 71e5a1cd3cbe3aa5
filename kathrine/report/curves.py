"""Line charts as inline SVG: axes, ticks, stage boundaries, a key, and values on hovering. Pure functions to text.

Colours come from the page's style, so that they follow light and dark; lines differ in their dashes too. A point whose
value is not finite is a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kathrine.corpus.drawing import nice_step
from kathrine.corpus.page_parts import escape

MOST_POINTS = 400
MOST_TITLES = 80
COLOURS = 8
"""Lines beyond it begin with the first colour again, in another dash."""
WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 22, 30
LOG_SPAN = 50.0
"""Greatest over least value from which a logarithmic axis shows more."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart. points: by rising x; y may be NaN; without any it only keeps its colour for itself.
    dots: mark every point, for few that are far apart."""

    label: str
    points: Sequence[Point]
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn. boundaries: where stages begin, with their names; marks: x that the reader should notice, with the
    reason. log: None takes a logarithmic axis where values span more than LOG_SPAN. key: name the lines underneath.
    span: values that the axis shows in any case."""

    title: str
    lines: Sequence[Line]
    unit: str = ""
    x_label: str = "step"
    boundaries: Sequence[tuple[float, str]] = ()
    marks: Sequence[tuple[float, str]] = ()
    log: bool | None = False
    hint: str = ""
    key: bool = True
    span: tuple[float, float] | None = None


def downsampled(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` of the points, in order: the first and last, and of every stretch between the least and the
    greatest, so that no peak is lost. A stretch that has no finite value keeps one gap."""
    if len(points) <= most:
        return list(points)
    inner = points[1:-1]
    stretches = (most - 2) // 2
    kept: list[Point] = [points[0]]
    for number in range(stretches):
        part = inner[len(inner) * number // stretches : len(inner) * (number + 1) // stretches]
        finite = [point for point in part if math.isfinite(point[1])]
        if not finite:
            kept += part[:1]
            continue
        ends = {min(finite, key=lambda point: point[1]), max(finite, key=lambda point: point[1])}
        kept += sorted(ends)
    return [*kept, points[-1]]


def chart_html(chart: Chart) -> str:
    """A figure with its picture and key; empty where nothing was measured."""
    drawn = picture_of(chart)
    if drawn is None:
        return ""
    lines, picture = drawn.lines, drawn.svg()
    unit = ", ".join(filter(None, (chart.unit, "logarithmic" if drawn.log else "")))
    unit = f" <small>{escape(unit)}</small>" if unit else ""
    hint = f'<p class="hint">{escape(chart.hint)}</p>' if chart.hint else ""
    key = ""
    drawn_lines = [(number, line) for number, line in enumerate(lines) if line.points]
    if chart.key and (len(lines) > 1 or lines[0].label != chart.title):
        key = '<p class="key">' + "".join(
            f'<span><svg class="swatch" viewBox="0 0 22 10" aria-hidden="true"><line class="{line_class(number)}" '
            f'x1="1" x2="21" y1="5" y2="5"/></svg>{escape(line.label)}</span>'
            for number, line in drawn_lines
        )
        key += "</p>"
    return f"<figure><figcaption>{escape(chart.title)}{unit}</figcaption>{picture}{key}{hint}</figure>"


def picture_of(chart: Chart) -> Picture | None:
    """The chart ready to be drawn, its lines thinned out; None where nothing was measured."""
    lines = [Line(line.label, downsampled(line.points), line.dots) for line in chart.lines]
    finite = [point for line in lines for point in line.points if math.isfinite(point[1])]
    return Picture(chart, lines, finite) if finite else None


def line_class(number: int) -> str:
    """Colour and dash of the line with this number."""
    return f"line c{number % COLOURS} d{number // COLOURS % 3}"


class Picture:
    """The scales of one chart, and what is drawn with them."""

    def __init__(self, chart: Chart, lines: Sequence[Line], finite: Sequence[Point]) -> None:
        self.chart, self.lines = chart, lines
        xs, ys = [x for x, _ in finite], [y for _, y in finite]
        self.x_low, self.x_high = min(xs), max(xs)
        if self.x_low == self.x_high:
            self.x_low, self.x_high = self.x_low - 1, self.x_high + 1
        low, high = min(*ys, *(chart.span or ys)), max(*ys, *(chart.span or ys))
        spans = low > 0 and high / low > LOG_SPAN
        self.log = low > 0 and (spans if chart.log is None else chart.log)
        self.ticks = log_ticks(low, high) if self.log else linear_ticks(low, high)
        self.y_low, self.y_high = min(low, self.ticks[0]), max(high, self.ticks[-1])

    def across(self, x: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (x - self.x_low) / (self.x_high - self.x_low), 1)

    def down(self, y: float) -> float:
        low, high = self.y_low, self.y_high
        if self.log:
            y, low, high = math.log(y), math.log(low), math.log(high)
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (y - low) / (high - low)), 1)

    def svg(self) -> str:
        told = f"{self.chart.title}: {', '.join(line.label for line in self.lines)}"
        start = f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(told)}">'
        return "".join([start, *self.shapes(), *self.titles(), "</svg>"])

    def shapes(self) -> Iterable[str]:
        """Everything but what is told on hovering."""
        yield from (*self.grid(), *self.stages(), *self.marks())
        for number, line in enumerate(self.lines):
            yield from self.line(line, line_class(number))

    def grid(self) -> Iterable[str]:
        bottom = HEIGHT - BOTTOM
        for tick in self.ticks:
            y = self.down(tick)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{short(tick)}</text>'
        step = max(nice_step(self.x_high - self.x_low, 5), 1.0 if self.chart.x_label == "step" else 0.0)
        tick = math.ceil(self.x_low / step) * step
        while tick <= self.x_high + step / 1e6:
            x = self.across(tick)
            yield f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{short(tick)}</text>'
            tick += step
        yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>'

    def stages(self) -> Iterable[str]:
        bottom = HEIGHT - BOTTOM
        starts = [x for x, _ in self.chart.boundaries]
        for (x, name), after in zip(self.chart.boundaries, [*starts, math.inf][1:], strict=True):
            if x > self.x_high or after <= self.x_low:
                continue
            place, end = self.across(max(x, self.x_low)), x > (self.x_low + self.x_high) / 2
            shift, anchor = (-4, "end") if end else (4, "start")
            if x > self.x_low:
                yield f'<line class="stage" x1="{place}" x2="{place}" y1="{TOP - 4}" y2="{bottom}"/>'
            yield f'<text class="stage" x="{place + shift}" y="{TOP - 7}" text-anchor="{anchor}">{escape(name)}</text>'

    def marks(self) -> Iterable[str]:
        for x, why in self.chart.marks:
            if self.x_low <= x <= self.x_high:
                place = self.across(x)
                yield (
                    f'<g class="mark"><title>{escape(why)}</title>'
                    f'<line x1="{place}" x2="{place}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/></g>'
                )

    def line(self, line: Line, name: str) -> Iterable[str]:
        pieces: list[list[Point]] = [[]]
        for x, y in line.points:
            if math.isfinite(y):
                pieces[-1].append((x, y))
            elif pieces[-1]:
                pieces.append([])
        for piece in filter(None, pieces):
            places = [f"{self.across(x)},{self.down(y)}" for x, y in piece]
            if len(piece) > 1:
                yield f'<polyline class="{name}" points="{" ".join(places)}"/>'
            if line.dots or len(piece) == 1:
                for place in places:
                    left, _, top = place.partition(",")
                    yield f'<circle class="{name}" cx="{left}" cy="{top}" r="3"/>'

    def titles(self) -> Iterable[str]:
        """Strips over the whole height that tell, on hovering, what all lines have there."""
        known = sorted({x for line in self.lines for x, y in line.points if math.isfinite(y)})
        places = known[:: max(1, -(-len(known) // MOST_TITLES))]
        for number, x in enumerate(places):
            left = LEFT if number == 0 else (self.across(places[number - 1]) + self.across(x)) / 2
            right = (
                WIDTH - RIGHT if number + 1 == len(places) else (self.across(places[number + 1]) + self.across(x)) / 2
            )
            told = [
                f"{line.label} {short(found)}" for line in self.lines if (found := _nearest(line.points, x)) is not None
            ]
            text = escape(f"{self.chart.x_label} {short(x)}: {', '.join(told)}")
            yield (
                f'<rect class="tell" x="{left:.1f}" y="{TOP}" width="{max(right - left, 0.5):.1f}" '
                f'height="{HEIGHT - TOP - BOTTOM}"><title>{text}</title></rect>'
            )


def _nearest(points: Sequence[Point], x: float) -> float | None:
    """The value at x, or at the last finite point before it; None where the line begins later."""
    before = None
    for place, value in points:
        if place > x:
            break
        before = value if math.isfinite(value) else before
    return before


def linear_ticks(low: float, high: float) -> list[float]:
    """Round values that span from low to high."""
    if low == high:
        low, high = low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10
    step = nice_step(high - low, 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten around low to high, and within one power also 2 and 5 times it."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if last - first <= 2:
        ticks = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
        return [tick for tick in ticks if low / 2.5 <= tick <= high * 2.5] or [low, high * 2]
    step = max(1, (last - first) // 5)
    return [10.0**power for power in range(first, last + 1, step)]


def short(value: float) -> str:
    """A number for an axis or a title: four digits that count, thousands grouped, 5e-5 instead of 5e-05."""
    if value == 0 or abs(value) < 1e-12:
        return "0"
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa
