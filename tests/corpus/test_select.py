"""Choosing, holding out and references: pure functions, so every rule is tested on made-up rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kathrine.corpus.rows import Row
from kathrine.corpus.select import choose, fix_where_drawing_fails, fixed_references, hold_out
from kathrine.recipe.tables import DataTable
from kathrine.types import Split, Utterance


def row(name: str, speaker: str = "s", seconds: float = 10.0, split: Split = "train", audio: bool = True) -> Row:
    utterance = Utterance(name, Path(f"{name}.wav") if audio else None, {"text": "hei"}, speaker)
    return Row("a", utterance, split, seconds=seconds, audio=f"audio-{name}" if audio else "")


def rows(counts: dict[str, int], seconds: float = 10.0, split: Split = "train") -> list[Row]:
    """Rows of several speakers, one after another in turns."""
    left = dict(counts)
    made = []
    while any(left.values()):
        for speaker in [name for name, count in left.items() if count]:
            made.append(row(f"{speaker}-{split}-{left[speaker]}", speaker, seconds, split))
            left[speaker] -= 1
    return made


def table(**options: object) -> DataTable:
    return DataTable(source="list", **options)  # type: ignore[arg-type]


def taken(given_rows: list[Row], **options: object) -> tuple[list[Row], Counter[str]]:
    choice = choose(given_rows, table(**options), True)
    kept = [each for place, each in enumerate(given_rows) if place not in choice.left_out]
    return kept, Counter(choice.left_out.values())


def test_everything_without_limits() -> None:
    kept, reasons = taken(rows({"s": 3, "t": 2}))
    assert len(kept) == 5 and not reasons


def test_max_hours_is_met_within_one_utterance_and_never_exceeded() -> None:
    kept, reasons = taken(rows({"s": 20, "t": 20}), max_hours=105 / 3600)
    assert sum(each.seconds for each in kept) == 100
    assert reasons == {"max_hours": 30}


def test_speaker_cap_and_floor() -> None:
    kept, reasons = taken(rows({"s": 20, "t": 4, "u": 2}), speaker_cap_minutes=1.0, speaker_floor_minutes=0.5)
    assert Counter(each.speaker for each in kept) == {"s": 6, "t": 4}
    assert reasons == {"speaker cap": 14, "speaker floor": 2}


def test_single_utterances_are_dropped_and_their_place_given_on() -> None:
    given_rows = [row("x", "lonely"), *rows({"s": 20})]
    kept, reasons = taken(given_rows, max_hours=50 / 3600)
    assert [each.speaker for each in kept] == ["s"] * 5
    assert reasons == {"no reference": 1, "max_hours": 15}
    assert choose(given_rows, table(), False).left_out == {}


def test_a_training_utterance_does_not_take_its_voice_from_a_held_out_one() -> None:
    given_rows = [row("a", "s"), row("b", "s", split="validation"), row("c", "s", split="validation")]
    choice = choose(given_rows, table(), True)
    assert choice.left_out == {0: "no reference"}
    # A held-out one may take it from training.
    given_rows = [row("a", "s"), row("b", "s"), row("c", "s", split="validation")]
    assert choose(given_rows, table(), True).left_out == {}


def test_held_out_splits_of_the_source_keep_a_part_of_max_hours() -> None:
    given_rows = rows({"s": 100}) + rows({"t": 50}, split="validation")
    kept, _ = taken(given_rows, max_hours=600 / 3600)
    by_split = Counter(each.split for each in kept)
    assert by_split == {"train": 57, "validation": 3}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.floats(1, 20),
            st.sampled_from(["train", "train", "validation", "test"]),
        ),
        max_size=60,
    ),
    st.none() | st.floats(0.001, 0.2),
    st.none() | st.floats(0.1, 2),
    st.floats(0, 1),
)
def test_no_choice_breaks_a_limit(
    made: list[tuple[str, float, Split]], hours: float | None, cap: float | None, floor: float
) -> None:
    given_rows = [row(f"u{number}", speaker, seconds, split) for number, (speaker, seconds, split) in enumerate(made)]
    options = table(max_hours=hours, speaker_cap_minutes=cap, speaker_floor_minutes=floor)
    left_out = choose(given_rows, options, True).left_out
    kept = [each for place, each in enumerate(given_rows) if place not in left_out]
    spoken: Counter[str] = Counter()
    for each in kept:
        spoken[each.speaker] += each.seconds  # type: ignore[assignment]
    assert hours is None or sum(spoken.values()) <= hours * 3600 + 1e-6
    assert all(floor * 60 - 1e-6 <= seconds for seconds in spoken.values())
    assert cap is None or all(seconds <= cap * 60 + 1e-6 for seconds in spoken.values())
    train = Counter(each.speaker for each in kept if each.split == "train")
    assert all(count > 1 for count in train.values())
    assert all(count > 1 for count in Counter(each.speaker for each in kept).values())


# --------------------------------------------------------------------------- held out


def test_hold_out_is_a_function_of_the_id() -> None:
    first = rows({"s": 100, "t": 100})
    hold_out(first, 0.1, True)
    chosen = {each.id for each in first if each.split == "validation"}
    assert 8 < len(chosen) < 35
    more = rows({"s": 100, "t": 100, "u": 100})[::-1]
    hold_out(more, 0.1, True)
    assert chosen == {each.id for each in more if each.split == "validation" and each.speaker != "u"}


@pytest.mark.parametrize("counts", [{"s": 3}, {"s": 2, "t": 3}, {"s": 2, "t": 2}, {"s": 40}])
def test_hold_out_takes_at_least_one_and_strands_no_speaker(counts: dict[str, int]) -> None:
    made = rows(counts)
    hold_out(made, 0.001, True)
    held = [each for each in made if each.split == "validation"]
    assert 1 <= len(held) <= 2
    assert choose(made, table(), True).left_out == {}


def test_hold_out_can_be_off_and_leaves_one_alone() -> None:
    for made, share in ((rows({"s": 50}), 0.0), (rows({"s": 1}), 0.5)):
        hold_out(made, share, True)
        assert {each.split for each in made} == {"train"}


# --------------------------------------------------------------------------- references


def test_fixed_reference_is_one_for_a_speaker_and_never_the_target() -> None:
    made = rows({"s": 6, "t": 6}, seconds=12.0)
    made[4].seconds, made[5].seconds = 5.0, 6.0
    made[6].cut = True
    fixed_references(made)
    for speaker in "st":
        lent = Counter(each.reference for each in made if each.speaker == speaker)
        assert sorted(lent.values()) == [1, 5]
    assert all(each.reference != each.id for each in made)
    best = next(each for each in made[:6] if each.speaker == made[4].speaker)
    assert Counter(each.reference for each in made if each.speaker == best.speaker).most_common(1)[0][0] == made[4].id


def test_fixed_reference_prefers_the_same_split() -> None:
    made = [*rows({"s": 3}), *rows({"s": 2}, split="validation")]
    fixed_references(made)
    split = {each.id: each.split for each in made}
    assert all(split[each.reference or ""] == each.split for each in made)


def test_codes_without_a_recording_lend_no_voice() -> None:
    made = [row("a"), row("b"), row("c", audio=False), row("d", "t"), row("e", "t")]
    made[2].own_reference, made[2].reference = True, "__reference__"
    fix_where_drawing_fails(made, True)
    assert [each.reference for each in made] == ["b", "a", "__reference__", None, None]


def test_own_reference_where_there_is_no_other() -> None:
    made = [row("a", "lonely"), row("b"), row("c")]
    fix_where_drawing_fails(made, True)
    assert [each.reference for each in made] == ["a", None, None]
    made = [row("a", "lonely")]
    fix_where_drawing_fails(made, False)
    assert made[0].reference is None
