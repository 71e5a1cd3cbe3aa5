"""Charts as one SVG file that needs nothing around it: what a card shows, where no style of a page and no hovering is.

A white ground and fixed colours: a picture can not know whether the page around it is dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kathrine.corpus.page_parts import escape
from kathrine.report.curves import HEIGHT, LEFT, WIDTH, Chart, Picture, line_class, picture_of
from kathrine.report.parts import COLOURS

COLUMNS = 2
HEAD = 26
"""Room for a chart's title."""
ROW = 17
"""Room for a row of the key."""
GAP = 24
LETTER = 6.3
"""Width of a letter of the key; no browser is at hand to measure one."""
LONGEST = 44
"""Letters of a name in the key."""

STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1c2430}"
    ".title{font-size:14px;font-weight:600}.unit{fill:#5d6878;font-weight:400;font-size:12px}"
    ".chart text{fill:#5d6878;font-size:11px}.grid{stroke:#dfe3e9}.axis{stroke:#5d6878}"
    ".line{fill:none;stroke-width:1.8;stroke-linejoin:round}circle.line{fill:#fff}"
    ".d1{stroke-dasharray:6 3}.d2{stroke-dasharray:2 3}"
    "line.stage{stroke:#5d6878;stroke-dasharray:3 4}text.stage{font-style:italic}"
    ".mark line{stroke:#a3243b;stroke-width:1.5}" + "".join(f".c{n}{{stroke:{one}}}" for n, one in enumerate(COLOURS))
)


def charts_svg(charts: Sequence[Chart], title: str) -> str:
    """All charts that hold something, two in a row, with their titles and keys; empty where none does."""
    drawn = [picture for picture in map(picture_of, charts) if picture is not None]
    if not drawn:
        return ""
    columns = min(COLUMNS, len(drawn))
    width = columns * WIDTH + (columns + 1) * GAP
    top, pieces = GAP, []
    for first in range(0, len(drawn), columns):
        row = drawn[first : first + columns]
        for number, picture in enumerate(row):
            pieces.append(_placed(picture, GAP + number * (WIDTH + GAP), top))
        top += max(HEAD + HEIGHT + ROW * len(_key_rows(picture)) for picture in row) + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" height="{top}" '
        f'role="img" aria-label="{escape(title)}"><style>{STYLE}</style>'
        f'<rect width="{width}" height="{top}" fill="#fff"/>{"".join(pieces)}</svg>\n'
    )


def _placed(picture: Picture, left: float, top: float) -> str:
    chart = picture.chart
    unit = ", ".join(filter(None, (chart.unit, "logarithmic" if picture.log else "")))
    more = f' <tspan class="unit" dx="6">{escape(unit)}</tspan>' if unit else ""
    return (
        f'<g transform="translate({left} {top})"><text class="title" y="14">{escape(chart.title)}{more}</text>'
        f'<g class="chart" transform="translate(0 {HEAD})">{"".join(picture.shapes())}</g>'
        f"{''.join(_key(picture))}</g>"
    )


def _key_rows(picture: Picture) -> list[list[tuple[int, str, float]]]:
    """Number, name and place of every line of a chart, in rows that fit its width; none where one name says it all."""
    if not picture.chart.key or (len(picture.lines) == 1 and picture.lines[0].label == picture.chart.title):
        return []
    rows: list[list[tuple[int, str, float]]] = []
    x = float(LEFT)
    for number, line in enumerate(picture.lines):
        if not line.points:
            continue
        name = line.label if len(line.label) <= LONGEST else f"{line.label[: LONGEST - 1]}…"
        needs = 30 + LETTER * len(name) + 14
        if not rows or x + needs > WIDTH:
            rows.append([])
            x = float(LEFT)
        rows[-1].append((number, name, x))
        x += needs
    return rows


def _key(picture: Picture) -> Iterator[str]:
    for row, inside in enumerate(_key_rows(picture)):
        y = HEAD + HEIGHT + ROW * row + 10
        for number, name, x in inside:
            yield f'<line class="{line_class(number)}" x1="{x:.1f}" x2="{x + 22:.1f}" y1="{y - 4}" y2="{y - 4}"/>'
            yield f'<text x="{x + 28:.1f}" y="{y}">{escape(name)}</text>'
