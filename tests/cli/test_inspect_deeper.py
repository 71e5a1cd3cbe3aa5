"""`kathrine inspect` with weights: levers, text, rows and drift, from a name, an official folder, a run, a checkpoint
of it and an adapter; every key of the JSON is explained in docs/inspect.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from kathrine.cli.main import run as command_line
from kathrine.datafiles import bundled_sample

DOCS = Path(__file__).resolve().parents[2] / "docs" / "inspect.md"
WORDS = ("hei", "båt", "bær")

RECIPE = """
[run]
device = "cpu"
offline = true
[model.qwen3_tts]
checkpoint = "{checkpoint}"
[language.norwegian]
[[data]]
source = "manifest"
path = {path}
reference = "another"
validation_share = 0.0
[prepare]
min_seconds = 0.3
min_words = 1
max_letters_per_second = 100.0
max_silence_share = 1.0
trim = false
[prompt]
in_context = 0.0
[train]
steps = 3
batch = {{ examples = 2 }}
accumulation = 1
precision = "fp32"
warmup_steps = 1
[speak]
count = 0
[loss.sub_talker]
weight = 0.5
[strategy.lora]
r = 4
lr = 1e-2
[strategy.text_projection]
lr = 1e-2
[strategy.language_tag]
lr = 1e-1
[export.adapter]
[export.merged]
dtype = "fp32"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with encoded utterances of half a second, a recipe, and a run of three steps of it."""
    folder = tmp_path_factory.mktemp("inspected")
    wave, rate = soundfile.read(bundled_sample("nb-librivox") / "data" / "bok1_0001.mp3", dtype="float32")
    lines = []
    for number in range(6):
        text = " ".join((WORDS[number % 3], WORDS[number // 2]))
        codes = np.random.default_rng(number).integers(0, 128, (6, 16)).tolist()
        audio = folder / f"{number}.wav"
        begin = int((0.3 + 0.02 * number) * rate)
        voice = wave[begin : begin + round(6 * 0.08 * rate)].copy()
        voice[-round(0.1 * rate) :] = 0
        soundfile.write(audio, voice, rate)
        line = {"id": str(number), "audio": str(audio), "text": text, "speaker": "ingeborg", "audio_codes": codes}
        lines.append(json.dumps(line, ensure_ascii=False))
    manifest = folder / "six.jsonl"
    manifest.write_text("\n".join(lines), encoding="utf-8")
    recipe = RECIPE.format(checkpoint="kathrine:tiny", path=json.dumps(str(manifest)))
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    other = recipe.replace("six.jsonl", "three.jsonl") + "[profile.short.train]\nsteps = 2\n"
    (folder / "three.jsonl").write_text("\n".join(lines[3:]), encoding="utf-8")
    (folder / "other.toml").write_text(other, encoding="utf-8")
    assert command_line(["run", str(folder / "recipe.toml"), "--set", f"run.folder={folder / 'run'}"]) == 0
    return folder


@pytest.fixture(scope="module")
def levers(place: Path) -> dict[str, Any]:
    """Of the run, with a known language and a page."""
    page = place / "pages" / "levers.html"
    arguments = ["--against", str(place / "other.toml"), "--against-profile", "short", "--batches", "1"]
    return told([*run_of(place), "--levers", str(place / "recipe.toml"), *arguments, "--html", str(page)])


def run_of(place: Path) -> list[str]:
    """Arguments that name the run; nothing is held out of it, so there is no best checkpoint."""
    return [str(place / "run"), "--checkpoint", "last"]


def told(arguments: list[str]) -> dict[str, Any]:
    """What a command prints with --json, without a fixture of function scope."""
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert command_line(["inspect", *arguments, "--json"]) == 0
    return json.loads(out.getvalue())


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert command_line(["inspect", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out if code == 0 else captured.err


def documented(heading: str, of: str = "") -> list[str]:
    """Keys of a table in docs/inspect.md, below a heading of the second level, in order."""
    part = re.split(rf"^## {heading}.*$", DOCS.read_text(encoding="utf-8"), flags=re.M)[1].split("\n## ")[0]
    head = f"| key of *{of}* |" if of else "| key |"
    table = part.split(head)[1].split("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, flags=re.M)


def all_have(items: Iterable[dict[str, Any]], keys: list[str]) -> None:
    items = list(items)
    assert items
    for one in items:
        assert list(one) == keys


# --------------------------------------------------------------------------- levers


def test_every_key_of_the_levers_is_explained(levers: dict[str, Any]) -> None:
    assert list(levers) == documented("Levers")
    all_have([levers["target"], levers["known"]], documented("Levers", "target"))
    all_have(levers["levers"], documented("Levers", "lever"))
    all_have(levers["activation_drift"], documented("Levers", "activation"))


def test_levers_of_a_run_are_measured_on_what_it_trained(place: Path, levers: dict[str, Any]) -> None:
    assert levers["losses"] == {"talker": 1.0, "sub_talker": 0.5} and levers["step"] == 1e-3
    assert levers["target"]["utterances"] == 2 and levers["target"]["frames"] == 12
    assert sum(levers["target"]["tags"].values()) == 2 and levers["known"]["recipe"].endswith("other.toml")
    assert "lora, text_projection, language_tag" in levers["loaded"][1]
    by_name = {one["name"]: one for one in levers["levers"]}
    assert {"text_projection", "talker 0 attention", "talker 2 mlp", "sub_talker_head 14", "language_tag"} <= set(
        by_name
    )
    assert by_name["text_projection"]["reached"] and -1 <= by_name["text_projection"]["cosine"] <= 1
    drift = {one["name"]: one for one in levers["activation_drift"]}
    assert drift["talker 2"]["target"] > 0 and drift["text_projection"]["known"] > 0
    assert levers["activation_drift_missing"] == ""


def test_a_checkpoint_is_inspected_as_its_run(place: Path, levers: dict[str, Any]) -> None:
    (checkpoint,) = (place / "run" / "checkpoints").iterdir()
    again = told([str(checkpoint), "--levers", str(place / "recipe.toml"), "--batches", "1", "--step", "0.002"])
    assert again["loss"] == levers["loss"] and again["step"] == 0.002
    assert again["known"] is None and again["known_loss"] is None
    assert all(one["cosine"] is None for one in again["levers"])
    gains = {one["name"]: one["gain"] for one in levers["levers"]}
    for one in again["levers"]:  # twice the step gains about twice as much
        if one["part"] == "codec_head":
            assert one["gain"] == pytest.approx(2 * gains[one["name"]], rel=0.1)


def test_an_adapter_and_a_merged_folder_have_the_runs_levers_but_no_base(place: Path, levers: dict[str, Any]) -> None:
    """The recipe's model is the tiny one; the corpus is prepared for the exported folder instead."""
    gains = {one["name"]: one["gain"] for one in levers["levers"]}
    for kind in ("adapter", "merged"):
        target = str(place / "run" / "export" / kind)
        again = told([target, "--levers", str(place / "recipe.toml"), "--batches", "1"])
        assert again["loss"] == pytest.approx(levers["loss"], rel=1e-4), kind
        found = {one["name"]: one["gain"] for one in again["levers"]}
        assert found["talker 1 mlp"] == pytest.approx(gains["talker 1 mlp"], rel=0.05)
        assert again["activation_drift"] is None and "inspect the run" in again["activation_drift_missing"]


