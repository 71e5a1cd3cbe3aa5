"""CSM here equals transformers' own: parameters, generation, teacher forcing, losses, codes, written checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_csm import example, family, folder, item, model, official, official_model, text, wave, workspace

from kathrine import KathrineError
from kathrine.types import Sampling, SpeechRequest
from kathrine_csm.codec import load_codec
from kathrine_csm.config import CODEC_PREFIX, SUB_TABLE, model_specs, read_config
from kathrine_csm.quiet import quiet
from kathrine_csm.text import TextTokenizer

GREEDY = Sampling(greedy=True, sub_greedy=True, repetition_penalty=1.0)
FRAMES = 7


@pytest.fixture(scope="module")
def processor():
    from transformers import AutoTokenizer, CsmProcessor, EncodecFeatureExtractor

    return CsmProcessor(EncodecFeatureExtractor.from_pretrained(folder()), AutoTokenizer.from_pretrained(folder()))


def generated_by_transformers(input_ids: torch.Tensor, **more: torch.Tensor):
    """What `CsmForConditionalGeneration.generate` makes greedily, and the raw logits of codebook 0."""
    surplus = list(range(64, 67))  # ids without an entry in the codec: here they are never drawn
    official().generation_config.do_sample = False
    with quiet():
        return official().generate(
            input_ids=input_ids,
            **more,
            do_sample=False,
            max_new_tokens=FRAMES,
            suppress_tokens=surplus,
            depth_decoder_do_sample=False,
            depth_decoder_suppress_tokens=surplus,
            output_logits=True,
            return_dict_in_generate=True,
        )


def test_parameters_are_those_of_the_real_model_and_of_its_file():
    specs = {spec.name: spec.shape for spec in family().parameters(workspace())}
    real = {
        name: tuple(value.shape) for name, value in official().named_parameters() if not name.startswith(CODEC_PREFIX)
    }
    assert specs == real
    assert specs == {name: tuple(value.shape) for name, value in model().originals.items()}


def test_a_checkpoint_that_does_not_share_its_table_has_one_more_part():
    from transformers import CsmConfig, CsmForConditionalGeneration
    from transformers.initialization import no_init_weights

    config = read_config(folder()) | {"tie_codebooks_embeddings": False, "attention_bias": True, "mlp_bias": True}
    with quiet(), no_init_weights():
        real = CsmForConditionalGeneration(CsmConfig.from_dict(dict(config)))
    named = {name: tuple(value.shape) for name, value in real.named_parameters() if not name.startswith(CODEC_PREFIX)}
    specs = model_specs(config)
    assert {spec.name: spec.shape for spec in specs} == named
    assert {spec.part for spec in specs if spec.name == SUB_TABLE} == {"sub_talker_embedding"}


def test_text_is_what_the_processor_makes_of_it(processor):
    tokenizer = TextTokenizer(folder())
    wanted = processor(text="[0]Kjære Åse, hei!", add_special_tokens=True)["input_ids"][0].tolist()
    assert [tokenizer.begin, *tokenizer.body("Kjære Åse, hei!"), tokenizer.end] == wanted


def test_generation_and_teacher_forcing_equal_transformers_without_a_reference():
    ids = text("Jeg heter Kari.")
    tokenizer = TextTokenizer(folder())
    theirs = generated_by_transformers(torch.tensor([[tokenizer.begin, *ids, tokenizer.end]]))
    ours = model().generate([SpeechRequest(text_ids=ids, streamed=False)], GREEDY, FRAMES)[0]
    assert ours.stop == "budget"
    assert np.array_equal(ours.codes_TQ, theirs.sequences[0].numpy())

    one = example(FRAMES)
    prompted = item(FRAMES, end=False)
    prompted.example.codes_FQ[:] = ours.codes_TQ
    assert one.frames == FRAMES
    outputs = model().forward(model().collate([prompted]))
    wanted_NV = torch.cat(theirs.logits)
    assert torch.allclose(outputs.logits_NV, wanted_NV, atol=1e-4)
    assert torch.equal(outputs.logits_NV[:, :64].argmax(-1), outputs.targets_N)
    sub_MKV = model().network.sub_talker_logits(outputs.hidden_MH, outputs.codes_MQ)
    assert torch.equal(sub_MKV[..., :64].argmax(-1), outputs.codes_MQ[:, 1:])


def test_generation_equals_transformers_with_a_reference(processor):
    """Their prompt is made from a recording, by their processor and their codec; ours from codes."""
    sound = wave(0.4)
    words = "<|begin_of_text|>[0]Hei du.<|end_of_text|><|AUDIO|><|audio_eos|><|begin_of_text|>[0]Ja.<|end_of_text|>"
    theirs = generated_by_transformers(**processor(text=words, audio=sound, return_tensors="pt"))
    codes_RQ = family().open_codec(workspace()).encode([sound])[0]
    request = SpeechRequest(
        text_ids=text("Ja."), streamed=False, reference_codes_RQ=codes_RQ, reference_text_ids=text("Hei du.")
    )
    alone = model().generate([request], GREEDY, FRAMES)[0]
    assert np.array_equal(alone.codes_TQ, theirs.sequences[0].numpy())
    # beside a shorter prompt, which is padded
    batch = model().generate([SpeechRequest(text_ids=text("Nei."), streamed=False), request], GREEDY, FRAMES)
    assert np.array_equal(batch[1].codes_TQ, alone.codes_TQ)


def test_losses_equal_those_of_transformers(processor):
    sound = wave(0.56, seed=3)  # with the end as many frames as there are codebooks: see sub_talker_states
    words = "<|begin_of_text|>[0]Hei på deg.<|end_of_text|><|AUDIO|><|audio_eos|>"
    inputs = processor(text=words, audio=sound, output_labels=True, return_tensors="pt")
    with torch.no_grad(), quiet():
        theirs = official()(**inputs)
    codes_FQ = family().open_codec(workspace()).encode([sound])[0]
    prompted = item(len(codes_FQ))
    prompted.example.codes_FQ[:] = codes_FQ
    prompted = type(prompted)(prompted.example, text("Hei på deg."), None, streamed=False)
    with torch.no_grad():
        batch = model().collate([prompted])
        outputs = model().forward(batch)
        talker = F.cross_entropy(outputs.logits_NV, outputs.targets_N)
        depth = model().sub_talker_losses(outputs.hidden_MH, outputs.codes_MQ).mean()
    assert batch.target_frames == len(codes_FQ) + 1  # the end is a frame, for the depth decoder too
    assert float(talker) == pytest.approx(float(theirs.backbone_loss), abs=1e-5)
    assert float(depth) == pytest.approx(float(theirs.depth_decoder_loss), abs=1e-5)


def test_codes_and_sound_are_those_of_the_codec_inside_transformers_model():
    codec = load_codec(folder())
    sounds = [wave(0.41), wave(0.9, seed=1)]
    codes = codec.encode(sounds)
    assert [len(one) for one in codes] == [6, 12]
    assert all(len(np.unique(codes[1][:, q])) > 3 for q in range(codec.codebooks))
    for sound, codes_FQ in zip(sounds, codes, strict=True):
        padded = np.pad(sound, (0, -len(sound) % codec.samples_per_frame))
        with torch.no_grad():
            wanted = official().codec_model.encode(torch.from_numpy(padded)[None, None]).audio_codes[0].T.numpy()
            spoken = official().codec_model.decode(torch.from_numpy(wanted.T.copy())[None]).audio_values[0, 0].numpy()
        assert np.array_equal(codes_FQ, wanted)
        assert np.array_equal(codec.encode([sound])[0], codes_FQ)  # alone as in a batch
        assert np.allclose(codec.decode([codes_FQ])[0], spoken.clip(-1, 1), atol=1e-5)
    assert 0.001 < codec.decode([codes[1]])[0].std() < 0.5
    heard: list[tuple[int, int]] = []
    load_codec(folder(), decode_only=True).decode(codes, lambda done, total: heard.append((done, total)))
    assert heard == [(1, 2), (2, 2)]


def test_codes_that_are_none_of_the_codecs_are_refused():
    codec = family().open_codec(workspace())
    with pytest.raises(KathrineError, match="not \\[frames, 8\\]"):
        codec.decode([np.zeros((3, 4), np.int16)])
    with pytest.raises(KathrineError, match="the codebook has 64"):
        codec.decode([np.full((3, 8), 64, np.int16)])
    with pytest.raises(KathrineError, match="give mono audio"):
        codec.encode([np.zeros((2, 10), np.float32)])


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_written_checkpoint_loads_in_transformers_and_here(tmp_path: Path, dtype: str):
    weights = {name: value.detach().clone() for name, value in model().originals.items()}
    weights["lm_head.weight"] += 0.25
    weights["backbone_model.embed_tokens.embed_audio_tokens.weight"] *= 2
    files = family().write_checkpoint(workspace(), tmp_path / "out", weights, dtype, {})
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(files)
    loaded = official_model(tmp_path / "out")
    kind = torch.bfloat16 if dtype == "bf16" else torch.float32
    for name, value in loaded.named_parameters():
        if name in weights:
            assert torch.equal(value, weights[name].to(kind).float()), name
        else:
            assert torch.equal(value, dict(official().named_parameters())[name]), name  # the codec as it was
    again = family(str(tmp_path / "out"))
    assert torch.equal(again.load(workspace()).originals["lm_head.weight"], weights["lm_head.weight"].to(kind).float())
    assert again.fingerprints(workspace()) == family().fingerprints(workspace())
    with pytest.raises(KathrineError, match="already exists"):
        family().write_checkpoint(workspace(), tmp_path / "out", weights, dtype, {})


def test_a_checkpoint_in_several_files_is_the_same(tmp_path: Path):
    weights = dict(model().originals)
    files = family().write_checkpoint(workspace(), tmp_path / "out", weights, "fp32", {}, max_shard_bytes=400_000)
    parts = [name for name in files if name.endswith(".safetensors")]
    assert len(parts) > 1 and "model.safetensors.index.json" in files
    real = dict(official_model(tmp_path / "out").named_parameters())
    assert all(torch.equal(real[name], value) for name, value in weights.items())
    again = family(str(tmp_path / "out")).load(workspace())
    assert all(torch.equal(again.originals[name], value) for name, value in weights.items())
    with pytest.raises(KathrineError, match="no speakers of its own"):
        family().write_checkpoint(workspace(), tmp_path / "voices", weights, "fp32", {}, voices={"kari": 1})


def test_a_checkpoint_is_not_written_from_too_few_weights(tmp_path: Path):
    weights = dict(model().originals)
    del weights["lm_head.weight"]
    with pytest.raises(KathrineError, match=r"lack lm_head\.weight"):
        family().write_checkpoint(workspace(), tmp_path / "out", weights, "fp32", {})
    with pytest.raises(KathrineError, match="no language tags to write"):
        family().write_checkpoint(workspace(), tmp_path / "out", weights, "fp32", {"norwegian": 3})
    assert not (tmp_path / "out").exists()


def test_damaged_files_are_named(tmp_path: Path):
    shutil.copytree(folder(), tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(KathrineError, match=r"model\.safetensors is damaged"):
        family(str(tmp_path / "model")).load(workspace())
    weights.unlink()
    with pytest.raises(KathrineError, match=r"model\.safetensors is missing"):
        family(str(tmp_path / "model")).load(workspace())
