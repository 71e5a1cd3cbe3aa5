"""`kathrine speak` as a person types it, on the tiny model: takes, voices, adapters, runs, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from exported import Quiet, finished
from safetensors.torch import load_file, save_file
from tiny_training import tiny_family, tiny_model, workspace

from kathrine.catalog import Catalog
from kathrine.cli.main import run as kathrine
from kathrine.datafiles import bundled_sample
from kathrine.progress import SilentProgress
from kathrine.train.loaded import Wish, load_target
from kathrine_checkpoint import Adapter
from kathrine_checkpoint.foreign import NOT_OURS
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions
from kathrine_text_projection import TextProjection

TEXT = "Kjære deg."


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """A run's model after some steps, and the folder of its adapter."""
    strategies = [
        Lora(LoraOptions(lr=2e-3)),
        TextProjection(TextProjection.Options(lr=1e-3)),
        LanguageTag(LanguageTagOptions(lr=1e-2)),
    ]
    run = finished(tmp_path_factory.mktemp("run") / "run", strategies, language="norwegian")
    folder = tmp_path_factory.mktemp("export") / "adapter"
    Adapter().export(run, folder, Quiet())
    return run, folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(workspace().root))
    return tmp_path


def speak(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = kathrine(["speak", *words])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def takes(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "spoken" / "takes.jsonl").read_text().splitlines()]


def codes_of(loaded, **more) -> np.ndarray:
    """What a loaded model says greedily to fixed ids: equal exactly when its weights are."""
    from kathrine.types import Sampling, SpeechRequest

    request = SpeechRequest(
        (5, 6, 7), speaker_embedding_H=np.ones(loaded.model.config["talker_config"]["hidden_size"]), **more
    )
    (made,) = loaded.model.generate([request], Sampling(greedy=True, sub_greedy=True), 12)
    return made.codes_TQ


# --------------------------------------------------------------------------- takes


def test_takes_are_written_measured_and_told(here: Path, capsys) -> None:
    code, said = speak(capsys, "kathrine:tiny", TEXT, "Hei!", "--takes", "2", "--max-seconds", "1", "--seed", "7")
    assert code == 1  # random weights do not end by themselves
    assert sorted(path.name for path in (here / "spoken").glob("*.wav")) == [
        "01-1.wav",
        "01-2.wav",
        "02-1.wav",
        "02-2.wav",
    ]
    made = takes(here)
    assert [(take["text"], take["seed"], take["take"]) for take in made] == [
        (TEXT, 7, 1),
        (TEXT, 8, 2),
        ("Hei!", 7, 1),
        ("Hei!", 8, 2),
    ]
    for take in made:
        wave, rate = soundfile.read(here / "spoken" / take["file"])
        assert rate == 24000 and len(wave) == take["frames"] * 1920 and take["seconds"] == len(wave) / rate
        assert take["frames"] == 12 and take["stop"] == "budget" and "no end" in take["flags"]
        assert 20 * np.log10(np.abs(wave).max()) == pytest.approx(take["peak_db"], abs=0.01)
    assert "language tag: auto" in said and "a bundled sample" in said
    assert said.count("no end: the model did not end by itself") == 4 and "Try: another --seed" in said


def test_nothing_is_overwritten_and_seeds_repeat(here: Path, capsys) -> None:
    for _ in range(2):
        speak(capsys, "kathrine:tiny", TEXT, "--max-seconds", "0.5")
    assert (here / "spoken" / "01.wav").read_bytes() == (here / "spoken" / "02.wav").read_bytes()
    speak(capsys, "kathrine:tiny", TEXT, "--max-seconds", "0.5", "--seed", "9", "--out", "spoken")
    assert (here / "spoken" / "03.wav").read_bytes() != (here / "spoken" / "01.wav").read_bytes()
    assert [take["file"] for take in takes(here)] == ["01.wav", "02.wav", "03.wav"]


