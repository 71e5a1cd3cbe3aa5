"""`corpus.html`: what a prepared corpus consists of, what was left out and why, to be looked at and listened to.

One file without any request to elsewhere. Everything that comes from data is escaped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.corpus.drawing import histogram_svg, wave_svg
from kathrine.corpus.figures import MEASURES, PAUSES, Entry, Figures, Hours, gather
from kathrine.corpus.files import write_atomically
from kathrine.corpus.gates import EXPLANATIONS
from kathrine.corpus.page_parts import escape, hours, licence_html, share, table_html, utterance
from kathrine.corpus.page_style import STYLE
from kathrine.corpus.verdicts import read_verdicts

if TYPE_CHECKING:
    from kathrine.corpus.audio import Conditioning
    from kathrine.corpus.excerpts import Excerpt
    from kathrine.recipe.tables import PrepareTable

NAME = "corpus.html"
VERSION = 2
"""Raise it when the page changes: pages that were written before are then written again."""
MOST_SPEAKERS = 12
Place = tuple[str, str]
"""Entry and id of an utterance."""


def write_page(folder: Path, facts: Mapping[str, Any], table: PrepareTable, settings: Conditioning) -> Path:
    """Write the page of a prepared corpus into its folder, unless the same page is there. Returns its path."""
    path = folder / NAME
    mark = page_mark(facts, table)
    if path.is_file() and f'content="{mark}"' in path.open(encoding="utf-8").read(400):
        return path
    from kathrine.corpus.excerpts import as_found, as_trained

    figures = gather(read_verdicts(folder), facts)
    found = {(told["entry"], told["id"]): as_found(told) for group in figures.examples.values() for told in group}
    trained = {
        (told["entry"], told["id"]): as_trained(told, settings)
        for entry in figures.entries.values()
        for _, _, told in entry.paused
    }
    text = corpus_html(figures, table, found, trained, mark)
    write_atomically(path, lambda temporary: _write(temporary, text))
    return path


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def page_mark(facts: Mapping[str, Any], table: PrepareTable) -> str:
    """Changes when the page would: with the corpus, the thresholds and this file."""
    thresholds = table.model_dump(mode="json", exclude={"batch", "batch_seconds", "asr_batch", "device"})
    return hashlib.sha256(json.dumps([VERSION, facts, thresholds], sort_keys=True).encode()).hexdigest()[:20]


def corpus_html(
    figures: Figures,
    table: PrepareTable,
    found: Mapping[Place, Excerpt],
    trained: Mapping[Place, Excerpt],
    mark: str = "",
) -> str:
    """The whole page. found: excerpts of what was left out, as found; trained: of kept utterances with pauses, as
    the model hears them."""
    names = ", ".join(figures.entries)
    sections = [
        _totals(figures),
        _entries(figures),
        "".join(_speakers(name, entry) for name, entry in figures.entries.items()),
        _reasons(figures, found),
        _histograms(figures, table),
        _pauses(figures, table, trained),
        _licences(figures),
        _notes(figures, table),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="kathrine-page" content="{mark}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Prepared corpus: {escape(names)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>Prepared corpus</h1>{''.join(sections)}</main></body></html>\n"
    )


# --------------------------------------------------------------------------- hours


def _totals(figures: Figures) -> str:
    total = figures.total
    speakers = sum(len([one for one in entry.speakers.values() if one.kept]) for entry in figures.entries.values())
    tiles = [
        ("in", hours(total.seconds_in), f"{total.seen:,} utterances"),
        (
            "kept",
            hours(total.seconds_kept),
            f"{total.kept:,} utterances, {share(total.kept, total.seen)}",
        ),
        ("left out", f"{total.seen - total.kept:,}", f"{len(figures.reasons)} reasons, below"),
        ("speakers", f"{speakers:,}", "with something kept"),
    ]
    made = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{more}</small></dd></div>" for name, value, more in tiles)
    return f'<dl class="tiles">{made}</dl>'


def _hours_cells(one: Hours) -> list[str]:
    bar = f'<span class="bar"><i style="width:{100 * one.kept / max(one.seen, 1):.0f}%"></i></span>'
    return [
        f"{one.seen:,}",
        f"{one.kept:,}",
        hours(one.seconds_in) + ("*" if one.unknown else ""),
        hours(one.seconds_kept),
        bar + share(one.kept, one.seen),
    ]


def _entries(figures: Figures) -> str:
    head = ["data", "source", "seen", "kept", "in", "kept", "share kept", "train", "valid.", "test", "bandwidth", "cut"]
    rows = []
    for name, entry in figures.entries.items():
        facts = entry.facts
        splits = [
            f"{facts['splits'].get(split, {}).get('utterances', 0):,}" for split in ("train", "validation", "test")
        ]
        wide = f"{facts['bandwidth_hz'] / 1000:.1f} kHz" if facts["bandwidth_hz"] else "-"
        first = [escape(name), escape(facts["source"]), *_hours_cells(entry.hours)]
        rows.append([*first, *splits, wide, f"{facts['cut_share']:.0%}"])
    unknown = figures.total.unknown
    more = f"<p class='hint'>* {unknown:,} utterances were not listened to and their source does not tell their "
    more = more + "length: they count as nothing here.</p>" if unknown else ""
    hint = "<p class='hint'>bandwidth: median of what is kept; cut: share that ends in the middle of speech.</p>"
    return f"<section><h2>Hours</h2>{table_html(head, rows, set(range(2, 12)))}{hint}{more}</section>"


def _speakers(name: str, entry: Entry) -> str:
    ordered = sorted(entry.speakers.items(), key=lambda one: (-one[1].seconds_kept, -one[1].seen, one[0]))
    rows = [
        [escape(speaker) + _name(speaker, one.name), *_hours_cells(one)] for speaker, one in ordered[:MOST_SPEAKERS]
    ]
    rest = Hours.together(one for _, one in ordered[MOST_SPEAKERS:])
    if rest.seen:
        rows.append([f"<em>{len(ordered) - MOST_SPEAKERS:,} more</em>", *_hours_cells(rest)])
    head = ["speaker", "seen", "kept", "in", "kept", "share kept"]
    return f"<section><h2>Speakers of {escape(name)}</h2>{table_html(head, rows, {1, 2, 3, 4, 5})}</section>"


def _name(speaker: str, name: str) -> str:
    return f" <small>{escape(name)}</small>" if name and name.casefold() != speaker.casefold() else ""


# --------------------------------------------------------------------------- reasons


def _reasons(figures: Figures, found: Mapping[Place, Excerpt]) -> str:
    by_source = _by_source(figures)
    if not figures.reasons:
        return f"<section><h2>Left out</h2>{by_source or '<p>Nothing was left out.</p>'}</section>"
    total = figures.total.seen
    made = []
    for reason, count in figures.reasons.items():
        examples = figures.examples[reason]
        listed = "".join(utterance(told, found.get((told["entry"], told["id"]))) for told in examples)
        per_entry = ", ".join(
            f"{escape(name)} {entry.facts['rejected'][reason]:,}"
            for name, entry in figures.entries.items()
            if reason in entry.facts["rejected"]
        )
        made.append(
            f"<details><summary><b>{escape(reason)}</b><span>{escape(EXPLANATIONS.get(reason, ''))}</span>"
            f"<strong>{count:,}</strong><small>{share(count, total)}</small></summary>"
            f'<p class="hint">{per_entry}</p><ul class="utterances">{listed}</ul></details>'
        )
    hint = (
        "<p class='hint'>Open a reason for three utterances, drawn by chance, as they were found (the first 8 s).</p>"
    )
    return f"<section><h2>Left out</h2>{hint}{''.join(made)}{by_source}</section>"


def _by_source(figures: Figures) -> str:
    """What sources left out before prepare saw it, so that there is nothing to listen to; empty where there is none."""
    rows = [
        [escape(name), escape(reason), f"{count:,}"]
        for name, entry in figures.entries.items()
        for reason, count in entry.facts.get("left_out_by_source", {}).items()
    ]
    hint = "<p class='hint'>By the source, before prepare saw it: no part of what was seen.</p>"
    return hint + table_html(["data", "reason", "count"], rows, {2}) if rows else ""


# --------------------------------------------------------------------------- distributions


def _histograms(figures: Figures, table: PrepareTable) -> str:
    made = []
    for measure in MEASURES:
        histogram = figures.histograms[measure.name]
        picture = histogram_svg(histogram, measure.limits(table))
        told = f"{histogram.kept.total():,} kept, {histogram.left.total():,} left out"
        picture = picture or '<p class="hint">not measured</p>'
        made.append(f"<figure><figcaption>{measure.title} <small>{told}</small></figcaption>{picture}</figure>")
    key = '<p class="hint key"><i class="kept"></i>kept <i class="left"></i>left out <i class="limit"></i>limit</p>'
    hint = "<p class='hint'>Without what was left out for its speaker or for a limit of hours.</p>"
    return f'<section><h2>Distributions</h2>{key}<div class="grid">{"".join(made)}</div>{hint}</section>'


def _pauses(figures: Figures, table: PrepareTable, trained: Mapping[Place, Excerpt]) -> str:
    made = []
    for name, entry in figures.entries.items():
        picture = histogram_svg(entry.pauses, PAUSES.limits(table)) or '<p class="hint">no pause of 0.1 s or more</p>'
        count = f"{entry.pauses.count:,} pause{'s' * (entry.pauses.count != 1)}"
        told = f"{count} in {entry.with_pause:,} of {entry.hours.kept:,} utterances"
        examples = []
        for _, _, row in entry.paused:
            excerpt = trained.get((row["entry"], row["id"]))
            wave = ""
            if excerpt is not None and excerpt.wave_N is not None:
                rate = round(len(excerpt.wave_N) / excerpt.seconds)
                wave = wave_svg(excerpt.wave_N, rate, excerpt.pauses)
            examples.append(utterance(row, excerpt, wave))
        made.append(
            f"<figure><figcaption>{escape(name)} <small>{told}</small></figcaption>{picture}"
            f'<ul class="utterances">{"".join(examples)}</ul></figure>'
        )
    hint = (
        "<p class='hint'>Nothing is denoised, and nothing inside an utterance is cut: breaths and pauses are part of "
        "speech. The examples are what the model hears; their pauses are shaded.</p>"
    )
    return f'<section><h2>Pauses kept</h2>{hint}<div class="grid">{"".join(made)}</div></section>'


# --------------------------------------------------------------------------- licences and notes


def _licences(figures: Figures) -> str:
    rows = [
        [escape(name), escape(entry.facts["source"]), _licence_of(entry.facts["licence"])]
        for name, entry in figures.entries.items()
    ]
    return f"<section><h2>Licences</h2>{table_html(['data', 'source', 'licence'], rows, set())}</section>"


def _licence_of(licences: list[str]) -> str:
    return ", ".join(map(licence_html, licences)) or "<em>its source does not tell: find out before you share</em>"


def _notes(figures: Figures, table: PrepareTable) -> str:
    from kathrine.corpus.report import warnings_of

    entries = figures.entries.items()
    warnings = [warning for name, entry in entries for warning in warnings_of(name, entry.facts, table)]
    notes = [f"{name}: {note}" for name, entry in entries for note in entry.facts["notes"]]
    lines = [f'<li class="warning">{escape(line)}</li>' for line in warnings]
    lines += [f"<li>{escape(line)}</li>" for line in notes]
    return f"<section><h2>Notes</h2><ul>{''.join(lines)}</ul></section>" if lines else ""
