"""The page of a prepared corpus: parsed, compared with the facts, and given hostile text."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_fakes import prepared, recipe, speech, utterances

from kathrine.corpus import page as page_module
from kathrine.corpus.drawing import histogram_svg, nice_step, wave_svg
from kathrine.corpus.figures import MEASURES, PAUSES, Histogram, gather
from kathrine.corpus.page import NAME, page_mark, write_page
from kathrine.corpus.page_parts import hours, licence_html, visible
from kathrine.corpus.prepared import PreparedCorpus
from kathrine.corpus.verdicts import read_verdicts
from kathrine.errors import KathrineError
from kathrine.recipe.tables import PrepareTable

HOSTILE = '</title><script>alert("1")</script><img src=x onerror=alert(2)> & \x07 {{7*7}}'
VOID = {"meta", "img", "br", "rect", "line", "polygon"}


class Reader(HTMLParser):
    """Tags that are open, what was opened, and the text of cells and headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row and row[0].startswith(first))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    """Two entries: pauses and text that attacks in one, several reasons in the other."""
    folder = tmp_path_factory.mktemp("page")
    first = [
        replace(each, facts={"licence": "CC0-1.0", "speaker_name": f"Name <b>{n % 3}</b>"})
        for n, each in enumerate(utterances(folder / "audio", 24))
    ]
    first[3] = replace(first[3], texts={"text": HOSTILE.replace("\x07", "")}, speaker="<i>s0</i>", end=5.0)
    first[4] = replace(first[4], texts={"text": HOSTILE})
    second = []
    for number in range(16):
        path = folder / f"b{number}.wav"
        wave = speech(1.6, 50 + number, 8000)
        wave[5000 : 5000 + 200 * number] = 0
        if number == 1:
            wave = np.clip(wave * 30, -1, 1)
        soundfile.write(path, wave, 8000)
        second.append(replace(first[0], id=f"b{number:02d}", audio=path, speaker="b", facts={}))
    second[2] = replace(second[2], texts={"text": "ja"}, seconds=1.6)
    second[3] = replace(second[3], audio=folder / "absent.wav")
    table = {"max_pause_seconds": 0.3, "max_silence_share": 1.0, "narrowband_hz": 6000.0, "min_words": 2}
    return prepared(folder / "ws", recipe(first, second, table=table))


@pytest.fixture(scope="module")
def text(corpus: PreparedCorpus) -> str:
    return (corpus.folder / NAME).read_text(encoding="utf-8")


def test_the_numbers_are_those_of_the_facts(corpus: PreparedCorpus, text: str) -> None:
    read = Reader(text)
    for name, entry in corpus.facts["entries"].items():
        row = read.row(name)
        assert row[2:4] == [str(entry["seen"]), str(entry["kept"])] and row[5] == hours(entry["seconds"])
        assert row[6] == f"{entry['kept'] / entry['seen']:.0%}"
        splits = entry["splits"]
        assert row[7:10] == [str(splits.get(each, {}).get("utterances", 0)) for each in ("train", "validation", "test")]
        assert row[10] == f"{entry['bandwidth_hz'] / 1000:.1f} kHz" and row[11] == f"{entry['cut_share']:.0%}"
    said = "".join(read.text)
    rejected = [entry["rejected"] for entry in corpus.facts["entries"].values()]
    for reason in {reason for counts in rejected for reason in counts}:
        count = sum(counts.get(reason, 0) for counts in rejected)
        assert re.search(rf"<b>{reason}</b>.*?<strong>{count}</strong>", text)
        assert said.count(reason) >= 1
    assert set(rejected[0]) == {"control characters", "length differs"}
    assert {"few words", "missing file", "long pause", "clipping"} <= set(rejected[1])
    assert "CC0-1.0" in said and "its source does not tell" in said
    assert "a: these recordings reach up to 4.0 kHz only" in said


def test_hours_in_and_kept_by_speaker(corpus: PreparedCorpus, text: str) -> None:
    read = Reader(text)
    figures = gather(read_verdicts(corpus.folder), corpus.facts)
    assert figures.total.seen == 40 and figures.total.kept == len(corpus.rows)
    assert figures.total.seconds_kept == pytest.approx(sum(row.seconds for row in corpus.rows), abs=0.01)
    for entry in figures.entries.values():
        assert sum(one.seen for one in entry.speakers.values()) == entry.hours.seen == entry.facts["seen"]
        assert sum(one.seconds_in for one in entry.speakers.values()) == pytest.approx(entry.hours.seconds_in)
        assert entry.hours.seconds_kept == pytest.approx(entry.facts["seconds"], abs=0.02)
    s1 = figures.entries["a"].speakers["s1"]
    assert read.row("s1")[1:5] == [str(s1.seen), str(s1.kept), hours(s1.seconds_in) + "*", hours(s1.seconds_kept)]
    # The part that was asked for counts, and what nobody listened to and no source tells the length of, does not.
    assert figures.entries["a"].speakers["<i>s0</i>"].seconds_in == 5.0
    assert s1.unknown == 1 == figures.entries["b"].hours.unknown
    assert "2 utterances were not listened to" in "".join(read.text)


