"""`kathrine prepare` as a user types it: a manifest, the embedded tiny model, its real codec and speaker
encoder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from corpus_fakes import speech

from kathrine.cli.prepare import command
from kathrine.corpus.prepared import PreparedCorpus
from kathrine.errors import KathrineError
from kathrine.recipe import load_recipe
from kathrine.recipe.plan import checked_stages
from kathrine.train.setup import sizes_of
from kathrine_qwen3_tts.family import Qwen3TtsFamily

RECIPE = """
[model.qwen3_tts]
checkpoint = "kathrine:tiny"
[language.norwegian]
sentence_case = true
full_stop = true
[[data]]
source = "manifest"
path = "clips.jsonl"
language = "norwegian"
licence = "CC0-1.0"
[prepare]
device = "cpu"
min_letters_per_second = 1.0
[train]
epochs = 1.0
[strategy.lora]
lr = 1e-4
"""


def write_corpus(folder: Path) -> Path:
    rows = []
    for number in range(6):
        path = folder / f"clip{number}.flac"
        soundfile.write(path, speech(1.9 + 0.13 * (number * 5 % 6), number, 24000), 24000)
        row = {
            "audio": path.name,
            "text": f"det var en gang <ee> nummer {'ja ' * number}",
            "speaker": f"s{number % 2}",
        }
        rows.append(json.dumps(row))
    (folder / "clips.jsonl").write_text("\n".join([*rows, '{"audio": "absent.wav", "text": "borte vekk"}']))
    (folder / "recipe.toml").write_text(RECIPE)
    return folder / "recipe.toml"


def corpus_of(recipe: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> PreparedCorpus:
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(workspace))
    done = CliRunner().invoke(command, [str(recipe), "--json", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["entries"]["manifest"]["rejected"] == {"missing file": 1}
    assert told["entries"]["manifest"]["licence"] == ["CC0-1.0"]
    corpus = PreparedCorpus.open(told["folder"])
    assert corpus.fingerprint == told["fingerprint"]
    return corpus


@pytest.mark.slow
def test_real_codes_do_not_depend_on_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_corpus(tmp_path)
    together = corpus_of(recipe, tmp_path / "a", monkeypatch)
    alone = corpus_of(recipe, tmp_path / "b", monkeypatch, "--set", "prepare.batch=1")
    assert len(together.rows) == 6 and together.rows == alone.rows
    for row in together.rows:
        one, other = together.example(row.key), alone.example(row.key)
        assert one.codes_FQ.shape == (row.frames, 16) and row.frames == -(-round(row.seconds * 24000) // 1920)
        np.testing.assert_array_equal(one.codes_FQ, other.codes_FQ)
        assert one.speaker_embedding_H is not None and other.speaker_embedding_H is not None
        np.testing.assert_array_equal(one.speaker_embedding_H, other.speaker_embedding_H)
        assert one.spoken["text"].startswith("Det var en gang nummer") and one.spoken["text"].endswith(".")
        assert len(one.text_ids["text"]) == row.text_tokens["text"] > 3


def test_a_table_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_corpus(tmp_path)
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(tmp_path / "ws"))
    done = CliRunner().invoke(command, [str(recipe)], catch_exceptions=False, env={"COLUMNS": "120"})
    assert done.exit_code == 0
    assert "Prepared corpus" in done.stdout and "the recording does not exist" in done.stdout
    assert "prepared corpus: " in done.stdout and "manifest: kept 6 of 7 utterances" in done.stderr


PROBE = """
import sys
from click.testing import CliRunner
from kathrine.cli.prepare import command
done = CliRunner().invoke(command, sys.argv[1:], catch_exceptions=False)
assert done.exit_code == 0, done.output
heavy = {"torch", "transformers", "datasets", "peft", "accelerate", "torchcodec", "torchaudio", "librosa"}
print(*sorted(heavy & sys.modules.keys()))
"""


def test_a_corpus_that_is_up_to_date_needs_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_corpus(tmp_path)
    corpus_of(recipe, tmp_path / "ws", monkeypatch)
    probe = [sys.executable, "-c", PROBE, str(recipe)]
    done = subprocess.run(probe, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.split() == []


def invoke(workspace: Path, *arguments: str) -> dict[str, Any]:
    """`kathrine prepare ... --json` in a workspace; what it printed."""
    environment = {"KATHRINE_WORKSPACE": str(workspace)}
    done = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False, env=environment)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.slow
def test_two_shards_make_the_corpus_of_one_machine(tmp_path: Path) -> None:
    recipe = str(write_corpus(tmp_path))
    whole = invoke(tmp_path / "whole", recipe)
    shards = [invoke(tmp_path / f"m{n}", recipe, "--shard", f"{n}/2") for n in (1, 2)]
    assert [shard["part"] for shard in shards] == ["1/2", "2/2"]
    joined = invoke(tmp_path / "merged", recipe, "--merge", *(shard["folder"] for shard in shards))
    assert joined["fingerprint"] == whole["fingerprint"]
    for name in ("train-00000-of-00001.parquet", "index.parquet", "facts.json"):
        assert (Path(joined["folder"]) / name).read_bytes() == (Path(whole["folder"]) / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["here"], "here: folders are for --merge"),
        (["--shard", "1/2", "--merge"], "--shard makes one part"),
        (["--allow-missing"], "--allow-missing says what --merge may do"),
        (["--shard", "1/2", "--push", "a/b"], "a shard is no corpus"),
        (["--public"], "--public says how --push uploads"),
        (["--shard", "3/2"], "--shard 3/2: that is no part of a whole"),
    ],
)
def test_options_that_contradict_each_other_are_refused(arguments: list[str], sentence: str) -> None:
    with pytest.raises(KathrineError, match=re.escape(sentence)):
        CliRunner().invoke(command, ["recipe.toml", *arguments], catch_exceptions=False)


def test_a_prepared_corpus_is_a_source_for_another_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_corpus(tmp_path)
    first = corpus_of(recipe, tmp_path / "a", monkeypatch)
    other = tmp_path / "other.toml"
    data = f'source = "prepared"\nroot = "{first.folder}"\n'
    other.write_text(RECIPE.replace(RECIPE[RECIPE.index("source =") : RECIPE.index("[prepare]")], data))

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("an encoder was opened")

    monkeypatch.setattr(Qwen3TtsFamily, "open_codec", refuse)
    monkeypatch.setattr(Qwen3TtsFamily, "open_speaker_encoder", refuse)
    told = invoke(tmp_path / "b", str(other))
    second = PreparedCorpus.open(told["folder"])
    assert len(second.rows) == len(first.rows) == 6 and told["entries"]["prepared"]["licence"] == ["CC0-1.0"]
    for row, same in zip(second.rows, first.rows, strict=True):
        one, two = second.example(row.key), first.example(same.key)
        np.testing.assert_array_equal(one.codes_FQ, two.codes_FQ)
        np.testing.assert_array_equal(one.speaker_embedding_H, two.speaker_embedding_H)
        assert (one.spoken, one.text_ids, row.seconds) == (two.spoken, two.text_ids, same.seconds)
    # Training on it can be planned.
    loaded = load_recipe(str(other))
    (stage,) = checked_stages(loaded, sizes_of(loaded, second))
    assert stage.shares == {"prepared": 1.0}


def test_limits_of_the_checks_are_learnt_from_the_corpus(tmp_path: Path) -> None:
    """Facts of a corpus hold how long letters are; a run on it judges takes by that."""
    from kathrine.corpus.prepare import prepare
    from kathrine.progress import SilentProgress
    from kathrine.recipe import load_recipe
    from kathrine.speech.limits import limits_from
    from kathrine.train.loaded import corpus_limits
    from kathrine.workspace import Workspace

    workspace = Workspace.default()
    recipe = load_recipe("kathrine:curriculum", "smoke", workspace=workspace)
    corpus = prepare(recipe, workspace, SilentProgress())
    paces = [entry["pace"] for entry in corpus.facts["entries"].values()]
    assert all(0.03 < one["quickest"] < one["slowest"] < 0.3 for one in paces)
    limits = corpus_limits(recipe, workspace)
    assert limits == limits_from(paces) and limits.learnt_from == sum(one["utterances"] for one in paces) >= 50
    assert limits.seconds_per_letter == pytest.approx(1.3 * max(one["slowest"] for one in paces))
