"""kathrine compare: numbers, curves, sounds and recipes of several runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report_pages import Page, lines_of, spoken, written_run

from kathrine.cli.main import run as kathrine
from kathrine.report.compare import compared, compared_charts, read_runs, recipe_rows, write_comparison
from kathrine.report.curves import chart_html

EVIL = '</script><img src=x onerror="alert(1)">'


def made(
    folder: Path, name: str, rate: float, losses: tuple[float, ...] = (3.0, 2.0), texts: tuple[str, ...] = ()
) -> Path:
    steps = [{"loss": loss, "loss.talker": loss, "grad_norm": rate, "skipped_in_all": 0} for loss in losses]
    validations = [
        (at, {"validation.score": loss, "validation.npsc.talker": loss, "validation.text_gain": 0.5}, at > 0)
        for at, loss in enumerate(losses)
    ]
    recipe = f'[run]\nname = {json.dumps(name)}\nfolder = "{folder.name}"\n[strategy.lora]\nlr = {rate}\n'
    written_run(folder, steps, validations, [(1, {"samples.takes": 1, "samples.flagged": 0.25})], recipe=recipe)
    (folder / "plan.json").write_text(
        json.dumps({"total_steps": 2, "trained_parameters": 1234, "data": [{"seconds": 7200}]})
    )
    part = {"relative_l2": 0.0123, "change": 1.0, "base": 81.3, "parameters": 3, "changed": 3}
    (folder / "drift.json").write_text(json.dumps({"parts": {"talker": part, "still": {**part, "changed": 0}}}))
    if texts:
        spoken(folder / "samples", texts)
    return folder


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    return [
        made(tmp_path / "a", "low", 1e-5, (3.0, 2.5), ("Kjære deg.", "Ski.")),
        made(tmp_path / "b", "high", 1e-4, (3.0, 2.25), ("Ski.", "Only here.")),
    ]


def test_numbers_are_those_of_the_best_validation(pair: list[Path]) -> None:
    rows = dict(compared(read_runs(pair)))
    for place, folder in enumerate(pair):
        best = [line for line in lines_of(folder) if line["kind"] == "validation"][-1]
        assert rows["best step"][place] == str(best["step"])
        assert rows["held-out talker loss, best"][place] == f"{best['validation.score']:.4f}"
        assert rows["held-out talker loss of npsc, best"][place] == f"{best['validation.npsc.talker']:.4f}"
    assert rows["text gain"] == ["0.5000"] * 2 and rows["flagged sentences"] == ["25%"] * 2
    assert rows["trained parameters"] == ["1,234"] * 2 and rows["speech, hours"] == ["2.00"] * 2
    assert rows["drift of talker"] == ["1.2300%"] * 2 and "drift of still" not in rows
    assert rows["steps"] == ["2 of 2"] * 2 and rows["audio trained on, s/s"] == ["41.5"] * 2


def test_what_one_run_lacks_is_a_dash(tmp_path: Path, pair: list[Path]) -> None:
    empty = written_run(tmp_path / "empty", name="empty")
    rows = dict(compared(read_runs([*pair, empty])))
    assert rows["held-out talker loss, best"][2] == "-" and rows["status"][2] == "unfinished"
    assert write_comparison(read_runs([*pair, empty]), tmp_path / "page.html").is_file()


def test_recipes_differ_in_what_matters_alone(pair: list[Path]) -> None:
    assert recipe_rows(read_runs(pair)) == [("strategy.lora.lr", ["1e-05", "0.0001"])]


def test_an_entry_that_a_run_has_not_is_one_row(tmp_path: Path) -> None:
    text = '[[data]]\nname = "{}"\nsource = "npsc"\nhours = {}\n'
    entries = {"a": [("x", 1), ("y", 2)], "b": [("x", 1)], "c": [("x", 1), ("y", 3)]}
    for name, data in entries.items():
        recipe = f'[run]\nname = "{name}"\n' + "".join(text.format(*entry) for entry in data)
        written_run(tmp_path / name, recipe=recipe)
    rows = recipe_rows(read_runs([tmp_path / name for name in entries]))
    assert rows == [("data.y", ["yes", "-", "yes"]), ("data.y.hours", ["2", "-", "3"])]


def test_a_run_has_one_colour_in_all_charts(tmp_path: Path, pair: list[Path]) -> None:
    bare = written_run(tmp_path / "0", [{"grad_norm": 1.0}, {"grad_norm": 2.0}], name="bare")
    charts = {chart.title: chart_html(chart) for chart in compared_charts(read_runs([bare, *pair]))}
    held_out, norm = charts["Held-out talker loss"], charts["Gradient norm"]
    assert "c0 d0" in norm and "bare" in norm
    assert "c0 d0" not in held_out and "c1 d0" in held_out and ">bare<" not in held_out


def test_the_page_overlays_curves_and_sets_players_side_by_side(tmp_path: Path, pair: list[Path]) -> None:
    path = write_comparison(read_runs(pair), tmp_path / "new" / "page.html")
    page = Page(path.read_text(encoding="utf-8"))
    page.assert_harmless()
    for name, folder in zip(("low", "high"), pair, strict=True):
        steps = [line for line in lines_of(folder) if line["kind"] == "step"]
        expected = [[line["step"], line["loss.talker"]] for line in steps]
        assert page.numbers["curves"]["Talker loss of the updates"][name] == expected
    assert len(page.all("audio")) == 4
    text = page.text
    assert text.index("Kjære deg.") < text.index("Ski.") < text.index("Only here.")
    assert "strategy.lora.lr" in text


def test_the_command_prints_the_table_and_writes_the_page(
    tmp_path: Path, pair: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    out = tmp_path / "compare.html"
    assert kathrine(["compare", *map(str, pair), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for word in ("low", "high", "2.5000", "2.2500", "recipes differ in", "strategy.lora.lr", "compare.html"):
        assert word in said
    assert kathrine(["compare", *map(str, pair), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["high"]["recipe"] == {"strategy.lora.lr": "0.0001"}
    assert told["low"]["numbers"]["held-out talker loss, best"] == "2.5000"


def test_many_runs_are_told_in_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    runs = [str(made(tmp_path / f"r{one}", f"number_{one}", 1e-4 if one == 3 else 1e-5)) for one in range(9)]
    assert kathrine(["compare", *runs, "--out", str(tmp_path / "page.html")]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines()[:-1])) <= 80
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines() if "│" in line]
    told = [line for line in cells if line[0].startswith("number_")]
    assert [line[0] for line in told[:9]] == [f"number_{one}" for one in range(9)]
    assert any("2.0000" in line for line in told)
    assert all(line.endswith(("│", "┃", "┓", "┩", "┘", "┛", "┡")) for line in said.splitlines() if line[:1] in "│┃┏┡└")
    assert ["strategy.lora.lr", "0.0001", "number_3"] in cells and ["strategy.lora.lr", "1e-05", "the others"] in cells


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    first = made(tmp_path / "x" / "run", "same", 1e-5)
    second = made(tmp_path / "y" / "run", "same", 1e-5)
    third = made(tmp_path / "other", "same", 1e-5)
    assert [run.name for run in read_runs([first, third])] == ["run", "other"]
    names = [run.name for run in read_runs([first, second, third])]
    assert names == [str(first), str(second), "other"]


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        ([], "can not be compared"),
        (["a"], "can not be compared"),
        (["a", "a"], "named twice"),
        (["a", "nowhere", "void"], "nowhere, "),
    ],
)
def test_what_can_not_be_compared_is_refused(
    tmp_path: Path, pair: list[Path], places: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "void").mkdir()
    out = tmp_path / "page.html"
    assert kathrine(["compare", *(str(tmp_path / place) for place in places), "--out", str(out)]) == 2
    assert problem in capsys.readouterr().err and not out.exists()


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    runs = [made(tmp_path / "a", EVIL, 1e-5, texts=(EVIL,)), made(tmp_path / "b", "[red]b[/red]", 1e-4, texts=(EVIL,))]
    page = Page(write_comparison(read_runs(runs), tmp_path / "page.html").read_text(encoding="utf-8"))
    page.assert_harmless()
    assert page.numbers["runs"] == [EVIL, "[red]b[/red]"] and "[red]b[/red]" in page.text


def system(step: int, error: float, sentences: str = "bokmål", saved: bool = False, count: int = 120) -> dict[str, Any]:
    """A system as `kathrine evaluate` writes it."""
    facts = {"name": "saved samples", "sentences": 4} if saved else {"name": sentences, "sentences": count}
    values = {"cer": {"value": error, "low": error - 0.01, "high": error + 0.01}}
    return {
        "name": f"{'samples' if saved else 'step'} {step}",
        "kind": "samples" if saved else "checkpoint",
        "step": step,
        "language": "norwegian",
        "set": {**facts, "digest": f"{sentences}{count}" if not saved else ""},
        "metrics": {"asr": {"metric": "asr", "values": values}},
    }


def scored(folder: Path, *systems: dict[str, Any]) -> None:
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "results.json").write_text(json.dumps({"format": 1, "systems": systems}))


def scores(pair: list[Path]) -> dict[str, list[str]]:
    return {name: cells for name, cells in compared(read_runs(pair)) if name.startswith(("asr", "evaluated"))}


def test_scores_of_one_set_stand_in_one_row_that_names_it(pair: list[Path]) -> None:
    scored(pair[0], system(1, 0.9, saved=True), system(1, 0.5))
    scored(pair[1], system(1, 0.25), system(1, 0.75, "nynorsk"), system(1, 0.9, saved=True))
    rows = scores(pair)
    (name,) = [name for name in rows if "120 sentences of bokmål" in name]
    assert name.startswith("asr cer: norwegian")
    assert rows[name] == ["50.0 % (49.0 to 51.0); step 1", "25.0 % (24.0 to 26.0); step 1"]
    (other,) = [name for name in rows if "nynorsk" in name]
    assert rows[other] == ["-", "75.0 % (74.0 to 76.0); step 1"]
    assert rows["evaluated sentences"][0] == "own" and "not those of low" in rows["evaluated sentences"][1]
    assert not [name for name in rows if "saved samples" in name]


@pytest.mark.parametrize("old", [False, True])
def test_saved_samples_and_other_steps_are_never_taken_for_an_evaluation(pair: list[Path], old: bool) -> None:
    saved = [system(step, 0.9, saved=True) for step in (0, 1)]
    if old:  # earlier results called them checkpoints
        saved = [{**one, "kind": "checkpoint"} for one in saved]
    scored(pair[0], *saved, system(2, 1.0))
    scored(pair[1], *saved)
    rows = scores(pair)
    (name,) = [name for name in rows if "bokmål" in name]
    assert rows[name] == ["100.0 % (99.0 to 101.0); step 2, not the best one", "-"]
    (name,) = [name for name in rows if "4 sentences of saved samples" in name]
    assert rows[name] == ["-", "90.0 % (89.0 to 91.0); step 1"]
    assert "not those of low" in rows["evaluated sentences"][1]


def test_sets_of_one_name_with_other_sentences_are_told_apart(pair: list[Path]) -> None:
    scored(pair[0], system(1, 0.5, count=40))
    scored(pair[1], system(1, 0.25))
    rows = scores(pair)
    assert len([name for name in rows if "bokmål" in name]) == 2 and rows["evaluated sentences"][0] == "own"


def test_an_interval_stands_below_its_number_so_that_all_runs_fit_a_narrow_page(pair: list[Path]) -> None:
    for folder in pair:
        scored(folder, system(1, 0.25))
    text = write_comparison(read_runs(pair), pair[0] / "page.html").read_text(encoding="utf-8")
    cell = '<span class="cell">25.0 % <small>24.0 to 26.0</small> <small>step 1</small></span>'
    assert text.count(f'<td class="number">{cell}</td>') == 2
    assert ".cell{display:block;white-space:normal" in text and ".cell small{display:block}" in text
    assert '<th class="number"><span class="cell">high</span></th>' in text
    Page(text).assert_harmless()
