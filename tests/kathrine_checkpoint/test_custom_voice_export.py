from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from exported import Quiet, finished
from huggingface_hub import metadata_load
from safetensors.torch import load_file
from tiny_training import tiny_family, tiny_model, workspace

from kathrine import FinishedRun, KathrineError, PlannedRun
from kathrine.cards import missing_fields
from kathrine.cli.main import run as kathrine
from kathrine.recipe.tables import PrepareTable
from kathrine.speech.voices import conditioned
from kathrine.testing import ToyFamily
from kathrine_checkpoint import CustomVoice, Merged
from kathrine_checkpoint.complete import check_row
from kathrine_checkpoint.custom_voice import CustomVoiceOptions
from kathrine_checkpoint.manifest import file_hash
from kathrine_checkpoint.voices import NewVoice, mean_embedding
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions

TABLE = "talker.model.codec_embedding.weight"


def custom_voice(voices: dict[str, str], **options: object) -> CustomVoice:
    return CustomVoice(CustomVoiceOptions(voices=voices, **options))  # type: ignore[arg-type]


def tone(path: Path, hertz: float) -> Path:
    """Two seconds of something that has a spectrum."""
    at = np.arange(48000) / 24000
    wave = 0.1 * np.sign(np.sin(2 * np.pi * hertz * at)) + 0.02 * np.sin(9 * hertz * at)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave.astype(np.float32), 24000)
    return path


