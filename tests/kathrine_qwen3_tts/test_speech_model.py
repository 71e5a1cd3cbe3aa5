"""The loaded model as the kernel sees it: prompts, precision, tags, gradient checkpointing, a whole
training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_training import (
    claim_and_apply,
    made_up,
    prompted,
    same_bits,
    snapshot,
    talker_loss,
    tiny_family,
    tiny_model,
    train,
    workspace,
)

from kathrine import KathrineError
from kathrine.types import PromptedExample, Sampling, SpeechRequest
from kathrine_freeze import Freeze, FreezeOptions
from kathrine_language_tag import LanguageTag, LanguageTagOptions
from kathrine_lora import Lora, LoraOptions
from kathrine_sub_talker import SubTalker, SubTalkerOptions
from kathrine_text_projection import TextProjection

GOLD = Path(__file__).parents[1] / "data" / "gold"
GREEDY = Sampling(greedy=True, sub_greedy=True)


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def test_rows_are_what_collate_makes(model) -> None:
    for item in prompted(model, "german"):
        assert model.rows(item) == model.collate([item]).rows
    batch = model.collate(prompted(model))
    assert (batch.items, batch.target_frames, batch.targets) == (4, 27, 30)
    assert batch.rows == sum(model.rows(item) for item in prompted(model))
    assert batch.padded_rows == 4 * max(model.rows(item) for item in prompted(model))


def test_outputs_stand_beside_their_targets(model) -> None:
    items = prompted(model)
    with torch.no_grad():
        outputs = model.forward(model.collate(items))
    assert outputs.logits_NV.shape == (30, 3072) and outputs.hidden_MH.shape == (27, 64)
    expected = np.concatenate([item.example.codes_FQ for item in items])
    assert np.array_equal(outputs.codes_MQ.numpy(), expected)
    assert outputs.targets_N[outputs.item_N == 0].tolist() == [
        *items[0].example.codes_FQ[:, 0].tolist(),
        2150,
    ]
    assert 2150 not in outputs.targets_N[outputs.item_N == 3].tolist()  # cut mid-speech: no end


def test_an_item_does_not_depend_on_its_batch(model) -> None:
    items = prompted(model)
    with torch.no_grad():
        together = model.forward(model.collate(items))
        alone = model.forward(model.collate(items[1:2]))
    assert torch.allclose(together.logits_NV[together.item_N == 1], alone.logits_NV, atol=2e-5)


def test_training_rows_and_generation_agree_for_every_form(model) -> None:
    """What the model says greedily has, teacher-forced, its own codes as the best ones."""
    voice, reference = made_up(model, "voice", 4), made_up(model, "reference", 3)
    for in_context in (False, True):
        for streamed in (True, False):
            for language in (None, "english"):
                request = SpeechRequest(
                    text_ids=voice.text_ids["text"],
                    speaker_embedding_H=voice.speaker_embedding_H,
                    language=language,
                    streamed=streamed,
                    reference_codes_RQ=reference.codes_FQ if in_context else None,
                    reference_text_ids=reference.text_ids["text"] if in_context else (),
                )
                codes = model.generate([request], GREEDY, max_frames=5)[0].codes_TQ
                made = made_up(model, "made", 5)
                object.__setattr__(made, "codes_FQ", codes)
                item = PromptedExample(
                    example=made,
                    text_ids=request.text_ids,
                    speaker_embedding_H=request.speaker_embedding_H,
                    reference=reference if in_context else None,
                    reference_text_ids=request.reference_text_ids,
                    language=language,
                    streamed=streamed,
                    end=False,
                )
                with torch.no_grad():
                    outputs = model.forward(model.collate([item]))
                    sub = model.network.sub_talker_logits(outputs.hidden_MH, outputs.codes_MQ)
                assert np.array_equal(sub.argmax(-1).numpy(), codes[:, 1:])
                scores = outputs.logits_NV[:, : model.facts.codebook_size]
                assert np.mean(scores.argmax(-1).numpy() == codes[:, 0]) > 0.5  # the repetition penalty may differ


def test_bf16_computes_under_autocast_by_itself() -> None:
    exact, half = tiny_model(), tiny_model("bf16")
    assert {parameter.dtype for parameter in half.network.parameters()} == {torch.bfloat16}
    assert talker_loss(half) == pytest.approx(talker_loss(exact), rel=0.02)
    with torch.no_grad():
        outputs = half.forward(half.collate(prompted(half)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outer = half.forward(half.collate(prompted(half)))
    assert outputs.logits_NV.dtype == torch.bfloat16 and torch.equal(outputs.logits_NV, outer.logits_NV)
    assert all(check.passed for check in half.self_test())


def test_gradient_checkpointing_changes_memory_only() -> None:
    gradients = []
    for on in (False, True):
        model = tiny_model()
        model.gradient_checkpointing(on)
        _, trained = claim_and_apply(model, [Lora(LoraOptions(lr=1e-3, dropout=0.0))])
        for name, parameter in trained.items():
            if ".lora_B." in name:
                parameter.data.fill_(0.01)
        model.network.train()
        outputs = model.forward(model.collate(prompted(model)))
        torch.nn.functional.cross_entropy(outputs.logits_NV.float(), outputs.targets_N).backward()
        gradients.append({name: parameter.grad.clone() for name, parameter in trained.items()})
    assert all(torch.allclose(gradients[0][name], gradients[1][name], atol=1e-7) for name in gradients[0])
    assert any(value.abs().max() > 1e-4 for value in gradients[0].values())


def test_requests_that_make_no_sense_are_refused(model) -> None:
    voice = made_up(model, "voice", 4)
    ids, embedding = voice.text_ids["text"], voice.speaker_embedding_H
    for request, said in (
        (SpeechRequest(ids, embedding, language="klingon"), "klingon"),
        (SpeechRequest(ids, speaker="kari"), "no speaker named 'kari'"),
        (SpeechRequest(ids, embedding, reference_codes_RQ=voice.codes_FQ), "both its codes and its text"),
        (SpeechRequest(ids, embedding, reference_text_ids=(1, 2)), "both its codes and its text"),
    ):
        with pytest.raises(KathrineError, match=said):
            model.generate([request], GREEDY, max_frames=2)
    with pytest.raises(KathrineError, match="klingon"), model.mute_language("klingon"):
        pass


def test_a_batch_of_requests_equals_each_alone(model) -> None:
    voice = made_up(model, "voice", 4)
    requests = [
        SpeechRequest(voice.text_ids["text"][:count], voice.speaker_embedding_H, streamed=count % 2 == 0)
        for count in (2, 5)
    ]
    together = model.generate(requests, GREEDY, max_frames=6)
    for request, generated in zip(requests, together, strict=True):
        assert np.array_equal(model.generate([request], GREEDY, max_frames=6)[0].codes_TQ, generated.codes_TQ)


def test_a_named_speaker_of_a_custom_voice_checkpoint_speaks(tmp_path: Path) -> None:
    from kathrine_qwen3_tts.checkpoint import read_tensors, write_checkpoint

    tensors = {n: v for n, v in read_tensors(GOLD / "tiny-0b6") if not n.startswith("speaker_encoder.")}
    write_checkpoint(tmp_path / "custom", GOLD / "tiny-0b6", tensors, {"tts_model_type": "custom_voice"})
    model = tiny_family(tmp_path / "custom").load(workspace())
    prompt = model.request_prompt(SpeechRequest((5, 6), speaker="KARI", language="norwegian"))  # type: ignore[attr-defined]
    assert (prompt.speaker_id, prompt.language_id) == (3000, 2100)
    dialect = model.request_prompt(SpeechRequest((5, 6), speaker="wei"))  # type: ignore[attr-defined]
    assert dialect.language_id == 2062
    assert len(model.generate([SpeechRequest((5, 6), speaker="nils")], GREEDY, max_frames=3)[0].codes_TQ) == 3


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_everything_together_moves_exactly_what_is_claimed(dtype: str) -> None:
    """Twenty AdamW steps with every strategy of the curriculum recipe, and the sub-talker's loss."""
    model = tiny_model(dtype)
    strategies = [
        Lora(LoraOptions(lr=1e-3)),
        TextProjection(TextProjection.Options(lr=1e-3)),
        LanguageTag(LanguageTagOptions(lr=1e-2)),
        Freeze(FreezeOptions(lr=1e-3, parts=["sub_talker_head"])),
    ]
    claims, trained = claim_and_apply(model, strategies)
    assert set(map(id, trained.values())) == {
        id(parameter) for parameter in model.network.parameters() if parameter.requires_grad
    }
    before = snapshot(model)
    first = {name: parameter.detach().clone() for name, parameter in trained.items()}
    loss = SubTalker(SubTalkerOptions(weight=0.3, share=0.5))
    history = train(model, claims, trained, losses=[loss], language="norwegian")
    assert history[-1] < history[0] - 1.0
    in_place = {name for claim in claims for name in claim.trains}
    for name, value in before.items():
        assert same_bits(value, model.originals[name].detach()) == (name not in in_place), name
    assert all(not torch.equal(first[name], parameter.detach()) for name, parameter in trained.items())