def test_texts_come_from_files_too_and_json_is_for_machines(here: Path, capsys) -> None:
    (here / "lines.txt").write_text("Hei.\n\n  På deg.\n", encoding="utf-8")
    kathrine(["speak", "kathrine:tiny", "--file", "lines.txt", "--max-seconds", "0.3", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert [take["text"] for take in listed] == ["Hei.", "På deg."] == [take["text"] for take in takes(here)]


def test_long_texts_are_said_sentence_by_sentence(here: Path, capsys) -> None:
    long = " ".join(["Dette er en setning som er lang nok til at bare noen få av dem får plass."] * 5)
    speak(capsys, "kathrine:tiny", long, "--max-seconds", "0.5")
    (take,) = takes(here)
    wave, rate = soundfile.read(here / "spoken" / "01.wav")
    assert take["frames"] == 3 * 6  # three pieces of half a second, and two pauses between them
    assert len(wave) / rate == pytest.approx(3 * 6 * 0.08 + 2 * 0.25)


def test_a_reference_gives_the_voice_and_with_its_text_stands_in_the_prompt(here: Path, capsys) -> None:
    clips = sorted((bundled_sample("nb-librivox") / "data").glob("*.mp3"))
    told = []
    for more in (
        (),
        ("--reference", str(clips[5])),
        ("--reference", str(clips[5]), "--reference-text", "Det var en gang"),
    ):
        told.append(speak(capsys, "kathrine:tiny", TEXT, "--max-seconds", "0.5", *more)[1])
    waves = [(here / "spoken" / f"0{number}.wav").read_bytes() for number in (1, 2, 3)]
    assert len(set(waves)) == 3
    assert str(clips[5]) in told[1]


def test_layout_and_sampling_reach_the_model(here: Path, capsys) -> None:
    ways = [(), ("--text-layout", "whole"), ("--greedy",), ("--sub-greedy",), ("--temperature", "3", "--top-k", "9")]
    ways += [("--top-p", "0.1"), ("--repetition-penalty", "5"), ("--sub-temperature", "3"), ("--sub-top-k", "1")]
    ways += [("--sub-top-p", "0.01")]
    for way in ways:
        speak(capsys, "kathrine:tiny", TEXT, "--max-seconds", "1", *way)
    waves = [path.read_bytes() for path in sorted((here / "spoken").glob("*.wav"))]
    same = {(a, b) for a in range(10) for b in range(a) if waves[a] == waves[b]}
    assert same == {(9, 8)}  # the sub-talker's most likely code alone, drawn by two names


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--greedy", "--temperature", "0.5"), "--greedy ignores --temperature"),
        (("--greedy", "--sub-top-k", "3"), "--greedy ignores --sub-top-k"),
        (("--greedy", "--takes", "2"), "--greedy ignores --takes"),
        (("--greedy", "--seed", "2"), "--greedy ignores --seed"),
        (("--sub-greedy", "--sub-temperature", "1"), "--sub-greedy ignores --sub-temperature"),
        (("--greedy", "--sub-greedy"), "--greedy is greedy in the sub-talker too"),
        (("--speaker", "x", "--reference", "a.wav"), "both give the voice"),
        (("--reference-text", "hei"), "give that too"),
        (("--reference", "a.wav", "--reference-text", " "), "--reference-text is empty"),
        (("--reference", "a.wav"), "the reference a.wav can not be used: missing file"),
        (("--speaker", "vivian"), "has no speaker 'vivian'"),
        (("--language", "germna"), "no language tag for 'germna' (did you mean 'german'?)"),
        (("--without", "lora"), "is a complete model: nothing of it can be left out or scaled"),
        (("--lora-scale", "0.5"), "is a complete model"),
        (("--adapter", "nowhere"), "nowhere holds no adapter that can be loaded"),
        (("--file", "none.txt"), "none.txt can not be read"),
        (("--checkpoint", "40"), "--checkpoint is for runs"),
        (("--without", ","), "--without names nothing"),
        (("--out", "taken"), "--out taken is a file"),
        (("--reference", "short.wav"), "the reference short.wav has 0.20 s of sound"),
        (
            ("--reference", "empty.wav"),
            "the reference empty.wav can not be used: corrupt (empty.wav: it holds no sound)",
        ),
    ],
)
def test_what_contradicts_itself_or_is_not_there_is_refused(here: Path, capsys, flags, said) -> None:
    (here / "taken").touch()
    soundfile.write(here / "short.wav", 0.1 * np.sin(np.arange(4800) / 20), 24000)
    soundfile.write(here / "empty.wav", np.zeros(0), 24000)
    code, told = speak(capsys, "kathrine:tiny", TEXT, *flags)
    assert code == 2 and said in told and "Traceback" not in told
    assert not (here / "spoken").exists()


def test_all_contradictions_come_at_once(capsys) -> None:
    _, told = speak(capsys, "nowhere", TEXT, "--greedy", "--top-p", "0.5", "--seed", "1", "--reference-text", "x")
    assert all(one in told for one in ("--greedy ignores --top-p", "--greedy ignores --seed", "give that too"))


def test_nothing_to_say_and_nothing_by_that_name(capsys) -> None:
    assert "there is nothing to say" in speak(capsys, "kathrine:tiny")[1]
    assert "'nowhere' is no run" in speak(capsys, "nowhere", TEXT)[1]
    assert "hub:OWNER/NAME" in speak(capsys, "hub:x", TEXT)[1]
    code, told = speak(capsys, "kathrine:tiny", "<inaudible>")
    assert code == 2 and "can not be spoken" in told


