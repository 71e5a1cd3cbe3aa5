"""The plan alone: which days, how many hours, whose speech; and when a clip ends in the sound."""

from __future__ import annotations

import numpy as np
import pytest

from kathrine_npsc.metadata import Sentence
from kathrine_npsc.plan import make_plan
from kathrine_npsc.sound import ends_in_sound
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
