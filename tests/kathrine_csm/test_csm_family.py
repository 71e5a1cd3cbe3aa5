"""The family as the kernel asks it: facts, names, strategies, and the step."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_csm import TINY, example, family, folder, item, model, with_csm, workspace

from kathrine import KathrineError
from kathrine.errors import OtherFamilyError
from kathrine.inspect.target import find_target
from kathrine.progress import SilentProgress
from kathrine.testing import check_model_family, check_strategy
from kathrine.workspace import Workspace
from kathrine_csm.config import RELEASED, check_config, read_config
from kathrine_csm.tiny import build_tiny
from kathrine_freeze import Freeze, FreezeOptions
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions
from kathrine_sub_talker import SubTalker, SubTalkerOptions
from kathrine_text_projection import TextProjection


def test_facts_come_from_the_configuration():
    facts = family().facts(workspace())
    assert (facts.family, facts.sample_rate, facts.frames_per_second) == ("csm", 24000, 12.5)
    assert (facts.codebooks, facts.codebook_size) == (8, 64)
    assert facts.parts == tuple(dict.fromkeys(spec.part for spec in family().parameters(workspace())))
    assert facts.prompt_forms == ("plain", "in_context") and facts.text_layouts == ("whole",)
    assert not facts.language_tags and not facts.released and facts.clones_in_context
    assert family().open_speaker_encoder(workspace()) is None
    assert family().fingerprints(workspace()).speaker == ""


def test_the_released_model_is_known_without_a_network(tmp_path: Path):
    released = family(RELEASED)
    facts = released.facts(Workspace(tmp_path))
    assert (facts.codebooks, facts.codebook_size, facts.frames_per_second, facts.released) == (32, 2048, 12.5, True)
    counts = {spec.name: spec.count for spec in released.parameters(Workspace(tmp_path))}
    assert sum(counts.values()) == 1_552_791_552
    assert not released.at_hand(Workspace(tmp_path)) and family().at_hand(Workspace(tmp_path))
    assert family("someone/else").facts(Workspace(tmp_path)) is None


def test_the_released_sizes_are_those_of_transformers_defaults():
    from transformers import CsmConfig

    from kathrine_csm.config import released_config, sizes
    from kathrine_csm.quiet import quiet

    with quiet():
        real = CsmConfig().to_dict()
    tables = zip(sizes(released_config()), (real, real["depth_decoder_config"], real["codec_config"]), strict=True)
    for ours, theirs in tables:
        own = {key: value for key, value in ours.items() if not key.endswith("_config") and key != "model_type"}
        assert own == {key: theirs[key] for key in own}


def test_no_torch_is_needed_to_know_a_model(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from kathrine.workspace import Workspace; import kathrine_csm; "
        "from kathrine_csm.family import CsmOptions; "
        f"one = kathrine_csm.CsmFamily(CsmOptions(checkpoint={TINY!r})); w = Workspace(Path({str(tmp_path)!r})); "
        "assert one.parameters(w) and one.facts(w) and not list(one.problems()); "
        "print([name for name in ('torch', 'transformers', 'tokenizers', 'safetensors') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_embedded_model_is_built_the_same_twice(tmp_path: Path):
    first, second = build_tiny(tmp_path / "a"), build_tiny(tmp_path / "b")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "qwen3_tts"}, "not 'csm'"),
        ({"num_codebooks": 4}, "disagree on the number of codebooks"),
        ({"hidden_size": 32}, "disagree on a width"),
        ({"codec_config": {"num_quantizers": 8, "codebook_size": 128}}, "the codec has 128 codes"),
    ],
)
def test_configurations_that_no_model_can_be_built_from_are_refused(change: dict, words: str):
    with pytest.raises(KathrineError, match=words):
        check_config(read_config(folder()) | change, "config.json")


def test_names_that_are_none_are_problems():
    assert not list(family().problems()) and not list(family(RELEASED).problems())
    assert "no folder" in next(iter(family("./nowhere").problems()))
    assert "neither a folder nor a Hub id" in next(iter(family("nonsense").problems()))
    with pytest.raises(KathrineError, match="neither a folder nor a Hub id"):
        family("nonsense").load(workspace())
    with pytest.raises(KathrineError, match="precision 'fp8'"):
        family().load(workspace(), dtype="fp8")


# --------------------------------------------------------------------------- two families


def test_each_family_leaves_the_others_checkpoints_alone(tmp_path: Path):
    catalog, place = with_csm(), Workspace(tmp_path)
    assert find_target(TINY, None, catalog, place).family.name == "csm"
    assert find_target("kathrine:tiny", None, catalog, place).family.name == "qwen3_tts"
    assert find_target(RELEASED, None, catalog, place).family.name == "csm"
    qwen = catalog.component("model", "qwen3_tts")
    other = qwen(qwen.Options(checkpoint="kathrine:tiny")).resolved(place).path
    assert find_target(str(other), None, catalog, place).family.name == "qwen3_tts"
    assert find_target(str(folder()), None, catalog, place).family.name == "csm"
    with pytest.raises(OtherFamilyError):
        family(str(other)).facts(place)
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "config.json").write_text(json.dumps({"model_type": "third"}))
    with pytest.raises(KathrineError, match="no family that is installed here") as error:
        find_target(str(tmp_path / "third"), None, catalog, place)
    assert "csm" in error.value.hint and "qwen3_tts" in error.value.hint
    with pytest.raises(KathrineError) as error:
        find_target("nonsense", None, catalog, place)
    assert RELEASED in error.value.hint


# --------------------------------------------------------------------------- training

STRATEGIES = [
    Freeze(FreezeOptions(lr=1e-4, parts=["text_embedding"])),
    Freeze(FreezeOptions(lr=1e-4, last_layers=1)),
    Freeze(FreezeOptions(lr=1e-4, parts=["codec_embedding", "sub_talker_head"])),
    Lora(LoraOptions(lr=1e-4, mlp=True)),
    Lora(LoraOptions(lr=1e-4, parts=["talker", "sub_talker"], dora=True)),
]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: "-".join([one.name, *one.options.parts]))
def test_strategies_keep_their_contract_on_csm(strategy):
    assert check_strategy(strategy, family(), workspace())


def test_what_csm_does_not_have_is_refused_with_what_it_has():
    parameters, facts = family().parameters(workspace()), family().facts(workspace())
    with pytest.raises(KathrineError, match="has no part 'text_projection'") as error:
        TextProjection(TextProjection.Options(lr=1e-4)).claim(parameters, facts)
    assert error.value.hint == f"its parts: {', '.join(facts.parts)}"
    with pytest.raises(KathrineError, match="prompts of csm can not name a language"):
        LanguageTag(LanguageTagOptions(lr=1e-4)).claim(parameters, facts)


def items():
    return [item(9), item(5, seed=1, reference=example(4, seed=3)), item(6, seed=2, end=False)]


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_step_moves_what_is_trained_and_nothing_else(dtype: str):
    loaded = family().load(workspace(), dtype=dtype)
    strategies = [
        Lora(LoraOptions(lr=1e-2, dropout=0.0)),
        Freeze(FreezeOptions(lr=1e-2, parts=["text_embedding"]), "text_embedding"),
    ]
    claims = [one.claim(loaded.specs, loaded.facts) for one in strategies]
    trained = {}
    for one, claim in zip(strategies, claims, strict=True):
        trained |= one.apply(loaded, claim, 1)
    loaded.network.requires_grad_(False)
    for parameter in trained.values():
        parameter.requires_grad_(True)
    frozen = {name: value.clone() for name, value in loaded.originals.items() if name not in trained}
    loss, batch = SubTalker(SubTalkerOptions(weight=0.2, share=0.5)), loaded.collate(items())
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2, weight_decay=0.0)
    losses = []
    for _ in range(4):
        outputs = loaded.forward(batch)
        talker = torch.nn.functional.cross_entropy(outputs.logits_NV.float(), outputs.targets_N)
        term = loss.term(loaded, batch, outputs, None)
        total = talker + 0.2 * term.total / loss.denominator(batch, loaded.facts)
        optimizer.zero_grad()
        total.backward()
        assert all(parameter.grad is not None for parameter in trained.values())
        optimizer.step()
        losses.append(float(total.detach()))
    assert losses[-1] < losses[0]
    assert term.coverable == batch.target_frames == 10 + 6 + 6
    for name, value in frozen.items():
        assert torch.equal(loaded.originals[name], value), name


def test_a_share_of_frames_is_an_unbiased_estimate_of_all():
    batch = model().collate(items())
    with torch.no_grad():
        outputs = model().forward(batch)
        whole = SubTalker(SubTalkerOptions(weight=1.0)).term(model(), batch, outputs, None)
        part = SubTalker(SubTalkerOptions(weight=1.0, share=0.25))
        drawn = [part.term(model(), batch, outputs, torch.Generator().manual_seed(seed)) for seed in range(60)]
    assert {one.covered for one in drawn} == {6} and whole.covered == 22
    mean = sum(float(one.total) for one in drawn) / len(drawn)
    assert mean == pytest.approx(float(whole.total), rel=0.03)


def test_gradient_checkpointing_gives_the_same_gradients():
    gradients = []
    for on in (False, True):
        loaded = family().load(workspace())
        loaded.network.train()
        loaded.gradient_checkpointing(on)
        loaded.network.requires_grad_(True)
        outputs = loaded.forward(loaded.collate(items()))
        sub = loaded.sub_talker_losses(outputs.hidden_MH, outputs.codes_MQ).mean()
        (torch.nn.functional.cross_entropy(outputs.logits_NV, outputs.targets_N) + sub).backward()
        layers = [*loaded.network.backbone_model.layers, *loaded.network.depth_decoder.model.layers]
        assert all(layer.gradient_checkpointing is on for layer in layers)
        gradients.append({name: value.grad for name, value in loaded.network.named_parameters()})
    assert all(torch.allclose(gradients[0][name], gradients[1][name], atol=1e-6) for name in gradients[0])
    assert all(float(value.abs().sum()) > 0 for value in gradients[0].values())


def test_another_text_is_another_prompt():
    """What text gain is made of: the same codes after the wrong text."""
    one = item(6)
    wrong = dataclasses.replace(one, text_ids=example(6, words="Noe helt annet.").text_ids["text"])
    right, other = (model().forward(model().collate([each])).logits_NV for each in (one, wrong))
    assert not torch.allclose(right, other)


def test_csm_keeps_the_contract_of_a_model_family():
    assert check_model_family(family(), workspace()).facts.end_is_frame


def test_tokens_of_a_text_are_its_bytes():
    tokens = family().open_text_tokens(workspace())("Blåbær på øya")
    assert b"".join(own for _, own in tokens).decode() == "Blåbær på øya"
    assert [number for number, _ in tokens] == list(family().open_text(workspace())("Blåbær på øya"))[len("[0]") :]


def test_pieces_are_told_for_levers():
    specs = {spec.name: spec for spec in family().parameters(workspace())}
    one = specs["depth_decoder.model.layers.1.mlp.up_proj.weight"]
    assert (one.part, one.layer, one.position, one.piece) == ("sub_talker", None, 1, "mlp")
    one = specs["backbone_model.layers.2.self_attn.q_proj.weight"]
    assert (one.part, one.layer, one.position, one.piece) == ("talker", 2, None, "attention")
    assert specs["backbone_model.norm.weight"].piece == "norms" and specs["lm_head.weight"].piece == ""


def test_a_fetched_model_says_so_once():
    told = []

    class Heard(SilentProgress):
        def say(self, message: str) -> None:
            told.append(message)

    one = family()
    one.fetch(workspace(), Heard())
    one.fetch(workspace(), Heard())
    assert len(told) == 1 and TINY in told[0]
