"""The plan alone: which days, how many hours, whose speech; and when a clip ends in the sound."""

from __future__ import annotations

import numpy as np
import pytest

from kathrine import KathrineError
from kathrine_npsc.metadata import Sentence
from kathrine_npsc.plan import SEEN, make_plan
from kathrine_npsc.sound import ends_in_sound
from kathrine_npsc.speakers import Person, wanted_dialects
from kathrine_npsc.wishes import MARGIN, Wishes


def day(folder: str, name: str, count: int = 60, speaker: int | None = None, seconds: float = 10.0, text: str = ""):
    """A day of `count` sentences of 10 s by four speakers in turn."""
    step = int(1000 * seconds)
    return {
        (folder, name): [
            Sentence(
                day=name,
                folder=folder,
                stem=f"{name}-100000_{number * step}_{(number + 1) * step}",
                order=number,
                start=number * step,
                end=(number + 1) * step,
                speaker_id=speaker if speaker is not None else number % 4,
                speaker_name=f"Taler {number % 4}",
                language="nb",
                texts={"text": text or f"{folder} {name} setning {number}"},
            )
            for number in range(count)
        ]
    }


DAYS = {
    key: rows
    for number in range(12)
    for key, rows in day("eval" if number > 9 else "train", f"201701{number + 10}").items()
}
"""Ten train days and two eval days of ten minutes each."""


def test_no_limit_takes_every_train_day():
    plan = make_plan(DAYS, Wishes(seed=1))
    assert len([1 for folder, _ in plan.days if folder == "train"]) == 10
    assert plan.seconds["train"] == 6000


@pytest.mark.parametrize("hours", [0.1, 0.3, 0.5, 1.0])
def test_days_are_added_until_the_planned_hours_are_reached(hours):
    plan = make_plan(DAYS, Wishes(seed=1, seconds=hours * 3600))
    days = [name for folder, name in plan.days if folder == "train"]
    assert (len(days) - 1) * 600 < hours * 3600 * MARGIN <= len(days) * 600
    assert plan.seconds["eval"] <= hours * 3600 / 4 + 10


def test_the_seed_chooses_the_days_and_more_hours_keep_those_chosen():
    def days(seed: int, hours: float) -> list[str]:
        return [
            name for folder, name in make_plan(DAYS, Wishes(seed=seed, seconds=hours * 3600)).days if folder == "train"
        ]

    assert len({tuple(days(seed, 0.3)) for seed in range(8)}) > 3
    assert days(3, 1.0)[: len(days(3, 0.3))] == days(3, 0.3)


def test_sentences_that_prepare_will_leave_out_are_kept_but_not_counted_on():
    too_long = day("train", "20170201", seconds=30.0)
    inaudible = day("train", "20170202", text="dette er <INAUDIBLE> sagt")
    wishes = Wishes(seed=1, seconds=500, min_seconds=1.5, max_seconds=15, max_copies=999)
    plan = make_plan({**too_long, **inaudible, **day("train", "20170203")}, wishes)
    assert ("train", "20170203") in plan.days
    short = make_plan({**too_long, **inaudible}, wishes)
    assert len(short.days) == 2 and len(short.sentences) == 120


def test_speech_beyond_the_cap_of_a_speaker_is_not_counted_on():
    president = day("train", "20170301", speaker=9) | day("train", "20170302", speaker=9)
    others = day("train", "20170303")
    capped = make_plan({**president, **others}, Wishes(seed=1, seconds=700, cap=100))
    assert ("train", "20170303") in capped.days
    seeds = [make_plan(president | others, Wishes(seed=seed, seconds=700)) for seed in range(8)]
    assert any(("train", "20170303") not in plan.days for plan in seeds)


def test_held_out_speech_is_spread_over_its_days():
    plan = make_plan(DAYS, Wishes(seed=1, held_out_seconds=200))
    held_out = [sentence for sentence in plan.sentences if sentence.folder == "eval"]
    assert 190 <= sum(sentence.seconds for sentence in held_out) <= 210
    assert max(sentence.order for sentence in held_out) >= 50


