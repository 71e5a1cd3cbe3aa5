"""What prepare tells: facts of a corpus, and the table made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from kathrine.corpus.gates import EXPLANATIONS, count_reasons
from kathrine.corpus.page_parts import visible
from kathrine.corpus.rows import Row
from kathrine.speech.limits import pace
from kathrine.types import Fingerprints, ModelFacts

if TYPE_CHECKING:
    from rich.console import Group

    from kathrine.components import Progress
    from kathrine.recipe.tables import DataTable, PrepareTable

BY_SOURCE = "by the source"
"""What stands for the meaning of a reason that is the source's own."""
MANY_CUT = 0.5
DAMAGE = ("missing file", "corrupt", "crashed the decoder", "length differs", "bad codes", "bad reference")
SPLIT_COLUMNS = {"train": "train", "valid.": "validation", "test": "test"}


def entry_facts(
    source: str, rows: Sequence[Row], notes: Sequence[str], left_out: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Facts of one data entry: what was seen and kept, why the rest was not, hours, speakers, licence.

    splits: utterances, seconds and the longest utterance of each. bandwidth_hz: median of the kept recordings, 0
    without any. cut_share: of the kept utterances, those that end mid-speech. pace: how long their letters are
    (`speech.limits`). left_out_by_source: what never became an utterance, by the source's own reasons; no part of
    `seen`."""
    kept = [row for row in rows if row.kept]
    bandwidths = [row.sound.bandwidth_hz for row in kept if row.sound is not None]
    rates = sorted({row.sound.original_rate for row in kept if row.sound is not None})
    splits = {
        split: {
            "utterances": len(part),
            "seconds": round(sum(row.seconds for row in part), 3),
            "longest_seconds": round(max(row.seconds for row in part), 3),
        }
        for split in ("train", "validation", "test")
        if (part := [row for row in kept if row.split == split])
    }
    return {
        "source": source,
        "seen": len(rows),
        "kept": len(kept),
        "seconds": round(sum(row.seconds for row in kept), 3),
        "hours": round(sum(row.seconds for row in kept) / 3600, 4),
        "speakers": len({row.speaker for row in kept}),
        "rejected": count_reasons(row.reason for row in rows),
        "left_out_by_source": dict(left_out or {}),
        "splits": splits,
        "original_rates": rates,
        "bandwidth_hz": round(median(bandwidths), 1) if bandwidths else 0.0,
        "cut_share": round(sum(row.cut for row in kept) / len(kept), 4) if kept else 0.0,
        "languages": sorted({row.utterance.language for row in kept if row.utterance.language}),
        "licence": sorted({row.utterance.facts["licence"] for row in kept if row.utterance.facts.get("licence")}),
        "pace": pace(
            [(row.seconds, row.seconds * (1 - row.sound.silence), row.letters) for row in kept if row.sound is not None]
        ),
        "notes": list(notes),
    }


def shortfall_notes(table: DataTable, rows: Sequence[Row]) -> list[str]:
    """A line where less was accepted than `max_hours` asks for, although nothing was left out for being beyond it."""
    accepted = sum(row.seconds for row in rows if row.kept) / 3600
    stopped = any(row.reason == "max_hours" and row.split == "train" for row in rows)
    if table.max_hours is None or stopped or accepted >= table.max_hours:
        return []
    told = f"asked for {length(table.max_hours)}, accepted {length(accepted)}: that is all the source gave"
    if all(row.kept for row in rows):
        return [told]
    return [f"{told}. Loosen its limits or those of [prepare], or raise its option `margin` where it has one"]


def length(hours: float) -> str:
    """Hours as text, minutes where there is not one."""
    return f"{hours:.2f} h" if hours >= 1 else f"{hours * 60:.1f} min"


def corpus_facts(
    model: ModelFacts,
    fingerprints: Fingerprints,
    conditioning: str,
    rules: str,
    entries: dict[str, dict[str, Any]],
    verdicts: str = "",
) -> dict[str, Any]:
    """Facts of a whole corpus; the same inputs give the same facts. verdicts: digest of what is told of every
    utterance, so that a corpus is never taken for another one with the same counts."""
    return {
        "entries": entries,
        "model": {"family": model.family, "sample_rate": model.sample_rate, "codebooks": model.codebooks},
        "frames_per_second": model.frames_per_second,
        "fingerprints": {
            "codec": fingerprints.codec,
            "speaker": fingerprints.speaker,
            "text": fingerprints.text,
        },
        "conditioning": conditioning,
        "text_rules": rules,
        "verdicts": verdicts,
    }


def tell(facts: dict[str, Any], table: PrepareTable, progress: Progress) -> None:
    """Say what every entry gave, and warn by name where its recordings will limit the result."""
    for name, entry in facts["entries"].items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in entry["rejected"].items())
        progress.say(
            f"{name}: kept {entry['kept']} of {entry['seen']} utterances, {entry['hours']:.2f} h, "
            f"{entry['speakers']} speakers" + (f"; left out: {reasons}" if reasons else "")
        )
        for note in entry["notes"]:
            progress.say(f"{name}: {note}")
        for warning in warnings_of(name, entry, table):
            progress.warn(warning)


def warnings_of(name: str, entry: Mapping[str, Any], table: PrepareTable) -> Iterator[str]:
    """What will limit the result, by the facts of an entry."""
    if 0 < entry["bandwidth_hz"] < table.narrowband_hz:
        rates = " and ".join(f"{rate} Hz" for rate in entry["original_rates"])
        yield (
            f"{name}: these recordings reach up to {entry['bandwidth_hz'] / 1000:.1f} kHz only (median; "
            f"files of {rates}): s, f and kj will sound dull. Look for a version of this corpus with a "
            "higher sampling rate or bit rate"
        )
    if entry["cut_share"] > MANY_CUT:
        yield (
            f"{name}: {entry['cut_share']:.0%} of the recordings stop in the middle of speech; the model "
            "does not learn from them where an utterance ends"
        )


def tell_damaged(entry: str, rows: Sequence[Row], progress: Progress) -> None:
    """Warn of recordings that could not be used, the first of each kind by name: files can be got again."""
    for reason in DAMAGE:
        damaged = [row for row in rows if row.reason == reason]
        if damaged:
            more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
            progress.warn(f"{entry}: {reason}: {damaged[0].id}: {damaged[0].detail}{more}")


def corpus_table(facts: dict[str, Any]) -> Group:
    """The tables at the end of `kathrine prepare`: what was kept, and why the rest was not. 80 columns are enough."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    narrow: Any = {"box": box.SIMPLE_HEAD, "show_edge": False, "padding": (0, 1, 0, 0), "title_justify": "left"}
    kept = Table(title="Prepared corpus", **narrow)
    words = "train, valid., test: utterances; kHz: median bandwidth; cut: end in mid-speech\n"
    for column in ("data", "seen", "kept", "hours", *SPLIT_COLUMNS, "speakers", "kHz", "cut"):
        kept.add_column(column, justify="left" if column == "data" else "right", overflow="fold")
    left = Table(title="Left out", **narrow)
    for column in ("data", "reason", "count", "meaning"):
        left.add_column(column, justify="right" if column == "count" else "left", overflow="fold")
    for name, entry in facts["entries"].items():
        kept.add_row(
            name,
            str(entry["seen"]),
            str(entry["kept"]),
            f"{entry['hours']:.2f}",
            *(str(entry["splits"].get(split, {}).get("utterances", 0)) for split in SPLIT_COLUMNS.values()),
            str(entry["speakers"]),
            f"{entry['bandwidth_hz'] / 1000:.1f}" if entry["bandwidth_hz"] else "-",
            f"{entry['cut_share']:.0%}",
        )
        for reason, count in entry["rejected"].items():
            left.add_row(name, reason, str(count), EXPLANATIONS[reason])
        # A corpus that was prepared before has no such counts. Reasons of plugins are text, not markup.
        for reason, count in entry.get("left_out_by_source", {}).items():
            left.add_row(name, Text(visible(reason)), str(count), BY_SOURCE)
    return Group(kept, words, left) if left.rows else Group(kept, words)
