"""Pieces that the pages share: the frame of a page, numbers that tell where they come from, lists of players."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kathrine.corpus.page_parts import escape
from kathrine.corpus.page_style import STYLE
from kathrine.report.curves import short

COLOURS = ("#2f6fb7", "#d0741c", "#2f8f5b", "#a3406b", "#7a5bc0", "#8a7a1c", "#1c8f9a", "#b0452f")
DARK_COLOURS = ("#6aa6ea", "#e8a05c", "#6cc795", "#e88ab4", "#b39cf0", "#cfc05c", "#5cc8d2", "#ee8a74")

MORE_STYLE = f"""
:root{{{"".join(f"--c{number}:{colour};" for number, colour in enumerate(COLOURS))}}}
@media (prefers-color-scheme:dark){{:root{{{
    "".join(f"--c{number}:{colour};" for number, colour in enumerate(DARK_COLOURS))
}}}}}
{"".join(f".c{number}{{stroke:var(--c{number});color:var(--c{number})}}" for number in range(len(COLOURS)))}
svg .line{{fill:none;stroke-width:1.8;stroke-linejoin:round}}svg circle.line{{fill:currentColor}}
svg .d1{{stroke-dasharray:6 3}}svg .d2{{stroke-dasharray:2 3}}
svg line.stage{{stroke:var(--soft);stroke-dasharray:3 4}}svg text.stage{{font-style:italic}}
svg .mark line{{stroke:var(--limit);stroke-width:1.5}}
svg .tell{{fill:transparent}}svg .tell:hover{{fill:var(--line);fill-opacity:.45}}
.charts{{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:14px}}
.key span{{display:inline-block;margin-right:14px;white-space:nowrap}}
.swatch{{display:inline-block;width:22px;height:10px;margin-right:6px}}
.players{{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,240px),1fr));gap:10px;margin:8px 0 18px}}
.players div{{border:1px solid var(--line);border-radius:8px;padding:8px 12px;min-width:0;background:var(--card)}}
.players p{{margin:2px 0}}
.flag{{color:var(--limit);font-weight:600}}.good{{color:var(--c2);font-weight:600}}
.badge{{display:inline-block;border:1px solid var(--line);border-radius:20px;padding:1px 10px;font-size:.86rem;
margin-left:8px;vertical-align:middle;font-weight:400}}
.notice{{border-left:4px solid var(--warning);background:var(--card);padding:8px 14px;margin:10px 0;border-radius:6px;
overflow-wrap:anywhere}}
details.plain summary{{display:block;font-weight:600}}
pre{{overflow-x:auto;font:12px/1.5 ui-monospace,monospace;padding:10px 0;margin:0}}
h3{{font-size:1rem;margin:18px 0 4px;overflow-wrap:anywhere;font-weight:600}}
.wrap{{display:block;white-space:normal;min-width:180px;overflow-wrap:anywhere}}
.wide td:first-child,.wide th:first-child{{position:sticky;left:0;background:var(--card)}}
@media (max-width:600px){{.wide td:first-child,.wide th:first-child{{white-space:normal;min-width:124px;
overflow-wrap:break-word}}}}
.cell{{display:block;white-space:normal;min-width:84px;overflow-wrap:anywhere}}.cell small{{display:block}}
p.key{{margin:6px 0;font-size:.86rem;line-height:1.4}}
""".strip()


def page_html(title: str, body: Sequence[str], numbers: Mapping[str, Any]) -> str:
    """A whole page. numbers: what its tables and curves show, as JSON for programs."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}\n{MORE_STYLE}</style></head><body><main>"
        f"{''.join(body)}"
        f'<script type="application/json" id="numbers">{json_block(numbers)}</script></main></body></html>\n'
    )


def json_block(numbers: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element: no text in it can end the element. NaN becomes null."""
    text = json.dumps(_finite(numbers), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def section(title: str, *inside: str) -> str:
    """A section; nothing where it would be empty."""
    text = "".join(inside)
    return f"<section><h2>{escape(title)}</h2>{text}</section>" if text else ""


def number(line: Mapping[str, Any], name: str, digits: int = 4) -> str:
    """A number of a line of metrics.jsonl, as a `data` element that says which one it is; `-` where there is none."""
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "-"
    told = f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"
    where = f"{line.get('kind', '')} {line.get('step', '')} {name}"
    return f'<data value="{value!r}" data-of="{escape(where)}">{told}</data>'


def value_cell(value: Any, digits: int = 4) -> str:
    """Any value of a JSON document, as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}f}" if math.isfinite(value) and 1e-3 <= abs(value) < 1e5 else short_or_dash(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(value_cell(one) for one in value) or "-"
    return escape(str(value)) if value not in (None, "") else "-"


def value_html(told: str) -> str:
    """A number as HTML that a narrow page can show: its interval, and then what else is said, on lines of their own.

    Given: text such as `3.1 % (2.2 to 4.0); step 48`.
    """
    found = re.fullmatch(r"([-+.\d]+(?: %)?)(?: \(([^()]+ to [^()]+)\))?(?:; (.+))?", told)
    if found is None:
        return f'<span class="cell">{escape(told)}</span>'
    more = "".join(f" <small>{escape(part)}</small>" for part in found.groups()[1:] if part)
    return f'<span class="cell">{escape(found[1])}{more}</span>'


def short_or_dash(value: float) -> str:
    return short(value) if math.isfinite(value) else "-"


def tiles(rows: Sequence[tuple[str, str, str]]) -> str:
    """Large numbers. Given: name (text), value and more (HTML)."""
    made = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{value}<small>{more}</small></dd></div>" for name, value, more in rows
    )
    return f'<dl class="tiles">{made}</dl>'


def notice(text: str) -> str:
    return f'<p class="notice">{escape(text)}</p>'


def flags_html(flags: Sequence[Any]) -> str:
    """Flags of a take, or that it has none."""
    if not flags:
        return '<span class="good">no flag</span>'
    return f'<span class="flag">{escape(", ".join(map(str, flags)))}</span>'


def take_card(heading: str, take: Mapping[str, Any], player: str) -> str:
    """A take with its player. Given: heading and player, HTML."""
    flags = flags_html(take.get("flags", ()))
    return f"<div><p>{heading} <small>{take_facts(take)}</small></p>{player}<p>{flags}</p></div>"


def take_facts(take: Mapping[str, Any]) -> str:
    """Length and level of a take, as far as they were measured."""
    told = []
    if isinstance(take.get("seconds"), int | float):
        told.append(f"{take['seconds']:.1f} s")
    if isinstance(take.get("rms_db"), int | float):
        told.append(f"{take['rms_db']:.0f} dB")
    if take.get("stop") not in (None, "end"):
        told.append("not ended by itself")
    return escape(", ".join(told))