def test_three_examples_are_playable_and_the_rest_says_why_not(corpus: PreparedCorpus, text: str) -> None:
    read = Reader(text)
    sounds = [attributes["src"] or "" for tag, attributes in read.tags if tag == "audio"]
    assert len(sounds) >= 5 and all(sound.startswith("data:audio/mpeg;base64,") for sound in sounds)
    for sound in sounds:
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(sound.split(",")[1])))
        assert rate == 24000 and 0 < len(wave) / rate < 8.2 and np.abs(wave).max() > 0.05
    assert "absent.wav does not exist" in text
    pauses = next(part for part in text.split("<details>") if "<b>long pause</b>" in part).split("</details>")[0]
    assert pauses.count("<audio") == 3
    figures = gather(read_verdicts(corpus.folder), corpus.facts)
    assert all(len(examples) == min(3, figures.reasons[reason]) for reason, examples in figures.examples.items())


def test_pauses_that_were_kept_are_shown_and_shaded(corpus: PreparedCorpus, text: str) -> None:
    figures = gather(read_verdicts(corpus.folder), corpus.facts)
    entry = figures.entries["b"]
    longest = [-length for length, _, _ in entry.paused]
    kept = [row for row in read_verdicts(corpus.folder) if row["entry"] == "b" and row["kept"]]
    assert longest == sorted((max(row["pauses"]) for row in kept if row["pauses"]), reverse=True)[:2]
    assert 0.15 < longest[0] <= 0.3
    assert entry.pauses.count == sum(len(row["pauses"]) for row in kept) == entry.pauses.kept.total()
    section = text[text.index("Pauses kept") :]
    assert len(re.findall(r'class="pause"', section)) >= 2 and f"pause of {longest[0]:.2f} s" in section
    assert "Nothing is denoised" in section


def test_text_from_data_is_text(text: str) -> None:
    read = Reader(text)
    names = {tag for tag, _ in read.tags}
    assert not names & {"script", "img", "i b", "iframe", "object"}
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    said = "".join(read.text)
    assert '</title><script>alert("1")</script>' in said and "<i>s0</i>" in said and "␇" in said
    assert "Name <b>1</b>" in said and "\x07" not in text


def test_nothing_is_asked_of_anywhere_else(text: str) -> None:
    read = Reader(text)
    for tag, attributes in read.tags:
        assert tag not in ("link", "base") and "srcset" not in attributes
        assert (attributes.get("src") or "data:").startswith("data:")
        assert tag == "a" or "href" not in attributes
    links = {attributes["href"] for tag, attributes in read.tags if tag == "a"}
    assert links == {"https://creativecommons.org/publicdomain/zero/1.0/"}
    outside = re.sub(r"data:audio/mpeg;base64,[\w+/=]+", "", text)
    assert set(re.findall(r"https?:", outside)) == {"https:"} and outside.count("https:") == len(links)
    assert "url(" not in outside and "@import" not in outside
    assert "prefers-color-scheme:dark" in outside and "width=device-width" in outside