def test_the_reasons_are_counted():
    plan = make_plan(
        day("train", "20170101", text="samme ord hver gang"), Wishes(seed=1, languages=("nb",), max_copies=3)
    )
    assert plan.left_out == {"said more than 3 times": 57}
    assert make_plan(DAYS, Wishes(seed=1, languages=("nn",))).left_out["another language"] == 720


@pytest.mark.parametrize("noise", [1e-4, 3e-3])
def test_a_clip_ends_in_the_sound_or_in_a_pause(noise):
    rate = 16000
    time = np.arange(2 * rate) / rate
    syllables = 0.3 * np.sin(2 * np.pi * 220 * time) * (np.sin(2 * np.pi * 3 * time) > -0.6)
    wave = (syllables + noise * np.random.default_rng(0).standard_normal(len(time))).astype(np.float32)
    loud = int(1.5 * rate)
    assert np.abs(wave[loud - 800 : loud]).max() > 0.2
    assert ends_in_sound(wave[:loud], rate)
    pause = np.concatenate([wave[:loud], noise * np.ones(rate // 10, np.float32)])
    assert not ends_in_sound(pause, rate)
    assert not ends_in_sound(np.zeros(rate, np.float32), rate)
    assert not ends_in_sound(wave[:100], rate)


def test_a_larger_margin_plans_more_days_for_what_the_gates_leave_out():
    def days(margin: float) -> int:
        plan = make_plan(DAYS, Wishes(seed=1, seconds=1800, margin=margin))
        return len([1 for folder, _ in plan.days if folder == "train"])

    assert (days(1.0), days(1.5), days(2.0)) == (3, 5, 6)


@pytest.mark.parametrize(("reject_tags", "expected"), [(False, 1), (True, 2)])
def test_tagged_sentences_are_counted_on_only_where_prepare_keeps_them(reject_tags, expected):
    tagged = day("train", "20170201", text="<ee> vi får se") | day("train", "20170202", text="<ee> vi får se")
    wishes = Wishes(seed=1, seconds=500, reject_tags=reject_tags, max_copies=999)
    plan = make_plan(tagged, wishes)
    assert len(plan.days) == expected
    assert plan.seconds["train"] == (0 if reject_tags else 600)


def test_copies_that_prepare_leaves_out_do_not_use_up_a_sentence():
    short = day("train", "20170101", count=5, seconds=1.0, text="møtet er satt")
    fitting = day("train", "20170102", count=5, text="møtet er satt")
    for seed in range(4):
        plan = make_plan(short | fitting, Wishes(seed=seed, min_seconds=1.5))
        assert plan.seconds["train"] == 30


def test_speakers_under_the_floor_are_not_counted_on():
    rare = {key: rows for n in range(3) for key, rows in day("train", f"2017030{n}", speaker=100 + n).items()}
    often = day("train", "20170401", count=200, speaker=7)
    plan = make_plan(rare | often, Wishes(seed=1, seconds=1000, floor=900))
    assert ("train", "20170401") in plan.days
    counted = [make_plan(rare | often, Wishes(seed=seed, seconds=1000)) for seed in range(8)]
    assert any(("train", "20170401") not in plan.days for plan in counted)


def test_validation_has_no_voices_of_training_and_says_how_many_were_dropped():
    days = DAYS | day("eval", "20170301", speaker=77, count=100)
    plan = make_plan(days, Wishes(seed=1, new_validation_speakers=True))
    held_out = [sentence for sentence in plan.sentences if sentence.folder == "eval"]
    assert {sentence.speaker_id for sentence in held_out} == {77} and plan.seconds["eval"] == 1000
    assert plan.left_out[SEEN] == 120
    assert {s.speaker_id for s in make_plan(days, Wishes(seed=1)).sentences if s.folder == "eval"} == {0, 1, 2, 3, 77}


def test_the_test_split_stays_as_the_corpus_has_it():
    days = DAYS | day("eval", "20170301", speaker=77, count=100) | day("test", "20170302", count=10)
    plan = make_plan(days, Wishes(seed=1, new_validation_speakers=True))
    assert len([1 for sentence in plan.sentences if sentence.folder == "test"]) == 10


def test_too_little_validation_speech_without_the_voices_of_training_is_refused():
    days = DAYS | day("eval", "20170301", speaker=77, count=50)  # 8.3 minutes
    with pytest.raises(KathrineError, match=r"8\.3 minutes of validation are left .* fewer than 10\.0") as refused:
        make_plan(days, Wishes(seed=1, new_validation_speakers=True))
    assert "validation_floor_minutes" in refused.value.hint and 'validation_speakers = "any"' in refused.value.hint
    # Enough where less was asked for, or where less is allowed; and nothing was dropped where nobody is known.
    small = Wishes(seed=1, new_validation_speakers=True, held_out_seconds=480)
    assert make_plan(days, small).seconds["eval"] >= 480
    lower = Wishes(seed=1, new_validation_speakers=True, validation_floor_seconds=480)
    assert make_plan(days, lower).seconds["eval"] == 500
    alone = {key: rows for key, rows in days.items() if key != ("eval", "20170301") and key[0] == "eval"}
    assert make_plan(alone, Wishes(seed=1, new_validation_speakers=True)).seconds["eval"] == 1200


def test_a_floor_of_nothing_allows_an_empty_validation_and_says_what_prepare_does():
    wishes = Wishes(seed=1, new_validation_speakers=True, validation_floor_seconds=0)
    plan = make_plan(DAYS, wishes)
    assert plan.seconds["eval"] == 0 and "holds out a share of training" in plan.notes[0]


def people(**genders: str) -> dict[int, Person]:
    return {int(known[1:]): Person(gender) for known, gender in genders.items()}


def test_balance_holds_at_every_point_within_one_utterance():
    women = day("train", "20170101", speaker=1, count=40, seconds=7.0)
    men = day("train", "20170102", speaker=2, count=90, seconds=4.0)
    who = people(_1="female", _2="male")
    plan = make_plan(women | men, Wishes(seed=1, balance=True), who)
    said = {"female": 0.0, "male": 0.0}
    for sentence in plan.sentences:
        said[who[sentence.speaker_id].gender] += sentence.seconds
        assert abs(said["female"] - said["male"]) <= 7
    assert said["female"] == 280 and plan.left_out["more speech of men than balance allows"] == 90 - said["male"] / 4
    assert plan.notes == ["balanced: 0.08 h of women and 0.08 h of men"]


def test_balance_takes_days_until_both_have_their_half():
    men = {key: rows for n in range(4) for key, rows in day("train", f"2017010{n}", speaker=2).items()}
    women = day("train", "20170301", speaker=1)
    plan = make_plan(men | women, Wishes(seed=1, seconds=600, balance=True), people(_1="female", _2="male"))
    assert ("train", "20170301") in plan.days
    assert plan.seconds["train"] >= 600


def test_balance_counts_neither_what_is_beyond_the_cap_nor_the_unknown():
    known = day("train", "20170101", speaker=1) | day("train", "20170102", speaker=2)
    unknown = day("train", "20170103", speaker=3)
    wishes = Wishes(seed=1, balance=True, cap=100, min_seconds=1.5)
    plan = make_plan(known | unknown, wishes, people(_1="female", _2="male"))
    assert plan.left_out["gender not known"] == 60
    assert plan.notes == ["balanced: 0.03 h of women and 0.03 h of men"]


def test_only_the_wanted_dialects_are_planned():
    days = (
        day("train", "20170101", speaker=1) | day("train", "20170102", speaker=2) | day("train", "20170103", speaker=3)
    )
    who = {1: Person("female", "Eastern Norway"), 2: Person("male", "Trøndelag")}
    plan = make_plan(days, Wishes(seed=1, dialects=wanted_dialects(["TRØNDELAG"], who)), who)
    assert {sentence.speaker_id for sentence in plan.sentences} == {2}
    assert plan.left_out == {"another dialect": 60, "dialect not known": 60}
