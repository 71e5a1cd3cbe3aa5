"""The training forward against the official package: rows, hidden states, losses, gradients; defects."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from golden_model import CHECKPOINTS, fresh_network, gold, largest, planted, training_batch

from kathrine_qwen3_tts import batches, objective

BATCHES = [(name, index) for name in CHECKPOINTS for index in range(2)]


def losses(network, batch) -> tuple[torch.Tensor, torch.Tensor]:
    outputs = objective.aligned_outputs(network, batch)
    talker, talker_count = objective.talker_loss_sums(outputs)
    sub, sub_count = objective.sub_talker_loss_sums(network, outputs.hidden_MH, outputs.codes_MQ)
    return talker / talker_count, sub / sub_count


def test_all_batches_are_there():
    assert [len(gold(name).cases["training"]) for name in CHECKPOINTS] == [2, 2]


@pytest.mark.parametrize(("name", "index"), BATCHES)
@torch.no_grad()
def test_rows_and_hidden_states(name, index):
    data = gold(name)
    case = data.cases["training"][index]
    batch = training_batch(data, case)
    inputs_BTH = batches.embed(data.network, batch)
    hidden_BTH = data.network.talker_hidden(inputs_BTH)
    for item, sequence in enumerate(case["sequences"]):
        rows = sequence["rows"]
        assert largest(inputs_BTH[item, :rows], data.traces[sequence["inputs_embeds"]]) < 2e-5
        assert largest(hidden_BTH[item, :rows], data.traces[sequence["hidden"]]) < 2e-5
        assert torch.all(inputs_BTH[item, rows:] == 0)
        mine = batch.item_N == item
        flat = batch.target_row_N[mine] - item * inputs_BTH.shape[1]
        first, last = sequence["label_rows"]
        assert flat.tolist() == list(range(first, last + 1))
        assert batch.target_N[mine].tolist() == sequence["labels"]
    assert batch.rows == sum(sequence["rows"] for sequence in case["sequences"])
    assert batch.padded_rows == inputs_BTH.shape[0] * inputs_BTH.shape[1]


@pytest.mark.parametrize(("name", "index"), BATCHES)
def test_losses_and_gradients(name, index):
    data = gold(name)
    case = data.cases["training"][index]
    expected = case["losses"]
    network = fresh_network(name)
    talker, sub = losses(network, training_batch(data, case))
    assert talker.item() == pytest.approx(expected["correct"]["talker"], abs=1e-5)
    assert sub.item() == pytest.approx(expected["correct"]["sub_talker"], abs=1e-5)
    total = talker + 0.3 * sub
    assert total.item() == pytest.approx(expected["total_talker_plus_0.3_sub"], abs=1e-5)
    total.backward()
    norms = expected["grad_norm"]
    trained = {n: p for n, p in network.named_parameters() if not n.startswith("speaker_encoder.")}
    assert set(trained) == set(norms)
    for parameter, norm in norms.items():
        assert trained[parameter].grad.norm().item() == pytest.approx(norm, rel=1e-4), parameter


WRONG = {
    ("double_shift",): ("talker", "talker_double_shift"),
    ("leaked_hidden",): ("sub_talker", "sub_talker_leaked_hidden"),
    ("shifted_labels",): ("sub_talker", "sub_talker_shifted_labels"),
    ("leaked_hidden", "shifted_labels"): ("sub_talker", "sub_talker_leaked_and_shifted"),
}


@pytest.mark.parametrize("defects", WRONG, ids="+".join)
@pytest.mark.parametrize(("name", "index"), BATCHES)
@torch.no_grad()
def test_known_wrong_losses_come_from_the_planted_defects(name, index, defects):
    data = gold(name)
    case = data.cases["training"][index]
    term, key = WRONG[defects]
    with planted(*defects):
        talker, sub = losses(data.network, training_batch(data, case))
    measured = (talker if term == "talker" else sub).item()
    assert measured == pytest.approx(case["losses"]["wrong"][key], abs=1e-5)
    assert abs(measured - case["losses"]["correct"][term]) > 1e-2


@pytest.mark.parametrize("name", CHECKPOINTS)
@torch.no_grad()
def test_the_published_script_has_three_of_the_defects(name):
    data = gold(name)
    case = data.cases["training"][0]
    with planted("double_shift", "leaked_hidden", "shifted_labels"):
        talker, sub = losses(data.network, training_batch(data, case))
    assert talker.item() == pytest.approx(case["losses"]["official_script"]["talker"], abs=1e-5)
    assert sub.item() == pytest.approx(case["losses"]["official_script"]["sub_talker"], abs=1e-5)


@pytest.mark.parametrize("defect", ["no_text_projection", "first_codebook_only"])
@pytest.mark.parametrize(("name", "index"), BATCHES)
@torch.no_grad()
def test_defects_without_a_reference_turn_the_losses_wrong(name, index, defect):
    data = gold(name)
    case = data.cases["training"][index]
    with planted(defect):
        talker, sub = losses(data.network, training_batch(data, case))
    assert abs(talker.item() - case["losses"]["correct"]["talker"]) > 1e-2
    assert abs(sub.item() - case["losses"]["correct"]["sub_talker"]) > 1e-2


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_training_forward_takes_the_causal_kernel(name, monkeypatch):
    seen = []
    original = F.scaled_dot_product_attention

    def spy(*args, **kwargs):
        seen.append((kwargs.get("attn_mask"), kwargs.get("is_causal")))
        return original(*args, **kwargs)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    data = gold(name)
    network = fresh_network(name).train()
    for case in data.cases["training"]:
        losses(network, training_batch(data, case))[0].backward()
    config = data.config["talker_config"]
    layers = config["num_hidden_layers"] + config["code_predictor_config"]["num_hidden_layers"]
    assert len(seen) == 2 * layers
    assert all(mask is None and causal is True for mask, causal in seen)


@torch.no_grad()
def test_padding_changes_nothing_and_padded_rows_are_finite():
    data = gold("tiny-0b6")
    for case in data.cases["training"]:
        together = objective.aligned_outputs(data.network, training_batch(data, case))
        for item, sequence in enumerate(case["sequences"]):
            alone = objective.aligned_outputs(data.network, training_batch(data, {"sequences": [sequence]}))
            mine = together.item_N == item
            assert largest(together.logits_NV[mine], alone.logits_NV) < 1e-5
            assert largest(together.hidden_MH[together.item_M == item], alone.hidden_MH) < 1e-5
        hidden = data.network.talker_hidden(batches.embed(data.network, training_batch(data, case)))
        assert torch.isfinite(hidden).all()


def test_gradient_checkpointing_changes_neither_loss_nor_gradient():
    data = gold("tiny-1b7")
    batch = training_batch(data, data.cases["training"][1])
    results = []
    for on in (False, True):
        network = fresh_network("tiny-1b7").train()
        network.set_gradient_checkpointing(on)
        calls = []
        layer = network.talker.model.layers[0].mlp
        layer.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        talker, sub = losses(network, batch)
        (talker + sub).backward()
        results.append((len(calls), talker.item(), network.talker.model.codec_embedding.weight.grad.clone()))
    assert [calls for calls, *_ in results] == [1, 2]
    assert results[0][1] == results[1][1]
    assert largest(results[0][2], results[1][2]) < 1e-6


@torch.no_grad()
def test_autocast_computes_in_bf16_from_mixed_weights():
    data = gold("tiny-0b6")
    case = data.cases["training"][0]
    network = fresh_network("tiny-0b6")
    for parameter in network.talker.model.layers.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
    network.talker.model.text_embedding.weight.data = network.talker.model.text_embedding.weight.data.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert batches.embed(network, training_batch(data, case)).dtype == torch.bfloat16
        talker, sub = losses(network, training_batch(data, case))
    assert talker.dtype == sub.dtype == torch.float32
    assert talker.item() == pytest.approx(case["losses"]["correct"]["talker"], rel=0.03)
    assert sub.item() == pytest.approx(case["losses"]["correct"]["sub_talker"], rel=0.03)
