from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kathrine import KathrineError
from kathrine.types import DataSize, Stage
from kathrine_curriculum import SourceFirst, Staged, blend_shares
from kathrine_curriculum.curricula import SourceFirstOptions, StagedOptions, StageOptions

KNOWN = [DataSize("npsc", None, 300, 3000.0), DataSize("librivox", None, 100, 1200.0)]
UNKNOWN = [DataSize("npsc", None, None, None), DataSize("librivox", None, None, None)]


def source_first(**options: object) -> SourceFirst:
    return SourceFirst(SourceFirstOptions(first="npsc", **options))  # type: ignore[arg-type]


def staged(*stages: dict) -> Staged:
    return Staged(StagedOptions(stages=[StageOptions(**stage) for stage in stages]))


@pytest.mark.parametrize("data", [KNOWN, UNKNOWN])
def test_source_first_has_two_stages(data: list[DataSize]) -> None:
    plan = source_first(first_epochs=2.0, steps=500, lr_scale={"lora": 0.5}).plan(data)
    assert plan == (
        Stage("npsc", {"npsc": 1.0}, epochs=2.0),
        Stage("blend", {"npsc": 0.5, "librivox": 0.5}, steps=500, lr_scale={"lora": 0.5}),
    )


def test_shares_of_the_blend() -> None:
    assert source_first(first_steps=1, epochs=1.0, shares="size").plan(KNOWN)[1].shares == {
        "npsc": 0.75,
        "librivox": 0.25,
    }
    assert source_first(first_steps=1, epochs=1.0, shares={"npsc": 1, "librivox": 3}).plan(KNOWN)[1].shares == {
        "npsc": 0.25,
        "librivox": 0.75,
    }
    wished = [DataSize("npsc", 3.0, 10, 1.0), DataSize("librivox", None, 90, 1.0)]
    assert source_first(first_steps=1, epochs=1.0).plan(wished)[1].shares == {"npsc": 0.75, "librivox": 0.25}


def test_sizes_may_be_unknown_before_prepare() -> None:
    assert blend_shares(UNKNOWN, "size", "x") == {"npsc": 0.5, "librivox": 0.5}
    half = [KNOWN[0], UNKNOWN[1]]
    assert blend_shares(half, "size", "x") == {"npsc": 0.5, "librivox": 0.5}


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 100) | st.just(0.0), min_size=1).filter(
        lambda shares: any(shares.values())
    )
)
def test_shares_always_sum_to_one(shares: dict[str, float]) -> None:
    data = [DataSize(name, None, 1, 1.0) for name in shares]
    resolved = blend_shares(data, shares, "x")
    assert sum(resolved.values()) == pytest.approx(1.0)
    assert set(resolved) == {name for name, share in shares.items() if share > 0}


@pytest.mark.parametrize(
    ("curriculum", "data", "said"),
    [
        (
            SourceFirst(SourceFirstOptions(first="nspc", first_steps=1, steps=1)),
            KNOWN,
            "no data entry 'nspc'",
        ),
        (source_first(first_steps=1, steps=1), KNOWN[:1], "nothing to blend npsc with"),
        (source_first(first_steps=1, steps=1, shares={"npsc": 1.0}), KNOWN, "no stage uses librivox"),
        (
            source_first(first_steps=1, steps=1, shares={"npsc": 1, "books": 1}),
            KNOWN,
            "no data entry 'books'",
        ),
        (source_first(first_steps=1, steps=1, shares={"npsc": 0, "librivox": 0}), KNOWN, "every share is 0"),
        (staged({"shares": {"npsc": 1.0}, "steps": 1}), KNOWN, "no stage uses librivox"),
        (staged({"name": "a", "steps": 1}, {"name": "a", "steps": 1}), KNOWN, "two stages are named 'a'"),
        (staged({"shares": "size", "steps": 1}), [DataSize("npsc", None, 0, 0.0)], "has any utterances"),
    ],
)
def test_plans_that_make_no_sense_are_refused(curriculum, data: list[DataSize], said: str) -> None:
    with pytest.raises(KathrineError, match=said):
        curriculum.plan(data)


def test_lengths_must_be_given_once() -> None:
    assert len(list(source_first().problems())) == 2
    assert len(list(source_first(first_epochs=1.0, first_steps=2, steps=1).problems())) == 1
    assert not list(source_first(first_epochs=1.0, epochs=1.0).problems())
    with pytest.raises(ValidationError, match="epochs or steps"):
        StageOptions(name="a")
    with pytest.raises(ValidationError, match="not both"):
        StageOptions(name="a", steps=1, epochs=1.0)
    with pytest.raises(ValidationError):
        StagedOptions(stages=[])


def test_staged_takes_stages_in_their_order() -> None:
    plan = staged(
        {"shares": {"npsc": 2.0}, "epochs": 1.5},
        {"name": "mix", "shares": "size", "steps": 10, "lr_scale": {"lora": 0.3}},
        {"shares": {"npsc": 1, "librivox": 1}, "steps": 5},
    ).plan(KNOWN)
    assert plan == (
        Stage("stage 1", {"npsc": 1.0}, epochs=1.5),
        Stage("mix", {"npsc": 0.75, "librivox": 0.25}, steps=10, lr_scale={"lora": 0.3}),
        Stage("stage 3", {"npsc": 0.5, "librivox": 0.5}, steps=5),
    )


def test_options_read_from_toml_shapes() -> None:
    text = '{"first": "npsc", "first_epochs": 2, "steps": 10, "shares": {"npsc": 1, "librivox": 2.5}}'
    options = SourceFirstOptions.model_validate_json(text)
    assert options.shares == {"npsc": 1.0, "librivox": 2.5} and options.first_epochs == 2.0
    assert StagedOptions.model_validate_json('{"stages": [{"steps": 3, "shares": "size"}]}').stages[0].steps == 3
    with pytest.raises(ValidationError):
        SourceFirstOptions.model_validate_json('{"first": "npsc", "shares": "sized"}')