def spoken_by(*speakers: str) -> SimpleNamespace:
    """A prepared corpus of three utterances of each speaker, the last one held out."""
    rows, examples = [], {}
    for number, speaker in enumerate(speakers):
        for count, split in enumerate(("train", "train", "validation")):
            key = f"npsc/{speaker}-{count}"
            rows.append(SimpleNamespace(key=key, entry="npsc", speaker=speaker, split=split))
            vector = np.random.default_rng(10 * number + count).standard_normal(64).astype(np.float32)
            examples[key] = SimpleNamespace(speaker_embedding_H=vector)
    return SimpleNamespace(rows=rows, fingerprint="abc", example=examples.__getitem__, examples=examples)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base checkpoint that brings a speaker already."""
    from kathrine_qwen3_tts.checkpoint import read_tensors, write_checkpoint

    stock = tiny_family().resolved(workspace()).path
    patch = {"talker_config": {"spk_id": {"ryan": 3000}, "spk_is_dialect": {"ryan": "chinese"}}}
    return write_checkpoint(tmp_path_factory.mktemp("base") / "model", stock, read_tensors(stock), patch)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, base: Path) -> FinishedRun:
    strategies = [Lora(LoraOptions(lr=2e-3)), LanguageTag(LanguageTagOptions(lr=2e-3, row=3001))]
    made = finished(tmp_path_factory.mktemp("runs") / "first", strategies, language="norwegian", checkpoint=base)
    return replace(made, corpus=spoken_by("ola"))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for number, hertz in enumerate((110, 130, 170)):
        tone(folder / "kari" / f"{number}.wav", hertz)
    (folder / "kari" / "notes.txt").write_text("no sound")
    return folder


@pytest.fixture(scope="module")
def export(run: FinishedRun, recordings: Path, tmp_path_factory: pytest.TempPathFactory):
    voices = {"Kari": str(recordings / "kari"), "ola": "data:npsc/ola"}
    progress = Quiet()
    result = custom_voice(voices, dtype="fp32").export(run, tmp_path_factory.mktemp("out") / "custom", progress)
    assert any("the voice 'Kari' is written as 'kari'" in line for line in progress.warned)
    return result


def wanted_voice(folder: Path) -> np.ndarray:
    """The mean over the recordings of a folder, by the speaker encoder of the base."""
    encoder = tiny_family().open_speaker_encoder(workspace())
    assert encoder is not None
    waves = [conditioned(path, PrepareTable(), 24000) for path in sorted(folder.glob("*.wav"))]
    return np.mean([encoder(wave).astype(np.float64) for wave in waves], axis=0).astype(np.float32)


def test_voices_lie_in_free_rows_beside_those_of_the_base(run, export, base: Path, recordings: Path) -> None:
    """3000 is taken by a speaker, 3001 by the language tag."""
    config = json.loads((export.folder / "config.json").read_text())
    talker = config["talker_config"]
    assert config["tts_model_type"] == "custom_voice"
    assert talker["spk_id"] == {"ryan": 3000, "kari": 3002, "ola": 3003}
    assert talker["spk_is_dialect"] == {"ryan": "chinese", "kari": False, "ola": False}
    assert talker["codec_language_id"]["norwegian"] == 3001
    stored = load_file(export.folder / "model.safetensors")
    before = load_file(base / "model.safetensors")
    assert stored.keys() == {name for name in before if not name.startswith("speaker_encoder.")}
    assert torch.equal(stored[TABLE][3000], before[TABLE][3000].float())
    np.testing.assert_allclose(stored[TABLE][3002].numpy(), wanted_voice(recordings / "kari"), rtol=1e-6)
    ola = [run.corpus.example(f"npsc/ola-{count}").speaker_embedding_H for count in range(2)]
    assert torch.equal(stored[TABLE][3003], torch.from_numpy(mean_embedding(ola)))
    moved = (stored[TABLE] != before[TABLE].float()).any(dim=1).nonzero().flatten().tolist()
    assert moved == [3001, 3002, 3003]


def test_it_was_heard_in_every_voice_and_says_so(export) -> None:
    manifest = json.loads((export.folder / "manifest.json").read_text())
    assert manifest["kind"] == "custom_voice" and manifest["corpus"]["fingerprint"] == "abc"
    assert manifest["voices"] == {
        "kari": {"row": 3002, "source": "kari", "recordings": 3},
        "ola": {"row": 3003, "source": "data:npsc/ola", "recordings": 2},
    }
    for name, take in (("kari", "samples/self-check.wav"), ("ola", "samples/self-check-ola.wav")):
        assert manifest["checks"][f"codes ({name})"] == "as the run's" and take in export.files
        (spoken,) = [one for one in manifest["spoken"] if one["voice"] == name]
        assert (spoken["file"], spoken["text"], spoken["seconds"]) == (take, "Hei.", 0.48)
    assert export.checks["difference"] <= 1e-5 and export.notes == ()
    card = (export.folder / "README.md").read_text()
    assert "brings the voices `kari` and `ola`" in card and "no speaker encoder" in card
    assert " 'Hei.' --voice kari --language norwegian" in card and "`--voice` takes `kari` or `ola`." in card
    assert '(text="Hei.", language="norwegian", speaker="kari")' in card and "--reference" not in card
    assert "- the voice `kari`: whoever speaks in kari, from 3 recordings." in card
    assert "- the voice `ola`: the speaker ola of the data npsc, from 2 recordings." in card
    assert "Of its own voices they flagged none." in card
    assert "use none of them to imitate" in card and "Nothing is said here of whether they agreed" in card
    for name, take in (("kari", "self-check"), ("ola", "self-check-ola")):
        assert f'src="samples/{take}.wav"></audio> | none | `{name}` |' in card


def test_its_card_is_known_before_the_run_and_is_written_again(run, export, tmp_path: Path) -> None:
    exporter = custom_voice({}, consent="Both agreed in writing.", samples=1)
    metadata = exporter.card_metadata(run.plan)
    assert missing_fields(metadata) == []
    assert (metadata["base_model_relation"], metadata["library_name"]) == ("finetune", "qwen-tts")
    assert metadata_load(export.folder / "README.md") == metadata
    folder = Path(shutil.copytree(export.folder, tmp_path / "copy"))
    place = "https://huggingface.co/kari/tale/resolve/main/"
    assert exporter.refresh_card(run.folder, folder, place)
    card = (folder / "README.md").read_text()
    assert "kathrine speak hub:kari/tale 'Hei.' --voice kari" in card and 'from_pretrained("kari/tale")' in card
    assert f'src="{place}samples/self-check-ola.wav"' in card
    assert "Both agreed in writing." in card and "Nothing is said here" not in card
    listed = json.loads((folder / "manifest.json").read_text())["files"]["README.md"]["sha256"]
    assert listed == file_hash(folder / "README.md")


def test_kathrine_speaks_with_its_voices(export, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KATHRINE_WORKSPACE", str(workspace().root))
    words = ["speak", str(export.folder), "Hei.", "--max-seconds", "0.5", "--greedy"]
    for name in ("Kari", "ola"):
        assert kathrine([*words, "--voice", name, "--out", name]) in (0, 1), capsys.readouterr().err
        assert f"voice: speaker {name}" in capsys.readouterr().err
    assert (tmp_path / "Kari" / "01.wav").read_bytes() != (tmp_path / "ola" / "01.wav").read_bytes()
    assert kathrine(words) == 2
    assert "--voice with one of kari, ola, ryan" in capsys.readouterr().err
    assert kathrine([*words, "--voice", "nora"]) == 2
    assert "has no speaker 'nora'" in capsys.readouterr().err


def test_keep_base_keeps_type_and_encoder_and_has_the_voices_too(run, base: Path, tmp_path: Path) -> None:
    exporter = custom_voice({"ola": "data:npsc/ola"}, keep_base=True, rows={"Ola": 2900}, max_shard_gb=0.0005)
    result = exporter.export(run, tmp_path / "out", Quiet())
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["tts_model_type"] == "base" and config["talker_config"]["spk_id"] == {"ryan": 3000, "ola": 2900}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "--voice ola" in card and "`--reference voice.wav` takes that of a recording instead" in card
    assert "`qwen-tts` does not let its named voices be used" in card and "generate_custom_voice" not in card
    assert "model.safetensors.index.json" in result.files
    family = tiny_family(tmp_path / "out")
    model = family.load(workspace())
    assert set(model.originals) == set(load_file(base / "model.safetensors"))
    assert model.facts.speakers == ("ryan", "ola") and family.open_speaker_encoder(workspace()) is not None
    ola = mean_embedding([run.corpus.example(f"npsc/ola-{count}").speaker_embedding_H for count in range(2)])
    row = model.originals[TABLE][2900].float()
    assert torch.equal(row, torch.from_numpy(ola).to(torch.bfloat16).float())
    check_row(model, NewVoice("ola", 2900, ola, "", 2), "bf16", "export.custom_voice")
    with pytest.raises(KathrineError, match="row 2901 is not the embedding of ola"):
        check_row(model, NewVoice("ola", 2901, ola, "", 2), "bf16", "export.custom_voice")


def test_a_merged_export_keeps_the_speakers_of_its_base(run, base: Path, tmp_path: Path) -> None:
    Merged().export(run, tmp_path / "out", Quiet())
    before = json.loads((base / "config.json").read_text())["talker_config"]
    after = json.loads((tmp_path / "out" / "config.json").read_text())["talker_config"]
    assert (after["spk_id"], after["spk_is_dialect"]) == (before["spk_id"], before["spk_is_dialect"])


def test_everything_that_a_file_can_tell_is_refused_in_check(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    there = str(recordings / "kari" / "0.wav")
    exporter = custom_voice(
        {
            "Kari": there,
            "kari": there,
            "two words": there,
            "gone": str(tmp_path / "gone.wav"),
            "empty": str(tmp_path / "empty"),
            "half": "data:npsc",
        },
        rows={"kari": 3000, "gone": 3000, "nobody": 3001},
    )
    told = "\n".join(exporter.problems())
    assert "'Kari' and 'kari' are the same name in lower case, 'kari'" in told
    assert "'two words' can not be a speaker's name" in told
    assert "gone: there is no recording or folder" in told and "gone.wav" in told
    assert "empty: the folder" in told and "holds no .wav" in told
    assert "half: 'data:npsc' is not of the form data:ENTRY/SPEAKER" in told
    assert "rows: nobody is none of the voices" in told and "can not both have row 3000" in told
    assert len(told.splitlines()) == 7
    assert list(custom_voice({"kåre": there, "x-1.b": there}).problems()) == []
    assert "names nobody" in next(custom_voice({}).problems())


def plan(base: Path, **more: object) -> PlannedRun:
    made = PlannedRun("a", {"prepare": {}}, workspace(), tiny_family(base), "", {"npsc": None}, ())  # type: ignore[dict-item]
    return replace(made, **more)  # type: ignore[arg-type]


def test_what_the_model_and_the_recipe_tell_is_refused_before_the_run(base: Path, recordings: Path, tmp_path) -> None:
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(48000, np.float32), 24000)
    (tmp_path / "broken.wav").write_text("no sound")
    there = str(recordings / "kari" / "0.wav")
    voices = {
        "Ryan": there,
        "a": "data:npcs/ola",
        "b": str(silent),
        "c": str(tmp_path / "broken.wav"),
        "d": there,
        "e": there,
        "f": there,
    }
    progress = Quiet()
    exporter = custom_voice(voices, rows={"d": 3000, "e": 3001, "f": 100})
    told = "\n".join(exporter.before_run(plan(base, languages={"norwegian": 3001}), progress))
    assert "brings a speaker 'ryan' already" in told
    assert "a: the recipe has no data entry 'npcs' (did you mean 'npsc'?)" in told
    assert "silent.wav is silent" in told and "broken.wav can not be used" in told
    assert "d can not have row 3000, it is taken by the speaker ryan" in told
    assert "e can not have row 3001, it is taken by the language norwegian" in told
    assert "f can not have row 100" in told
    assert len(told.splitlines()) == 7
    assert progress.warned == [
        "export.custom_voice: the voice 'Ryan' is written as 'ryan': speakers are looked up in lower case"
    ]


def test_a_speaker_that_the_corpus_has_not_is_refused_before_training(base: Path) -> None:
    exporter = custom_voice({"a": "data:npsc/olla", "b": "data:npsc/ola"})
    assert list(exporter.before_run(plan(base), Quiet())) == []
    (told,) = exporter.before_training(plan(base), spoken_by("ola", "kari"))  # type: ignore[arg-type]
    assert told == "voices: a: data entry npsc has no speaker 'olla' (did you mean 'ola'?)"


def test_models_without_an_encoder_and_families_without_voices_are_refused(export, recordings: Path) -> None:
    exporter = custom_voice({"nora": str(recordings / "kari" / "0.wav")})
    (told,) = exporter.before_run(plan(export.folder), Quiet())
    assert "a custom_voice checkpoint has no speaker encoder" in told and "Base" in told
    (told,) = exporter.before_run(plan(export.folder, family=ToyFamily()), Quiet())
    assert told == "model.toy brings no speakers of its own: use export.merged"
    assert tiny_model(checkpoint=export.folder).voice_table() == TABLE
    with pytest.raises(KathrineError, match="brings no speakers of its own"):
        ToyFamily().load(workspace()).voice_table()


def test_a_recording_that_went_away_leaves_nothing_behind(run, tmp_path: Path) -> None:
    exporter = custom_voice({"nora": str(tone(tmp_path / "nora.wav", 200)), "b": "data:npsc/nobody"})
    (tmp_path / "nora.wav").unlink()
    with pytest.raises(KathrineError) as error:
        exporter.export(run, tmp_path / "out", Quiet())
    assert "no recording or folder" in error.value.message and "no speaker 'nobody'" in error.value.message
    assert not list(tmp_path.iterdir())
