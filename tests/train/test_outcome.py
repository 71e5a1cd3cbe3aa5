"""The table at the end of a run."""

from __future__ import annotations

from pathlib import Path

from kathrine.speech.takes import Take
from kathrine.train.folder import RunFolder
from kathrine.train.outcome import by_source, every_loss, final_table, sample_line
from kathrine.train.state import TrainState
from kathrine.types import ExportResult

BEFORE = {
    "validation.npsc.talker": 7.5,
    "validation.npsc.sub_talker": 8.0,
    "validation.npsc.text_gain": 0.25,
    "validation.librivox.talker": 7.0,
    "validation.librivox.sub_talker": 8.0,
    "validation.form.speaker.talker": 7.25,
    "validation.layout.whole.talker": 7.25,
    "validation.talker": 7.25,
    "validation.score": 7.25,
}
AFTER = {**BEFORE, "validation.npsc.talker": 5.5, "validation.npsc.sub_talker": None, "validation.npsc.text_gain": 1.5}


def spoken(stop: str = "end", flags: tuple[str, ...] = ()) -> Take:
    return Take("Hei.", "01.wav", 4.0, 50, -20.4, -7.1, 0.06, stop, 1.0, 0.1, flags)


def test_one_row_a_source_and_no_prompt_forms(tmp_path: Path) -> None:
    state = TrainState(step=52, baseline=BEFORE, latest=AFTER)
    result = ExportResult("merged", tmp_path, (), {"difference": 0.5}, ("much was rounded away",))
    lines = final_table("a", RunFolder(tmp_path), state, "trained weights of the last checkpoint", [spoken()], [result])
    text = "\n".join(lines)
    assert " ".join(lines[3].split()) == "held-out, nat talker sub_talker text gain"
    assert " ".join(lines[5].split()) == "npsc 7.5000 -> 5.5000 8.0000 -> - 0.2500 -> 1.5000"
    assert " ".join(lines[6].split()) == "librivox 7.0000 -> 7.0000 8.0000 -> 8.0000 - -> -"
    assert "form." not in text and "layout." not in text
    assert "loss sub_talker: coverage 0" in text
    assert "samples/01.wav  4.0 s, ended by itself, rms -20 dB, peak -7 dB" in text
    assert "export/merged   difference 0.5" in text and "much was rounded away" in text
    everything = "\n".join(every_loss(state, "last"))
    assert "form.speaker.talker" in everything and "layout.whole.talker" in everything


def test_the_checks_of_an_export_are_lines_that_can_be_read(tmp_path: Path) -> None:
    checks = {f"update stored in part {number}": 0.123456 for number in range(9)} | {"codes": "as the run's"}
    result = ExportResult("merged", tmp_path, (), checks, ("much was rounded away",))
    lines = final_table("a", RunFolder(tmp_path), TrainState(), "last", [], [result])
    told = lines[next(number for number, line in enumerate(lines) if line.startswith("export/merged")) :]
    assert max(map(len, told)) <= 120 and len(told) == 6
    whole = ", ".join(line.removeprefix("export/merged").strip() for line in told[:4])
    assert whole == ", ".join(f"{name} {value}" for name, value in checks.items())
    assert told[4].strip() == "much was rounded away"


def test_losses_are_those_of_the_weights_that_results_come_from(tmp_path: Path) -> None:
    state = TrainState(step=9, baseline=BEFORE, best=AFTER, latest=BEFORE)
    for which, wanted in (("best", "7.5000 -> 5.5000"), ("last", "7.5000 -> 7.5000")):
        text = "\n".join(final_table("a", RunFolder(tmp_path), state, f"the {which} checkpoint", [], []))
        assert wanted in text


def test_a_runaway_and_a_broken_wave_are_seen() -> None:
    assert sample_line(spoken("budget", ("clipped", "no end"))).startswith("4.0 s, cut at its budget, CLIPPED, rms")


def test_without_held_out_utterances_it_says_so(tmp_path: Path) -> None:
    text = "\n".join(final_table("a", RunFolder(tmp_path), TrainState(), "last", [], []))
    assert "no held-out utterances" in text
    assert by_source({}) == {} and every_loss(TrainState(), "last") == []
