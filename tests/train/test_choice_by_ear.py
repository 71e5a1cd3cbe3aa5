"""Which evaluated checkpoint is kept: error rate + similarity + flag rate, and never one with many flags."""

from __future__ import annotations

from pathlib import Path

from kathrine.components import MetricFacts
from kathrine.speech.evaluation import Result, System
from kathrine.speech.intervals import Estimate
from kathrine.train.choice import Heard, choose
from kathrine.train.evaluating import choice_of


def test_the_least_sum_is_kept_with_its_reason() -> None:
    best, reason = choose([Heard(10, 0.30, 0.60, 0.0), Heard(20, 0.20, 0.62, 0.01), Heard(30, 0.19, 0.40, 0.0)])
    assert best is not None and best.step == 20
    assert "0.200 + 0.380 + 0.010 = 0.590, of 3 checkpoints" in reason and "similarity" in reason


def test_more_than_one_in_twenty_flagged_is_never_kept() -> None:
    best, reason = choose([Heard(10, 0.5, None, 0.05), Heard(20, 0.1, None, 0.06)])
    assert best is not None and best.step == 10
    assert "1 left out with more than 5% flagged" in reason and "voices were not compared" in reason
    best, reason = choose([Heard(10, 0.1, 0.9, 0.4), Heard(20, 0.1, 0.9, 0.3)])
    assert best is None and "fewest: step 20 with 30%" in reason


def test_a_missing_similarity_counts_for_nobody() -> None:
    best, _ = choose([Heard(10, 0.2, 0.1, 0.0), Heard(20, 0.3, None, 0.0)])
    assert best is not None and best.step == 10


def test_equals_go_to_the_earlier_step_and_nothing_to_nobody() -> None:
    best, _ = choose([Heard(20, 0.2, 0.5, 0.0), Heard(10, 0.2, 0.5, 0.0)])
    assert best is not None and best.step == 10
    assert choose([]) == (None, "nothing was chosen: no checkpoint has an error rate (no asr metric ran)")


def test_what_is_not_saved_can_not_be_kept() -> None:
    """Samples outlive the checkpoint of their step, and those of step 0 are of the model as it was before."""
    systems = []
    for step, error in ((0, 0.1), (20, 0.2), (40, 0.3)):
        values = {"wer": Estimate(error)}
        result = Result("asr", "asr", MetricFacts("1", "ear", "", "cpu", ""), values=values)
        systems.append(System(f"samples {step}", "checkpoint", Path(), [], step=step, results=[result]))
    assert choice_of(systems, [20, 40])["step"] == 20
    choice = choice_of(systems, [0, 40])
    assert choice["step"] == 40 and choice["reason"].endswith("no checkpoint to keep: step 0, 20")
    choice = choice_of(systems, [80])
    assert choice["step"] is None and "none of the steps 0, 20, 40 is a checkpoint to keep" in choice["reason"]