# --------------------------------------------------------------------------- adapters


def loaded_codes(target: str, language: str | None = "norwegian", **wish) -> np.ndarray:
    with load_target(target, Wish(**wish), Catalog.load(), workspace(), SilentProgress()) as loaded:
        known = language if language and loaded.model.language_id(language) is not None else None
        return codes_of(loaded, language=known)


def test_an_adapter_is_put_onto_its_base_and_its_parts_can_be_left_out(trained, capsys) -> None:
    run, folder = trained
    whole = loaded_codes(str(folder))
    assert np.array_equal(whole, loaded_codes("kathrine:tiny", adapter=str(folder)))
    assert np.array_equal(whole, codes_of(run_as_loaded(run), language="norwegian"))
    base = loaded_codes("kathrine:tiny")
    parts = ("lora", "text_projection", "language_tag")
    assert np.array_equal(loaded_codes(str(folder), without=parts), base)
    different = [loaded_codes(str(folder), without=(part,)) for part in parts]
    different += [loaded_codes(str(folder), scale=0.0), whole, base]
    # leaving the LoRA out and scaling it to nothing are the same; all others differ
    assert np.array_equal(different[0], different[3])
    assert len({one.tobytes() for one in different}) == 5


class run_as_loaded:
    def __init__(self, run) -> None:
        self.model = run.model


def test_it_is_known_which_adapter_was_put_on(trained) -> None:
    """An evaluation tells stale takes by its content."""
    _, folder = trained
    for target, wish in ((str(folder), Wish()), ("kathrine:tiny", Wish(adapter=str(folder)))):
        with load_target(target, wish, Catalog.load(), workspace(), SilentProgress()) as loaded:
            assert loaded.adapter == folder