def test_the_page_is_written_again_when_it_would_change_only(
    corpus: PreparedCorpus, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kathrine.corpus.audio import Conditioning

    table, settings, path = PrepareTable(min_words=3), Conditioning(4000), corpus.folder / NAME
    try:
        assert write_page(corpus.folder, corpus.facts, table, settings) == path
        first = path.read_bytes()
        monkeypatch.setattr(page_module, "gather", lambda *args: pytest.fail("nothing has changed"))
        write_page(corpus.folder, corpus.facts, PrepareTable(min_words=3, batch=7), settings)
        assert path.read_bytes() == first != text.encode()
        monkeypatch.undo()
        assert page_mark(corpus.facts, table) != page_mark(corpus.facts, PrepareTable(min_words=4))
        path.unlink()
        write_page(corpus.folder, corpus.facts, table, settings)
        assert path.read_bytes() == first, "the same data, the same bytes"
    finally:
        path.write_text(text, encoding="utf-8")


def test_a_page_stays_small(text: str) -> None:
    # The longest: 30 reasons with three clips of 8 s, and four entries with two.
    from kathrine.corpus.excerpts import mp3_uri

    noise = np.random.default_rng(0).normal(0, 0.2, 8 * 24000).astype(np.float32)
    assert len(mp3_uri(noise)) * (30 * 3 + 8) < 12e6 and len(mp3_uri(speech(8.0, 1, 24000))) * 98 < 10e6
    assert len(text) < 3e6


# --------------------------------------------------------------------------- pieces


def test_histograms_have_axes_and_limits() -> None:
    duration = Histogram(MEASURES[0])
    for value, kept in ((1.2, False), (2.0, True), (2.1, True), (2.4, False), (99.0, False)):
        duration.add(value, kept)
    duration.add(None, True)
    duration.add(float("nan"), True)
    assert duration.count == 5 and duration.kept == {4: 2} and duration.left == {2: 1, 4: 1, 59: 1}
    picture = histogram_svg(duration, MEASURES[0].limits(PrepareTable()))
    read = Reader(picture)
    assert "2 to 2.5 s: 2 kept, 1 left out" in picture and "from 29.5 to 30 s: 0 kept, 1 left out" in picture
    assert sum(attributes.get("class") == "limit" and tag == "line" for tag, attributes in read.tags) == 2
    assert {"1.5", "15", "s"} <= set(read.text)
    bars = [attributes for tag, attributes in read.tags if tag == "rect" and attributes["class"] == "kept"]
    lefts = [attributes for tag, attributes in read.tags if tag == "rect" and attributes["class"] == "left"]
    assert max(float(bar["height"] or 0) for bar in bars) == pytest.approx(
        2 * max(float(bar["height"] or 0) for bar in lefts), rel=0.02
    )
    assert "0" in read.text and "-0" not in read.text
    assert histogram_svg(Histogram(MEASURES[0])) == ""


def test_every_measure_has_a_place_for_every_value() -> None:
    for measure in (*MEASURES, PAUSES):
        for number in range(measure.bins):
            low, high = measure.edges(number)
            assert measure.bin_of(low) == number and measure.bin_of((low + high) / 2) == number
        assert measure.bin_of(1e9) == measure.bins - 1 and measure.bin_of(-1e9) == 0


def test_steps_are_round() -> None:
    assert [nice_step(span, 4) for span in (1, 3, 7, 40, 999)] == [0.5, 1, 2, 10, 500]
    assert nice_step(30, 8) == 5 and nice_step(3, 8) == 0.5 and nice_step(0, 4) == 1


def test_waves_are_drawn_to_their_full_height() -> None:
    wave = np.concatenate([np.ones(100), np.zeros(100), -0.5 * np.ones(100)]).astype(np.float32)
    picture = wave_svg(wave, 100, [(1.0, 2.0)])
    (shade,) = [attributes for tag, attributes in Reader(picture).tags if tag == "rect"]
    assert (float(shade["x"] or 0), float(shade["width"] or 0)) == (pytest.approx(186.7), pytest.approx(186.7))
    assert "0.0,3.0" in picture
    Reader(wave_svg(np.zeros(0, np.float32), 100, []))


def test_words_of_the_page() -> None:
    assert [hours(seconds) for seconds in (0, 59.4, 59.6, 61, 3725, 36000)] == [
        "0.0 s",
        "59.4 s",
        "1 min 00 s",
        "1 min 01 s",
        "1.03 h",
        "10.00 h",
    ]
    assert licence_html("cc0-1.0").startswith('<a href="https://creativecommons.org/publicdomain')
    assert (
        licence_html("https://example.org/terms") == '<a href="https://example.org/terms">https://example.org/terms</a>'
    )
    assert licence_html('javascript:alert("1")') == "javascript:alert(&quot;1&quot;)"
    assert licence_html("my own <b>") == "my own &lt;b&gt;"
    assert visible("a\u00ad\u00a0b\x1b\x9f") == "a b␛�"


def test_a_damaged_list_of_verdicts_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(KathrineError, match=r"manifest\.jsonl can not be read"):
        list(read_verdicts(tmp_path))
    (tmp_path / "manifest.jsonl").write_text('{"id": "a"}\n{"id":\n')
    with pytest.raises(KathrineError, match=r"manifest\.jsonl:2 is damaged"):
        list(read_verdicts(tmp_path))
