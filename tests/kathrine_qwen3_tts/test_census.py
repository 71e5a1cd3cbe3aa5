"""The census from the configuration alone equals the tensors of checkpoints, and the published counts."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kathrine.errors import KathrineError
from kathrine_qwen3_tts import config as family_config

GOLD = Path(__file__).parent.parent / "data" / "gold"
RELEASED = {
    "Qwen3-TTS-12Hz-0.6B-Base": {
        "tensors": 478,
        "total": 914_643_008,
        "talker": 440_467_456,
        "text_embedding": 311_164_928,
        "text_projection": 6_294_528,
        "codec_embedding": 3_145_728,
        "codec_head": 3_145_728,
        "sub_talker": 78_655_744,
        "sub_talker_embedding": 31_457_280,
        "sub_talker_head": 31_457_280,
        "speaker_encoder": 8_854_336,
    },
    "Qwen3-TTS-12Hz-1.7B-Base": {
        "tensors": 480,
        "total": 1_928_677_440,
        "talker": 1_409_410_048,
        "text_embedding": 311_164_928,
        "text_projection": 8_392_704,
        "codec_embedding": 6_291_456,
        "codec_head": 6_291_456,
        "sub_talker": 78_655_744,
        "sub_talker_embedding": 62_914_560,
        "sub_talker_head": 31_457_280,
        "sub_talker_projection": 2_098_176,
        "speaker_encoder": 12_001_088,
    },
}


def header(path: Path) -> dict[str, tuple[int, ...]]:
    with path.open("rb") as file:
        table = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: tuple(entry["shape"]) for name, entry in table.items() if name != "__metadata__"}


@pytest.mark.parametrize("name", ["tiny-0b6", "tiny-1b7"])
def test_census_equals_the_weights_of_a_golden_checkpoint(name):
    config = family_config.read_config(GOLD / name)
    census = {entry: shape for entry, shape, _ in family_config.parameter_census(config)}
    assert census == header(GOLD / name / "model.safetensors")
    assert ("talker.code_predictor.small_to_mtp_projection.weight" in census) == (name == "tiny-1b7")


@pytest.mark.parametrize("prefix", ["", "Qwen/"])
@pytest.mark.parametrize("name", RELEASED)
def test_released_sizes_have_the_published_counts(name, prefix):
    config = family_config.known_config(prefix + name)
    assert config is not None
    family_config.check_config(config, name)
    census = family_config.parameter_census(config)
    parts: Counter[str] = Counter()
    for _, shape, part in census:
        parts[part] += math.prod(shape)
    expected = dict(RELEASED[name])
    assert len(census) == len({entry for entry, _, _ in census}) == expected.pop("tensors")
    assert sum(parts.values()) == expected.pop("total")
    assert dict(parts) == expected
    assert set(parts) <= set(family_config.PARTS)
    layers = Counter(family_config.layer_of(entry) for entry, _, _ in census)
    assert {layer for layer in layers if layer is not None} == set(range(28))
    assert {layers[layer] for layer in range(28)} == {11}


@pytest.mark.parametrize("model_type", ["base", "custom_voice"])
@pytest.mark.parametrize("name", RELEASED)
def test_census_equals_the_network_that_is_built(name, model_type):
    import torch

    from kathrine_qwen3_tts.network import TtsNetwork

    config = {**family_config.known_config(name), "tts_model_type": model_type}
    with torch.device("meta"):
        network = TtsNetwork(config)
    built = {entry: tuple(value.shape) for entry, value in network.state_dict().items()}
    assert built == {entry: shape for entry, shape, _ in family_config.parameter_census(config)}


def test_custom_voice_has_no_speaker_encoder():
    config = family_config.known_config("Qwen3-TTS-12Hz-0.6B-Base")
    census = family_config.parameter_census({**config, "tts_model_type": "custom_voice"})
    assert len(census) == 402
    assert {part for _, _, part in census}.isdisjoint({"speaker_encoder"})


def test_a_changed_config_changes_the_counts():
    config = family_config.known_config("Qwen3-TTS-12Hz-0.6B-Base")
    wider = json.loads(json.dumps(config))
    wider["talker_config"]["num_hidden_layers"] = 27
    assert len(family_config.parameter_census(wider)) == 478 - 11


def test_unknown_names_are_none_and_unknown_parameters_refused():
    assert family_config.known_config("Qwen3-TTS-12Hz-9B-Base") is None
    assert family_config.known_config("../config") is None
    assert family_config.layer_of("talker.code_predictor.model.layers.1.mlp.up_proj.weight") is None
    with pytest.raises(KathrineError, match="not a parameter"):
        family_config.part_of("lm_head.weight")
    assert "Qwen3-TTS-12Hz-0.6B-Base" in family_config.known_names()


def write(folder: Path, config: dict) -> Path:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.update(model_type="llama"), "model_type is 'llama'"),
        (lambda config: config.update(tokenizer_type="qwen3_tts_tokenizer_25hz"), "25hz"),
        (lambda config: config.update(tts_model_type="singing"), "singing"),
        (lambda config: config.pop("tts_pad_token_id"), "tts_pad_token_id"),
        (lambda config: config["talker_config"].pop("codec_bos_id"), "talker_config.codec_bos_id"),
        (lambda config: config["talker_config"].pop("code_predictor_config"), "code_predictor_config"),
        (lambda config: config["talker_config"].update(num_code_groups=8), "num_code_groups"),
        (lambda config: config["speaker_encoder_config"].update(enc_dim=7), "enc_dim is 7"),
    ],
)
def test_a_wrong_config_is_refused_by_name(tmp_path, change, message):
    config = json.loads((GOLD / "tiny-0b6" / "config.json").read_text())
    change(config)
    with pytest.raises(KathrineError) as caught:
        family_config.read_config(write(tmp_path, config))
    assert message in caught.value.message
    assert caught.value.hint


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(KathrineError, match="does not exist"):
        family_config.read_config(tmp_path)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(KathrineError, match="not valid JSON"):
        family_config.read_config(tmp_path)
    with pytest.raises(KathrineError, match="speech_tokenizer"):
        family_config.codec_config(tmp_path)


def test_codec_config_reads_both_layouts():
    inner = family_config.codec_config(GOLD / "tiny-0b6")
    assert inner == family_config.codec_config(GOLD / "tiny-0b6" / "speech_tokenizer")
    assert family_config.known_config("Qwen3-TTS-Tokenizer-12Hz")["encoder_valid_num_quantizers"] == 16


def test_reading_configs_imports_no_torch():
    code = (
        "import sys; from kathrine_qwen3_tts import checkpoint, config, text;"
        "config.parameter_census(config.known_config('Qwen3-TTS-12Hz-0.6B-Base'));"
        "heavy = {'torch', 'transformers', 'datasets', 'huggingface_hub'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
