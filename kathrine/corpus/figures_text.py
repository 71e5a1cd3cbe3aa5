"""The figures of a prepared corpus in a terminal: tables and small histograms. 80 columns are enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kathrine.corpus.figures import MEASURES, PAUSES, Figures, Histogram, Hours
from kathrine.corpus.page_parts import hours, share, visible
from kathrine.corpus.report import corpus_table

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from kathrine.recipe.tables import PrepareTable

BARS = " ▁▂▃▄▅▆▇█"
SPARK_WIDTH = 36
MOST_SPEAKERS = 8

Numbered = tuple[int, Mapping[str, Any]]
"""The number of an utterance and its verdict."""


def spark(counts: Iterable[int]) -> str:
    """Counts as a row of bars; anything above 0 shows."""
    counts = list(counts)
    tallest = max(counts, default=0)
    return "".join(BARS[-(-count * 8 // tallest)] if count else " " for count in counts)


def spark_line(histogram: Histogram) -> tuple[str, str, str]:
    """From where, bars of what was kept and left out together, to where. Bins are joined where there are many."""
    span, measure = histogram.span(), histogram.measure
    if not span:
        return "", "not measured", ""
    together = -(-len(span) // SPARK_WIDTH)
    counts = [
        sum(histogram.kept[number] + histogram.left[number] for number in span[first : first + together])
        for first in range(0, len(span), together)
    ]
    # A few bins are drawn wide: one sign each is hard to see.
    bars = "".join(bar * max(1, SPARK_WIDTH // 3 // len(counts)) for bar in spark(counts))
    return f"{measure.edges(span[0])[0]:g}", bars, f"{measure.edges(span[-1])[1]:g}"


def figures_view(figures: Figures, facts: Mapping[str, Any], table: PrepareTable) -> Group:
    """Everything that the page shows, but for what is played."""
    from rich.console import Group

    parts: list[Any] = [corpus_table(dict(facts)), _speakers(figures), _histograms(figures, table)]
    for name, entry in figures.entries.items():
        parts.append(f"{name}: licence {', '.join(entry.facts['licence']) or 'not told by its source'}")
        parts += [f"{name}: {note}" for note in entry.facts["notes"]]
    total = figures.total
    unknown = f"; {total.unknown:,} of unknown length" if total.unknown else ""
    parts.append(f"in all: {hours(total.seconds_in)} in, {hours(total.seconds_kept)} kept{unknown}")
    return Group(*parts)


def _plain_table(title: str) -> Table:
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))


def _speakers(figures: Figures) -> Table:
    made = _plain_table("Speakers")
    for column in ("data", "speaker", "seen", "kept", "in", "kept", "share"):
        made.add_column(column, justify="left" if column in ("data", "speaker") else "right", overflow="fold")
    for name, entry in figures.entries.items():
        ordered = sorted(entry.speakers.items(), key=lambda one: (-one[1].seconds_kept, -one[1].seen, one[0]))
        for speaker, one in ordered[:MOST_SPEAKERS]:
            made.add_row(_escaped(name), _escaped(speaker), *_cells(one))
        rest = Hours.together(one for _, one in ordered[MOST_SPEAKERS:])
        if rest.seen:
            made.add_row(_escaped(name), f"{len(ordered) - MOST_SPEAKERS:,} more", *_cells(rest))
    return made


def _cells(one: Hours) -> list[str]:
    more = "*" if one.unknown else ""
    kept = [hours(one.seconds_in) + more, hours(one.seconds_kept), share(one.kept, one.seen)]
    return [f"{one.seen:,}", f"{one.kept:,}", *kept]


def _histograms(figures: Figures, table: PrepareTable) -> Table:
    made = _plain_table("Distributions (kept and left out)")
    for column in ("what", "from", "", "to", "unit", "limits"):
        made.add_column(column, justify="right" if column == "from" else "left", overflow="fold")
    rows = [(measure, figures.histograms[measure.name]) for measure in MEASURES]
    rows.append((PAUSES, figures.pauses))
    for measure, histogram in rows:
        low, bars, high = spark_line(histogram)
        limits = " ".join(f"{limit:g}" for limit in measure.limits(table))
        title = "Pauses (kept)" if measure is PAUSES else measure.title
        made.add_row(title, low, bars, high, measure.unit if low else "", limits)
    return made


def utterances_view(found: Iterable[Numbered], limit: int) -> Group:
    """Utterances one by one: number, id, speaker, seconds, verdict, text; the first `limit` (0: all)."""
    from rich.console import Group

    made = _plain_table("")
    made.title = None
    for column in ("number", "utterance", "speaker", "s", "verdict", "text"):
        made.add_column(column, justify="right" if column in ("number", "s") else "left", overflow="fold")
    count = 0
    for number, told in found:
        count += 1
        if limit and count > limit:
            continue
        seconds = told.get("conditioned_seconds", told.get("seconds"))
        made.add_row(
            str(number),
            _escaped(f"{told['entry']}/{told['id']}"),
            _escaped(told["speaker"]),
            "?" if seconds is None else f"{seconds:.1f}",
            "kept" if told["kept"] else told["reason"],
            _escaped(told["texts"].get("text", "")),
        )
    more = [f"and {count - limit:,} more: --limit 0 shows all"] if limit and count > limit else []
    return Group(made, *more) if count else Group("no utterance is like that")


def _escaped(text: str) -> Any:
    """Text from data: square brackets are no markup, and control characters do not reach the terminal."""
    from rich.text import Text

    return Text(visible(text))
