from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_training import tiny_family, tiny_model, workspace

from kathrine import KathrineError, Workspace
from kathrine_qwen3_tts import Qwen3TtsFamily
from kathrine_qwen3_tts.family import Qwen3TtsOptions

GOLD = Path(__file__).parents[1] / "data" / "gold"


class Told:
    def __init__(self) -> None:
        self.said: list[str] = []

    def task(self, description, total=None):
        raise AssertionError("not used here")

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.said.append(message)


@pytest.mark.parametrize(
    ("checkpoint", "tensors", "numbers"),
    [
        ("Qwen/Qwen3-TTS-12Hz-0.6B-Base", 478, 914_643_008),
        ("Qwen3-TTS-12Hz-1.7B-Base", 480, 1_928_677_440),
    ],
)
def test_released_models_are_known_without_network_or_weights(
    checkpoint: str, tensors: int, numbers: int, tmp_path: Path
) -> None:
    family = tiny_family(checkpoint)
    specs = family.parameters(Workspace(tmp_path))
    facts = family.facts(Workspace(tmp_path))
    assert specs is not None and facts is not None
    assert len(specs) == tensors and sum(spec.count for spec in specs) == numbers
    assert (facts.codebooks, facts.codebook_size, facts.sample_rate, facts.frames_per_second) == (
        16,
        2048,
        24000,
        12.5,
    )
    assert "german" in facts.languages and facts.speakers == ()
    assert ("sub_talker_projection" in facts.parts) == ("1.7B" in checkpoint)
    assert not list(tmp_path.iterdir())


def test_an_unknown_checkpoint_is_not_guessed(tmp_path: Path) -> None:
    family = tiny_family("somebody/some-model")
    assert family.facts(Workspace(tmp_path)) is None and family.parameters(Workspace(tmp_path)) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("./nowhere", "there is no folder ./nowhere"),
        ("/nowhere/at/all", "there is no folder /nowhere/at/all"),
        ("a name", "'a name' is neither a folder nor a Hub id"),
        ("", "is neither a folder nor a Hub id"),
    ],
)
def test_a_checkpoint_that_can_not_be_is_a_problem_of_the_recipe(name: str, said: str) -> None:
    problems = list(Qwen3TtsFamily(Qwen3TtsOptions(checkpoint=name)).problems())
    assert len(problems) == 1 and problems[0].startswith("checkpoint: ") and said in problems[0]
    assert "kathrine:tiny" in problems[0]


def test_a_checkpoint_folder_is_looked_into(tmp_path: Path) -> None:
    (problem,) = Qwen3TtsFamily(Qwen3TtsOptions(checkpoint=str(tmp_path))).problems()
    assert "config.json" in problem
    for good in ("kathrine:tiny", "Qwen3-TTS-12Hz-0.6B-Base", "somebody/a-model"):
        assert not list(Qwen3TtsFamily(Qwen3TtsOptions(checkpoint=good)).problems())


