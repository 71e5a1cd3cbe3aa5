"""Chapters without a text: units between pauses, and the way through a real (untrained) Whisper model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from spoken_chapter import engine_or_none, read_aloud

from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine_librivox.segmentation import SegmentLimits, open_aligner, open_transcriber, segment_chapter
from kathrine_librivox.segmentation.gates import NO_WORDS, RUNAWAY, TOO_LONG, TOO_SHORT, UNSURE, Tally
from kathrine_librivox.segmentation.transcribe import cut_transcribed, pad_units, units_between_pauses

LANGUAGES = {"<|no|>": 262, "<|nn|>": 263}
SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", *LANGUAGES, "<|transcribe|>", "<|translate|>", "<|notimestamps|>"]


@pytest.fixture(scope="module")
def whisper(tmp_path_factory) -> Path:
    """An untrained Whisper model with a vocabulary of bytes, saved as any other."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    folder = tmp_path_factory.mktemp("whisper")
    letters = list(bytes_to_unicode().values())
    vocabulary = {entry: number for number, entry in enumerate([*letters, "ab", "cd", "ef", "gh", *SPECIAL[:2]])}
    vocabulary = {entry: number for number, entry in enumerate([*vocabulary, *SPECIAL[2:]])}
    assert vocabulary["<|no|>"] == LANGUAGES["<|no|>"]
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = WhisperTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), additional_special_tokens=SPECIAL[1:]
    )
    tokenizer.save_pretrained(folder)
    end, start = vocabulary["<|endoftext|>"], vocabulary["<|startoftranscript|>"]
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(vocabulary), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_target_positions=64, num_mel_bins=80,
            pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start,
        )
    )  # fmt: skip
    generation = model.generation_config
    generation.lang_to_id = LANGUAGES
    generation.task_to_id = {"transcribe": vocabulary["<|transcribe|>"], "translate": vocabulary["<|translate|>"]}
    generation.no_timestamps_token_id = vocabulary["<|notimestamps|>"]
    generation.is_multilingual = True
    generation._from_model_config = False
    generation.max_length = 24
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


def wave_of(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, int(seconds * 16000)).astype(np.float32)


def test_units_are_written_down_greedily_in_the_language_that_is_given(whisper):
    told = {}
    for language in ("nb", "nn"):
        transcriber = open_transcriber(str(whisper), language, "cpu")
        assert transcriber.label.startswith(f"whisper:{whisper}@local-")
        asked = {}
        generate = transcriber.network.generate
        transcriber.network.generate = lambda *given, asked=asked, generate=generate, **more: (
            asked.update(more),
            generate(*given, **more),
        )[1]
        units = [(0.5 * n, 0.5 * n + 2.0) for n in range(11)]
        told[language] = transcriber.write_down(wave_of(10.0), units, SilentProgress())
        assert asked["language"] == {"nb": "no", "nn": "nn"}[language] and asked["task"] == "transcribe"
        assert asked["do_sample"] is False and asked["num_beams"] == 1
        again = transcriber.write_down(wave_of(10.0), units, SilentProgress())
        assert again == told[language]
        alone = transcriber.write_down(wave_of(10.0), units[9:10], SilentProgress())
        assert alone[0][0] == again[9][0] and alone[0][1] == pytest.approx(again[9][1], abs=1e-3)
    assert len(told["nb"]) == 11
    assert all(isinstance(text, str) and -8 < score < 0 for text, score in told["nb"])
    assert told["nb"] != told["nn"]


def test_the_score_is_the_mean_log_probability_of_the_tokens(whisper):
    """An untrained network is nearly uniform over what it may say: about -ln of the vocabulary."""
    transcriber = open_transcriber(str(whisper), "nb", "cpu")
    (_, score), *_ = transcriber.write_down(wave_of(3.0), [(0.0, 3.0)], SilentProgress())
    assert score == pytest.approx(-np.log(266), abs=1.0)