def test_the_page_shows_every_piece_and_needs_nothing(place: Path, levers: dict[str, Any]) -> None:
    text = (place / "pages" / "levers.html").read_text(encoding="utf-8")
    assert not re.search(
        r"<script(?! type=\"application/json\")|https?://|<link|<img", text.replace("http://www.w3", "")
    )
    numbers = json.loads(text.split('id="numbers">')[1].split("</script>")[0])
    assert numbers == levers
    for one in levers["levers"]:
        assert f"<td>{one['name']}</td>" in text
    assert text.count("<rect class=") > 5 * len(levers["levers"]) and "talker, by layer" in text
    assert "Cosine with the known language" in text and "Activation drift" in text


def test_the_table_fits_80_columns_and_says_what_it_is_about(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "kathrine:tiny", "--levers", str(place / "recipe.toml"), "--batches", "1")
    assert "no known language: --against RECIPE adds the cosine" in out and "cosine  Fisher" not in out
    assert "activation drift: not applicable" in out and "speaker_encoder: no gradient, no step" in out
    rows = [line for line in out.splitlines() if re.match(r"(talker|sub_talker|text|codec|speaker)", line)]
    assert len(rows) >= 53 and "…" not in out and max(map(len, rows)) <= 80


# --------------------------------------------------------------------------- text


