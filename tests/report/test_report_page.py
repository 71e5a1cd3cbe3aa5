"""report.html: its numbers are those of metrics.jsonl, whatever state the run folder is in, and it is harmless."""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from report_pages import Page, lines_of, spoken, tone, written_run

from kathrine.cli.main import run as kathrine
from kathrine.errors import KathrineError
from kathrine.report.page import best_reason, report_html, write_report
from kathrine.report.reading import read_run
from kathrine.report.results import results_at
from kathrine.report.sounds import Sounds, mp3_of

sys.path.append(str(Path(__file__).parents[1] / "train"))
from toy_runs import sub_talker, train

from kathrine.testing import ToyStages, ToyStagesOptions, prepared_toy_corpus, toy_recipe

EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)> & \' "'


def page_of(folder: Path) -> Page:
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    page.assert_harmless()
    return page


def step(loss: float | None = 2.0, **more: float | int | str | None) -> dict[str, float | int | str | None]:
    return {
        "loss": loss,
        "loss.talker": loss,
        "grad_norm": 1.0,
        "lr.lora": 1e-4,
        "skipped": 0,
        "skipped_in_all": 0,
        **more,
    }


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two stages and two sources; its page was written by the run itself."""
    folder = tmp_path_factory.mktemp("real") / "run"
    recipe = toy_recipe(
        folder,
        entries=("npsc", "librivox"),
        losses=[sub_talker(share=0.5)],
        components={"curriculum": ToyStages(ToyStagesOptions(first="npsc", epochs=[1.0, 1.0]))},
        train={"epochs": 0},
        validation={"every": 2},
    )
    train(recipe, corpus=prepared_toy_corpus({"npsc": 16, "librivox": 12}))
    return folder


def test_every_number_equals_the_line_that_it_names(real: Path) -> None:
    page = Page((real / "report.html").read_text(encoding="utf-8"))
    lines = {(line["kind"], str(line["step"])): line for line in lines_of(real)}
    assert len(page.data) > 40
    for where, value, told in page.data:
        kind, at, name = where.split(" ", 2)
        found = lines[kind, at][name]
        assert value == repr(found)
        assert told == (f"{found:,}" if isinstance(found, int) else f"{found:.{len(told.split('.')[1])}f}")


def test_the_block_of_numbers_equals_metrics(real: Path) -> None:
    page = Page((real / "report.html").read_text(encoding="utf-8"))
    lines = lines_of(real)
    steps = [line for line in lines if line["kind"] == "step"]
    validations = [line for line in lines if line["kind"] == "validation"]
    assert page.numbers["last"] == steps[-1]
    assert page.numbers["validations"] == validations
    curves = page.numbers["curves"]
    for label, name in {"loss": "loss", "talker": "loss.talker", "sub_talker": "loss.sub_talker"}.items():
        assert curves["Loss by term"][label] == [[line["step"], line[name]] for line in steps]
    for source in ("npsc", "librivox"):
        expected = [[line["step"], line[f"talker.{source}"]] for line in steps if f"talker.{source}" in line]
        assert curves["Talker loss by source"][source] == expected
        held_out = [[line["step"], line[f"validation.{source}.talker"]] for line in validations]
        assert curves["Held-out talker loss by source"][source] == held_out
    assert set(curves["Learning rate by strategy"]) == {"train_all"}
    assert curves["Gradient norm"]["grad_norm"] == [[line["step"], line["grad_norm"]] for line in steps]
    timing = [json.loads(line) for line in (real / "timing.jsonl").read_text().splitlines()]
    assert curves["Throughput"]["audio"] == [[line["step"], line["audio_seconds_per_second"]] for line in timing]


def test_a_finished_run_shows_all_its_parts(real: Path) -> None:
    page = page_of(real)
    for title in ("Curves", "Held-out losses", "Drift of the weights", "Data", "Checkpoints and exports"):
        assert title in page.words, title
    assert "finished" in page.text and "not finished" not in page.text
    assert page.numbers["status"] == "finished"
    first, second = [name for _, name in read_run(real).stages]
    assert first in page.text and second in page.text, "stage boundaries have names"
    assert "CC0-1.0" in page.text and "versions" in page.text and "strategy.train_all" in page.text
    links = [one["href"] for one in page.all("a")]
    assert "metrics.jsonl" in links and any(str(link).startswith("checkpoints/") for link in links)
    for link in links:
        if not str(link).startswith("http"):
            assert (real / str(link)).exists(), link


def test_the_command_writes_it_again(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(real, copy)
    before = (copy / "report.html").read_bytes()
    (copy / "report.html").unlink()
    assert kathrine(["report", str(copy)]) == 0
    assert (copy / "report.html").read_bytes() == before
    assert "report.html" in capsys.readouterr().out
    assert not list(copy.glob(".*.tmp"))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kathrine(["report", str(tmp_path)]) == 2
    assert "no recipe.toml" in capsys.readouterr().err
    with pytest.raises(KathrineError, match="not a run folder"):
        read_run(tmp_path / "nowhere")


# --------------------------------------------------------------------------- states of a run folder


def test_a_run_that_has_only_begun(tmp_path: Path) -> None:
    page = page_of(written_run(tmp_path))
    assert "Nothing measured yet" in page.text and "running, or was killed" in page.text


def test_a_run_in_progress_with_a_torn_last_line(tmp_path: Path) -> None:
    written_run(tmp_path, [step(3.0), step(2.0)])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "step": 3, "lo')
    page = page_of(tmp_path)
    assert page.numbers["last"]["step"] == 2 and "can not be read" not in page.text


def test_lines_and_files_that_are_broken_are_told(tmp_path: Path) -> None:
    written_run(tmp_path, [step(3.0)])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write("nonsense\n[1]\n")
    (tmp_path / "drift.json").write_text("{")
    (tmp_path / "versions.json").write_bytes(b"\xff\xfe")
    (tmp_path / "checkpoints" / "00000001").mkdir(parents=True)
    (tmp_path / "checkpoints" / "00000001" / "state.json").write_text("{}")
    (tmp_path / "checkpoints" / "00000002.partial").mkdir()
    text = page_of(tmp_path).text
    assert "metrics.jsonl: 2 lines can not be read" in text
    for name in ("drift.json", "versions.json", "checkpoints/00000001"):
        assert f"{name} can not be read" in text
    assert "partial" not in text


def test_a_run_that_failed_says_why(tmp_path: Path) -> None:
    written_run(tmp_path, [step()])
    (tmp_path / "outcome.json").write_text(json.dumps({"status": "failed", "step": 1, "error": EVIL}))
    page = page_of(tmp_path)
    assert "This run failed: </script>" in page.text


def test_losses_that_are_no_numbers_are_gaps_and_left_out_updates_are_marked(tmp_path: Path) -> None:
    steps = [step(3.0), step(None, skipped=1, skipped_in_all=1), step(2.0, skipped_in_all=1)]
    held_out = {"validation.score": None, "validation.npsc.talker": None}
    written_run(tmp_path, steps, [(3, held_out, False)])
    page = page_of(tmp_path)
    assert page.numbers["curves"]["Loss by term"]["loss"] == [[1, 3.0], [2, None], [3, 2.0]]
    assert "1 updates were left out" in page.text
    assert len([one for one in page.all("g") if one.get("class") == "mark"]) == 2, "loss and gradient norm"
    assert "nan" not in page.text.lower()


def test_numbers_that_json_has_no_word_for_are_read(tmp_path: Path) -> None:
    written_run(tmp_path, [step(3.0)])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "step": 2, "epoch": 0.1, "stage": "train", "loss": NaN, "grad_norm": Infinity}\n')
    page = page_of(tmp_path)
    assert page.numbers["curves"]["Loss by term"]["loss"][-1] == [2, None]


def test_noise_that_grows_while_the_loss_falls_is_marked(tmp_path: Path) -> None:
    noise = [
        {
            "samples.takes": 2,
            "samples.flagged": 0.0,
            "samples.floor_db": floor,
            "samples.flatness": 0.1,
            "samples.high_db": -40.0,
        }
        for floor in (-60.0, -50.0, -40.0)
    ]
    validations = [(at, {"validation.score": 3.0 - at, "validation.npsc.talker": 3.0 - at}, True) for at in (0, 1, 2)]
    written_run(tmp_path, [step(), step()], validations, list(enumerate(noise)))
    assert read_run(tmp_path).before_noise() == [0]
    page = page_of(tmp_path)
    assert "After step 0 the samples grew noisier" in page.text
    assert [one for one in page.all("g") if one.get("class") == "mark"]


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    recipe = f"# {EVIL}\n[run]\nname = {json.dumps(EVIL)}\n"
    metrics = {**step(), f"talker.{EVIL}": 1.0, f"loss.{EVIL}": 1.0}
    held_out = {"validation.score": 1.0, f"validation.{EVIL}.talker": 1.0, f"validation.{EVIL}": 2.0}
    flags = {"samples.takes": 1, "samples.flagged": 1.0, f"samples.flag.{EVIL}": 1}
    folder = written_run(tmp_path, [metrics], [(0, held_out, True)], [(0, flags)], stage=EVIL, recipe=recipe)
    spoken(folder / "samples" / "00000000", [EVIL], flags=[EVIL])
    takes = json.loads((folder / "samples" / "00000000" / "samples.json").read_text())
    takes.append({"text": "outside", "file": "../../../recipe.toml", "flags": [EVIL]})
    (folder / "samples" / "00000000" / "samples.json").write_text(json.dumps(takes))
    part = {"relative_l2": 0.1, "change": 1.0, "base": 10.0, "parameters": 3, "changed": 3}
    (folder / "drift.json").write_text(
        json.dumps({"parts": {EVIL: part}, "weights_from": EVIL, "not_measured": {EVIL: EVIL}})
    )
    entry = {"name": EVIL, "source": EVIL, "licence": [EVIL], "rejected": {EVIL: 3}, "seconds": 3.0}
    (folder / "plan.json").write_text(json.dumps({"data": [entry], "total_steps": 3}))
    (folder / "versions.json").write_text(json.dumps({EVIL: {EVIL: EVIL}}))
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "results.json").write_text(json.dumps({EVIL: {"value": EVIL, "label": EVIL}}))
    (folder / "export" / '"><b').mkdir(parents=True)
    page = page_of(folder)
    assert 'alert("x")' in page.text
    assert page.numbers["run"] == EVIL
    assert not page.all("b") or all("class" not in one for one in page.all("b"))


def test_an_export_that_goes_while_the_page_is_made(tmp_path: Path) -> None:
    written_run(tmp_path, [step()])
    (tmp_path / "export" / "adapter").mkdir(parents=True)
    run = read_run(tmp_path)
    shutil.rmtree(tmp_path / "export")
    assert "export/adapter" in Page(report_html(run, Sounds(tmp_path))).text


# --------------------------------------------------------------------------- samples and scores


def test_players_per_checkpoint_beside_the_reference(tmp_path: Path) -> None:
    folder = written_run(tmp_path, [step()], [(1, {"validation.score": 1.0}, True)])
    tone(folder / "samples" / "reference.wav")
    for place in ("00000000", "00000001", ""):
        spoken(folder / "samples" / place, ["Kjære deg.", "Ski."], flags=() if place else ["silent"])
    page = page_of(folder)
    assert len(page.all("audio")) == 1 + 3 * 2
    assert all(str(one["src"]).startswith("data:audio/mpeg;base64,") for one in page.all("audio"))
    text = page.text
    assert text.index("reference") < text.index("Kjære deg.") < text.index("Ski.")
    assert "silent" in text and "no flag" in text and "step 1 best" in text and "step 0, untrained" in text


def test_sounds_that_can_not_be_played_are_told(tmp_path: Path) -> None:
    folder = written_run(tmp_path, [step()])
    spoken(folder / "samples", ["a", "b", "c"])
    (folder / "samples" / "01.wav").unlink()
    (folder / "samples" / "02.wav").write_bytes(b"no sound")
    tone(folder / "samples" / "03.wav", seconds=0.0)
    text = page_of(folder).text
    assert "no sound file" in text and "not playable" in text and "an empty sound" in text


def test_the_page_has_a_limit_and_older_checkpoints_become_links(tmp_path: Path) -> None:
    folder = written_run(tmp_path, [step()] * 9, [(at, {"validation.score": 1.0}, at <= 2) for at in range(10)])
    for at in range(10):
        spoken(folder / "samples" / f"{at:08d}", ["one sentence"], seconds=2.0)
    room = round(4.5 * len(mp3_of(folder / "samples" / "00000000" / "01.wav")))
    sounds = Sounds(folder, room)
    text = report_html(read_run(folder), sounds)
    page = Page(text)
    page.assert_harmless()
    players, links = page.all("audio"), [str(one["href"]) for one in page.all("a") if "samples" in str(one["href"])]
    assert len(players) + len(links) == 10 and 2 < len(players) < 10
    assert sum(len(str(one["src"])) for one in players) <= room
    kept = {one for one in range(10) if f"samples/{one:08d}/01.wav" not in links}
    assert {9, 2} <= kept and 0 not in kept, "newest and best are heard in the page"
    assert all((folder / link).is_file() for link in links)
    assert report_html(read_run(folder), sounds) == text, "written again it is the same"


def test_a_take_of_another_rate_is_brought_to_the_pages_rate(tmp_path: Path) -> None:
    import base64
    import io

    import soundfile

    player = Sounds(tmp_path).player(tone(tmp_path / "a.wav", seconds=1.0, rate=16000))
    data = base64.b64decode(player.split("base64,")[1].split('"')[0])
    wave, rate = soundfile.read(io.BytesIO(data))
    assert rate == 24000 and math.isclose(len(wave) / rate, 1.0, abs_tol=0.1)


def test_scores_of_any_metric_with_intervals_and_reasons(tmp_path: Path) -> None:
    folder = written_run(tmp_path, [step()])
    (folder / "evaluation").mkdir()
    document = {
        "asr": {"wer": {"value": 0.1234, "low": 0.1, "high": 0.15, "label": "whisper"}, "cer": 0.05},
        "signal": {"skipped": "no backend"},
        "language": {"value": 0.9, "interval": [0.8, 0.95]},
        "table": [{"metric": "similarity", "value": 0.7}],
        "takes": [{"value": number} for number in range(60)],
        "complete": True,
    }
    (folder / "evaluation" / "results.json").write_text(json.dumps(document))
    text = page_of(folder).text
    for told in ("asr wer 0.1234 0.1000 to 0.1500 whisper", "asr cer 0.0500", "skipped: no backend"):
        assert told in text
    assert "language 0.9000 0.8000 to 0.9500" in text and "table similarity 0.7000" in text and "takes" not in text


def evaluated() -> dict[str, object]:
    """As `kathrine evaluate` writes it."""

    def system(step: int, error: float, kind: str = "checkpoint") -> dict[str, object]:
        made = {"asr": {"metric": "asr", "version": "1", "model": "nb-whisper", "caption": "", "skipped": ""}}
        made["asr"]["values"] = {"wer": {"value": error, "low": error - 0.01, "high": error + 0.01}}  # type: ignore[assignment]
        made["signal"] = {"metric": "signal", "skipped": "no backend", "values": {}}  # type: ignore[assignment]
        flagged = {"value": 0.05, "low": None, "high": None}
        return {
            "name": f"step {step}",
            "kind": kind,
            "step": step,
            "language": "norwegian",
            "flagged": flagged,
            "metrics": made,
        }

    change = {"value": 0.02, "low": -0.01, "high": 0.05}
    retention = [{"language": "german", "label": "asr", "key": "wer", "change": change, "verdict": "no difference"}]
    return {
        "format": 1,
        "systems": [system(1, 0.5), system(2, 0.25), system(0, 0.9, "recordings")],
        "retention": retention,
    }


def test_what_evaluate_wrote_compares_systems_side_by_side(tmp_path: Path) -> None:
    folder = written_run(tmp_path, [step()])
    (folder / "evaluation").mkdir()
    document: dict[str, Any] = evaluated()
    document["systems"][1]["flags"] = {"too long": 0.025}
    (folder / "evaluation" / "results.json").write_text(json.dumps(document))
    text = page_of(folder).text
    assert "number step 1 step 2 step 0 what it is" in text
    assert "asr wer 50.0 % 49.0 to 51.0 25.0 % 24.0 to 26.0 90.0 % 89.0 to 91.0 nb-whisper" in text
    assert "flagged takes 5.0 % 5.0 % 5.0 %" in text and "flag: too long - 2.5 % -" in text
    assert "signal - - - skipped: no backend" in text
    assert "retention, german number change what it is asr wer, change 2.0 % -1.0 to 5.0 no difference" in text


def test_systems_of_other_sentences_stand_in_a_table_of_their_own(tmp_path: Path) -> None:
    folder = written_run(tmp_path, [step()])
    (folder / "evaluation").mkdir()
    document: dict[str, Any] = evaluated()
    for system, name in zip(document["systems"], ("bokmål", "nynorsk", "bokmål"), strict=True):
        system["set"] = {"name": name, "sentences": 7}
    (folder / "evaluation" / "results.json").write_text(json.dumps(document))
    text = page_of(folder).text
    assert "norwegian, 7 sentences of bokmål number step 1 step 0 what it is" in text
    assert "norwegian, 7 sentences of nynorsk number step 2 what it is" in text


def test_the_best_validation_is_marked_beside_its_step(tmp_path: Path) -> None:
    held_out = {"validation.score": 1.5, "validation.npsc.talker": 1.5}
    text = write_report(written_run(tmp_path, [step()], [(0, held_out, False), (1, held_out, True)])).read_text()
    assert text.count('<span class="good">best</span>') == 1
    assert '>1</data> <span class="good">best</span></td><td class="number"><data value="1.5"' in text


def test_runs_are_compared_by_their_best_step() -> None:
    found = {step: {row.name: row for row in results_at(evaluated(), step)}["asr wer"] for step in (1, 2, 7, None)}
    at = {step: (row.value, row.step) for step, row in found.items()}
    last = (0.25, 2)
    assert at == {1: (0.5, 1), 2: last, 7: last, None: last}, "another step, or none: the last, which is named"


def test_the_summary_says_why_a_checkpoint_is_kept(tmp_path: Path) -> None:
    flagged = {"samples.takes": 50, "samples.flagged": 0.02}
    validations = [(at, {"validation.score": 3.0 - at / 4}, at == 1) for at in (0, 1, 2)]
    folder = written_run(
        tmp_path, [step(), step()], validations, [(1, flagged), (2, {**flagged, "samples.flagged": 0.5})]
    )
    told = (
        "Best checkpoint while training: step 1: 2% of its takes flagged, held-out loss 2.7500; rule flags_then_loss."
    )
    assert told in page_of(folder).text
    (folder / "outcome.json").write_text(json.dumps({"status": "finished", "reason": EVIL}))
    (folder / "evaluation").mkdir()
    choice = {"step": 2, "reason": "word error rate is least"}
    (folder / "evaluation" / "results.json").write_text(json.dumps({**evaluated(), "choice": choice}))
    text = page_of(folder).text
    assert "step 1: </script>" in text
    assert "Choice of the evaluation: keep step 2: word error rate is least." in text


def test_a_run_without_a_best_checkpoint_says_so(tmp_path: Path) -> None:
    folder = written_run(tmp_path, [step()], [(1, {"validation.score": 3.0}, False)])
    assert "while training: none: no checkpoint has at most 5% flagged takes" in page_of(folder).text


def test_a_run_tells_why_in_its_outcome(real: Path) -> None:
    told = json.loads((real / "outcome.json").read_text())["reason"]
    assert "held-out loss" in told and "rule flags_then_loss" in told
    assert told in page_of(real).text and best_reason(read_run(real)) == told
