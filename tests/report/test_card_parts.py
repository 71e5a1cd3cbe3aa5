"""What a card tells of a run: the same numbers as the run's files, for the step whose weights it is about."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from report_pages import spoken, written_run

from kathrine.report import card_parts
from kathrine.report.curves import Chart, Line
from kathrine.report.picture import charts_svg
from kathrine.report.reading import RunRead, read_run

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '</text><script>alert("x")</script>'


def made(folder: Path, **more: Any) -> RunRead:
    validations = [
        (0, {"validation.score": 8.0, "validation.npsc.talker": 8.0, "validation.npsc.text_gain": 0.0}, True),
        (2, {"validation.score": 7.0, "validation.npsc.talker": 7.25, "validation.npsc.text_gain": -0.5}, True),
        (3, {"validation.score": 9.0, "validation.npsc.talker": 9.0, "validation.npsc.text_gain": 0.5}, False),
    ]
    steps = [{"loss": 3.0, "loss.talker": 2.0}, {"loss": 2.0, "loss.talker": 1.5}, {"loss": 1.0, "loss.talker": 1.0}]
    written_run(folder, steps, validations, [(2, {"samples.flagged": 0.5})], **more)
    return read_run(folder)


def results(step: int = 2) -> dict[str, Any]:
    def system(name: str, kind: str, step: int | None, flagged: float) -> dict[str, Any]:
        wer = {"value": flagged / 2, "low": 0.0, "high": flagged}
        return {
            "name": name,
            "kind": kind,
            "step": step,
            "language": "norwegian",
            "set": {"name": "nb", "sentences": 4, "digest": "abcdefgh123"},
            "flagged": {"value": flagged, "low": 0.0, "high": 1.0},
            "flags": {"no end": flagged},
            "metrics": {
                "asr": {"metric": "asr", "values": {"wer": wer}, "model": "small"},
                "signal": {"metric": "signal", "skipped": "no network", "values": {}},
            },
        }

    change = {"value": 0.25, "low": 0.125, "high": 0.5}
    return {
        "systems": [system(f"step {step}", "checkpoint", step, 0.25), system("people", "recordings", None, 0.0)],
        "retention": [
            {"language": "english", "label": "asr", "metric": "asr", "key": "wer", "change": change, "verdict": "worse"}
        ],
    }


def test_the_picture_is_an_svg_that_needs_nothing_around_it(tmp_path: Path) -> None:
    text = card_parts.curves_svg(made(tmp_path / "run"))
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg" and float(root.attrib["width"]) > 800
    titles = [str(one.text).strip() for one in root.iter(f"{SVG}text") if one.get("class") == "title"]
    assert titles == list(card_parts.CURVES)
    assert {f"{SVG}{name}" for name in ("polyline", "circle", "rect", "style")} <= {one.tag for one in root.iter()}
    assert "var(" not in text and "http" not in text.replace("http://www.w3.org/2000/svg", "")
    words = [one.text for one in root.iter(f"{SVG}text")]
    assert {"loss", "talker", "npsc"} <= set(words)
    assert card_parts.curves_svg(read_run(written_run(tmp_path / "empty"))) == ""


def test_names_in_a_picture_are_harmless_and_long_ones_are_cut() -> None:
    lines = [Line(EVIL, [(0, 1.0), (1, 2.0)]), Line("x" * 80, [(0, 1.0), (1, 3.0)]), Line("gone", [])]
    text = charts_svg([Chart(EVIL, lines), Chart("nothing", [])], EVIL)
    words = [one.text for one in ET.fromstring(text).iter(f"{SVG}text")]
    assert "<script" not in text and EVIL in words and f"{'x' * 43}…" in words and "gone" not in words


def test_losses_are_those_before_training_and_of_these_weights(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    lines = card_parts.losses_table(run, 2).splitlines()
    assert lines[0] == "| data | nat a frame | step 0 | step 2 |"
    assert lines[2:] == ["| npsc | talker | 8.0000 | 7.2500 |", "| npsc | text gain | 0.0000 | -0.5000 |"]
    assert "| step 3 |" in card_parts.losses_table(run, 7)  # nothing was held out at 7
    assert card_parts.losses_table(read_run(written_run(tmp_path / "none")), 7) == ""
    assert card_parts.losses_table(run, 1) == ""  # nothing but the base was held out so far
    missing = "No held-out loss was measured at step 1, whose weights these are."
    assert missing in card_parts.limits(run, 1, []) and missing.replace("1", "2") not in card_parts.limits(run, 2, [])


def test_an_evaluation_stands_beside_human_recordings(tmp_path: Path) -> None:
    text = card_parts.evaluation_tables(results(), 2)
    lines = text.splitlines()
    assert lines[0].startswith("**norwegian, 4 sentences of nb")
    assert lines[2] == "| number | step 2 | people | what it is |"
    assert "| asr wer | 12.5 % (0.0 to 25.0) | 0.0 % (0.0 to 0.0) | small |" in lines
    assert "signal" not in text  # skipped: no number
    assert "| asr wer, change | 25.0 % (12.5 to 50.0) | worse |" in lines
    assert card_parts.evaluation_tables({}, 2) == ""


def test_limits_name_what_is_weak_and_what_nobody_measured(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    found = "\n".join(card_parts.limits(run, 2, [{"name": "mine", "licence": []}]))
    for words in (
        "No test sentence was spoken",
        "the right text is no likelier than another (text gain -0.500)",
        "`kathrine evaluate` was not run",
        "other languages lost was not measured",
        "The licence of mine is not stated",
        "No listener has judged it",
    ):
        assert words in found, words
    spoken(run.path / "samples", ["Hei | <b>"], flags=["no end"])
    (run.path / "evaluation").mkdir()
    (run.path / "evaluation" / "results.json").write_text(json.dumps(results(step=3)))
    found = "\n".join(card_parts.limits(read_run(run.path), 2, [{"name": "npsc", "licence": ["CC0-1.0"]}]))
    for words in (
        "Flagged: “Hei \\| &lt;b&gt;”: the model did not end by itself",
        "The evaluation is of step 3, these weights are of step 2",
        "Not measured, for want of a model or a package: signal",
        "Worse than the base model: retention, english: asr wer, change 25.0 %",
    ):
        assert words in found, words
    assert "was not run" not in found and "is not stated" not in found
    assert card_parts.limits(None, 2, [])[0] == "Nothing but the loss was measured."


def test_only_what_these_weights_said_is_heard(tmp_path: Path) -> None:
    folder = made(tmp_path / "run").path
    for place in ("samples", "samples/00000002"):
        (folder / place).mkdir(parents=True, exist_ok=True)
        spoken(folder / place, [place])
    (folder / "drift.json").write_text(json.dumps({"step": 3, "parts": {}}))
    run = read_run(folder)
    assert [card_parts.spoken_at(run, step) and card_parts.spoken_at(run, step).step for step in (1, 2)] == [None, 2]
    last = card_parts.spoken_at(run, 3)
    assert last is not None and last.final
    assert card_parts.flags_sentence(last) == "Of 1 test sentences the always-on checks flagged none."


def test_data_drift_and_versions() -> None:
    splits = {"train": {"utterances": 1234}, "validation": {"utterances": 5}}
    entry = {"name": "npsc", "source": "npsc", "hours": 39.5, "speakers": 3, "licence": ["CC0-1.0"], "splits": splits}
    lines = card_parts.data_table([entry, {"name": "mine"}]).splitlines()
    assert lines[2] == "| npsc | npsc | 39.50 | 1,234 | 5 | 3 | CC0-1.0 |"
    assert lines[3] == "| mine | - | - | - | - | - | not stated |"
    parts = {
        "talker": {"relative_l2": 0.008, "changed": 10, "parameters": 2000},
        "head": {"relative_l2": 0.0, "changed": 0, "parameters": 7},
    }
    drift = {"step": 2, "parts": parts}
    lines = card_parts.drift_table(drift, 2).splitlines()
    assert lines[2:] == ["| talker | 0.8000% | 10 of 2,000 |", "| head | unchanged | 0 of 7 |"]
    assert card_parts.drift_table(drift, 3) == ""  # of other weights
    versions = {"packages": {"torch": "2.9"}, "platform": "my-host", "model": {"revision": "abc"}, "device": "cpu"}
    told = card_parts.versions_table(versions)
    assert "| torch | 2.9 |" in told and "| base model, revision | abc |" in told and "my-host" not in told