def test_text_beside_another_recipe_and_beside_english(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = told(["kathrine:tiny", "--text", str(place / "recipe.toml"), "--against", str(place / "other.toml")])
    assert list(both) == documented("Text")
    all_have([both["target"], both["known"]], documented("Text", "language"))
    all_have(both["target"]["letters"], documented("Text", "letter"))
    all_have([both["target"]["rows"]], documented("Text", "touched"))
    assert (both["target"]["texts"], both["known"]["texts"]) == (6, 3) and both["target"]["words"] == 12
    assert both["only_known"] == 0 and both["only_target"] > 0  # the other recipe has half of the same texts
    letters = {one["letter"]: one["count"] for one in both["target"]["letters"]}
    assert letters == {"å": 4, "æ": 4}
    english = told(["kathrine:tiny", "--text", str(place / "recipe.toml")])
    assert english["target"] == both["target"] and english["known"]["name"] == "kathrine english"
    out = shown(capsys, "kathrine:tiny", "--text", str(place / "recipe.toml"))
    assert "words cut into single letters" in out and "kathrine english" in out


# --------------------------------------------------------------------------- rows


def test_rows_of_a_run_have_what_it_trained(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told([*run_of(place), "--rows"])
    assert list(found) == documented("Rows for a language tag")
    all_have(found["kinds"], documented("Rows for a language tag", "kind"))
    all_have(found["rows"], documented("Rows for a language tag", "row"))
    near = [one for row in found["rows"] for one in row["nearest"]]
    all_have(near, documented("Rows for a language tag", "neighbour"))
    base = told(["kathrine:tiny", "--rows"])
    rows, before = ({row["row"]: row for row in one["rows"]} for one in (found, base))
    assert (rows[2100]["kind"], rows[2100]["name"]) == ("language", "norwegian")
    assert {one["name"] for one in rows[2100]["nearest"][:2]} == {"german", "english"}  # what it was started from
    assert before[2100]["kind"] == "free" and 2100 in base["free"] and 2100 not in found["free"]
    out = shown(capsys, "kathrine:tiny", "--rows")
    assert "portuguese" in out and "free rows that do not look trained, 1007 of 1007" in out


# --------------------------------------------------------------------------- drift


def test_a_run_tells_how_far_each_piece_has_moved(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(run_of(place))
    assert list(found) == documented("Parts, self-test and drift")
    all_have(found["parts"], documented("Parts, self-test and drift", "part"))
    all_have([found["drift"]], documented("Parts, self-test and drift", "drift"))
    all_have(found["drift"]["pieces"], documented("Parts, self-test and drift", "moved"))
    saved = json.loads((place / "run" / "drift.json").read_text(encoding="utf-8"))
    assert found["drift"]["parts"] == saved["parts"] and found["drift"]["touched"] == saved["touched"]
    moved = {one["name"]: one for one in found["drift"]["pieces"]}
    assert moved["talker 0 attention"]["strategies"] == ["lora"]
    assert 1 <= moved["talker 0 attention"]["effective_rank"] <= 4 < moved["text_projection"]["effective_rank"]
    out = shown(capsys, *run_of(place))
    assert "how far they moved the model" in out and "unchanged parts: text_embedding" in out
    assert "drift: left out by --no-self-test" in shown(capsys, *run_of(place), "--no-self-test")
    assert told(["kathrine:tiny"])["drift"] is None


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--levers", "r", "--rows"], "--levers and --rows: one at a time"),
        (["--rows", "--tree"], "--tree does not go with --rows"),
        (["--text", "r", "--html", "x.html"], "--html belongs to --levers"),
        (["--batches", "2"], "--batches belongs to --levers"),
        (["--step", "0.1"], "--step belongs to --levers"),
        (["--against", "r"], "--against belongs to --levers or --text"),
        (["--levers", "r", "--against-profile", "smoke"], "--against-profile belongs to --against"),
        (["--profile", "smoke"], "--profile belongs to --recipe, --levers or --text"),
        (["--checkpoint", "last"], "--checkpoint is for runs"),
    ],
)
def test_options_that_do_not_go_together(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sentence in shown(capsys, "kathrine:tiny", *arguments, code=2)


def test_weights_that_are_not_here_are_asked_for_before_any_work(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in (["--rows"], ["--text", str(place / "recipe.toml")], ["--levers", str(place / "recipe.toml")]):
        error = shown(capsys, "Qwen3-TTS-12Hz-0.6B-Base", *option, code=2)
        assert "the weights of Qwen3-TTS-12Hz-0.6B-Base are not here" in error and "--fetch" in error
