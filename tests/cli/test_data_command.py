"""`kathrine data` as a user types it: figures, lists, one utterance heard."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from kathrine.cli import data
from kathrine.cli.data import command
from kathrine.cli.main import run
from kathrine.corpus import playing
from kathrine.corpus.prepare import prepare
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.recipe import load_recipe
from kathrine.workspace import Workspace

sys.path.append(str(Path(__file__).parents[1] / "corpus"))
from corpus_fakes import FakeFamily, speech

RECIPE = """
[model.qwen3_tts]
checkpoint = "kathrine:tiny"
[[data]]
source = "manifest"
path = "clips.jsonl"
licence = "CC0-1.0"
[prepare]
device = "cpu"
min_seconds = 0.5
min_letters_per_second = 1.0
min_bandwidth_hz = 0.0
min_snr_db = 0.0
[train]
epochs = 1.0
[strategy.lora]
lr = 1e-4
[profile.other.prepare]
min_words = 3
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe whose corpus is prepared, by codecs that cost nothing, in `ws`."""
    folder = tmp_path_factory.mktemp("data")
    soundfile.write(folder / "long.flac", np.concatenate([speech(1.5, n, 8000) for n in range(8)]), 8000)
    rows = [
        {"id": f"clip{n}", "audio": "long.flac", "start": 1.5 * n, "end": 1.5 * n + 1.5, "text": f"en båt nummer {n}"}
        for n in range(8)
    ]
    rows[2]["text"] = "Båten"
    rows[5] |= {"text": "[bold]sju[/bold] skip\u009b", "speaker": "kari"}
    rows.append({"id": "gone", "audio": "absent.wav", "text": "borte vekk", "speaker": "kari"})
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.toml").write_text(RECIPE)
    recipe = load_recipe(str(folder / "recipe.toml"))
    free = FakeFamily()
    object.__setattr__(free, "options", recipe.model.options)
    free.name = recipe.model.name
    object.__setattr__(recipe, "model", free)
    prepare(recipe, Workspace(folder / "ws"), SilentProgress())
    return folder


def ask(made: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(made / "ws"))
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(command, [str(made / "recipe.toml"), *options])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_the_figures_in_80_columns(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ask(made, monkeypatch).stdout
    assert max(map(len, told.splitlines()[:-1])) <= 80, "but for the path of the page"
    assert "Prepared corpus" in told and "Left out" in told and "few words" in told and "missing file" in told
    assert "in all: 12.0 s in" in told and "1 of unknown length" in told and "licence CC0-1.0" in told
    rows = [line.split() for line in told.splitlines()]
    assert next(row for row in rows if row[:2] == ["manifest", "kari"])[2:4] == ["2", "0"]
    duration = next(line for line in told.splitlines() if line.startswith("Duration"))
    assert "█" in duration and duration.split()[-2:] == ["0.5", "15"]
    assert "not measured" in next(line for line in told.splitlines() if line.startswith("Signal to noise"))
    assert told.splitlines()[-1].endswith("corpus.html")


def test_figures_as_json_are_those_of_the_corpus(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.loads(ask(made, monkeypatch, "--json").stdout)
    facts = json.loads((Path(told["folder"]) / "facts.json").read_text())
    assert told["entries"] == facts["entries"]
    assert told["total"] | {"seconds_kept": 0} == {
        "seen": 9,
        "kept": 6,
        "seconds_in": 12.0,
        "seconds_kept": 0,
        "unknown": 1,
    }
    assert told["reasons"] == facts["entries"]["manifest"]["rejected"]
    assert set(told["reasons"]) == {"control characters", "few words", "missing file"}
    assert sum(one["kept"] for one in told["histograms"]["duration"]) == 6
    assert told["speakers"]["manifest"]["kari"]["seen"] == 2 and told["histograms"]["snr"] == []


def test_utterances_are_found_by_text_and_by_reason(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ask(made, monkeypatch, "--text", "BÅT").stdout
    lines = [line.split() for line in told.splitlines()[2:]]
    assert [line[0] for line in lines] == ["1", "2", "3", "4", "5", "7", "8"]
    assert lines[2][:2] == ["3", "manifest/clip2"] and "few words" in told and "en båt nummer 7" in told
    assert "and 5 more" in ask(made, monkeypatch, "--text", "båt", "--limit", "2").stdout
    assert ask(made, monkeypatch, "--text", "flyplass").stdout.strip() == "no utterance is like that"
    left = ask(made, monkeypatch, "--rejected").stdout
    assert all(word in left for word in ("clip2", "clip5", "gone", "[bold]sju[/bold] skip")) and "\x9b" not in left
    only = json.loads(ask(made, monkeypatch, "--rejected", "few words", "--json").stdout)
    assert [(row["number"], row["id"], row["reason"]) for row in only] == [(3, "clip2", "few words")]
    both = json.loads(ask(made, monkeypatch, "--rejected", "--text", "^borte", "--json").stdout)
    assert [row["number"] for row in both] == [9]
    with pytest.raises(KathrineError, match=r"left out for 'few word'.*did you mean 'few words'"):
        ask(made, monkeypatch, "--rejected", "few word")
    with pytest.raises(KathrineError, match="no regular expression"):
        ask(made, monkeypatch, "--text", "(")


def test_an_utterance_is_saved_as_it_was_found(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = ask(made, monkeypatch, "--play", "4", "--save", str(tmp_path / "out.wav"))
    assert "manifest/clip3 by speaker: en båt nummer 3" in done.stdout and "1.50 s written" in done.stdout
    saved, rate = soundfile.read(tmp_path / "out.wav", dtype="int16")
    whole, _ = soundfile.read(made / "long.flac", dtype="int16")
    assert rate == 8000
    np.testing.assert_array_equal(saved, whole[round(4.5 * 8000) : round(6.0 * 8000)])
    with pytest.raises(KathrineError, match="no utterance 10"):
        ask(made, monkeypatch, "--play", "10")
    with pytest.raises(KathrineError, match="can not be read"):
        ask(made, monkeypatch, "--play", "9", "--save", str(tmp_path / "no.wav"))
    with pytest.raises(KathrineError, match="which"):
        ask(made, monkeypatch, "--save", str(tmp_path / "no.wav"))
    with pytest.raises(KathrineError, match="can not be written"):
        ask(made, monkeypatch, "--play", "1", "--save", str(tmp_path / "absent" / "no.wav"))


def test_the_first_player_that_is_installed_plays(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = tmp_path / "heard.wav"
    player = tmp_path / "aplay"
    player.write_text(f'#!/bin/sh\ncp "$2" {heard}\necho "$1" > {heard}.option\nexit $(cat {heard}.code 2>/dev/null)\n')
    player.chmod(player.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr(playing, "PLAYERS", tuple(one for one in playing.PLAYERS if one[0] == "aplay"))
    ask(made, monkeypatch, "--play", "1")
    assert len(soundfile.read(heard)[0]) == 12000 and heard.with_name("heard.wav.option").read_text().strip() == "-q"
    heard.with_name("heard.wav.code").write_text("3")
    with pytest.raises(KathrineError, match="aplay could not play it: exit code 3"):
        ask(made, monkeypatch, "--play", "1")
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    told = ask(made, monkeypatch, "--play", "2").stdout
    assert f"no player is installed; the recording is {made / 'long.flac'} from 1.5 s to 3 s" in told


def test_what_is_not_prepared_is_said_with_the_remedy(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(made / "ws"))
    assert run(["data", str(made / "recipe.toml"), "--profile", "other"]) == 2
    told = capsys.readouterr().err
    assert "the data of this recipe is not prepared" in told
    assert f"kathrine prepare {made / 'recipe.toml'} --profile other" in told


def test_looking_needs_neither_torch_nor_pyarrow(made: Path) -> None:
    program = (
        "import sys\nfrom kathrine.cli.main import run\n"
        f"assert run(['data', {str(made / 'recipe.toml')!r}]) == 0\n"
        f"assert run(['data', {str(made / 'recipe.toml')!r}, '--text', 'båt']) == 0\n"
        "print(sorted({'torch', 'pyarrow', 'transformers', 'soundfile'} & sys.modules.keys()))"
    )
    env = {**os.environ, "KATHRINE_WORKSPACE": str(made / "ws"), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.splitlines()[-1] == "[]"
    assert data.command.params