def test_facts_and_parameters_leave_torch_alone() -> None:
    code = (
        "import sys; from pathlib import Path; from kathrine import Workspace\n"
        "import kathrine_qwen3_tts as q; nowhere = Workspace(Path('nowhere'))\n"
        "for name in ('kathrine:tiny', 'Qwen/Qwen3-TTS-12Hz-0.6B-Base'):\n"
        "    family = q.Qwen3TtsFamily(q.Qwen3TtsFamily.Options(checkpoint=name))\n"
        "    assert family.facts(nowhere) and family.parameters(nowhere)\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pyarrow', 'peft'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize("checkpoint", ["kathrine:tiny", GOLD / "tiny-0b6", GOLD / "tiny-1b7"])
def test_parameters_are_those_of_the_loaded_model(checkpoint: str | Path) -> None:
    family = tiny_family(checkpoint)
    before = family.parameters(workspace())
    model = family.load(workspace())
    assert before == model.specs and before is not None
    real = {name: tuple(parameter.shape) for name, parameter in model.network.named_parameters()}
    assert real == {spec.name: spec.shape for spec in before}
    assert {name: tuple(value.shape) for name, value in model.originals.items()} == real
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    assert not model.network.training
    facts = family.facts(workspace())
    assert facts is not None and facts.parts == tuple(
        part for part in facts.parts if any(spec.part == part for spec in before)
    )
    assert {spec.part for spec in before} == set(facts.parts)


def test_a_custom_voice_checkpoint_has_speakers_and_no_speaker_encoder(tmp_path: Path) -> None:
    from kathrine_qwen3_tts.checkpoint import read_tensors, write_checkpoint

    tensors = {n: v for n, v in read_tensors(GOLD / "tiny-1b7") if not n.startswith("speaker_encoder.")}
    folder = write_checkpoint(tmp_path / "custom", GOLD / "tiny-1b7", tensors, {"tts_model_type": "custom_voice"})
    family = tiny_family(folder)
    facts = family.facts(workspace())
    assert facts is not None and {"kari", "nils"} <= set(facts.speakers) and "speaker_encoder" not in facts.parts
    assert family.open_speaker_encoder(workspace()) is None
    assert family.fingerprints(workspace()).speaker == ""
    assert "has no speaker encoder" in family.voice_rows(workspace(), {"nora": None}, {})[1][0]
    assert len(family.load(workspace()).originals) == len(tensors)


def test_new_speakers_get_free_rows_and_everything_in_their_way_is_told() -> None:
    family = tiny_family()
    wanted = {f"v{number}": None for number in range(73)}
    rows, problems = family.voice_rows(workspace(), {**wanted, "set": 3002}, {"norwegian": 3001, "fo": 2999})
    assert problems == [] and rows["set"] == 3002
    assert [rows["v0"], rows["v1"], rows["v68"], rows["v69"], rows["v70"], rows["v72"]] == [
        *(3000, 3003, 3070, 3071, 2998, 2996)
    ]  # fmt: skip
    many = {f"v{number}": None for number in range(212)}
    assert family.voice_rows(workspace(), many, {"norwegian": 3001})[1] == [
        "voices: there are 210 free rows for 212 voices"
    ]
    golden = tiny_family(GOLD / "tiny-1b7")
    _, problems = golden.voice_rows(workspace(), {"kari": None, "nora": 5, "ola": 2150}, {})
    assert len(problems) == 3 and "brings a speaker 'kari' already" in problems[0]
    assert "nora can not have row 5" in problems[1] and "taken by the control id codec_eos_token_id" in problems[2]
    unknown = Qwen3TtsFamily(Qwen3TtsFamily.Options(checkpoint="someone/else"))
    assert unknown.voice_rows(workspace(), {"nora": None}, {}) == ({}, [])


def test_fingerprints_change_with_what_they_are_made_of(tmp_path: Path) -> None:
    base = tiny_family().fingerprints(workspace())
    assert base == tiny_family().fingerprints(workspace())
    options = Qwen3TtsFamily.Options(checkpoint="kathrine:tiny", attention_window="windowed")
    windowed = Qwen3TtsFamily(options).fingerprints(workspace())
    assert windowed.codec != base.codec and (windowed.speaker, windowed.text) == (base.speaker, base.text)

    folder = tmp_path / "copy"
    shutil.copytree(tiny_family().resolved(workspace()).path, folder)
    assert tiny_family(folder).fingerprints(workspace()) == base
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["added_tokens_decoder"][max(config["added_tokens_decoder"], key=int)]["lstrip"] = True
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    other = tiny_family(folder).fingerprints(workspace())
    assert other.text != base.text and (other.codec, other.speaker) == (base.codec, base.speaker)


def test_fetch_checks_once_and_says_what_it_found() -> None:
    family, told = tiny_family(), Told()
    family.fetch(workspace(), told)
    family.fetch(workspace(), told)
    assert len(told.said) == 1 and "kathrine:tiny" in told.said[0]
    facts = family.facts(workspace())
    assert facts is not None and facts.revision


def test_codec_text_and_speaker_encoder_work_together() -> None:
    family = tiny_family()
    codec = family.open_codec(workspace())
    random = np.random.default_rng(0)
    waves = [random.standard_normal(length).astype(np.float32) * 0.1 for length in (24000, 9000)]
    codes = codec.encode(waves)
    assert [c.shape for c in codes] == [(13, 16), (5, 16)] and codes[0].dtype == np.int16
    assert np.array_equal(codec.encode(waves[1:])[0], codes[1])
    chunks: list[tuple[int, int]] = []
    decoded = codec.decode(codes, progress=lambda done, total: chunks.append((done, total)))
    assert [len(wave) for wave in decoded] == [13 * 1920, 5 * 1920] and chunks[-1][0] == chunks[-1][1]
    only = family.open_codec(workspace(), decode_only=True)
    assert np.array_equal(only.decode(codes[:1])[0], codec.decode(codes[:1])[0])
    with pytest.raises(KathrineError, match="without its encoder"):
        only.encode(waves)
    ids = family.open_text(workspace())("Jeg så en rød blåmeis.")
    assert len(ids) > 3 and all(isinstance(id_, int) for id_ in ids)
    embed = family.open_speaker_encoder(workspace())
    assert embed is not None and embed(waves[0]).shape == (tiny_model().network.hidden_size,)


def test_a_precision_of_another_name_is_refused() -> None:
    with pytest.raises(KathrineError, match="precision 'fp8'"):
        tiny_family().load(workspace(), dtype="fp8")


def test_write_checkpoint_gives_a_checkpoint_that_loads(tmp_path: Path) -> None:
    import torch

    family, model = tiny_family(), tiny_model()
    weights = {name: value.detach().float() for name, value in model.originals.items()}
    files = family.write_checkpoint(workspace(), tmp_path / "out", weights, "fp32", {"norwegian": 2100})
    assert set(files) >= {"config.json", "model.safetensors", "speech_tokenizer/model.safetensors"}
    again = tiny_model(checkpoint=tmp_path / "out")
    assert again.language_id("norwegian") == 2100
    assert all(torch.equal(again.originals[name], value) for name, value in model.originals.items())
