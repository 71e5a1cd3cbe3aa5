"""Sets of sentences, intervals, scores that survive a kill, tables, and what was forgotten."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from kathrine import KathrineError, Metric, MetricContext, MetricFacts, MetricTake, Options, Workspace
from kathrine.catalog import Catalog
from kathrine.progress import SilentProgress
from kathrine.recipe.metric_options import metrics_with
from kathrine.speech.evaluation import JsonLines, Made, System, read_wave, score_systems
from kathrine.speech.evaluation_results import write_results
from kathrine.speech.evaluation_table import evaluation_table, forgotten_table, number, skipped_lines
from kathrine.speech.intervals import Estimate, changes, estimates
from kathrine.speech.retention import forgotten, verdict
from kathrine.speech.sets import bundled_set, held_out, human_takes, limited, read_set, set_of, text_key
from kathrine.speech.takes import write_wave


class LoudOptions(Options):
    missing: str = ""
    """Why it can not run."""
    factor: float = 1.0
    """On what it measures."""


class Loud(Metric):
    """Peaks; remembers which takes it was asked about, and dies where it is told to."""

    name = "loud"
    shows = {"peak": "lower", "count": ""}  # noqa: RUF012
    Options = LoudOptions

    def __init__(self, options: Any = None, label: str = "", dies_at: str = "") -> None:
        super().__init__(options, label)
        self.asked: list[str] = []
        self.dies_at = dies_at

    def available(self) -> str:
        return self.options.missing

    def open(self, context: MetricContext) -> MetricFacts:
        return MetricFacts("1", "ear", "abc", "cpu", "proxy")

    def score(self, wave: np.ndarray, sample_rate: int, text: str, reference: Any) -> Mapping[str, float | str]:
        if text == self.dies_at:
            raise KeyboardInterrupt
        self.asked.append(text)
        peak = float(np.abs(wave).max()) * self.options.factor if wave.size else 0.0
        return {"peak": peak, "heard": text.upper()}


class Reader(Loud):
    name = "reader"
    reads_transcripts = True
    shows = {"letters": ""}  # noqa: RUF012

    def score_take(self, take: MetricTake) -> Mapping[str, float | str]:
        return {"letters": float(len(take.heard["loud"]))}


def context(folder: Path) -> MetricContext:
    return MetricContext(Workspace(folder / "ws"), SilentProgress(), language="toy")


def system(folder: Path, name: str = "one", peaks: Sequence[float] = (0.1, 0.3, 0.2), **more: Any) -> System:
    takes = []
    for place, peak in enumerate(peaks):
        path = folder / name / f"{place}.wav"
        write_wave(path, np.array([0.0, peak, -peak], dtype=np.float32), 8000)
        takes.append(Made(f"{place}", place + 1, f"text {place}", path, ("silent",) if place == 0 else ()))
    return System(name, "model", folder / name, takes, **more)


# --------------------------------------------------------------------------- sets


def test_a_set_is_lines_of_clip_and_text(tmp_path: Path) -> None:
    write_wave(tmp_path / "kari.wav", np.zeros(10, dtype=np.float32), 8000)
    path = tmp_path / "set.txt"
    path.write_text("kari|Hei | du.\n\n|På deg.\n", encoding="utf-8")
    found = read_set(path)
    assert [(one.number, one.text, one.clip) for one in found.sentences] == [
        (1, "Hei | du.", tmp_path / "kari.wav"),
        (2, "På deg.", None),
    ]
    path.write_text("ola|Hei.\nuten strek\nkari|\n", encoding="utf-8")
    with pytest.raises(KathrineError) as error:
        read_set(path)
    for said in ("set.txt:1: there is no recording ola", "set.txt:2: expected", "set.txt:3: expected"):
        assert said in str(error.value)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(KathrineError, match="holds no sentences"):
        read_set(path)
    with pytest.raises(KathrineError, match="can not be read"):
        read_set(tmp_path / "none.txt")


def test_what_training_had_is_left_out_and_counted() -> None:
    found = set_of("mine", ["Hei på deg!", "Ha det.", "Takk."])
    kept = held_out(found, {text_key("hei,  PÅ deg")})
    assert [one.number for one in kept.sentences] == [2, 3] and kept.left_out == (1,)
    assert kept.digest() != found.digest() and text_key("på") != text_key("pa")


def test_a_few_are_spread_over_the_whole_set() -> None:
    found = set_of("mine", [str(number) for number in range(120)])
    assert [one.number for one in limited(found, 3).sentences] == [1, 41, 81]
    assert limited(found, 0) is found and limited(found, 500) is found


def test_base_languages_have_sentences_here() -> None:
    for language in ("english", "german"):
        texts = [one.text for one in bundled_set(language).sentences]
        assert len(texts) == len(set(texts)) == 10
    with pytest.raises(KathrineError, match="no sentences of 'french'"):
        bundled_set("french")


def test_human_recordings_by_number_or_by_text(tmp_path: Path) -> None:
    found = set_of("mine", ["Hei.", "Ha det."])
    with pytest.raises(KathrineError, match="is no folder"):
        human_takes(tmp_path / "none", found)
    with pytest.raises(KathrineError, match=r"no recording of a sentence"):
        human_takes(tmp_path, found)
    write_wave(tmp_path / "002.wav", np.zeros(9, dtype=np.float32), 8000)
    assert human_takes(tmp_path, found) == {2: tmp_path / "002.wav"}
    (tmp_path / "sentences.txt").write_text("002.wav|hei\n", encoding="utf-8")
    assert human_takes(tmp_path, found) == {1: tmp_path / "002.wav"}


# --------------------------------------------------------------------------- intervals


def mean(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {"x": sum(row["x"] for row in rows) / len(rows)}


def test_intervals_of_known_numbers() -> None:
    coin = {number: [{"x": float(number % 2)}] for number in range(100)}
    found = estimates(coin, mean)["x"]
    assert found.value == 0.5
    # a mean of 100 fair coins: standard error 0.05, so 0.402 to 0.598 by the normal distribution
    assert found.low == pytest.approx(0.402, abs=0.03) and found.high == pytest.approx(0.598, abs=0.03)
    assert estimates(coin, mean)["x"] == found
    same = estimates({number: [{"x": 2.0}] for number in range(5)}, mean)["x"]
    assert (same.value, same.low, same.high) == (2.0, 2.0, 2.0)
    assert estimates({1: [{"x": 2.0}]}, mean)["x"] == Estimate(2.0) and estimates({}, mean) == {}


def test_takes_of_one_sentence_are_not_independent() -> None:
    apart = {number: [{"x": float(number % 2)}] for number in range(60)}
    together = {number: [{"x": float(number % 2)}] * 10 for number in range(6)}
    narrow, wide = estimates(apart, mean)["x"], estimates(together, mean)["x"]
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_changes_are_drawn_in_pairs() -> None:
    before = {number: [{"x": float(number)}] for number in range(20)}
    after = {number: [{"x": number + 1.0}] for number in range(5, 30)}
    found = changes(before, after, mean)["x"]
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("change", "better", "said"),
    [
        (Estimate(0.2, 0.1, 0.3), "lower", "worse"),
        (Estimate(0.2, 0.1, 0.3), "higher", "better"),
        (Estimate(-0.2, -0.3, -0.1), "lower", "better"),
        (Estimate(0.2, -0.1, 0.3), "lower", "no clear change"),
        (Estimate(0.2, 0.1, 0.3), "", ""),
        (Estimate(0.2), "lower", ""),
    ],
)
def test_verdicts(change: Estimate, better: str, said: str) -> None:
    assert verdict(change, better) == said


# --------------------------------------------------------------------------- scores


def test_a_killed_evaluation_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        score_systems([system(tmp_path)], [Loud(dies_at="text 2")], context(tmp_path))
    log = tmp_path / "one" / "scores.jsonl"
    with log.open("a") as file:
        file.write('{"take": "half a li')
    metric, whole = Loud(), system(tmp_path)
    score_systems([whole], [metric], context(tmp_path))
    assert metric.asked == ["text 2"]
    assert len(JsonLines(log).rows()) == 3 and whole.results[0].values["peak"].value == pytest.approx(0.2, abs=1e-3)
    again = Loud()
    score_systems([system(tmp_path)], [again], context(tmp_path))
    assert again.asked == []
    for changed in (Loud(LoudOptions(factor=2.0)), Loud()):
        other = system(tmp_path, peaks=(0.1, 0.3, 0.4 if changed.options.factor == 1 else 0.2))
        score_systems([other], [changed], context(tmp_path))
    assert changed.asked == ["text 2"]  # a take that sounds otherwise is scored anew, the others are not


def test_what_is_missing_is_skipped_with_its_reason(tmp_path: Path) -> None:
    one = system(tmp_path)
    metrics = [Reader(), Loud(LoudOptions(missing="no ear here"))]
    score_systems([one], metrics, context(tmp_path))
    said = {result.label: result.skipped for result in one.results}
    assert said == {"loud": "no ear here", "reader": "there are no transcripts: no asr metric ran"}
    document = one.document()
    assert document["metrics"]["loud"]["values"] == {} and document["metrics"]["loud"]["skipped"] == "no ear here"
    assert skipped_lines([one]) == ["loud: skipped: no ear here", f"reader: skipped: {said['reader']}"]
    assert "skipped: no ear here" in printed(evaluation_table([one], "x"))


def test_transcripts_are_read_by_those_that_come_after(tmp_path: Path) -> None:
    one = system(tmp_path)
    score_systems([one], [Reader(), Loud()], context(tmp_path))
    assert one.value("reader", "letters") == len("TEXT 0") and one.value("none", "x") is None
    assert one.flagged.value == pytest.approx(1 / 3) and one.document()["flags"] == {"silent": pytest.approx(1 / 3)}


def test_takes_without_a_sound_are_read_as_such(tmp_path: Path) -> None:
    write_wave(tmp_path / "empty.wav", np.zeros(0, dtype=np.float32), 24000)
    wave, rate = read_wave(tmp_path / "empty.wav")
    assert wave.size == 0 and rate == 24000
    write_wave(tmp_path / "some.wav", np.zeros(2400, dtype=np.float32), 24000)
    assert len(read_wave(tmp_path / "some.wav", 8000)[0]) == 800
    with pytest.raises(KathrineError, match="can not be read"):
        read_wave(tmp_path / "none.wav")


def test_results_keep_what_earlier_evaluations_found(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for name, peaks in (("one", (0.1,)), ("two", (0.2,)), ("one", (0.3,))):
        scored = system(tmp_path, name, peaks)
        score_systems([scored], [Loud()], context(tmp_path))
        write_results(path, [scored], target="x", **({"choice": {"step": 1}} if name == "two" else {}))
    document = json.loads(path.read_text())
    assert document["choice"] == {"step": 1} and document["target"] == "x" and document["format"] == 1
    peaks = {one["name"]: one["metrics"]["loud"]["values"]["peak"]["value"] for one in document["systems"]}
    assert peaks == {"one": pytest.approx(0.3, abs=1e-3), "two": pytest.approx(0.2, abs=1e-3)}
    loud = document["systems"][0]["metrics"]["loud"]
    assert (loud["model"], loud["model_hash"], loud["version"], loud["device"], loud["caption"]) == (
        "ear", "abc", "1", "cpu", "proxy",
    )  # fmt: skip
    assert not list(tmp_path.glob("*.part"))


def test_results_of_other_metrics_sets_and_languages_stay(tmp_path: Path) -> None:
    path, told = tmp_path / "results.json", []

    def evaluated(metric: Metric, peak: float, sentences: str, **more: Any) -> dict[str, Any]:
        scored = system(tmp_path, "step 1", (peak,), about={"set": {"name": "mine", "digest": sentences}})
        score_systems([scored], [metric], context(tmp_path))
        return write_results(path, [scored], told.append, **more)

    german = {"language": "german", "label": "loud", "key": "peak"}
    evaluated(Loud(), 0.1, "a", retention=[german])
    evaluated(Loud(label="other"), 0.1, "a", retention=[{**german, "language": "english"}])
    document = evaluated(Loud(LoudOptions(missing="no ear")), 0.1, "b")
    assert [list(one["metrics"]) for one in document["systems"]] == [["other", "loud"], ["loud"]]
    assert [row["language"] for row in document["retention"]] == ["german", "english"]
    document = evaluated(Loud(LoudOptions(missing="no ear")), 0.1, "a")
    assert document["systems"][-1]["metrics"]["loud"]["values"], "what can not run now said something before"
    assert not told
    document = evaluated(Loud(), 0.4, "a")  # spoken anew: numbers of other takes are not its own
    assert list(document["systems"][-1]["metrics"]) == ["loud"] and "numbers of other are left out" in told[0]


def test_what_was_forgotten(tmp_path: Path) -> None:
    before, after = system(tmp_path, "before", (0.1, 0.2, 0.3)), system(tmp_path, "after", (0.2, 0.3, 0.4))
    after.language = "german"
    score_systems([before, after], [Loud()], context(tmp_path))
    (row,) = forgotten([(before, after)])
    assert row["language"] == "german" and row["verdict"] == "worse" and row["key"] == "peak"
    assert row["change"]["value"] == pytest.approx(0.1, abs=1e-3)
    said = printed(forgotten_table([row]))
    assert "german" in said and "+0.100" in said and "worse" in said


def printed(table: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(table)
    return out.getvalue()


def test_the_table_says_what_each_number_is(tmp_path: Path) -> None:
    one, two = system(tmp_path, "base"), system(tmp_path, "step 20", (0.5, 0.5))
    score_systems([one, two], [Loud()], context(tmp_path))
    said = printed(evaluation_table([one, two], "title"))
    assert "flag: silent" in said and "33.3 %" in said
    assert "base" in said and "step 20" in said and "proxy; ear" in said and "0.500" in said
    assert number(Estimate(0.031, 0.022, 0.04), share=True) == "3.1 % (2.2 to 4.0)"
    assert number(Estimate(123.4), share=False) == "123.4" and number(Estimate(0.5), True, sign=True) == "+50.0 %"


class Picky(Loud):
    """Says nothing of quiet takes."""

    name = "picky"

    def score(self, wave: np.ndarray, sample_rate: int, text: str, reference: Any) -> Mapping[str, float | str]:
        return {"peak": 1.0, "count": 1.0} if np.abs(wave).max() > 0.15 else {"count": 1.0}


def test_a_number_says_of_how_many_takes_it_is_made(tmp_path: Path) -> None:
    one = system(tmp_path)  # the first of three is quiet
    score_systems([one], [Picky()], context(tmp_path))
    values = one.document()["metrics"]["picky"]["values"]
    assert (values["peak"]["takes"], values["count"]["takes"]) == (2, 3)
    said = printed(evaluation_table([one], "title"))
    assert "1.000 (1.000 to 1.000), 2 of 3 takes" in said and "3 of 3" not in said


def test_a_metrics_mean_leaves_out_what_was_not_measured() -> None:
    assert Loud().summarise([{"a": 1.0, "heard": "x"}, {"a": 3.0, "b": 2}]) == {"a": 2.0, "b": 2.0}


# --------------------------------------------------------------------------- options


def test_metrics_and_their_options_from_the_command_line() -> None:
    catalog = Catalog.load()
    recipe = {"asr": catalog.component("metric", "asr")(None, "asr")}
    (made,) = metrics_with([], ["asr.backend=faster_whisper", 'asr.models=["wheel:whisper-base"]'], recipe, catalog)  # type: ignore[arg-type]
    assert (made.options.backend, made.options.models) == ("faster_whisper", ["wheel:whisper-base"])
    assert [one.name for one in metrics_with([], [], {}, catalog)] == sorted(catalog.names("metric"))
    with pytest.raises(KathrineError) as error:
        metrics_with(["asr", "prosdy"], ["asr.modls=1", "asr.backend=x", "asr", "signal.x=1"], {}, catalog)
    for said in ("no such metric (did you mean 'prosody'?)", "asr.modls", "did you mean 'models'", "asr.backend",
                 "expected NAME.key=value", "'signal' is not among the metrics"):  # fmt: skip
        assert said in str(error.value), said
