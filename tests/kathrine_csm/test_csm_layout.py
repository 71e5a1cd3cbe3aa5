"""The row table of CSM, batches of it, and what they are made to predict."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tiny_csm import example, family, item, model, text, workspace

from kathrine import KathrineError
from kathrine.types import SpeechRequest
from kathrine_csm import layout
from kathrine_csm.layout import NONE, Prompt, training_rows

CODES = np.arange(1, 7).reshape(3, 2)
REFERENCE = np.array([[7, 8], [9, 9]])


def test_rows_are_text_then_frames_and_the_row_before_a_frame_decides_it():
    rows = training_rows(Prompt(100, 101, [5, 6]), CODES, end_code=0)
    assert rows.text_T.tolist() == [100, 5, 6, 101, NONE, NONE, NONE]
    assert rows.frame_T.tolist() == [NONE] * 4 + [0, 1, 2]
    assert rows.deciding_M.tolist() == [3, 4, 5, 6]
    assert rows.codes_FQ[rows.frame_M].tolist() == [[1, 2], [3, 4], [5, 6], [0, 0]]


def test_an_utterance_that_was_cut_teaches_no_end():
    rows = training_rows(Prompt(100, 101, [5]), CODES, end_code=0, end=False)
    assert rows.codes_FQ[rows.frame_M].tolist() == CODES.tolist()
    assert rows.deciding_M.tolist() == [2, 3, 4]
    assert len(rows) == 6  # the last frame is an input all the same: `rows` counts by frames alone


def test_a_reference_stands_in_front_with_its_end_and_is_no_target():
    prompt = Prompt(100, 101, [5, 6], [4], REFERENCE)
    rows = training_rows(prompt, CODES, end_code=0)
    assert rows.text_T.tolist() == [100, 4, 101, NONE, NONE, NONE, 100, 5, 6, 101, NONE, NONE, NONE]
    assert rows.codes_FQ[rows.frame_T[3:6]].tolist() == [[7, 8], [9, 9], [0, 0]]
    assert rows.codes_FQ[rows.frame_M].tolist() == [[1, 2], [3, 4], [5, 6], [0, 0]]
    assert rows.deciding_M.tolist() == [9, 10, 11, 12]
    assert len(rows) == prompt.length + len(CODES)
    begun = layout.prompt_rows(prompt, 2, 0)
    assert begun.text_T.tolist() == rows.text_T[: prompt.length].tolist()


def test_half_a_reference_and_an_empty_text_are_refused():
    with pytest.raises(KathrineError, match="both its codes and its text"):
        Prompt(100, 101, [5], [4])
    with pytest.raises(KathrineError, match="both its codes and its text"):
        Prompt(100, 101, [5], reference_codes=REFERENCE)
    with pytest.raises(KathrineError, match="no text"):
        Prompt(100, 101, [])


def test_batches_count_what_they_hold_and_padding_changes_nothing():
    items = [item(9), item(4, seed=1, reference=example(3, seed=5)), item(6, seed=2, end=False)]
    batch = model().collate(items)
    words = len(items[0].text_ids) + 2
    assert [model().rows(one) for one in items] == [words + 9, words + 3 + 1 + words + 4, words + 6]
    assert (batch.items, batch.rows) == (3, sum(model().rows(one) for one in items))
    assert batch.padded_rows == 3 * max(model().rows(one) for one in items)
    assert batch.targets == batch.target_frames == 10 + 5 + 6
    together = model().forward(batch)
    alone = [model().forward(model().collate([one])) for one in items]
    assert torch.allclose(together.logits_NV, torch.cat([one.logits_NV for one in alone]), atol=1e-5)
    assert torch.equal(together.codes_MQ, torch.cat([one.codes_MQ for one in alone]))
    assert together.item_M.tolist() == [0] * 10 + [1] * 5 + [2] * 6


def test_a_training_forward_takes_the_causal_kernel(monkeypatch):
    """No mask is built: SDPA would leave its fast path."""
    seen = []
    original = torch.nn.functional.scaled_dot_product_attention

    def spy(*args, **options):
        seen.append((options.get("attn_mask"), options.get("is_causal")))
        return original(*args, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    # as many frames as codebooks, the batch that transformers' depth decoder takes for packed sequences
    outputs = model().forward(model().collate([item(5), item(8, end=False)]))
    model().sub_talker_losses(outputs.hidden_MH[:8], outputs.codes_MQ[:8])
    assert len(seen) == 3 + 2
    assert all(mask is None and causal for mask, causal in seen)


def test_frames_are_the_sum_of_every_codebook():
    codes_GQ = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8]])
    whole = model().network.frame_embedding(codes_GQ)
    for q in range(8):
        other = codes_GQ.clone()
        other[0, q] = 33
        assert not torch.allclose(model().network.frame_embedding(other), whole)


def test_what_csm_can_not_be_asked_for_is_refused():
    ids = text("Hei.")
    vector = np.zeros(64, np.float32)
    for request, words in (
        (SpeechRequest(ids, speaker="vivian"), "no speaker named 'vivian'"),
        (SpeechRequest(ids, speaker_embedding_H=vector), "no speaker embedding"),
        (SpeechRequest(ids, language="norwegian"), "no language tag for 'norwegian'"),
        (SpeechRequest(ids, instruct_ids=(3,)), "no instructions"),
        (SpeechRequest(ids, reference_text_ids=(3,)), "both its codes and its text"),
    ):
        with pytest.raises(KathrineError, match=words):
            model().request_prompt(request)
    with pytest.raises(KathrineError, match="no speaker embedding"):
        model().collate([dataclasses.replace(item(3), speaker_embedding_H=vector)])
    with pytest.raises(KathrineError, match="no language tag"):
        model().collate([item(3, language="norwegian")])


def test_text_refuses_special_tokens_and_nothing():
    tokenise = family().open_text(workspace())
    assert tokenise("  Hei. ") == tokenise("Hei.")
    assert len(tokenise("Hei.")) == len("[0]Hei.")
    with pytest.raises(KathrineError, match="special token"):
        tokenise("Hei <|AUDIO|> du")
    with pytest.raises(KathrineError, match="empty"):
        tokenise("  ")