def test_a_model_that_is_none_or_does_not_know_the_language_is_refused(whisper):
    with pytest.raises(KathrineError, match="does not know the language 'sv'"):
        open_transcriber(str(whisper), "sv", "cpu")
    from spoken_chapter import MODEL

    with pytest.raises(KathrineError, match="can not be loaded as a Whisper model"):
        open_transcriber(str(MODEL), "nb", "cpu")
    with pytest.raises(KathrineError, match=r"no \*.safetensors"):
        open_transcriber(str(whisper.parent), "nb", "cpu")


@pytest.mark.skipif(engine_or_none() is None, reason="espeak-ng is not installed")
def test_a_chapter_goes_all_the_way_through_the_model(whisper):
    spoken = read_aloud([("Hun gikk hjem til huset ved elva.", True), ("Der satt katten og ventet på henne.", True)])
    transcriber = open_transcriber(str(whisper), "nb", "cpu")
    made = segment_chapter(spoken.wave_N, 16000, None, transcriber, SegmentLimits(min_score=-20.0), SilentProgress())
    assert made.aligner == transcriber.label and made.consumed == 0
    assert len(made.segments) + sum(count for count, _ in made.dropped.values()) == 2
    strict = segment_chapter(spoken.wave_N, 16000, None, transcriber, SegmentLimits(), SilentProgress())
    assert strict.segments == ()
    with pytest.raises(KathrineError, match="transcriber was given for a chapter with a text"):
        segment_chapter(spoken.wave_N, 16000, "Hun gikk.", transcriber, SegmentLimits(), SilentProgress())
    with pytest.raises(KathrineError, match="needs a model that writes down"):
        segment_chapter(spoken.wave_N, 16000, None, open_aligner(None, "nb"), SegmentLimits(), SilentProgress())


class Script:
    """A transcriber that says what it was told to, for the gates behind it."""

    label = "whisper:script"

    def __init__(self, *answers: tuple[str, float]) -> None:
        self.answers = list(answers)
        self.units: list[tuple[float, float]] = []

    def write_down(self, wave_N, units, progress):
        self.units = list(units)
        return self.answers[: len(units)]


def test_what_was_not_heard_surely_is_dropped_and_counted():
    spans = [(0.5, 4.0), (5.0, 9.0), (10.0, 14.0), (15.0, 19.0)]
    script = Script((" Godt  svar.", -0.2), ("Usikkert.", -1.4), (" ... ", -0.1), ("ha " * 200, -0.1))
    made = cut_transcribed(np.zeros(20 * 16000, dtype=np.float32), spans, script, SegmentLimits(), SilentProgress())
    assert [(s.start, s.end, s.text, s.score, s.cut) for s in made.segments] == [
        (pytest.approx(0.4), pytest.approx(4.1), "Godt svar.", -0.2, False)
    ]
    assert {reason: count for reason, (count, _) in made.dropped.items()} == {UNSURE: 1, NO_WORDS: 1, RUNAWAY: 1}


def test_units_are_divided_at_the_longest_pauses_and_keep_their_limits():
    dropped = Tally()
    spans = [(0.0, 1.0), (1.15, 3.0), (3.3, 6.0), (6.9, 9.0), (9.25, 10.0), (10.9, 14.0)]
    assert units_between_pauses(spans, SegmentLimits(), dropped) == [(0.0, 6.0), (6.9, 10.0), (10.9, 14.0)]
    assert not dropped.found
    solid = [(0.0, 20.0), (21.0, 24.0), (30.0, 30.5), (40.0, 44.0)]
    assert units_between_pauses(solid, SegmentLimits(), dropped) == [(21.0, 24.0), (40.0, 44.0)]
    assert dropped.found == {TOO_LONG: (1, 20.0), TOO_SHORT: (1, 0.5)}
    assert units_between_pauses([], SegmentLimits(), dropped) == []


def test_units_are_padded_into_their_pauses():
    spans = [(0.02, 3.0), (3.12, 6.0), (6.2, 9.0)]
    padded = pad_units([(0.02, 6.0), (6.2, 9.0)], spans, SegmentLimits(), 9.05)
    assert padded == [(0.0, pytest.approx(6.1)), (pytest.approx(6.1), 9.05)]
