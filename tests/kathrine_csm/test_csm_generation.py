"""Synthesis and the self-test of CSM, and the planted defects that it has to find."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_csm import example, family, model, text, workspace

from kathrine import KathrineError
from kathrine.types import Sampling, SpeechRequest
from kathrine_csm import generation, objective, selftest
from kathrine_csm.network import CsmNetwork

WORDS = [SpeechRequest(text("Hei på deg."), streamed=False), SpeechRequest(text("Ja."), streamed=False)]


def test_a_budget_holds_progress_is_told_and_a_seed_repeats():
    told: list[int] = []
    first = model().generate(WORDS, Sampling(), 6, seed=3, progress=told.append)
    again = model().generate(WORDS, Sampling(), 6, seed=3)
    other = model().generate(WORDS, Sampling(), 6, seed=4)
    assert told == [1, 2, 3, 4, 5, 6]
    assert all(one.codes_TQ.shape == (6, 8) and one.codes_TQ.dtype == np.int16 for one in first)
    assert all(np.array_equal(a.codes_TQ, b.codes_TQ) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].codes_TQ, other[0].codes_TQ)
    assert max(one.codes_TQ.max() for one in first) < model().facts.codebook_size
    with pytest.raises(KathrineError, match="budget of 0 frames"):
        model().generate(WORDS, Sampling(), 0)
    assert model().generate([], Sampling(), 5) == []


def test_speech_of_a_prompt_does_not_depend_on_its_neighbours():
    # the second prompt of a batch draws from seed + 1
    together = model().generate(WORDS, Sampling(), 5, seed=8)
    assert np.array_equal(together[1].codes_TQ, model().generate(WORDS[1:], Sampling(), 5, seed=9)[0].codes_TQ)


def test_speech_in_circles_is_ended():
    asked: list[int] = []

    def repeats(codes):
        asked.append(len(codes))
        return True

    spoken = model().generate(WORDS[:1], Sampling(), 20, repeats=repeats)[0]
    assert (spoken.stop, len(spoken.codes_TQ), asked) == ("repetition", 7, [7])


def only_end_codes():
    """A model that gives the end code everywhere."""
    loaded = family().load(workspace())
    with torch.no_grad():
        loaded.network.lm_head.weight.zero_()
        loaded.network.depth_decoder.codebooks_head.weight.zero_()
    return loaded


def test_a_frame_of_end_codes_ends_the_speech_but_not_before_it_has_begun():
    greedy = Sampling(greedy=True, sub_greedy=True)
    spoken = only_end_codes().generate(WORDS, greedy, 9)
    assert [one.stop for one in spoken] == ["end", "end"]
    assert [len(one.codes_TQ) for one in spoken] == [generation.MIN_FRAMES] * 2
    assert spoken[0].codes_TQ[:, 0].min() > 0


def test_the_end_may_come_right_after_the_budget():
    greedy = Sampling(greedy=True, sub_greedy=True)
    spoken = only_end_codes().generate(WORDS[:1], greedy, generation.MIN_FRAMES)[0]
    assert (spoken.stop, len(spoken.codes_TQ)) == ("end", generation.MIN_FRAMES)


def test_top_p_and_top_k_keep_what_is_likely():
    for sampling in (Sampling(top_k=1, sub_top_k=1), Sampling(top_p=1e-6, sub_top_p=1e-6)):
        drawn = model().generate(WORDS[:1], sampling, 4)[0]
        greedy = model().generate(WORDS[:1], Sampling(greedy=True, sub_greedy=True), 4)[0]
        assert np.array_equal(drawn.codes_TQ, greedy.codes_TQ)


def test_a_reference_changes_what_is_said():
    reference = example(4, seed=2)
    request = SpeechRequest(
        WORDS[0].text_ids,
        streamed=False,
        reference_codes_RQ=reference.codes_FQ,
        reference_text_ids=reference.text_ids["text"],
    )
    greedy = Sampling(greedy=True, sub_greedy=True)
    with_voice, without = model().generate([request, WORDS[0]], greedy, 4)
    assert not np.array_equal(with_voice.codes_TQ, without.codes_TQ)


# --------------------------------------------------------------------------- self-test


def failed() -> set[str]:
    return {check.name for check in model().self_test() if not check.passed}


def test_the_model_passes_its_self_test():
    checks = model().self_test()
    assert [check.name for check in checks] == [
        "input_rows",
        "talker_teacher_forced",
        "sub_talker_teacher_forced",
        "talker_alignment",
        "sub_talker_alignment",
    ]
    assert all(check.passed for check in checks), checks


def test_it_passes_in_bf16():
    assert all(check.passed for check in family().load(workspace(), dtype="bf16").self_test())


def test_what_speech_that_ended_was_made_from_is_compared_with_its_end_frame(monkeypatch):
    original, ends = generation.without_surplus, []

    def end_preferred(scores_BV, codebook_size):
        scores_BV = original(scores_BV, codebook_size).clone()
        scores_BV[..., 0] += 100.0
        return scores_BV

    def watched(*args, traced=generation.generate_traced, **options):
        traces = traced(*args, **options)
        ends.extend(
            (trace.stop, len(trace.codes_TQ), len(trace.logits_DV), len(trace.sub_logits_DKV)) for trace in traces
        )
        return traces

    monkeypatch.setattr(generation, "without_surplus", end_preferred)
    monkeypatch.setattr(generation, "generate_traced", watched)
    monkeypatch.setattr(selftest, "ENOUGH", 0)
    checks = {check.name: check.passed for check in model().self_test()}
    assert ends == [("end", 2, 3, 3)] * 3
    assert checks["input_rows"] and checks["talker_teacher_forced"] and checks["sub_talker_teacher_forced"]


def shifted_rows(batch):
    return torch.clamp(batch.deciding_M + 1, max=batch.text_BT.numel() - 1)


def first_codebook_only(self, codes_GQ):
    return torch.nn.functional.embedding(codes_GQ[:, 0], self.code_table).float()


def leaked(self, hidden_MH, codes_MQ, original=CsmNetwork.sub_talker_inputs):
    return original(self, torch.roll(hidden_MH, -1, 0), codes_MQ)


def shifted_labels(codes_MQ):
    return torch.roll(codes_MQ, -1, 1)[:, 1:]


@pytest.mark.parametrize(
    ("where", "name", "defect", "found_by"),
    [
        (objective, "deciding_rows", shifted_rows, "talker_alignment"),
        (objective, "deciding_rows", shifted_rows, "talker_teacher_forced"),
        (CsmNetwork, "frame_embedding", first_codebook_only, "input_rows"),
        (CsmNetwork, "sub_talker_inputs", leaked, "sub_talker_teacher_forced"),
        (objective, "sub_talker_targets", shifted_labels, "sub_talker_alignment"),
    ],
)
def test_planted_defects_are_found(monkeypatch, where, name, defect, found_by):
    monkeypatch.setattr(where, name, defect)
    assert found_by in failed()


def test_speech_that_is_stuck_on_one_code_is_drawn_instead(monkeypatch):
    original, used = generation.generate_traced, []

    def watched(network, prompts, sampling, max_frames, **options):
        used.append(sampling)
        return original(network, prompts, sampling, max_frames, **options)

    monkeypatch.setattr(generation, "generate_traced", watched)
    monkeypatch.setattr(selftest, "ENOUGH", 10_000)
    assert not failed()
    assert used == [generation.GREEDY, Sampling(sub_greedy=True)]
