"""Speech is found where it is, silence is not speech, and loading the detector changes nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kathrine.corpus.speech_activity import load_detector, speech_probabilities, speech_spans
from kathrine.datafiles import bundled_sample

RATE = 22050


@pytest.fixture(scope="module")
def detector():
    return load_detector()


@pytest.fixture(scope="module")
def spoken():
    wave, rate = soundfile.read(bundled_sample("nb-librivox") / "data" / "bok1_0000.mp3", dtype="float32")
    assert rate == RATE
    return wave


def test_speech_between_two_silences_is_found_at_its_place(detector, spoken):
    quiet = np.zeros(2 * RATE, dtype=np.float32)
    spans = speech_spans(np.concatenate([quiet, spoken, quiet]), RATE, detector=detector)
    assert spans[0][0] == pytest.approx(2.0, abs=0.25)
    assert spans[-1][1] == pytest.approx(2.0 + len(spoken) / RATE, abs=0.4)
    assert all(start < end for start, end in spans)


def test_silence_and_noise_are_no_speech(detector):
    noise = np.random.default_rng(0).normal(0, 0.01, 3 * RATE).astype(np.float32)
    assert speech_spans(np.zeros(3 * RATE, dtype=np.float32), RATE, detector=detector) == []
    assert speech_spans(noise, RATE, detector=detector) == []
    assert speech_probabilities(np.zeros(0, dtype=np.float32), RATE, detector).shape == (0,)


def test_a_recording_gives_the_same_numbers_whatever_came_before(detector, spoken):
    first = speech_probabilities(spoken, RATE, detector)
    speech_probabilities(spoken[: RATE // 2], RATE, detector)
    assert np.array_equal(first, speech_probabilities(spoken, RATE, detector))
    assert np.array_equal(first, speech_probabilities(spoken, RATE))


def test_loading_the_detector_leaves_torch_its_threads():
    program = (
        "import json, torch; torch.set_num_threads(3);"
        "from kathrine.corpus.speech_activity import load_detector; load_detector();"
        "import sys; print(json.dumps([torch.get_num_threads(), 'torchaudio' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert json.loads(done.stdout) == [3, False]
