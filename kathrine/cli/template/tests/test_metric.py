"""The metric keeps the contract of its kind, and measures what it says."""

import kathrine
import numpy as np
from kathrine.testing import SilentProgress, check_metric

from kathrine_newname.metric import NewNameMetric

RATE = 16000


def test_it_keeps_the_contract_of_a_metric() -> None:
    context = kathrine.MetricContext(kathrine.Workspace.default(), SilentProgress())
    assert check_metric(NewNameMetric(), context) == ""


def test_it_counts_letters_in_the_time_in_which_there_is_sound() -> None:
    tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE)
    wave = np.concatenate([tone, np.zeros(RATE)]).astype(np.float32)
    row = NewNameMetric().score(wave, RATE, "ten letters", None)
    assert NewNameMetric().summarise([row]) == {"letters_per_second": 5.0}


def test_silence_has_no_rate() -> None:
    row = NewNameMetric().score(np.zeros(RATE, dtype=np.float32), RATE, "nothing", None)
    assert NewNameMetric().summarise([row]) == {}
