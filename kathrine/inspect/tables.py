"""Tables of `--text` and `--rows` for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kathrine.inspect.rows import FREE, Row, TableRows, spans
from kathrine.inspect.text import TextReport

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_LETTERS = 12
MOST_SUSPECTS = 12


def text_tables(report: TextReport) -> list[RenderableType]:
    """How both languages are cut, and the letters of more than one byte."""
    from rich.table import Table

    both = (report.target, report.known)
    table = Table(title=f"text, as the tokenizer of {report.model} cuts it", title_justify="left")
    table.add_column("")
    for which in ("target", "known"):
        table.add_column(which, justify="right")

    def share(value: float | None) -> str:
        return "not known" if value is None else f"{value:.1%}"

    for title, cells in (
        ("texts", [f"{one.texts:,}" for one in both]),
        ("words", [f"{one.words:,}" for one in both]),
        ("letters per word", [f"{one.letters_per_word:.2f}" for one in both]),
        ("tokens per word", [f"{one.tokens_per_word:.2f}" for one in both]),
        ("tokens per letter", [f"{one.tokens_per_letter:.3f}" for one in both]),
        ("words that are one token", [share(one.whole) for one in both]),
        ("words cut into single letters", [share(one.single_letters) for one in both]),
        ("rows of the text embedding touched", [f"{one.rows.touched:,}" for one in both]),
        ("  share of the table", ["-" if one.rows.share is None else f"{one.rows.share:.2%}" for one in both]),
        (f"  of these fewer than {report.target.rows.rare_below} times", [f"{one.rows.rare:,}" for one in both]),
        ("  not touched by the other", [f"{report.only_target:,}", f"{report.only_known:,}"]),
    ):
        table.add_row(title, *cells)
    letters = Table(title="letters of more than one byte", title_justify="left")
    for name in ("letter", "language", "times", "fell apart", "share"):
        letters.add_column(name, justify="left" if name in ("letter", "language") else "right")
    for which, one in zip(("target", "known"), both, strict=True):
        for letter in (one.letters or ())[:MOST_LETTERS]:
            letters.add_row(letter.letter, which, f"{letter.count:,}", f"{letter.fell_apart:,}", f"{letter.share:.1%}")
    names = [f"target language: {report.target.name}", f"known language: {report.known.name}"]
    return [*names, table, *([letters] if letters.row_count else [])]


def row_tables(found: TableRows) -> list[RenderableType]:
    """Kinds of rows, the languages with their neighbours, free rows that look trained, and those that do not."""
    from rich.table import Table

    kinds = Table(title=f"rows of {found.table}, {found.width} wide", title_justify="left")
    for name in ("kind", "rows", "least norm", "median", "greatest"):
        kinds.add_column(name, justify="left" if name == "kind" else "right")
    for kind in found.kinds:
        norms = (f"{value:.4g}" for value in (kind.least, kind.median, kind.greatest))
        kinds.add_row(kind.kind, f"{kind.rows:,}", *norms)
    kinds.add_section()
    kinds.add_row("all with a meaning", "", "", f"{found.trained_median:.4g}", "")
    shown = [row for row in found.rows if row.kind == "language"]
    suspects = [row for row in found.rows if row.looks_trained]
    rows = Table(title="languages, and free rows that look trained", title_justify="left")
    for name in ("row", "what", "norm", "nearest rows (cosine)", "verdict"):
        rows.add_column(name, justify="right" if name in ("row", "norm") else "left")
    for row in (*shown, *suspects[:MOST_SUSPECTS]):
        verdict = f"looks trained: {row.why}" if row.looks_trained else ""
        rows.add_row(str(row.row), row.name or row.kind, f"{row.norm:.4g}", near(row), verdict)
    more = len(suspects) - MOST_SUSPECTS
    told: list[RenderableType] = [kinds, rows]
    if more > 0:
        told.append(f"and {more} more free rows that look trained: {spans([row.row for row in suspects])}")
    count = sum(row.kind == FREE for row in found.rows)
    told.append(f"free rows that do not look trained, {len(found.free)} of {count}: {spans(found.free)}")
    return told


def near(row: Row) -> str:
    return ", ".join(f"{one.name or f'{one.kind} {one.row}'} {one.cosine:.2f}" for one in row.nearest) or "-"
