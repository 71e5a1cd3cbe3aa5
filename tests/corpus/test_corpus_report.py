"""What prepare says at its end: the tables, at the width of a terminal, and the warnings that name an entry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corpus_fakes import ListSource, prepared, recipe, utterances
from rich.console import Console

from kathrine.corpus.figures import gather
from kathrine.corpus.figures_text import figures_view
from kathrine.corpus.gates import EXPLANATIONS
from kathrine.corpus.report import corpus_table
from kathrine.corpus.verdicts import read_verdicts
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.recipe.tables import PrepareTable


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audio")


def test_narrow_band_and_cut_sources_are_warned_about_by_name(audio: Path, tmp_path: Path) -> None:
    progress = SilentProgress()
    given = [replace(each, cut=True) for each in utterances(audio, 6)]
    prepared(tmp_path, recipe(given, table={"narrowband_hz": 7000.0}), progress)
    narrow, cut = progress.warned
    assert narrow.startswith("a: ") and "4.0 kHz" in narrow and "8000 Hz" in narrow
    assert cut.startswith("a: 100%")


def test_fewer_hours_than_asked_for_are_said_with_the_remedy(audio: Path, tmp_path: Path) -> None:
    given = utterances(audio, 20)
    more, enough = SilentProgress(), SilentProgress()
    corpus = prepared(tmp_path / "more", recipe(given, max_hours=2.0), more)
    minutes = corpus.facts["entries"]["a"]["hours"] * 60
    (line,) = [line for line in more.said if "asked for" in line]
    assert line.startswith(f"a: asked for 2.00 h, accepted {minutes:.1f} min") and "margin" not in line
    gated, shut = {"min_seconds": 0.7}, SilentProgress()
    prepared(tmp_path / "gated", recipe(given, max_hours=2.0, table=gated), shut)
    assert any("asked for" in line and "`margin`" in line for line in shut.said)
    prepared(tmp_path / "enough", recipe(given, max_hours=7 / 3600), enough)
    assert not [line for line in enough.said if "asked for" in line]


def test_recordings_of_16_khz_are_never_taken_silently() -> None:
    assert PrepareTable().narrowband_hz > 8000


def test_the_table_says_it_all(audio: Path, tmp_path: Path) -> None:
    corpus = prepared(tmp_path, recipe(utterances(audio, 20), table={"min_seconds": 0.7}))
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    console.print(corpus_table(corpus.facts))
    text = console.export_text()
    assert "too short" in text and " 4.0 " in text and " 3 " in text


def test_the_table_fits_80_columns_with_the_numbers_of_a_real_corpus(audio: Path, tmp_path: Path) -> None:
    entry = prepared(tmp_path, recipe(utterances(audio, 20))).facts["entries"]["a"]
    entry |= {"seen": 55400, "kept": 41230, "hours": 60.0, "speakers": 261, "bandwidth_hz": 10512.0}
    entry |= {"splits": {"train": {"utterances": 36000}, "validation": {"utterances": 2600}}}
    entry |= {"rejected": dict.fromkeys(EXPLANATIONS, 12345)}
    console = Console(width=80, record=True, file=(tmp_path / "out").open("w"))
    console.print(corpus_table({"entries": {"stortinget-48k": entry}}))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    head = next(line for line in lines if line.startswith("data"))
    assert head.split() == ["data", "seen", "kept", "hours", "train", "valid.", "test", "speakers", "kHz", "cut"]
    row = next(line for line in lines if line.startswith("stortinget-48k"))
    assert row.split() == ["stortinget-48k", "55400", "41230", "60.00", "36000", "2600", "0", "261", "10.5", "0%"]
    for reason in EXPLANATIONS:
        assert any(line.startswith("stortinget-48k") and f" {reason} " in line for line in lines)


def test_what_a_source_left_out_stands_in_facts_table_page_and_data(audio: Path, tmp_path: Path) -> None:
    made = recipe(utterances(audio, 6))
    made.data[0].source = ListSource(utterances(audio, 6), {"[bold]clip</b> missing": 1234, "never": 0})
    corpus = prepared(tmp_path, made)
    assert corpus.facts["entries"]["a"]["left_out_by_source"] == {"[bold]clip</b> missing": 1234}
    figures = gather(read_verdicts(corpus.folder), corpus.facts)
    for number, view in enumerate((corpus_table(corpus.facts), figures_view(figures, corpus.facts, made.prepare))):
        console = Console(width=80, record=True, file=(tmp_path / f"{number}").open("w"))
        console.print(view)
        (line,) = [line for line in console.export_text().splitlines() if "1234" in line]
        assert line.split() == ["a", "[bold]clip</b>", "missing", "1234", "by", "the", "source"]
    page = (corpus.folder / "corpus.html").read_text(encoding="utf-8")
    assert "[bold]clip&lt;/b&gt; missing" in page and "1,234" in page and "Nothing was left out" not in page


def test_a_fault_while_a_source_counts_is_named(audio: Path, tmp_path: Path) -> None:
    made = recipe(utterances(audio, 6))
    made.data[0].source = ListSource(utterances(audio, 6), {"odd": "many"})  # type: ignore[dict-item]
    with pytest.raises(KathrineError, match="a: source list failed while counting what it left out: ValueError"):
        prepared(tmp_path, made)


def test_the_documentation_explains_every_reason() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for reason, meaning in EXPLANATIONS.items():
        assert f"| {reason} | {meaning} |" in page
