"""Pictures of the corpus page as inline SVG: histograms and waves. Pure functions to text; colours come from the
page's style, so that they follow light and dark.

Shapes: N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np

from kathrine.corpus.figures import Histogram

WIDTH, HEIGHT = 440, 180
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 24, 36
WAVE_WIDTH, WAVE_HEIGHT = 560, 64


def histogram_svg(histogram: Histogram, limits: Sequence[float] = ()) -> str:
    """Bars of what was kept, and on top of them of what was left out; axes; dashed lines where the gates stand.

    Empty where nothing was measured."""
    if not histogram.count:
        return ""
    measure = histogram.measure
    inside = [number for number in map(measure.bin_of, limits)]
    span = histogram.span()
    first, last = min([span[0], *inside]), max([span[-1], *inside]) + 1
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    tallest = max(histogram.kept[number] + histogram.left[number] for number in range(first, last))
    top = max(nice_step(tallest, 4), 1.0)
    peak = top * -(-tallest // top)
    low, high = measure.edges(first)[0], measure.edges(last - 1)[1]

    def across(value: float) -> float:
        return round(LEFT + width * (value - low) / (high - low), 1)

    def down(count: float) -> float:
        return round(TOP + height * (1 - count / peak), 1)

    parts = [
        f'<svg class="histogram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(f"{measure.title}, {histogram.count} utterances")}">'
    ]
    for count in np.arange(0, peak + 1, top):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(count)}" y2="{down(count)}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{down(count) + 4}" text-anchor="end">{count:g}</text>')
    for number in range(first, last):
        kept, left = histogram.kept[number], histogram.left[number]
        if not kept + left:
            continue
        start, end = measure.edges(number)
        x, wide = across(start) + 0.75, max(across(end) - across(start) - 1.5, 1)
        told = f"{_beyond(histogram, number)}{start:g} to {end:g} {measure.unit}: {kept} kept"
        told += f", {left} left out" if left else ""
        base, top_kept, top_left = down(0), down(kept), down(kept + left)
        bars = _rect("kept", x, top_kept, wide, base - top_kept)
        bars += _rect("left", x, top_left, wide, top_kept - top_left) if left else ""
        parts.append(f"<g><title>{escape(told)}</title>{bars}</g>")
    step = nice_step(high - low, 8)
    for tick in np.arange(-(-low // step) * step, high + step / 1e6, step):
        x, y = across(tick), HEIGHT - BOTTOM + 15
        parts.append(f'<text class="tick" x="{x}" y="{y}" text-anchor="middle">{tick + 0.0:g}</text>')
    for limit in limits:
        x = across(min(max(limit, low), high))
        anchor = "end" if x > WIDTH - 60 else "start" if x < LEFT + 20 else "middle"
        parts.append(f'<line class="limit" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{down(0)}"/>')
        parts.append(f'<text class="limit" x="{x}" y="{TOP - 9}" text-anchor="{anchor}">{limit:g}</text>')
    middle = LEFT + width / 2
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(0)}" y2="{down(0)}"/>')
    parts.append(f'<text class="unit" x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(measure.unit)}</text>')
    return "".join([*parts, "</svg>"])


def _rect(name: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _beyond(histogram: Histogram, number: int) -> str:
    """The outermost bins hold what lies beyond them too."""
    if number == histogram.measure.bins - 1:
        return "from "
    return "up to, or " if number == 0 and histogram.measure.low else ""


def nice_step(span: float, most: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts a span into no more than `most` parts."""
    if span <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(span / most))
    steps = [factor * power for factor in (1.0, 2.0, 5.0, 10.0)]
    return float(next(step for step in steps if span / step <= most + 1e-9))


def wave_svg(wave_N: np.ndarray, rate: int, pauses: Sequence[tuple[float, float]]) -> str:
    """The outline of a wave, its pauses (seconds from, to) shaded and their lengths told."""
    seconds = max(len(wave_N) / rate, 1e-9)
    columns = min(280, max(len(wave_N), 1))
    edges = np.linspace(0, len(wave_N), columns + 1).astype(int)
    peak = float(np.abs(wave_N).max(initial=1e-6))
    middle, reach = WAVE_HEIGHT / 2, (WAVE_HEIGHT - 6) / 2
    lows, highs = [], []
    for start, end in pairwise(edges):
        part = wave_N[start:end] if end > start else np.zeros(1)
        lows.append(middle - reach * float(part.min()) / peak)
        highs.append(middle - reach * float(part.max()) / peak)
    step = WAVE_WIDTH / columns
    outline = [f"{number * step:.1f},{high:.1f}" for number, high in enumerate(highs)]
    outline += [f"{number * step:.1f},{low:.1f}" for number, low in reversed(list(enumerate(lows)))]
    shades = []
    for start, end in pauses:
        x, wide = WAVE_WIDTH * start / seconds, WAVE_WIDTH * (end - start) / seconds
        told = f"pause of {end - start:.2f} s at {start:.2f} s"
        shades.append(f"<g><title>{told}</title>{_rect('pause', x, 0, wide, WAVE_HEIGHT)}</g>")
    return (
        f'<svg class="wave" viewBox="0 0 {WAVE_WIDTH} {WAVE_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="wave of {seconds:.1f} s with {len(pauses)} pauses">'
        f'{"".join(shades)}<polygon points="{" ".join(outline)}"/></svg>'
    )