def test_an_adapter_of_a_folder_asks_for_it(trained, tmp_path: Path, capsys) -> None:
    folder = Path(shutil.copytree(trained[1], tmp_path / "adapter"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["base"] |= {"checkpoint": "tuned", "revision": "local"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    code, told = speak(capsys, str(folder), TEXT)
    assert code == 2 and f"PATH/TO/tuned --adapter {folder}" in told


def test_a_complete_export_speaks_the_language_of_its_recipe(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_family().resolved(workspace()).path, tmp_path / "merged"))
    for lines, variant in (("", None), ('[language.norwegian]\nvariant = "nn"\n', "nn")):
        (folder / "recipe.toml").write_text(lines)
        with load_target(str(folder), Wish(), Catalog.load(), workspace(), SilentProgress()) as loaded:
            assert (loaded.language.options.variant if loaded.language is not None else None) == variant


def test_what_was_loaded_is_told(trained, here: Path, capsys) -> None:
    _, folder = trained
    _, told = speak(
        capsys, str(folder), TEXT, "--without", "text_projection", "--lora-scale", "0.5", "--max-seconds", "0.3"
    )
    assert f"adapter {folder}: lora x 0.5, language_tag" in told and "left out: text_projection" in told
    assert "language tag: norwegian" in told
    code, told = speak(capsys, str(folder), TEXT, "--without", "mlp")
    assert code == 2 and "has no mlp to leave out" in told and "language_tag, lora, text_projection" in told
    code, told = speak(capsys, str(folder), TEXT, "--without", "lora", "--lora-scale", "2")
    assert code == 2 and "no LoRA to scale" in told
    code, told = speak(capsys, str(folder), TEXT, "--adapter", str(folder))
    assert code == 2 and "is an adapter already" in told


def seed_folder(folder: Path, export: Path, prefix: str) -> Path:
    """The same LoRA and projection as another trainer saved them: PEFT around the talker's body alone."""
    folder.mkdir()
    config = json.loads((export / "adapter_config.json").read_text())
    config |= {"target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"], "base_model_name_or_path": "kathrine:tiny"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    state = load_file(export / "adapter_model.safetensors")
    shorter = {
        key.replace("base_model.model.talker.model.", f"base_model.model.{prefix}"): value
        for key, value in state.items()
    }
    assert all(key.startswith(f"base_model.model.{prefix}layers.0") or "layers." in key for key in shorter)
    save_file(shorter, folder / "adapter_model.safetensors")
    torch.save(load_file(export / "text_projection.safetensors"), folder / "text_projection.bin")
    return folder


@pytest.mark.parametrize("prefix", ["", "model.", "talker.model."])
def test_the_folders_of_other_trainers_are_spoken_with_a_note(trained, here: Path, capsys, prefix: str) -> None:
    _, export = trained
    folder = seed_folder(here / "theirs", export, prefix)
    expected = loaded_codes(str(export), None, without=("language_tag",))
    assert np.array_equal(loaded_codes(str(folder), None), expected)
    assert not np.array_equal(loaded_codes(str(folder), None, without=("text_projection",)), expected)
    _, told = speak(capsys, str(folder), TEXT, "--max-seconds", "0.3")
    assert f"note: {NOT_OURS}" in told
    assert kathrine(["inspect", str(folder)]) == 0
    assert NOT_OURS in capsys.readouterr().out


def test_what_does_not_fit_in_such_a_folder_is_named(trained, here: Path, capsys) -> None:
    _, export = trained
    folder = seed_folder(here / "theirs", export, "")
    state = load_file(folder / "adapter_model.safetensors")
    save_file(
        {key.replace("layers.", "blocks."): value for key, value in state.items()}, folder / "adapter_model.safetensors"
    )
    assert "this model has no place for blocks.0" in speak(capsys, str(folder), TEXT)[1]
    save_file(state, folder / "adapter_model.safetensors")
    torch.save({"weight": torch.zeros(2, 2)}, folder / "text_projection.bin")
    assert "no text projection of this model" in speak(capsys, str(folder), TEXT)[1]
    (folder / "text_projection.bin").unlink()
    _, told = speak(capsys, str(folder), TEXT, "--max-seconds", "0.3")
    assert "the accent will be the base model's" in told


def test_pickled_code_is_never_run(trained, here: Path, capsys) -> None:
    _, export = trained
    folder = seed_folder(here / "theirs", export, "")

    class Evil:
        def __reduce__(self):
            return (Path.touch, (here / "owned",))

    torch.save({"weight": Evil()}, folder / "text_projection.bin")
    code = kathrine(["speak", str(folder), TEXT])
    assert code == 2 and not (here / "owned").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_a_model_that_never_ends_is_silent_or_repeats_is_caught(here: Path, capsys, monkeypatch) -> None:
    """Made by editing the tiny model's head."""
    import kathrine_qwen3_tts.model as module

    plain = module.load_model

    def edited(change):
        def load(*given, **named):
            model = plain(*given, **named)
            with torch.no_grad():
                change(model)
            return model

        return load

    def never_ends(model) -> None:
        head = model.network.talker.codec_head.weight
        head[model.config["talker_config"]["codec_eos_token_id"]] = 0.0
        head[:128] += 1e-3

    def repeats(model) -> None:
        head = model.network.talker.codec_head.weight
        head.zero_()

    monkeypatch.setattr(module, "load_model", edited(never_ends))
    speak(capsys, "kathrine:tiny", TEXT, "--max-seconds", "2")
    monkeypatch.setattr(module, "load_model", edited(repeats))
    speak(capsys, "kathrine:tiny", "Dette er en lang setning som trenger mange sekunder.", "--greedy")
    from kathrine_qwen3_tts import codec as codec_module

    plain_codec = codec_module.load_codec

    def silent(*given, **named):
        made = plain_codec(*given, **named)
        with torch.no_grad():
            last = [one for one in made.decoder.modules() if isinstance(one, torch.nn.Conv1d)][-1]
            last.weight.zero_()
            last.bias.zero_()
        return made

    monkeypatch.setattr(module, "load_model", plain)
    monkeypatch.setattr(codec_module, "load_codec", silent)
    _, told = speak(capsys, "kathrine:tiny", TEXT, "--max-seconds", "1")
    assert "silent: the checkpoint speaks silence" in told
    ended, looped, mute = takes(here)
    assert "silent" in mute["flags"] and mute["peak_db"] < -60
    assert ended["stop"] == "budget" and "no end" in ended["flags"]
    assert looped["stop"] == "repetition" and "repeated" in looped["flags"] and looped["seconds"] < 6


def test_what_is_advised_can_be_typed() -> None:
    """Every flag that the advice names is one, without a value that it does not take."""
    import re

    from kathrine.cli.speak import command
    from kathrine.speech.checks import ADVICE

    options = {name: one for one in command.params for name in one.opts}
    for flag, (_, remedy) in ADVICE.items():
        for name, value in re.findall(r"(--[a-z-]+)(?: ([\w,.]+))?", remedy):
            assert name in options, (flag, name)
            assert not (options[name].is_flag and value in ("on", "off")), (flag, name)


def test_a_checkpoint_is_not_chosen_twice(here: Path, capsys) -> None:
    run = here / "run"
    (run / "checkpoints" / "00000040").mkdir(parents=True)
    (run / "recipe.toml").touch()
    code, told = speak(capsys, str(run / "checkpoints" / "00000040"), TEXT, "--checkpoint", "last")
    assert code == 2 and "is one checkpoint already" in told


def test_a_fresh_model_is_untouched_by_all_this() -> None:
    assert not any("lora" in name for name, _ in tiny_model().network.named_parameters())
