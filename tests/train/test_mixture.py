"""Draws, prompt forms and batches: pure functions, and what they promise."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from kathrine import KathrineError
from kathrine.corpus.batching import Plan, Position, pack, padding_share
from kathrine.corpus.mixture import Draw, epoch_draws, epoch_sizes, stage_draws, training_keys
from kathrine.corpus.prepared import CorpusRow
from kathrine.corpus.prompting import Prompter
from kathrine.recipe.tables import BatchTable, DataTable, PromptTable
from kathrine.testing import prepared_toy_corpus
from kathrine.toy import ToyFamily
from kathrine.types import Stage
from kathrine.workspace import Workspace


def keys(**sizes: int) -> dict[str, list[str]]:
    return {name: [f"{name}/{number}" for number in range(size)] for name, size in sizes.items()}


def test_an_epoch_has_as_many_draws_as_the_entries_have_utterances() -> None:
    stage = Stage("blend", {"small": 0.5, "large": 0.5}, epochs=4)
    known = keys(small=7, large=30, unused=99)
    assert stage_draws(stage, known) == 37
    for epoch in range(4):
        assert len(epoch_draws(stage, 1, epoch, known, seed=3)) == 37


def test_shares_hold_over_epochs() -> None:
    sizes = epoch_sizes({"a": 0.7, "b": 0.2, "c": 0.1}, 13, 50)
    assert all(sum(counts.values()) == 13 for counts in sizes)
    total: Counter[str] = Counter()
    for epoch, counts in enumerate(sizes, start=1):
        total.update(counts)
        for name, share in (("a", 0.7), ("b", 0.2), ("c", 0.1)):
            assert abs(total[name] - share * 13 * epoch) < 2


def test_shares_by_size_use_each_utterance_once_an_epoch() -> None:
    known = keys(a=5, b=11, c=3)
    stage = Stage("all", {"a": 5 / 19, "b": 11 / 19, "c": 3 / 19}, epochs=3)
    for epoch in range(3):
        drawn = [draw.key for draw in epoch_draws(stage, 0, epoch, known, seed=1)]
        assert sorted(drawn) == sorted(key for group in known.values() for key in group)


def test_every_utterance_of_an_entry_once_before_any_again() -> None:
    known = keys(small=5, large=20)
    stage = Stage("blend", {"small": 0.5, "large": 0.5}, epochs=6)
    uses: Counter[str] = Counter()
    for epoch in range(6):
        draws = epoch_draws(stage, 0, epoch, known, seed=9)
        assert all(draw.turn >= 0 for draw in draws)
        uses.update(draw.key for draw in draws)
        for entry in known:
            counts = [uses[key] for key in known[entry]]
            assert max(counts) - min(counts) <= 1, (epoch, entry)
    # the numbers of the draws of one utterance are 0, 1, 2...: each use has choices of its own
    turns: dict[str, list[int]] = {}
    for epoch in range(6):
        for draw in epoch_draws(stage, 0, epoch, known, seed=9):
            turns.setdefault(draw.key, []).append(draw.turn)
    assert all(sorted(found) == list(range(len(found))) for found in turns.values())


def test_draws_are_a_pure_function_of_the_seed() -> None:
    known = keys(a=50)
    stage = Stage("a", {"a": 1.0}, epochs=2)
    reversed_keys = {"a": known["a"][::-1]}
    assert epoch_draws(stage, 0, 1, known, 5) == epoch_draws(stage, 0, 1, reversed_keys, 5)
    assert epoch_draws(stage, 0, 1, known, 5) != epoch_draws(stage, 0, 1, known, 6)
    assert epoch_draws(stage, 0, 0, known, 5) != epoch_draws(stage, 0, 1, known, 5)


def test_an_entry_without_utterances_is_refused() -> None:
    with pytest.raises(KathrineError, match="'b' has no training utterances"):
        epoch_draws(Stage("s", {"a": 0.5, "b": 0.5}, epochs=1), 0, 0, keys(a=3), 0)


# --------------------------------------------------------------------------- forms


def row(number: int, speaker: str = "s", split: str = "train", **more: object) -> CorpusRow:
    given: dict = {
        "key": f"e/{number}", "entry": "e", "id": str(number), "speaker": speaker, "language": "toy",
        "split": split, "seconds": 3.0, "frames": 37, "text_tokens": {"text": 9, "spelled": 30}, "cut": False,
        "reference": None,
    }  # fmt: skip
    return CorpusRow(**{**given, **more})


def prompter(rows: list[CorpusRow], table: DataTable | None = None, **prompt: float) -> Prompter:
    tables = {"e": table or DataTable(source="x")}
    return Prompter(rows, PromptTable(**prompt), tables, 7, lambda language: language)


def test_shares_of_prompt_forms_are_met() -> None:
    rows = [row(number, f"s{number % 5}") for number in range(400)]
    table = DataTable(source="x", variants={"text": 3.0, "spelled": 1.0})
    made = prompter(rows, table, streamed=0.5, in_context=0.3, language_tag=0.9)
    choices = [made.choose(Draw(one.key, 0, turn)) for one in rows for turn in range(5)]
    count = len(choices)
    assert sum(one.streamed for one in choices) / count == pytest.approx(0.5, abs=0.04)
    assert sum(one.in_context for one in choices) / count == pytest.approx(0.3, abs=0.04)
    assert sum(one.language == "toy" for one in choices) / count == pytest.approx(0.9, abs=0.03)
    assert sum(one.variant == "spelled" for one in choices) / count == pytest.approx(0.25, abs=0.04)
    assert made.choose(Draw("e/3", 0, 1)) == made.choose(Draw("e/3", 0, 1))
    assert len({made.choose(Draw("e/3", 0, turn)) for turn in range(20)}) > 5


def test_the_reference_is_never_the_target() -> None:
    rows = [row(number, f"s{number % 3}") for number in range(30)]
    made = prompter(rows, in_context=1.0)
    for one in rows:
        for turn in range(10):
            choice = made.choose(Draw(one.key, 0, turn))
            assert choice.in_context
            assert choice.reference != one.key
            assert made.by_key[choice.reference].speaker == one.speaker  # type: ignore[index]


def test_a_long_recording_lends_its_voice_but_not_its_prompt() -> None:
    made = prompter([row(0), row(1, seconds=9.0)], in_context=1.0, max_reference_seconds=8.0)
    choice = made.choose(Draw("e/0", 0, 0))
    assert (choice.reference, choice.in_context) == ("e/1", False)
    assert made.choose(Draw("e/1", 0, 0)).in_context


def test_an_only_utterance_is_its_own_voice_and_never_in_context() -> None:
    made = prompter([row(0, "alone")], in_context=1.0)
    choice = made.choose(Draw("e/0", 0, 0))
    assert (choice.reference, choice.in_context) == ("e/0", False)


def test_training_never_refers_to_held_out_utterances() -> None:
    rows = [row(0), row(1), row(2, split="validation"), row(3, "other", split="validation"), row(4, "other")]
    made = prompter(rows, in_context=1.0)
    assert {made.choose(Draw("e/0", 0, turn)).reference for turn in range(30)} == {"e/1"}
    assert made.choose(Draw("e/3", -1, 0)).reference == "e/4"  # the only other one of its speaker


def test_a_fixed_reference_stays() -> None:
    hidden = row(9, id="__reference__", key="e/__reference__", split="test", text_tokens={"text": 0})
    rows = [*(row(number, reference="__reference__") for number in range(3)), hidden]
    made = prompter(rows, in_context=1.0)
    choices = [made.choose(Draw("e/0", 0, turn)) for turn in range(20)]
    assert {one.reference for one in choices} == {"e/__reference__"}
    assert not any(one.in_context for one in choices)  # it has no text
    assert training_keys(rows) == {"e": ["e/0", "e/1", "e/2"]}


def test_an_outline_has_the_rows_of_the_example(tmp_path) -> None:
    model = ToyFamily().load(Workspace(tmp_path))
    corpus = prepared_toy_corpus({"toy": 40})
    made = Prompter(corpus.rows, PromptTable(in_context=0.5), {}, 3)
    for one in corpus.rows:
        for turn in range(4):
            draw = Draw(one.key, 0, turn)
            assert model.rows(made.outline(draw)) == model.rows(made.prompted(corpus, draw))


def test_a_cut_utterance_has_no_end() -> None:
    corpus = prepared_toy_corpus({"toy": 40})
    made = Prompter(corpus.rows, PromptTable(), {}, 3)
    cut = {made.prompted(corpus, Draw(one.key, 0, 0)).end is not one.cut for one in corpus.rows}
    assert cut == {True}
    assert any(one.cut for one in corpus.rows)


def test_another_text_changes_nothing_else() -> None:
    corpus = prepared_toy_corpus({"toy": 10})
    made = Prompter(corpus.rows, PromptTable(in_context=1.0), {}, 3)
    draw = Draw("toy/u0001", -1, 0)
    right, wrong = made.prompted(corpus, draw), made.prompted(corpus, draw, text_of="toy/u0002")
    assert wrong.text_ids == corpus.example("toy/u0002").text_ids["text"] != right.text_ids
    assert (wrong.example, wrong.reference, wrong.streamed) == (
        right.example,
        right.reference,
        right.streamed,
    )


# --------------------------------------------------------------------------- batches


def speech_rows(count: int, seed: int = 0) -> list[int]:
    """Input rows of sentences of 1.5 to 15 s at 12.5 frames a second, with text."""
    generator = random.Random(seed)
    return [int(12.5 * min(15.0, max(1.5, generator.lognormvariate(1.7, 0.6)))) + 25 for _ in range(count)]


@pytest.mark.parametrize("batch", [BatchTable(examples=4), BatchTable(examples=16), BatchTable(frames=2000)])
@pytest.mark.parametrize("count", [2000, 10001])
def test_padding_stays_under_three_per_cent(batch: BatchTable, count: int) -> None:
    rows = speech_rows(count)
    draws = [Draw(str(number), 0, 0) for number in range(count)]
    batches = pack(draws, rows, batch, 1)
    assert sorted(int(draw.key) for one in batches for draw in one) == list(range(count))
    assert padding_share([[rows[int(draw.key)] for draw in one] for one in batches]) < 0.03
    for one in batches:
        if batch.examples:
            assert len(one) <= batch.examples
        else:
            assert len(one) * max(rows[int(draw.key)] for draw in one) <= (batch.frames or 0)
    if batch.examples:
        assert len(batches) == -(-count // batch.examples)


def test_batches_are_not_ordered_by_length() -> None:
    rows = speech_rows(4000)
    batches = pack([Draw(str(number), 0, 0) for number in range(4000)], rows, BatchTable(examples=4), 1)
    means = [sum(rows[int(draw.key)] for draw in one) / len(one) for one in batches]
    falls = sum(later < earlier for earlier, later in itertools.pairwise(means))
    assert 0.4 < falls / len(means) < 0.6
    assert {len(one) for one in batches} == {4}


def test_too_long_for_the_frame_budget_is_refused() -> None:
    with pytest.raises(KathrineError, match=r"takes 50 input rows, but train\.batch\.frames is 40"):
        pack([Draw("a", 0, 0)], [50], BatchTable(frames=40), 0)


def plan(stages: list[Stage], batch: BatchTable, accumulation: int = 2, **sizes: int) -> Plan:
    return Plan(stages, keys(**sizes), batch, accumulation, 1, lambda draw: 10)


@pytest.mark.parametrize("batch", [BatchTable(examples=3), BatchTable(frames=35)])
def test_a_plan_is_as_long_as_it_says_and_can_be_entered_anywhere(batch: BatchTable) -> None:
    stages = [Stage("a", {"a": 1.0}, epochs=1.5), Stage("b", {"a": 0.5, "b": 0.5}, steps=7)]
    made = plan(stages, batch, a=17, b=8)
    steps = list(made.walk(Position()))
    assert [sum(step.position.stage == number for step in steps) for number in range(2)] == made.lengths()
    assert steps[-1].after == Position(stage=2) and steps[-1].ends_stage
    for number, step in enumerate(steps):
        later = list(plan(stages, batch, a=17, b=8).walk(step.position))
        assert later == steps[number:]
    first_epoch = [draw.key for step in steps if step.position.epoch == 0 and step.position.stage == 0
                   for one in step.batches for draw in one]  # fmt: skip
    assert sorted(first_epoch) == sorted(keys(a=17)["a"])
    half = [draw for step in steps if step.position.stage == 0 and step.position.epoch == 1
            for one in step.batches for draw in one]  # fmt: skip
    assert len(half) == 8  # half an epoch of 17


def test_the_last_step_of_an_epoch_may_be_smaller() -> None:
    made = plan([Stage("a", {"a": 1.0}, epochs=2)], BatchTable(examples=3), accumulation=3, a=17)
    shapes = [[len(batch) for batch in step.batches] for step in made.walk(Position())]
    assert len(shapes) == 4
    assert all(sum(map(sum, shapes[epoch * 2 : epoch * 2 + 2])) == 17 for epoch in range(2))
    assert [len(shape) for shape in shapes] == [3, 3, 3, 3]
